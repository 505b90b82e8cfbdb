//! A thread's memory for what one request tells PHP, reused from request to request.
//!
//! Strings lie one after the other in one block, each followed by the NUL byte that C wants, so that after a few
//! requests nothing is allocated any more. Pointers are made only when the block has its final size.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr;

use php_sys::{ephpm_request, ephpm_str, ephpm_var};

use crate::exchange::Job;

/// Of an exceptionally large request no more than this is kept for the next one.
const BYTES_KEPT_MAX: usize = 256 * 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Arena {
    block: Vec<u8>,
    variables: Vec<(Text, Text)>,
    /// `variables` as C has them; filled last.
    server: Vec<ephpm_var>,
}

/// A request that lies in an arena.
#[derive(Debug)]
pub(super) struct ArenaRequest<'a> {
    raw: ephpm_request,
    _arena: PhantomData<&'a Arena>,
}

impl ArenaRequest<'_> {
    /// As C has it; what it points to lives as long as `self`.
    pub(super) fn raw(&self) -> &ephpm_request {
        &self.raw
    }
}

/// Where a string lies in the block. Its NUL byte follows.
#[derive(Debug, Clone, Copy)]
struct Text {
    start: usize,
    len: usize,
}

impl Arena {
    /// The request of `job`, whose `$_SERVER` is what `server_vars` gives to its argument.
    ///
    /// # Panics
    ///
    /// When one of the strings contains a NUL byte, which the protocol and the router refuse.
    pub(super) fn request(
        &mut self,
        job: &Job,
        server_vars: impl FnOnce(&mut dyn FnMut(&[u8], &[u8])),
    ) -> ArenaRequest<'_> {
        self.clear();
        server_vars(&mut |name, value| {
            let variable = (self.push(&[name]), self.push(&[value]));
            self.variables.push(variable);
        });
        let request = &job.request;
        let method = self.push(&[request.method.as_str().as_bytes()]);
        let request_uri = self.push(&[request.target()]);
        let query_string = self.push(&[request.query().unwrap_or_default()]);
        let content_type = request.headers.get("Content-Type").map(|value| self.push(&[value]));
        let cookie = self.push_cookies(request.headers.get_all("Cookie"));
        let authorization = request.headers.get("Authorization").map(|value| self.push(&[value]));
        let path_translated = self.push(&[&job.script.document_root, &job.script.name]);

        let block = &self.block;
        self.server.extend(
            self.variables
                .iter()
                .map(|(name, value)| ephpm_var { name: name.as_str(block), value: value.as_str(block) }),
        );
        let optional = |text: Option<Text>| text.map_or(ptr::null(), |text| text.as_ptr(block));
        let raw = ephpm_request {
            method: method.as_ptr(block),
            request_uri: request_uri.as_ptr(block),
            query_string: query_string.as_ptr(block),
            content_type: optional(content_type),
            cookie: optional(cookie),
            authorization: optional(authorization),
            path_translated: path_translated.as_ptr(block),
            content_length: i64::try_from(job.content.len()).unwrap_or(i64::MAX),
            request_time: job.received_at.as_secs_f64(),
            server: self.server.as_ptr(),
            server_len: self.server.len(),
        };
        ArenaRequest { raw, _arena: PhantomData }
    }

    fn clear(&mut self) {
        self.block.clear();
        self.block.shrink_to(BYTES_KEPT_MAX);
        self.variables.clear();
        self.server.clear();
    }

    /// Appends a string that is made of `pieces`.
    fn push(&mut self, pieces: &[&[u8]]) -> Text {
        let start = self.block.len();
        for piece in pieces {
            self.block.extend_from_slice(piece);
        }
        self.end(start)
    }

    /// Several Cookie lines are one string to PHP (RFC 9113 §8.2.3).
    fn push_cookies<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> Option<Text> {
        let start = self.block.len();
        for line in lines {
            if self.block.len() > start {
                self.block.extend_from_slice(b"; ");
            }
            self.block.extend_from_slice(line);
        }
        (self.block.len() > start).then(|| self.end(start))
    }

    fn end(&mut self, start: usize) -> Text {
        // A path that C ends earlier than the router has seen it would be another script.
        assert!(memchr::memchr(0, &self.block[start..]).is_none(), "a NUL byte in a string for PHP");
        let len = self.block.len() - start;
        self.block.push(0);
        Text { start, len }
    }
}

impl Text {
    fn as_ptr(self, block: &[u8]) -> *const c_char {
        block[self.start..].as_ptr().cast()
    }

    fn as_str(self, block: &[u8]) -> ephpm_str {
        ephpm_str { ptr: self.as_ptr(block), len: self.len }
    }
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
            peer: Peer { remote: address, local: address, secure: false },
            content: Content::Memory(Bytes::from_static(b"12345")),
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

    /// Its variables as C reads them.
    fn variables(request: &ephpm_request) -> Vec<(String, String)> {
        let text = |text: ephpm_str| {
            // SAFETY: the arena's own string, which outlives the request; a NUL follows.
            let string = unsafe { CStr::from_ptr(text.ptr) };
            assert_eq!(string.count_bytes(), text.len);
            string.to_str().unwrap().to_owned()
        };
        // SAFETY: the arena's own array, which outlives the request.
        let server = unsafe { std::slice::from_raw_parts(request.server, request.server_len) };
        server.iter().map(|var| (text(var.name), text(var.value))).collect()
    }

    #[test]
    fn a_request_as_c_reads_it() {
        let mut arena = Arena::default();
        let fields = [("Cookie", "a=1"), ("Content-Type", "x/y"), ("Cookie", "b=2"), ("Authorization", "Basic z")];
        let job = job("/a.php?q=%20", &fields);
        let request = arena.request(&job, |_| ());
        assert_eq!(strings(request.raw()), "POST|/a.php?q=%20|q=%20|x/y|a=1; b=2|Basic z|/srv/a.php");
        let raw = request.raw();
        assert_eq!((raw.content_length, raw.request_time, raw.server_len), (5, 1.5, 0));
    }

    #[test]
    fn what_is_absent_is_null_except_the_query() {
        let mut arena = Arena::default();
        assert_eq!(strings(arena.request(&job("/", &[]), |_| ()).raw()), "POST|/||-|-|-|/srv/a.php");
    }

    #[test]
    fn variables_survive_the_growth_of_the_block_and_the_next_request() {
        let mut arena = Arena::default();
        for round in 0..3 {
            let expected: Vec<_> = (0..100).map(|n| (format!("NAME_{n}"), format!("{round}").repeat(n * 10))).collect();
            let all = |each: &mut dyn FnMut(&[u8], &[u8])| {
                expected.iter().for_each(|(name, value)| each(name.as_bytes(), value.as_bytes()));
            };
            let job = job("/", &[]);
            let request = arena.request(&job, all);
            assert_eq!(variables(request.raw()), expected);
        }
    }

    #[test]
    #[should_panic(expected = "a NUL byte")]
    fn a_path_with_a_nul_is_no_other_path() {
        let mut job = job("/", &[]);
        job.script.name = b"/a.php\0.jpg".to_vec();
        Arena::default().request(&job, |_| ());
    }
}
