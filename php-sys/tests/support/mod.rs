//! A server that is only memory: it starts PHP once, runs scripts on PHP threads and keeps what the shim tells it.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fs, ptr, slice, thread};

use php_sys::{
    ephpm_describe, ephpm_execute, ephpm_interrupt, ephpm_io, ephpm_options, ephpm_outcome, ephpm_request, ephpm_sapi,
    ephpm_startup, ephpm_startup_result, ephpm_str, ephpm_thread_attach, ephpm_thread_detach, ephpm_var, ephpm_vars,
};

/// One request, with what the server remembers of its response.
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) query: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) cookie: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Variables besides the usual ones.
    pub(crate) server: Vec<(String, String)>,
    /// The client leaves once it has received so many bytes.
    pub(crate) abort_after: usize,
    /// `read_post` gives at most so many bytes at a time.
    pub(crate) read_most: usize,

    pub(crate) outcome: ephpm_outcome,
    pub(crate) status: i32,
    pub(crate) interim: Vec<(i32, Vec<String>)>,
    pub(crate) status_line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// How much of the body had been written at each flush.
    pub(crate) flushes: Vec<usize>,
    /// How much of the body had been written when the request was finished by the script.
    pub(crate) finished: Option<usize>,
    pub(crate) log: Vec<(i32, String)>,
    /// How often it was asked for its variables.
    pub(crate) asked: usize,
    content_read: usize,
}

impl Exchange {
    pub(crate) fn get(query: &str) -> Self {
        Self {
            method: "GET",
            query: query.to_owned(),
            content_type: None,
            content: Vec::new(),
            cookie: None,
            authorization: None,
            server: Vec::new(),
            abort_after: usize::MAX,
            read_most: usize::MAX,
            outcome: ephpm_outcome::EPHPM_OK,
            status: 0,
            interim: Vec::new(),
            status_line: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            flushes: Vec::new(),
            finished: None,
            log: Vec::new(),
            asked: 0,
            content_read: 0,
        }
    }

    /// The client leaves once it has received so many bytes.
    pub(crate) fn aborting(after: usize) -> Self {
        Self { abort_after: after, ..Self::get("") }
    }

    pub(crate) fn post(content_type: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", content_type: Some(content_type.to_owned()), content: content.into(), ..Self::get("") }
    }

    pub(crate) fn body(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn has_header(&self, line: &str) -> bool {
        self.headers.iter().any(|header| header == line)
    }

    /// Forgets the response, for another one.
    pub(crate) fn reset(&mut self) {
        self.status = 0;
        self.headers.clear();
        self.body.clear();
    }

    fn is_aborted(&self) -> bool {
        self.body.len() >= self.abort_after
    }

    fn io(&self) -> ephpm_io {
        if self.is_aborted() { ephpm_io::EPHPM_IO_ABORTED } else { ephpm_io::EPHPM_IO_OK }
    }
}

/// A thread that is attached to PHP. Scripts are given as text.
pub(crate) struct Php {
    _not_send: ptr::NonNull<()>,
    pub(crate) interrupt: ephpm_interrupt,
    limits: Box<Limits>,
}

/// What the thread was told of time limits: seconds, and those of shutdown functions.
type Limits = RefCell<Vec<(i64, i64)>>;

/// Who looks after the time limit of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timers {
    /// Nobody: limits are kept for the test to see.
    Kept,
    /// PHP's own timers.
    Php,
}

impl Php {
    /// Runs `body` on a PHP thread of its own and returns what it returns.
    pub(crate) fn on_thread<T: Send>(body: impl FnOnce(&Self) -> T + Send) -> T {
        Self::on_thread_with(Timers::Kept, body)
    }

    /// As `on_thread`, with time limits as said.
    pub(crate) fn on_thread_with<T: Send>(timers: Timers, body: impl FnOnce(&Self) -> T + Send) -> T {
        start();
        // Without thread safety, one thread at a time.
        static ALONE: Mutex<()> = Mutex::new(());
        // SAFETY: no precondition.
        let zts = unsafe { ephpm_describe() }.zts;
        let _alone = (!zts).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
        Self::on_started(timers, body)
    }

    /// As `on_thread_with`, when the test has started PHP itself.
    pub(crate) fn on_started<T: Send>(timers: Timers, body: impl FnOnce(&Self) -> T + Send) -> T {
        thread::scope(|scope| {
            thread::Builder::new()
                .stack_size(8 << 20)
                .spawn_scoped(scope, || {
                    let mut interrupt = ephpm_interrupt::default_for_tests();
                    let limits = Box::<Limits>::default();
                    let thread = match timers {
                        Timers::Kept => ptr::from_ref(&*limits).cast_mut().cast(),
                        Timers::Php => ptr::null_mut(),
                    };
                    // SAFETY: PHP was started above; this thread detaches below, before it ends, and its limits live
                    // until then.
                    unsafe { ephpm_thread_attach(&mut interrupt, thread) };
                    let php = Self { _not_send: ptr::NonNull::dangling(), interrupt, limits };
                    let result = body(&php);
                    // SAFETY: attached above; no request runs.
                    unsafe { ephpm_thread_detach() };
                    result
                })
                .expect("a thread can be had")
                .join()
                .expect("the test on the PHP thread panicked")
        })
    }

    /// Runs the PHP text `script` for `exchange`; fails the test if the thread is not fit for more.
    pub(crate) fn run(&self, script: &str, exchange: Exchange) -> Exchange {
        let exchange = self.run_file(&script_file(script), exchange);
        assert_eq!(exchange.outcome, ephpm_outcome::EPHPM_OK, "{:?}", exchange.log);
        exchange
    }

    /// As `run`, for a file; leaves it to the test to look at the outcome.
    pub(crate) fn run_file(&self, script: &str, mut exchange: Exchange) -> Exchange {
        let request = Request::new(script, &exchange);
        self.execute(&request, &mut exchange);
        exchange
    }

    /// What the thread was told of time limits since it last executed something.
    pub(crate) fn limits(&self) -> Vec<(i64, i64)> {
        self.limits.borrow().clone()
    }

    pub(crate) fn execute(&self, request: &Request, exchange: &mut Exchange) {
        self.limits.borrow_mut().clear();
        let mut running = Running { request, exchange };
        // SAFETY: this thread is attached (`self` exists); the request and the exchange outlive the call, and
        // nobody else uses the exchange meanwhile.
        running.exchange.outcome = unsafe { ephpm_execute(&request.request, ptr::from_mut(&mut running).cast()) };
    }
}

/// What the callbacks get.
struct Running<'a> {
    request: &'a Request,
    exchange: &'a mut Exchange,
}

/// What an exchange asks for, as the shim takes it.
pub(crate) struct Request {
    request: ephpm_request,
    server: Vec<ephpm_var>,
    _strings: Strings,
}

impl Request {
    pub(crate) fn new(script: &str, exchange: &Exchange) -> Self {
        let strings = Strings::default();
        let uri = if exchange.query.is_empty() { "/".to_owned() } else { format!("/?{}", exchange.query) };
        let variables = [
            ("REQUEST_METHOD", exchange.method),
            ("REQUEST_URI", &uri),
            ("QUERY_STRING", &exchange.query),
            ("SCRIPT_FILENAME", script),
            ("SCRIPT_NAME", "/index.php"),
        ];
        let others = exchange.server.iter().map(|(name, value)| (&**name, &**value));
        let server: Vec<_> =
            variables.into_iter().chain(others).map(|(name, value)| strings.var(name, value)).collect();
        let optional = |text: &Option<String>| text.as_deref().map_or(ptr::null(), |text| strings.add(text).ptr);
        let request = ephpm_request {
            method: strings.add(exchange.method).ptr,
            request_uri: strings.add("/index.php").ptr,
            query_string: strings.add(&exchange.query).ptr,
            content_type: optional(&exchange.content_type),
            cookie: optional(&exchange.cookie),
            authorization: optional(&exchange.authorization),
            path_translated: strings.add(script).ptr,
            content_length: exchange.content.len() as i64,
            request_time: 1_700_000_000.25,
        };
        Self { request, server, _strings: strings }
    }
}

/// Allocated once for each distinct content, so that OPcache sees the same file again.
pub(crate) fn script_file(script: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let path = directory().join(format!("script-{}.php", NUMBER.fetch_add(1, Ordering::Relaxed)));
    fs::write(&path, script).expect("scripts can be written");
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// Where this run keeps its files; left to the system's own cleaning.
pub(crate) fn directory() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let path = std::env::temp_dir().join(format!("ephpm-shim-{}", std::process::id()));
            fs::create_dir_all(path.join("uploads")).expect("a temporary directory");
            fs::create_dir_all(path.join("sessions")).expect("a temporary directory");
            path
        })
        .clone()
}

/// What was logged while no request ran.
pub(crate) fn startup_log() -> Vec<String> {
    LOG.lock().expect("no test panics with the log in hand").clone()
}

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Starts PHP, once a process; on a thread that then stays, since PHP tells its main thread from others.
pub(crate) fn start() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            sender.send(start_here()).expect("the test waits");
            loop {
                thread::park_timeout(Duration::from_secs(3600));
            }
        });
        let result = receiver.recv().expect("the thread that starts PHP lives");
        assert_eq!(result, ephpm_startup_result::EPHPM_STARTUP_OK, "{:?}", startup_log());
    });
}

/// Starts PHP on the calling thread.
pub(crate) fn start_here() -> ephpm_startup_result {
    let strings = Strings::default();
    let path = |name: &str| directory().join(name).to_str().expect("the path is UTF-8").to_owned();
    let defaults = [
        strings.var("output_buffering", "4096"),
        strings.var("session.save_path", &path("sessions")),
        strings.var("upload_tmp_dir", &path("uploads")),
        strings.var("html_errors", "0"),
        strings.var("opcache.enable", "0"),
    ];
    // OPcache caches scripts although they were written only just now.
    let entries = "memory_limit=24M\npost_max_size=0\nrequest_order=GP\ndisplay_errors=0\nlog_errors=1\nopcache.enable=1\n\
                   opcache.validate_timestamps=0\nopcache.file_update_protection=0\n";
    let program = std::env::current_exe().expect("the test knows its program");
    let options = ephpm_options {
        ini_path: ptr::null(),
        ini_defaults: defaults.as_ptr(),
        ini_defaults_len: defaults.len(),
        ini_entries: strings.add(entries).ptr,
        executable_location: strings.add(program.to_str().expect("the path is UTF-8")).ptr,
        version: c"1.2.3".as_ptr(),
        threads: 4,
        // As in the server: requests are kept apart.
        environment: defaults.as_ptr(),
        environment_len: 0,
    };
    let sapi = ephpm_sapi {
        ub_write: Some(ub_write),
        flush: Some(flush),
        send_headers: Some(send_headers),
        send_interim: Some(send_interim),
        read_post: Some(read_post),
        finish_request: Some(finish_request),
        is_aborted: Some(is_aborted),
        server_variables: Some(server_variables),
        log_message: Some(log_message),
        set_timeout: Some(set_timeout),
        take_trace: Some(take_trace),
    };
    // SAFETY: first call in this process (`STARTED`, or a test that is alone in its process); all strings live
    // until it returns, and the version for ever.
    unsafe { ephpm_startup(&sapi, &options) }
}

/// Keeps C strings alive and in place.
#[derive(Default)]
struct Strings(RefCell<Vec<CString>>);

impl Strings {
    fn add(&self, text: &str) -> ephpm_str {
        let string = CString::new(text).expect("no NUL in a test");
        let result = ephpm_str { ptr: string.as_ptr(), len: text.len() };
        self.0.borrow_mut().push(string);
        result
    }

    fn var(&self, name: &str, value: &str) -> ephpm_var {
        ephpm_var { name: self.add(name), value: self.add(value) }
    }
}

trait DefaultForTests {
    fn default_for_tests() -> Self;
}

impl DefaultForTests for ephpm_interrupt {
    fn default_for_tests() -> Self {
        let null = ptr::null_mut();
        Self { vm_interrupt: null, timed_out: null, thread: 0, flags: null, frames: null }
    }
}

/// SAFETY: `context` is the pointer that `execute` passed, and only its own thread uses it.
unsafe fn running<'a>(context: *mut c_void) -> &'a mut Running<'a> {
    // SAFETY: as above.
    unsafe { &mut *context.cast() }
}

/// SAFETY: as for `running`.
unsafe fn exchange<'a>(context: *mut c_void) -> &'a mut Exchange {
    // SAFETY: as above.
    unsafe { running(context) }.exchange
}

/// SAFETY: `len` bytes are at `ptr` for as long as the callback runs.
unsafe fn bytes<'a>(ptr: *const c_char, len: usize) -> &'a [u8] {
    // SAFETY: as above.
    unsafe { slice::from_raw_parts(ptr.cast(), len) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

unsafe extern "C" fn ub_write(context: *mut c_void, ptr: *const c_char, len: usize) -> ephpm_io {
    // SAFETY: what the shim promises in ephpm.h.
    let (exchange, bytes) = unsafe { (exchange(context), bytes(ptr, len)) };
    assert!(exchange.finished.is_none(), "written after the response was finished");
    exchange.body.extend_from_slice(bytes);
    exchange.io()
}

unsafe extern "C" fn flush(context: *mut c_void) -> ephpm_io {
    // SAFETY: what the shim promises in ephpm.h.
    let exchange = unsafe { exchange(context) };
    assert_ne!(exchange.status, 0, "flushed before the headers were sent");
    exchange.flushes.push(exchange.body.len());
    exchange.io()
}

unsafe extern "C" fn send_headers(
    context: *mut c_void,
    status: i32,
    status_line: ephpm_str,
    lines: *const ephpm_str,
    lines_len: usize,
) {
    // SAFETY: what the shim promises in ephpm.h.
    let (exchange, lines) = unsafe { (exchange(context), slice::from_raw_parts(lines, lines_len)) };
    assert_eq!(exchange.status, 0, "headers sent twice");
    exchange.status = status;
    // SAFETY: as above, for each line.
    unsafe {
        exchange.status_line = text(bytes(status_line.ptr, status_line.len));
        exchange.headers = lines.iter().map(|line| text(bytes(line.ptr, line.len))).collect();
    }
}

unsafe extern "C" fn send_interim(context: *mut c_void, status: i32, lines: *const ephpm_str, lines_len: usize) {
    // SAFETY: what the shim promises in ephpm.h.
    let (exchange, lines) = unsafe { (exchange(context), slice::from_raw_parts(lines, lines_len)) };
    assert_eq!(exchange.status, 0, "an interim head after the head");
    // SAFETY: as above, for each line.
    let lines = lines.iter().map(|line| unsafe { text(bytes(line.ptr, line.len)) }).collect();
    exchange.interim.push((status, lines));
}

unsafe extern "C" fn read_post(context: *mut c_void, buffer: *mut c_char, len: usize) -> usize {
    // SAFETY: what the shim promises in ephpm.h.
    let exchange = unsafe { exchange(context) };
    let rest = &exchange.content[exchange.content_read..];
    let n = rest.len().min(len).min(exchange.read_most);
    // SAFETY: `len` bytes fit into the buffer and `n` is not more.
    unsafe { ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast(), n) };
    exchange.content_read += n;
    n
}

unsafe extern "C" fn finish_request(context: *mut c_void) {
    // SAFETY: what the shim promises in ephpm.h.
    let exchange = unsafe { exchange(context) };
    let before = exchange.finished.replace(exchange.body.len());
    assert_eq!(before, None, "finished twice");
}

unsafe extern "C" fn is_aborted(context: *mut c_void) -> bool {
    // SAFETY: what the shim promises in ephpm.h.
    unsafe { exchange(context) }.is_aborted()
}

unsafe extern "C" fn server_variables(context: *mut c_void) -> ephpm_vars {
    // SAFETY: what the shim promises in ephpm.h.
    let Running { request, exchange } = unsafe { running(context) };
    exchange.asked += 1;
    ephpm_vars { ptr: request.server.as_ptr(), len: request.server.len() }
}

unsafe extern "C" fn log_message(context: *mut c_void, level: i32, message: *const c_char, len: usize) {
    // SAFETY: what the shim promises in ephpm.h.
    let message = unsafe { bytes(message, len) };
    if context.is_null() {
        LOG.lock().expect("no test panics with the log in hand").push(text(message));
    } else {
        // SAFETY: not NULL, so it is ours.
        unsafe { exchange(context) }.log.push((level, text(message)));
    }
}

unsafe extern "C" fn set_timeout(thread: *mut c_void, seconds: i64, hard_seconds: i64) {
    // SAFETY: what `on_started` gave, on its thread.
    let limits = unsafe { &*thread.cast::<Limits>() };
    limits.borrow_mut().push((seconds, hard_seconds));
}

unsafe extern "C" fn take_trace(_thread: *mut c_void, _text: *const c_char, _len: usize) {}
