//! What a request costs PHP alone: no socket, no queue, no server; output is copied and forgotten.
//!
//! `cargo bench -p php-sys --bench floor [-- REQUESTS [THREADS]]` prints what PHP says of itself, a line of JSON, and then
//! CPU time per request of the page that benches/compare calls php-hello, with its php.ini. No server around the same
//! libphp can do better; the distance to this figure is what the server costs.
#![allow(unsafe_code, reason = "this is the caller of a C interface")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, ptr, slice, thread};

use php_sys::{
    ephpm_execute, ephpm_interrupt, ephpm_io, ephpm_options, ephpm_outcome, ephpm_request, ephpm_sapi, ephpm_startup,
    ephpm_startup_result, ephpm_str, ephpm_thread_attach, ephpm_thread_detach, ephpm_var, ephpm_vars,
};

/// What the servers in the comparison serve, and how their PHP is set up.
const COMPARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/compare");
/// After so many the script is compiled and cached, and memory is where it stays.
const WARM_UP_REQUESTS: usize = 2000;
/// Requests of one time of arrival: a few milliseconds' worth, so that asking for the time costs nothing.
const REQUESTS_PER_MOMENT: usize = 1000;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let requests = numbers.first().copied().unwrap_or(300_000);
    let threads = numbers.get(1).copied().unwrap_or(1);
    start_php(threads);
    println!("{}", on_php_thread(|| page("facts.php").run(1)));

    let hello = page("hello.php");
    let micros: f64 = thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| on_php_thread(|| measure(&hello, requests)))).collect();
        running.into_iter().map(|thread| thread.join().expect("PHP says hello")).sum()
    });
    println!("{:.3} us of CPU per request", micros / (requests * threads) as f64);
}

/// CPU microseconds of so many requests on the calling thread.
fn measure(hello: &Page, requests: usize) -> f64 {
    let wanted = "Hello, World!";
    assert_eq!(hello.run(WARM_UP_REQUESTS), wanted);
    let before = cpu_micros();
    let last = hello.run(requests);
    let after = cpu_micros();
    assert_eq!(last, wanted);
    after - before
}

/// A script of the comparison.
struct Page {
    script: CString,
}

fn page(name: &str) -> Page {
    let file = fs::canonicalize(format!("{COMPARE}/www/{name}")).expect("the comparison has such a page");
    Page { script: CString::new(file.into_os_string().into_encoded_bytes()).expect("paths hold no NUL") }
}

impl Page {
    /// Runs it so many times, at least once; what it printed the last time.
    fn run(&self, times: usize) -> String {
        let mut output = Vec::new();
        let mut request = ephpm_request {
            method: c"GET".as_ptr(),
            request_uri: c"/hello.php".as_ptr(),
            query_string: c"".as_ptr(),
            content_type: ptr::null(),
            cookie: ptr::null(),
            authorization: ptr::null(),
            path_translated: self.script.as_ptr(),
            content_length: 0,
            request_time: 0.0,
        };
        for number in 0..times {
            if number % REQUESTS_PER_MOMENT == 0 {
                request.request_time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
            }
            output.clear();
            // SAFETY: callers are on threads that are attached (`on_php_thread`); the request and `output` outlive the
            // call, during which nobody else has `output`.
            let outcome = unsafe { ephpm_execute(&request, ptr::from_mut(&mut output).cast()) };
            assert_eq!(outcome, ephpm_outcome::EPHPM_OK);
        }
        String::from_utf8(output).expect("pages are text")
    }
}

/// Starts PHP on the main thread, which then only waits, as in the server.
fn start_php(threads: usize) {
    let ini = CString::new(format!("{COMPARE}/php.ini")).expect("paths hold no NUL");
    let path = ephpm_var { name: as_str(c"PATH"), value: as_str(c"/usr/bin:/bin") };
    let options = ephpm_options {
        ini_path: ini.as_ptr(),
        ini_defaults: [].as_ptr(),
        ini_defaults_len: 0,
        ini_entries: ptr::null(),
        executable_location: ptr::null(),
        version: c"0".as_ptr(),
        threads: u32::try_from(threads).expect("a few threads"),
        // As in the server: requests are kept apart.
        environment: &raw const path,
        environment_len: 1,
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
    // SAFETY: the first call in this process; all strings live until it returns, and the version for ever.
    let result = unsafe { ephpm_startup(&sapi, &options) };
    assert_eq!(result, ephpm_startup_result::EPHPM_STARTUP_OK, "PHP does not start");
}

/// Runs `body` on a thread that is attached to PHP, and returns what it returns.
fn on_php_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let on_thread = || {
        let null = ptr::null_mut();
        let mut interrupt =
            ephpm_interrupt { vm_interrupt: null, timed_out: null, thread: 0, flags: null, frames: null };
        // The server looks after time limits, not PHP by timers of its own: `set_timeout` is to be called, with anything.
        let limits = ptr::NonNull::<c_void>::dangling().as_ptr();
        // SAFETY: PHP was started by `main`; this thread detaches below, and nobody looks at what `limits` points to.
        unsafe { ephpm_thread_attach(&mut interrupt, limits) };
        let result = body();
        // SAFETY: attached above; no request runs.
        unsafe { ephpm_thread_detach() };
        result
    };
    thread::scope(|scope| scope.spawn(on_thread).join()).expect("PHP runs the page")
}

/// CPU time of the calling thread, user and system, in microseconds.
fn cpu_micros() -> f64 {
    #[repr(C)]
    struct Timespec {
        seconds: c_long,
        nanos: c_long,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    }
    const CLOCK_THREAD_CPUTIME_ID: c_int = 3;
    let mut time = Timespec { seconds: 0, nanos: 0 };
    // SAFETY: clock_gettime(2) writes one timespec, which has this layout on Linux with 64 bits.
    let result = unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "there is no such clock");
    time.seconds as f64 * 1e6 + time.nanos as f64 / 1e3
}

fn as_str(text: &'static CStr) -> ephpm_str {
    ephpm_str { ptr: text.as_ptr(), len: text.count_bytes() }
}

unsafe extern "C" fn ub_write(context: *mut c_void, bytes: *const c_char, len: usize) -> ephpm_io {
    // SAFETY: `len` bytes are at `bytes` while this runs, and `context` is what `Page::run` passed, for this thread alone.
    let (output, bytes) = unsafe { (&mut *context.cast::<Vec<u8>>(), slice::from_raw_parts(bytes.cast::<u8>(), len)) };
    output.extend_from_slice(bytes);
    ephpm_io::EPHPM_IO_OK
}

unsafe extern "C" fn flush(_context: *mut c_void) -> ephpm_io {
    ephpm_io::EPHPM_IO_OK
}

unsafe extern "C" fn send_headers(_: *mut c_void, _: i32, _: ephpm_str, _: *const ephpm_str, _: usize) {}

unsafe extern "C" fn send_interim(_: *mut c_void, _: i32, _: *const ephpm_str, _: usize) {}

unsafe extern "C" fn read_post(_context: *mut c_void, _buffer: *mut c_char, _len: usize) -> usize {
    0
}

unsafe extern "C" fn finish_request(_context: *mut c_void) {}

unsafe extern "C" fn is_aborted(_context: *mut c_void) -> bool {
    false
}

/// Asked for when a script names `$_SERVER`, which these do not.
unsafe extern "C" fn server_variables(_context: *mut c_void) -> ephpm_vars {
    ephpm_vars { ptr: [].as_ptr(), len: 0 }
}

unsafe extern "C" fn log_message(_context: *mut c_void, _level: i32, message: *const c_char, len: usize) {
    // SAFETY: `len` bytes are at `message` while this runs.
    let message = unsafe { slice::from_raw_parts(message.cast::<u8>(), len) };
    eprintln!("PHP: {}", String::from_utf8_lossy(message));
}

unsafe extern "C" fn set_timeout(_thread: *mut c_void, _seconds: i64, _hard_seconds: i64) {}

unsafe extern "C" fn take_trace(_thread: *mut c_void, _text: *const c_char, _len: usize) {}
