//! What one request tells PHP, in a thread's own memory that is reused from request to request.
//!
//! The strings are those of [`ServerVars`], which lie in one block, each with the NUL byte that C wants. What is added
//! here is where they lie: pointers, made when the block has its final size.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr;

use php_sys::{ephpm_request, ephpm_str, ephpm_var};

use crate::exchange::Job;
use crate::site::server_vars::{self, ServerOptions, ServerVars};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct RequestArena {
    vars: ServerVars,
    /// `vars` as C has them.
    server: Vec<ephpm_var>,
}

/// A request that lies in an arena.
#[derive(Debug)]
pub(super) struct ArenaRequest<'a> {
    raw: ephpm_request,
    _arena: PhantomData<&'a RequestArena>,
}

impl RequestArena {
    /// The request of `job`.
    ///
    /// # Panics
    ///
    /// When the script's path contains a NUL byte, which the router refuses: C would read the path of another script.
    pub(super) fn request(&mut self, job: &Job, options: &ServerOptions) -> ArenaRequest<'_> {
        let Self { vars, server } = self;
        server_vars::build(job, options, vars);
        server.clear();
        server.extend(vars.iter_terminated().map(|(name, value)| ephpm_var { name: text(name), value: text(value) }));
        let path = vars.script_filename();
        assert_eq!(memchr::memchr(0, path), Some(path.len() - 1), "a NUL byte in the path of a script");
        let raw = ephpm_request {
            method: pointer(vars.request_method()),
            request_uri: pointer(vars.php_self()),
            query_string: pointer(vars.query_string()),
            content_type: vars.content_type().map_or(ptr::null(), pointer),
            cookie: vars.cookie().map_or(ptr::null(), pointer),
            authorization: vars.authorization().map_or(ptr::null(), pointer),
            path_translated: pointer(path),
            content_length: i64::try_from(job.content.len()).unwrap_or(i64::MAX),
            request_time: job.received_at.as_secs_f64(),
            server: server.as_ptr(),
            server_len: server.len(),
        };
        ArenaRequest { raw, _arena: PhantomData }
    }
}

impl ArenaRequest<'_> {
    /// As C has it; what it points to lives as long as `self`.
    pub(super) fn raw(&self) -> &ephpm_request {
        &self.raw
    }
}

/// Where a string lies that has a NUL byte at its end.
fn pointer(terminated: &[u8]) -> *const c_char {
    debug_assert_eq!(terminated.last(), Some(&0));
    terminated.as_ptr().cast()
}

/// The same with its length, which does not count the NUL byte.
fn text(terminated: &[u8]) -> ephpm_str {
    ephpm_str { ptr: pointer(terminated), len: terminated.len() - 1 }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::exchange::{Content, Script};
    use crate::http::headers::Headers;
    use crate::http::message::{Peer, Request, Version};
    use crate::http::method::Method;

    fn job(target: &str, fields: &[(&str, &str)]) -> Job {
        let mut headers = Headers::from_parts(BytesMut::new(), Vec::new());
        let target = headers.push_bytes(target.as_bytes()).unwrap();
        for (name, value) in fields {
            headers.add(name, value.as_bytes());
        }
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        Job {
            request: Request {
                method: Method::Post,
                version: Version::Http11,
                target,
                authority: None,
                headers,
                content_length: None,
                expects_continue: false,
            },
            script: Script { document_root: Arc::from(&b"/srv"[..]), name: b"/a.php".to_vec(), path_info: Vec::new() },
            error: None,
            peer: Peer { remote: address, local: address, secure: false },
            content: Content::Memory(Bytes::from_static(b"12345")),
            pool: 0,
            received_at: Duration::from_millis(1_500),
        }
    }

    /// The strings of a request as C reads them, `-` for NULL.
    fn strings(request: &ephpm_request) -> String {
        let text = |ptr: *const c_char| {
            // SAFETY: NULL, or a string in the arena, which outlives the request.
            if ptr.is_null() { "-".into() } else { unsafe { CStr::from_ptr(ptr) }.to_string_lossy().into_owned() }
        };
        [
            request.method,
            request.request_uri,
            request.query_string,
            request.content_type,
            request.cookie,
            request.authorization,
            request.path_translated,
        ]
        .map(text)
        .join("|")
    }

    /// One of its variables as C reads it.
    fn variable(request: &ephpm_request, name: &str) -> Option<String> {
        let text = |text: ephpm_str| {
            // SAFETY: the arena's own string, which outlives the request; a NUL follows.
            let string = unsafe { CStr::from_ptr(text.ptr) };
            assert_eq!(string.count_bytes(), text.len);
            string.to_str().unwrap().to_owned()
        };
        // SAFETY: the arena's own array, which outlives the request.
        let server = unsafe { std::slice::from_raw_parts(request.server, request.server_len) };
        server.iter().find(|var| text(var.name) == name).map(|var| text(var.value))
    }

    #[test]
    fn a_request_as_c_reads_it() {
        let mut arena = RequestArena::default();
        let fields = [("Cookie", "a=1"), ("Content-Type", "x/y"), ("Cookie", "b=2"), ("Authorization", "Basic z")];
        let job = job("/a.php?q=%20", &fields);
        let request = arena.request(&job, &ServerOptions::default());
        let raw = request.raw();
        assert_eq!(strings(raw), "POST|/a.php|q=%20|x/y|a=1; b=2|Basic z|/srv/a.php");
        assert_eq!((raw.content_length, raw.request_time), (5, 1.5));
        assert_eq!(variable(raw, "SCRIPT_FILENAME").as_deref(), Some("/srv/a.php"));
    }

    #[test]
    fn what_is_absent_is_null_except_the_query() {
        let mut arena = RequestArena::default();
        let job = job("/", &[]);
        assert_eq!(strings(arena.request(&job, &ServerOptions::default()).raw()), "POST|/a.php||-|-|-|/srv/a.php");
    }

    #[test]
    fn nothing_is_left_of_the_request_before() {
        let mut arena = RequestArena::default();
        for n in [1, 1000, 1] {
            let value = n.to_string().repeat(n);
            let job = job("/", &[(if n == 1 { "X-Small" } else { "X-Large" }, &value)]);
            let request = arena.request(&job, &ServerOptions::default());
            let found = ["HTTP_X_SMALL", "HTTP_X_LARGE"].map(|name| variable(request.raw(), name));
            assert_eq!(found, if n == 1 { [Some(value), None] } else { [None, Some(value)] });
        }
    }

    #[test]
    #[should_panic]
    fn a_path_with_a_nul_is_no_other_path() {
        let mut job = job("/", &[]);
        job.script.name = b"/a.php\0.jpg".to_vec();
        RequestArena::default().request(&job, &ServerOptions::default());
    }
}
