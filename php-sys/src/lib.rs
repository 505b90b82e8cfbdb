//! The narrow C seam between ePHPm and a statically linked libphp, as Rust sees it.
//!
//! Everything here is generated from `shim/ephpm.h`, whose comments are the documentation and whose rules the
//! caller must keep. Nothing Zend-typed crosses, so that these bindings are the same for every version of PHP.
//! There is no logic: safety is given to them by the one user of this crate, `ephpm::php`.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are those of the C header")]
#![allow(clippy::use_self, reason = "what bindgen generates")]
#![allow(unsafe_code, reason = "foreign functions are what this crate is for")]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
