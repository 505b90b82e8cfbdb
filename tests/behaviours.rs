//! What PHP code may rely on, as people know it from php-fpm: a script in `tests/behaviours/scripts` for each behaviour.
//!
//! Each is asked once and then a hundred times, several at a time, on kept and on new connections, with OPcache and
//! without, and with a number of its own in each request: what leaks from one request into another shows as a wrong
//! number. `docs/php-behaviours.md` lists the behaviours with the test of each.
#![cfg(feature = "php")]

#[path = "behaviours/headers.rs"]
mod headers;
#[path = "behaviours/input.rs"]
mod input;
#[path = "behaviours/isolation.rs"]
mod isolation;
#[path = "behaviours/lifecycle.rs"]
mod lifecycle;
#[path = "behaviours/process.rs"]
mod process;
#[path = "behaviours/scripts.rs"]
mod scripts;
#[path = "behaviours/site.rs"]
mod site;
#[path = "behaviours/starts.rs"]
mod starts;
mod support;
#[path = "behaviours/uploads.rs"]
mod uploads;
#[path = "behaviours/user_ini.rs"]
mod user_ini;
