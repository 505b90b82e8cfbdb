//! x
#![cfg(feature = "php")]
mod support;
