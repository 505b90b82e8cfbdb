//! What one request tells PHP, in a thread's own memory that is reused from request to request.
//!
//! What every request has is told at once. `$_SERVER` is told when it is asked for: many scripts never do, and making it
//! may take longer than running them. The strings lie where [`RequestInfo`] and [`ServerVars`] have them, each with the
//! NUL byte that C wants. What is added here is where they lie: pointers, made when nothing moves any more.

use std::ffi::c_char;
use std::ptr;

use php_sys::{ephpm_request, ephpm_str, ephpm_var, ephpm_vars};

use crate::exchange::Job;
use crate::site::server_vars::{self, RequestInfo, ServerOptions, ServerVars};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct RequestArena {
    info: RequestInfo,
    vars: ServerVars,
    /// `vars` as C has them.
    server: Vec<ephpm_var>,
}

/// A request that lies in an arena.
#[derive(Debug)]
pub(super) struct ArenaRequest<'a> {
    raw: ephpm_request,
    variables: Variables<'a>,
}

/// The `$_SERVER` of a request, for when it is asked for.
#[derive(Debug)]
pub(super) struct Variables<'a> {
    vars: &'a mut ServerVars,
    server: &'a mut Vec<ephpm_var>,
    options: &'a ServerOptions,
    /// Bytes of content, before any of them was read.
    content_len: u64,
    is_built: bool,
}

impl RequestArena {
    /// The request of `job`, whose content nobody has read yet.
    ///
    /// # Panics
    ///
    /// When the script's path contains a NUL byte, which the router refuses: C would read the path of another script.
    pub(super) fn request<'a>(&'a mut self, job: &Job, options: &'a ServerOptions) -> ArenaRequest<'a> {
        let Self { info, vars, server } = self;
        info.fill(job);
        let path = info.script_filename();
        assert_eq!(memchr::memchr(0, path), Some(path.len() - 1), "a NUL byte in the path of a script");
        let content_len = job.content.len();
        let raw = ephpm_request {
            method: pointer(info.request_method()),
            request_uri: pointer(info.php_self()),
            query_string: pointer(info.query_string()),
            content_type: info.content_type().map_or(ptr::null(), pointer),
            cookie: info.cookie().map_or(ptr::null(), pointer),
            authorization: info.authorization().map_or(ptr::null(), pointer),
            path_translated: pointer(path),
            content_length: i64::try_from(content_len).unwrap_or(i64::MAX),
            request_time: job.received_at.as_secs_f64(),
        };
        ArenaRequest { raw, variables: Variables { vars, server, options, content_len, is_built: false } }
    }
}

impl<'a> ArenaRequest<'a> {
    /// The request as C has it, whose strings are there for as long as the variables live.
    pub(super) fn into_parts(self) -> (ephpm_request, Variables<'a>) {
        (self.raw, self.variables)
    }
}

impl Variables<'_> {
    /// As C has them, made of `job` when they are first asked for; what this points to lives as long as `self`.
    pub(super) fn of(&mut self, job: &Job) -> ephpm_vars {
        if !self.is_built {
            self.is_built = true;
            server_vars::build(job, self.content_len, self.options, self.vars);
            let vars =
                self.vars.iter_terminated().map(|(name, value)| ephpm_var { name: text(name), value: text(value) });
            self.server.clear();
            self.server.extend(vars);
        }
        ephpm_vars { ptr: self.server.as_ptr(), len: self.server.len() }
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
    fn variable(request: &mut ArenaRequest<'_>, job: &Job, name: &str) -> Option<String> {
        let text = |text: ephpm_str| {
            // SAFETY: the arena's own string, which outlives the request; a NUL follows.
            let string = unsafe { CStr::from_ptr(text.ptr) };
            assert_eq!(string.count_bytes(), text.len);
            string.to_str().unwrap().to_owned()
        };
        let ephpm_vars { ptr, len } = request.variables.of(job);
        // SAFETY: the arena's own array, which outlives the request.
        let server = unsafe { std::slice::from_raw_parts(ptr, len) };
        server.iter().find(|var| text(var.name) == name).map(|var| text(var.value))
    }

    #[test]
    fn a_request_as_c_reads_it() {
        let mut arena = RequestArena::default();
        let fields = [("Cookie", "a=1"), ("Content-Type", "x/y"), ("Cookie", "b=2"), ("Authorization", "Basic z")];
        let mut job = job("/a.php?q=%20", &fields);
        let options = ServerOptions::default();
        let mut request = arena.request(&job, &options);
        let raw = &request.raw;
        assert_eq!(strings(raw), "POST|/a.php|q=%20|x/y|a=1; b=2|Basic z|/srv/a.php");
        assert_eq!((raw.content_length, raw.request_time), (5, 1.5));
        // PHP reads forms before the script runs, and so before it can ask.
        assert_eq!(job.content.read(&mut [0; 9]), 5);
        assert_eq!(variable(&mut request, &job, "SCRIPT_FILENAME").as_deref(), Some("/srv/a.php"));
        assert_eq!(variable(&mut request, &job, "CONTENT_LENGTH").as_deref(), Some("5"));
    }

    #[test]
    fn what_is_absent_is_null_except_the_query() {
        let mut arena = RequestArena::default();
        let job = job("/", &[]);
        assert_eq!(strings(&arena.request(&job, &ServerOptions::default()).raw), "POST|/a.php||-|-|-|/srv/a.php");
    }

    #[test]
    fn nothing_is_left_of_the_request_before() {
        let mut arena = RequestArena::default();
        for n in [1, 1000, 1] {
            let value = n.to_string().repeat(n);
            let job = job("/", &[(if n == 1 { "X-Small" } else { "X-Large" }, &value)]);
            let options = ServerOptions::default();
            let mut request = arena.request(&job, &options);
            let found = ["HTTP_X_SMALL", "HTTP_X_LARGE"].map(|name| variable(&mut request, &job, name));
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
