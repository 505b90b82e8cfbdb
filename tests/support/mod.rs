//! The kit of the tests that talk to a running server: start it, speak HTTP to it, look at what came back.
//!
//! Pure `std`, blocking and bounded: each read, write and wait has a deadline, so a server that hangs fails a
//! test instead of hanging it. The client is deliberately strict about framing (RFC 9112) and knows nothing of
//! the server's own code, which must not be able to excuse itself. What can go wrong panics with the request
//! in the message; the `try_` variants return the error where a test wants to see it.

// Compiled into each test crate by `mod support;`, and no crate uses all of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod browser;
mod busy;
mod client;
mod connection;
mod cookies;
mod decode;
mod form;
pub(crate) mod html;
pub(crate) mod json;
mod message;
pub(crate) mod png;
mod processes;
mod server;
mod systemd;
mod temporary;
mod wait;
pub(crate) mod wordpress;
pub(crate) mod zip;

pub(crate) use busy::{WAITING, ask_at, busy, waiting};
pub(crate) use client::Client;
pub(crate) use connection::{Connection, Incoming, TIMEOUT, answer};
pub(crate) use form::{Multipart, form_encode};
pub(crate) use json::Json;
pub(crate) use message::{Headers, Request, Response};
pub(crate) use processes::{children, is_running, kill, stat, stop};
pub(crate) use server::{Builder, Server, free_address};
pub(crate) use systemd::Systemd;
pub(crate) use temporary::{TemporaryDirectory, copy_tree, site};
pub(crate) use wait::{wait_for, wait_for_text, wait_until};
