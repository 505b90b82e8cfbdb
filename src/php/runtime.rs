//! Starting and stopping the engine, and attaching threads to it: `php-sys` made safe.
//!
//! PHP is one per process. It is started once, stopped on the thread that started it, and only when no other thread
//! is attached; a libphp without thread safety has room for one thread at a time. All of that is checked here.

use std::ffi::{CStr, CString, NulError, c_char};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use php_sys::{
    ephpm_describe, ephpm_extension, ephpm_extensions, ephpm_interrupt, ephpm_interrupt_fire, ephpm_options,
    ephpm_shutdown, ephpm_startup, ephpm_startup_result, ephpm_str, ephpm_thread_attach, ephpm_thread_detach,
    ephpm_var,
};

use super::sapi;

/// The engine, running. Dropping it does not stop it: a process that must leave a stuck thread behind exits without.
#[derive(Debug)]
pub struct Php {
    /// PHP knows its main thread by a thread-local variable.
    _not_send: PhantomData<*const ()>,
}

/// How to start the engine.
#[derive(Debug, Clone, Default)]
pub struct PhpOptions {
    /// A php.ini; without one none is read, wherever the machine may have one.
    pub ini_file: Option<PathBuf>,
    /// Settings that the php.ini may override.
    pub ini_defaults: Vec<(&'static str, String)>,
    /// Settings that override the php.ini: `name=value` lines.
    pub ini_entries: String,
    /// How many threads will run scripts.
    pub threads: usize,
}

/// Why the engine does not start.
#[derive(Debug)]
pub enum StartError {
    /// A string for PHP contains a NUL byte; it says which.
    Nul(&'static str),
    /// The php.ini cannot be read.
    IniFile(PathBuf),
    /// PHP has said why in the log, if it could.
    Engine(&'static str),
}

/// What libphp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// "8.4.1"
    pub version: &'static str,
    /// The engine's version: "4.4.1"
    pub zend_version: &'static str,
    /// Whether several threads can run scripts.
    pub zts: bool,
    /// Whether it is a debug build, which is slow.
    pub debug: bool,
    /// Whether OPcache caches scripts. Known once PHP runs.
    pub opcache: bool,
}

/// One of PHP's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name, as `php -m` prints it.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
}

#[derive(Debug)]
enum Engine {
    /// Not started.
    New,
    /// Running, with so many threads attached.
    Running { attached: usize },
    /// Stopped, or its start has failed: PHP cannot be started again.
    Over,
}

static ENGINE: Mutex<Engine> = Mutex::new(Engine::New);

fn engine() -> MutexGuard<'static, Engine> {
    // Nothing panics while it holds the lock, except over a broken rule.
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Php {
    /// Starts the engine.
    ///
    /// # Panics
    ///
    /// When it was started before: once a process.
    pub fn start(options: &PhpOptions) -> Result<Self, StartError> {
        let strings = Strings::new(options)?;
        let ini_defaults = strings.ini_defaults();
        let raw = ephpm_options {
            ini_path: strings.ini_path.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            ini_defaults: ini_defaults.as_ptr(),
            ini_defaults_len: ini_defaults.len(),
            ini_entries: strings.ini_entries.as_ptr(),
            executable_location: strings.program.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            version: VERSION.as_ptr(),
            threads: u32::try_from(options.threads.max(1)).unwrap_or(u32::MAX),
        };
        let mut engine = engine();
        assert!(matches!(*engine, Engine::New), "PHP can be started once a process");
        *engine = Engine::Over;
        // SAFETY: the first call (`ENGINE`); `raw` points into `strings` and `ini_defaults`, which outlive it, and to
        // a constant for the version.
        let result = unsafe { ephpm_startup(&sapi::CALLBACKS, &raw) };
        let error = match result {
            ephpm_startup_result::EPHPM_STARTUP_OK => {
                *engine = Engine::Running { attached: 0 };
                return Ok(Self { _not_send: PhantomData });
            }
            ephpm_startup_result::EPHPM_STARTUP_INI_UNREADABLE => {
                StartError::IniFile(options.ini_file.clone().unwrap_or_default())
            }
            ephpm_startup_result::EPHPM_STARTUP_TSRM_FAILED => StartError::Engine("there is no memory for its threads"),
            _ => StartError::Engine("the engine or one of its extensions has failed"),
        };
        Err(error)
    }

    /// What libphp is.
    pub fn info(&self) -> Info {
        Info::of_libphp()
    }

    /// PHP's extensions, in the order in which they were started.
    pub fn extensions(&self) -> Vec<Extension> {
        let empty = ephpm_extension { name: ptr::null(), version: ptr::null() };
        // SAFETY: PHP runs (`self`); with a capacity of 0 nothing is written.
        let len = unsafe { ephpm_extensions(ptr::null_mut(), 0) };
        let mut raw = vec![empty; len];
        // SAFETY: PHP runs; there is room for `len`.
        let len = unsafe { ephpm_extensions(raw.as_mut_ptr(), len) }.min(len);
        let extension = |raw: &ephpm_extension| {
            // SAFETY: of an extension that was written the name is a string, and the version one or NULL.
            unsafe { Extension { name: text(raw.name).unwrap_or_default(), version: text(raw.version) } }
        };
        raw[..len].iter().map(extension).collect()
    }

    /// Stops the engine. Fails, and leaves it running, while threads are attached: PHP would free what they use.
    pub fn stop(self) -> Result<(), Self> {
        let mut engine = engine();
        if !matches!(*engine, Engine::Running { attached: 0 }) {
            return Err(self);
        }
        *engine = Engine::Over;
        // SAFETY: it runs, on this thread it was started (`_not_send`), and no thread is attached, nor can one be
        // while the lock is held.
        unsafe { ephpm_shutdown() };
        Ok(())
    }
}

impl Info {
    /// What the libphp is that this program was linked with, running or not.
    pub fn of_libphp() -> Self {
        // SAFETY: no precondition.
        let raw = unsafe { ephpm_describe() };
        // SAFETY: constant strings.
        let [version, zend_version] = [raw.version, raw.zend_version].map(|text| unsafe { CStr::from_ptr(text) });
        Self {
            version: version.to_str().expect("PHP's version is ASCII"),
            zend_version: zend_version.to_str().expect("PHP's version is ASCII"),
            zts: raw.zts,
            debug: raw.debug,
            opcache: raw.opcache,
        }
    }
}

/// The calling thread, attached to PHP until it is dropped. It can execute requests.
#[derive(Debug)]
pub(super) struct Attachment {
    interrupt: Arc<InterruptSlot>,
    _not_send: PhantomData<*const ()>,
}

impl Attachment {
    /// Attaches the calling thread; `interrupt` can interrupt it from then on.
    ///
    /// # Panics
    ///
    /// When PHP does not run, or has no room for another thread.
    pub(super) fn new(interrupt: Arc<InterruptSlot>) -> Self {
        match &mut *engine() {
            Engine::Running { attached } => {
                assert!(Info::of_libphp().zts || *attached == 0, "this libphp has room for one thread");
                *attached += 1;
            }
            other => panic!("a thread is attached to PHP, which does not run: {other:?}"),
        }
        let mut raw = ephpm_interrupt { vm_interrupt: ptr::null_mut(), timed_out: ptr::null_mut(), thread: 0 };
        // SAFETY: PHP runs, and does not stop while a thread is counted as attached; `drop` detaches, on this thread.
        unsafe { ephpm_thread_attach(&mut raw) };
        *interrupt.lock() = Some(Target(raw));
        Self { interrupt, _not_send: PhantomData }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // First, because what it points to is about to be freed.
        *self.interrupt.lock() = None;
        // SAFETY: attached by `new`, on this thread; no request runs, since that would borrow `self`.
        unsafe { ephpm_thread_detach() };
        if let Engine::Running { attached } = &mut *engine() {
            *attached -= 1;
        }
    }
}

/// A way to interrupt a thread while it is attached.
#[derive(Debug, Default)]
pub(super) struct InterruptSlot(Mutex<Option<Target>>);

#[derive(Debug)]
struct Target(ephpm_interrupt);

// SAFETY: it is made to be used by other threads; whoever holds the slot's lock knows that the thread is attached.
unsafe impl Send for Target {}

impl InterruptSlot {
    /// Ends the script that runs on the thread, if it is attached.
    pub(super) fn fire(&self) {
        if let Some(target) = &*self.lock() {
            // SAFETY: the thread is attached: it empties the slot, which needs the lock, before it detaches.
            unsafe { ephpm_interrupt_fire(&target.0) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Target>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `phpversion('ephpm')`.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version contains no NUL"),
};

/// The options' strings as C has them.
struct Strings {
    ini_path: Option<CString>,
    ini_defaults: Vec<(CString, CString)>,
    ini_entries: CString,
    program: Option<CString>,
}

impl Strings {
    fn new(options: &PhpOptions) -> Result<Self, StartError> {
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes());
        let pair = |(name, value): &(&'static str, String)| Ok((CString::new(*name)?, CString::new(value.as_str())?));
        let ini_defaults: Result<_, NulError> = options.ini_defaults.iter().map(pair).collect();
        Ok(Self {
            ini_path: options
                .ini_file
                .as_deref()
                .map(path)
                .transpose()
                .map_err(|_| StartError::Nul("php.ini's path"))?,
            ini_defaults: ini_defaults.map_err(|_| StartError::Nul("a default setting"))?,
            ini_entries: CString::new(options.ini_entries.as_str()).map_err(|_| StartError::Nul("an ini setting"))?,
            program: std::env::current_exe().ok().and_then(|program| path(&program).ok()),
        })
    }

    fn ini_defaults(&self) -> Vec<ephpm_var> {
        let raw = |text: &CString| ephpm_str { ptr: text.as_ptr(), len: text.as_bytes().len() };
        self.ini_defaults.iter().map(|(name, value)| ephpm_var { name: raw(name), value: raw(value) }).collect()
    }
}

/// # Safety
///
/// `ptr` is NULL or a string.
unsafe fn text(ptr: *const c_char) -> Option<String> {
    // SAFETY: as the caller vouches.
    (!ptr.is_null()).then(|| unsafe { CStr::from_ptr(ptr) }.to_string_lossy().into_owned())
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul(what) => write!(f, "{what} contains a NUL byte"),
            Self::IniFile(path) => write!(f, "{}: cannot be read", path.display()),
            Self::Engine(why) => write!(f, "PHP does not start: {why}"),
        }
    }
}

impl std::error::Error for StartError {}
