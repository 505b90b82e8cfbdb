//! Raw bindings to the C shim around libphp.
#![no_std]
