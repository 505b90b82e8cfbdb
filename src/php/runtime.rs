//! Starting and stopping the engine.
//!
//! PHP is one per process. It is started once, and stopped on the thread that started it when no other thread is
//! attached. All of that is checked here.

use std::ffi::{CStr, CString, NulError, OsString, c_char};
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use php_sys::{
    ephpm_extension, ephpm_extensions, ephpm_opcache_problem, ephpm_options, ephpm_shutdown, ephpm_startup,
    ephpm_startup_result, ephpm_str, ephpm_var,
};

use super::attachment::{Engine, engine};
use super::info::{Extension, Info};
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
    /// What `PHP_BINARY` says: a path by which scripts can start PHP. Without it, the path of this program.
    pub binary: Option<CString>,
    /// How many threads will run scripts.
    pub threads: usize,
    /// The environment of scripts, names and values. With one, what a request sets by `putenv()`, `setlocale()` and
    /// `umask()` is its own, and it may not do to the process what would be done to all. Without one PHP is left as it
    /// is, for a process that runs one script.
    pub environment: Option<Vec<(OsString, OsString)>>,
}

/// Why the engine does not start.
#[derive(Debug)]
pub enum StartError {
    /// A string for PHP contains a NUL byte; it says which.
    Nul(&'static str),
    /// The php.ini cannot be read.
    IniFile(PathBuf),
    /// OPcache does not start, or not as its settings say, for this reason.
    Opcache(String),
    /// PHP has said why in the log, if it could.
    Engine(&'static str),
}

impl Php {
    /// Starts the engine.
    ///
    /// # Panics
    ///
    /// When it was started before: once a process.
    pub fn start(options: &PhpOptions) -> Result<Self, StartError> {
        let strings = Strings::new(options)?;
        let ini_defaults = variables(&strings.ini_defaults);
        let environment = strings.environment.as_deref().map(variables);
        let raw = ephpm_options {
            ini_path: strings.ini_path.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            ini_defaults: ini_defaults.as_ptr(),
            ini_defaults_len: ini_defaults.len(),
            ini_entries: strings.ini_entries.as_ptr(),
            executable_location: strings.binary.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            version: VERSION.as_ptr(),
            threads: u32::try_from(options.threads.max(1)).unwrap_or(u32::MAX),
            environment: environment.as_ref().map_or(ptr::null(), Vec::as_ptr),
            environment_len: environment.as_ref().map_or(0, Vec::len),
        };
        let mut engine = engine();
        assert!(matches!(*engine, Engine::New), "PHP can be started once a process");
        *engine = Engine::Over;
        // SAFETY: the first call (`ENGINE`); `raw` points into `strings`, `ini_defaults` and `environment`, which
        // outlive it, and to a constant for the version.
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
            ephpm_startup_result::EPHPM_STARTUP_OPCACHE_FAILED => {
                // SAFETY: no precondition, and a string or NULL, which nobody changes any more.
                StartError::Opcache(unsafe { text(ephpm_opcache_problem()) }.unwrap_or_default())
            }
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
    binary: Option<CString>,
    environment: Option<Vec<(CString, CString)>>,
}

impl Strings {
    fn new(options: &PhpOptions) -> Result<Self, StartError> {
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes());
        let pair = |(name, value): &(&'static str, String)| Ok((CString::new(*name)?, CString::new(value.as_str())?));
        let ini_defaults: Result<_, NulError> = options.ini_defaults.iter().map(pair).collect();
        let os_pair = |(name, value): &(OsString, OsString)| {
            Ok::<_, NulError>((CString::new(name.as_bytes())?, CString::new(value.as_bytes())?))
        };
        let environment = options.environment.as_ref().map(|variables| variables.iter().map(os_pair).collect());
        Ok(Self {
            ini_path: options
                .ini_file
                .as_deref()
                .map(path)
                .transpose()
                .map_err(|_| StartError::Nul("php.ini's path"))?,
            ini_defaults: ini_defaults.map_err(|_| StartError::Nul("a default setting"))?,
            ini_entries: CString::new(options.ini_entries.as_str()).map_err(|_| StartError::Nul("an ini setting"))?,
            binary: options.binary.clone().or_else(|| path(&std::env::current_exe().ok()?).ok()),
            environment: environment.transpose().map_err(|_| StartError::Nul("the environment"))?,
        })
    }
}

/// Pairs as C has them; they point into `pairs`.
fn variables(pairs: &[(CString, CString)]) -> Vec<ephpm_var> {
    let raw = |text: &CString| ephpm_str { ptr: text.as_ptr(), len: text.as_bytes().len() };
    pairs.iter().map(|(name, value)| ephpm_var { name: raw(name), value: raw(value) }).collect()
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
            Self::Opcache(why) => write!(f, "OPcache does not start (opcache.enable=0 goes without it): {why}"),
            Self::Engine(why) => write!(f, "PHP does not start: {why}"),
        }
    }
}

impl std::error::Error for StartError {}
