//! Containers and constants with no knowledge of HTTP or PHP, and the one module that talks to the kernel.

pub mod account;
pub mod black_box;
pub mod chunk;
pub mod limits;
pub mod notice_board;
pub mod pace;
pub mod queue;
#[doc(hidden)]
pub mod random;
pub mod send_queue;
pub mod slab;
pub mod sys;
pub mod timer;
