//! `$_SERVER`: RFC 3875 §4.1 as PHP's web servers have come to tell it. Pure.
//!
//! Every variable but `HTTP_*` is made of what the server itself knows; a header can neither set nor shadow one. Of
//! headers only names of letters, digits and hyphens are told, since an underscore or a dot would become the same
//! variable as a hyphen; lines of one field are joined; `Proxy` is never told (httpoxy, CVE-2016-5385). So no name
//! occurs twice and no value holds a NUL. The process's environment is not told. What PHP's core adds itself
//! (`PHP_AUTH_*`, `REQUEST_TIME`, `argv`) is left to it. There is no `REMOTE_USER` (§4.1.11): it names a user whom the
//! server has authenticated, and this one authenticates nobody.

mod arena;
mod host;
mod info;

pub use arena::ServerVars;
pub use info::RequestInfo;

use std::iter;
use std::net::{IpAddr, Ipv4Addr};

use crate::exchange::Job;
use crate::http::message::{Address, Request};
use crate::http::status::Status;

/// What `$_SERVER` says of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// `SERVER_SOFTWARE`, without NUL.
    pub software: String,
}

impl Default for ServerOptions {
    /// Says "nginx", by which WordPress knows that it may use permalinks without `index.php` and that nobody reads a
    /// .htaccess.
    fn default() -> Self {
        Self { software: concat!("ePHPm/", env!("CARGO_PKG_VERSION"), " (nginx-compatible)").to_owned() }
    }
}

/// Fills `out`, which may hold another request's variables, with those of `job`, whose content had so many bytes before
/// any of it was read.
pub fn build(job: &Job, content_len: u64, options: &ServerOptions, out: &mut ServerVars) {
    out.clear();
    out.push(b"REQUEST_METHOD", job.request.method.as_str().as_bytes());
    out.push(b"REQUEST_URI", job.request.target());
    out.push(b"QUERY_STRING", job.request.query().unwrap_or(b""));
    out.push_parts(b"SCRIPT_FILENAME", &[&job.script.document_root, &job.script.name]);
    out.push_parts(b"PHP_SELF", &[&job.script.name, &job.script.path_info]);
    push_script(job, out);
    push_server(job, options, out);
    push_content(&job.request, content_len, out);
    push_headers(&job.request, out);
}

fn push_script(job: &Job, out: &mut ServerVars) {
    let script = &job.script;
    out.push(b"DOCUMENT_ROOT", &script.document_root);
    out.push(b"DOCUMENT_URI", &script.name);
    out.push(b"SCRIPT_NAME", &script.name);
    out.push(b"PATH_INFO", &script.path_info);
    if !script.path_info.is_empty() {
        out.push_parts(b"PATH_TRANSLATED", &[&script.document_root, &script.path_info]);
    }
}

fn push_server(job: &Job, options: &ServerOptions, out: &mut ServerVars) {
    let (local, remote) = (job.peer.local, job.peer.remote);
    out.push(b"GATEWAY_INTERFACE", b"CGI/1.1");
    out.push(b"SERVER_SOFTWARE", options.software.as_bytes());
    out.push(b"SERVER_PROTOCOL", job.request.version.as_str().as_bytes());
    match job.request.authority().and_then(host::without_port) {
        Some(host) => out.push(b"SERVER_NAME", host),
        None => match local.ip().to_canonical() {
            // A Unix socket has none.
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => out.push(b"SERVER_NAME", b"localhost"),
            address @ IpAddr::V4(_) => out.push_address(b"SERVER_NAME", Address(address)),
            IpAddr::V6(address) => out.push_display(b"SERVER_NAME", &format_args!("[{address}]")),
        },
    }
    // Over IPv6 sockets, clients of IPv4 come as ::ffff:192.0.2.1, which no application expects.
    out.push_address(b"SERVER_ADDR", Address(local.ip()));
    out.push_decimal(b"SERVER_PORT", local.port().into());
    out.push_address(b"REMOTE_ADDR", Address(remote.ip()));
    out.push_decimal(b"REMOTE_PORT", remote.port().into());
    if job.peer.secure {
        out.push(b"HTTPS", b"on");
    }
    out.push(b"REQUEST_SCHEME", if job.peer.secure { b"https" } else { b"http" });
    // PHP's CGI refuses to run without it, some applications ask for it, and scripts that explain errors need it.
    out.push_decimal(b"REDIRECT_STATUS", job.error.map_or(200, Status::code).into());
}

fn push_content(request: &Request, len: u64, out: &mut ServerVars) {
    if let Some(content_type) = request.headers.get("Content-Type") {
        out.push(b"CONTENT_TYPE", content_type);
    }
    // The length of what has arrived: of chunked content nobody has announced any.
    let was_sent = len > 0 || request.content_length.is_none();
    if was_sent || request.headers.contains("Content-Length") {
        out.push_decimal(b"CONTENT_LENGTH", len);
    }
}

fn push_headers(request: &Request, out: &mut ServerVars) {
    // Not the Host field: the authority of an absolute target overrides it (RFC 9112 §3.2.2).
    if let Some(authority) = request.authority() {
        out.push(b"HTTP_HOST", authority);
    }
    let repeated = repeated_marks(request);
    for (index, (name, value)) in request.headers.iter().enumerate() {
        let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        if !is_plain || is_told_otherwise(name) {
            continue;
        }
        if mark(name) & repeated == 0 {
            out.push_field(name, value, iter::empty());
            continue;
        }
        if request.headers.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            continue;
        }
        let lines = request.headers.iter().skip(index + 1).filter(|(later, _)| later.eq_ignore_ascii_case(name));
        out.push_field(name, value, lines.map(|(_, value)| value));
    }
}

/// The [`mark`]s that several lines have: only those may be of one field. Comparing each line with each other takes longer
/// than everything else here.
fn repeated_marks(request: &Request) -> u64 {
    let (mut seen, mut repeated) = (0, 0);
    for (name, _) in request.headers.iter() {
        repeated |= seen & mark(name);
        seen |= mark(name);
    }
    repeated
}

/// One bit of 64, the same for names that differ in case alone. Of those that a browser sends, all have their own.
fn mark(name: &[u8]) -> u64 {
    let [first, .., last] = name else { return 1 };
    let inner = name[name.len().saturating_sub(4)];
    let [first, inner, last] = [*first, inner, *last].map(|byte| usize::from(byte | 0x20));
    1 << ((name.len() + 23 * first + 3 * inner + last) % 64)
}

/// Whether this field has a variable without `HTTP_`, is told as the authority, or is not to be told.
fn is_told_otherwise(name: &[u8]) -> bool {
    ["Host", "Content-Type", "Content-Length", "Proxy"].iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests;
