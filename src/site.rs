//! What a URL means and what answers it.
//!
//! A [router] maps a target to a script or a file, [static_files] answers for files, and [server_vars] tells a script
//! what the request is. All of it is pure but [disk], which is the only way to the file system and hides behind the
//! trait [`Files`](files::Files). Nothing here knows connections, and nothing runs PHP.

pub mod cache_control;
pub mod compression;
pub mod conditional;
pub mod disk;
pub mod error_page;
mod file_cache;
pub mod files;
pub mod forwarded;
#[doc(hidden)]
pub mod fuzz;
pub mod header_rules;
pub mod internal_files;
mod multipart;
pub mod path;
pub mod pools;
pub mod range;
pub mod router;
pub mod server_vars;
mod source;
pub mod static_files;
