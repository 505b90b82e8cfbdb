//! Hands on to the linker what only `php-sys` knows and only the last package can say.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Absent without the feature "php". With it, and without them, PHP's own timers would be at work (timer.c).
    let arguments = env::var("DEP_PHP_LINK_ARGS").unwrap_or_default();
    for argument in arguments.split_whitespace() {
        println!("cargo::rustc-link-arg={argument}");
    }
}
