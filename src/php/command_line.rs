//! PHP's own command line, in the place of the server.
//!
//! libphp brings it (php-src's `sapi/cli`), and it is the program `php` as it stands: it reads the process's arguments,
//! handles signals, standard streams and timers as it sees fit, and exits the process. There is nothing to configure,
//! and nothing of the server may have been started before.

use std::ffi::CString;
use std::fmt;
use std::ptr;

use php_sys::ephpm_run_cli;

use super::attachment::{Engine, engine};

/// This libphp was built without its command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCommandLine;

/// Runs `php` on the arguments of this process from number `words_before`, which stands for the program's name, and
/// exits with PHP's exit code. `binary` is what the constant `PHP_BINARY` says; without it PHP looks in `$PATH`. Returns
/// only when libphp cannot do it. To be called while the process has one thread.
///
/// # Panics
///
/// When the engine was started before, or there are not so many arguments.
pub fn run_command_line(words_before: usize, binary: Option<CString>) -> NoCommandLine {
    assert!(words_before < std::env::args_os().len(), "the word that stands for the program's name is an argument");
    {
        let mut engine = engine();
        assert!(matches!(*engine, Engine::New), "PHP can be started once a process");
        *engine = Engine::Over;
    }
    // The process ends before anybody could give it back.
    let binary = binary.map_or(ptr::null(), |binary| binary.into_raw().cast_const());
    // SAFETY: the engine was not started, nor can it be any more; the path is never freed; the arguments are as many as
    // the system's own, of which `words_before` is one.
    unsafe { ephpm_run_cli(words_before, binary) };
    NoCommandLine
}

impl fmt::Display for NoCommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this libphp was built without its command line; php-sys/libphp/build makes one that has it")
    }
}

impl std::error::Error for NoCommandLine {}
