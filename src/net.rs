//! Sockets and time: the only user of mio. Drives the pure layers below; decides nothing about HTTP.

pub mod admission;
pub mod connection;
pub mod event_loop;
pub mod listener;
pub mod log_sink;
pub mod transport;
mod clock;
pub mod pulse;
pub mod schedule;
pub mod scratch;
pub mod spool;
