//! The PHP engine: threads that run scripts, and the only user of `php-sys`.
//!
//! Rust owns threads and loops, C owns Zend, and nothing Zend-typed crosses. A request arrives as a
//! [`Responder`](crate::exchange::Responder) through the [`Pool`]'s queue; what it means to HTTP is not known here.
//! [`Php`] starts and stops the engine.
//!
//! Six rules hold at the seam:
//!
//! 1. *No Rust frame lies between a `setjmp` and its `longjmp`.* PHP's errors are longjmps. A thread's loop (Rust)
//!    calls `ephpm_execute` (C, which catches them), that calls PHP, that a callback of the shim (C), and that one of
//!    ours (Rust), which **returns** before the shim raises anything: an aborted client is a value here.
//! 2. *The data of a request crosses once*, before the script starts: `$_SERVER` is an array that C walks.
//! 3. *Pointers are borrowed for the call.* What `ephpm_request` points to lies in the thread's arena until
//!    `ephpm_execute` returns. C copies what it keeps, and neither side frees what the other allocated.
//! 4. *The exchange travels in PHP's own hook*, `SG(server_context)`: there are no tables of threads.
//! 5. *Two habits of PHP's core.* A `read_post` that returns less than asked for has ended the content, and a
//!    `ub_write` that failed means nothing: the shim loops for the one and raises the other.
//! 6. *A panic aborts the process.* `extern "C"` functions do not unwind, and the release profile aborts anyway: our
//!    bug in a process that is shared with PHP leaves nothing that could be trusted.

mod alarm;
mod arrivals;
mod attachment;
mod command_line;
mod crash_note;
mod errands;
mod gate;
mod info;
mod line;
mod log_message;
mod opcache;
mod pool;
mod recycling;
mod request;
mod request_limit;
mod response;
mod restart;
mod runtime;
mod sapi;
mod scoreboard;
mod seats;
mod slot;
mod slow;
mod target;
mod time_limit;
mod watchdog;

pub use command_line::{NoCommandLine, run_command_line};
pub use info::{Extension, Info};
pub use pool::{NamedPool, Pool, PoolOptions, Stuck};
pub use runtime::{Php, PhpOptions, StartError};
pub use scoreboard::{
    OpcacheStatus, PoolStatus, QueueStatus, RequestStatus, Scoreboard, Snapshot, ThreadState, ThreadStatus, Totals,
};
pub use slow::{SlowRequest, SlowSink};
