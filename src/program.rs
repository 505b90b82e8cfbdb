//! The program around the server: what is said on its command line and in its configuration, and
//! how it logs.
//!
//! This is the top layer. It turns text into plain structs, fills the options of the layers below
//! from them, and starts and stops those layers in order; they do not know it.

pub mod access_log;
pub mod cli;
#[cfg(feature = "php")]
mod company;
pub mod config;
pub mod logger;
pub mod php_cli;
pub mod php_environment;
pub mod php_ini;
#[cfg(feature = "php")]
pub mod server;
#[cfg(feature = "php")]
mod slow_log;
#[cfg(feature = "php")]
mod status;
pub mod version;
