//! What PHP asks of the server, named as in `sapi_module_struct` (php-src main/SAPI.h), and the execution of one request.
//!
//! The callbacks are leaves: none calls into PHP. Each gets the [`Execution`] of the request that the calling thread
//! executes; nothing else uses it meanwhile. Only `set_timeout` and `take_trace` are about the thread, and get its [`Slot`].

use std::ffi::{c_char, c_void};
use std::ptr;
use std::slice;
use std::time::Instant;

use php_sys::{ephpm_execute, ephpm_io, ephpm_outcome, ephpm_sapi, ephpm_str, ephpm_vars};

use super::attachment::Attachment;
use super::log_message::LogMessage;
use super::request::{ArenaRequest, Variables};
use super::response::{interim, response};
use super::slot::Slot;
use crate::exchange::{Aborted, Responder};

/// The callbacks.
pub(super) const CALLBACKS: ephpm_sapi = ephpm_sapi {
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

/// Whether a thread may execute another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It may.
    Healthy,
    /// Its part of PHP is in an unknown state: detach it.
    Unhealthy,
}

/// A request that is executed.
struct Execution<'a> {
    responder: Box<Responder>,
    variables: Variables<'a>,
}

/// Executes the request of `responder` and ends its response; `before_end` is called in between.
pub(super) fn execute(
    _thread: &Attachment,
    request: ArenaRequest<'_>,
    responder: Box<Responder>,
    before_end: impl FnOnce(),
) -> Health {
    let (raw, variables) = request.into_parts();
    let mut execution = Execution { responder, variables };
    // SAFETY: this thread is attached (`_thread`); what the request points to is borrowed for as long as the execution
    // lives, which is used only through this pointer until PHP returns.
    let outcome = unsafe { ephpm_execute(&raw, (&raw mut execution).cast()) };
    let Execution { responder, .. } = execution;
    before_end();
    match outcome {
        ephpm_outcome::EPHPM_OK => {
            responder.complete();
            Health::Healthy
        }
        ephpm_outcome::EPHPM_STARTUP_FAILED => {
            responder.complete();
            Health::Unhealthy
        }
        // Whatever has been sent is not the whole. Dropping the responder says so.
        _ => Health::Unhealthy,
    }
}

/// # Safety
///
/// `exchange` is what `execute` gave, on its thread.
unsafe fn execution<'a>(exchange: *mut c_void) -> &'a mut Execution<'a> {
    // SAFETY: `execute` leaves it alone while PHP runs, and callbacks do not nest.
    unsafe { &mut *exchange.cast() }
}

/// # Safety
///
/// As for [`execution`].
unsafe fn responder<'a>(exchange: *mut c_void) -> &'a mut Responder {
    // SAFETY: the same promise.
    unsafe { &mut execution(exchange).responder }
}

fn io(result: Result<(), Aborted>) -> ephpm_io {
    match result {
        Ok(()) => ephpm_io::EPHPM_IO_OK,
        Err(Aborted) => ephpm_io::EPHPM_IO_ABORTED,
    }
}

unsafe extern "C" fn ub_write(exchange: *mut c_void, bytes: *const c_char, len: usize) -> ephpm_io {
    // SAFETY: the shim's promise (ephpm.h): the exchange is ours, and `len` bytes are there for the call.
    let (responder, bytes) = unsafe { (responder(exchange), slice::from_raw_parts(bytes.cast(), len)) };
    io(responder.write(bytes))
}

unsafe extern "C" fn flush(exchange: *mut c_void) -> ephpm_io {
    // SAFETY: the shim's promise: the exchange is ours.
    io(unsafe { responder(exchange) }.flush())
}

unsafe extern "C" fn send_headers(
    exchange: *mut c_void,
    status: i32,
    status_line: ephpm_str,
    lines: *const ephpm_str,
    lines_len: usize,
) {
    // SAFETY: the shim's promise: the exchange is ours, and all bytes are there for the call.
    let (responder, status_line, lines) =
        unsafe { (responder(exchange), bytes(&status_line), slice::from_raw_parts(lines, lines_len)) };
    // SAFETY: as above, for each line.
    let lines = lines.iter().map(|line| unsafe { bytes(line) });
    match response(status, status_line, lines) {
        Some(response) => responder.send_head(response),
        // Without its head the content means something else: nobody gets to see it.
        None => responder.finish(),
    }
}

unsafe extern "C" fn send_interim(exchange: *mut c_void, status: i32, lines: *const ephpm_str, lines_len: usize) {
    // SAFETY: the shim's promise: the exchange is ours, and all lines are there for the call.
    let (responder, lines) = unsafe { (responder(exchange), slice::from_raw_parts(lines, lines_len)) };
    // SAFETY: as above, for each line.
    let lines = lines.iter().map(|line| unsafe { bytes(line) });
    if let Some(response) = interim(status, lines) {
        responder.send_interim(response);
    }
}

unsafe extern "C" fn read_post(exchange: *mut c_void, buffer: *mut c_char, len: usize) -> usize {
    // SAFETY: the shim's promise: the exchange is ours.
    let responder = unsafe { responder(exchange) };
    // SAFETY: the shim's promise: `len` bytes are ours to write. They may be uninitialised, which a `&mut [u8]` must
    // not be.
    let buffer = unsafe {
        ptr::write_bytes(buffer, 0, len);
        slice::from_raw_parts_mut(buffer.cast(), len)
    };
    responder.read_content(buffer)
}

unsafe extern "C" fn finish_request(exchange: *mut c_void) {
    // SAFETY: the shim's promise: the exchange is ours.
    unsafe { responder(exchange) }.finish();
}

unsafe extern "C" fn is_aborted(exchange: *mut c_void) -> bool {
    // SAFETY: the shim's promise: the exchange is ours.
    unsafe { responder(exchange) }.is_aborted()
}

unsafe extern "C" fn log_message(exchange: *mut c_void, level: i32, message: *const c_char, len: usize) {
    // SAFETY: the shim's promise: `len` bytes are there for the call, and an exchange is ours; without a request there
    // is none.
    let (message, job) = unsafe {
        let job = (!exchange.is_null()).then(|| responder(exchange).job());
        (slice::from_raw_parts(message.cast(), len), job)
    };
    log::log!(target: "php", log_level(level), "{}", LogMessage::new(message, job));
}

unsafe extern "C" fn server_variables(exchange: *mut c_void) -> ephpm_vars {
    // SAFETY: the shim's promise: the exchange is ours.
    let Execution { responder, variables } = unsafe { execution(exchange) };
    variables.of(responder.job())
}

unsafe extern "C" fn set_timeout(thread: *mut c_void, seconds: i64, hard_seconds: i64) {
    // SAFETY: what `Attachment` gave, which keeps it while the thread is attached. It is shared with other threads.
    let slot = unsafe { &*thread.cast::<Slot>() };
    if seconds > 0 {
        slot.limit_time(Instant::now(), seconds, hard_seconds);
    } else {
        slot.lift_limit();
    }
}

unsafe extern "C" fn take_trace(thread: *mut c_void, text: *const c_char, len: usize) {
    // SAFETY: what `Attachment` gave, as above; `len` bytes are there for the call.
    let (slot, text) = unsafe { (&*thread.cast::<Slot>(), slice::from_raw_parts(text.cast(), len)) };
    slot.take_trace(Instant::now(), String::from_utf8_lossy(text).into_owned());
}

/// syslog(3)'s levels in ours. What a script logs itself by `error_log()` has LOG_NOTICE, and is not to be lost when
/// only warnings are wanted.
fn log_level(level: i32) -> log::Level {
    match level {
        ..=3 => log::Level::Error,
        4 | 5 => log::Level::Warn,
        6 => log::Level::Info,
        7.. => log::Level::Debug,
    }
}

/// # Safety
///
/// The bytes are there for as long as `text` is borrowed.
unsafe fn bytes(text: &ephpm_str) -> &[u8] {
    // SAFETY: as the caller vouches; `ptr` is never NULL.
    unsafe { slice::from_raw_parts(text.ptr.cast(), text.len) }
}
