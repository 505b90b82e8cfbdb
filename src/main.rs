//! The `ephpm` program.
fn main() {}
