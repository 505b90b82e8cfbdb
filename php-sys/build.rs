//! Locates libphp, compiles the shim and generates the bindings.
fn main() {}
