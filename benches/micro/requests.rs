//! The requests that the benches are about, and a site in memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ephpm::exchange::{Content, Job, Script};
use ephpm::http::event::Event;
use ephpm::http::message::{Peer, Request};
use ephpm::http1::{Http1, Http1Options};
use ephpm::site::files::{Files, Kind, OpenError, OpenFile};

/// What curl sends.
pub const SMALL: &[u8] =
    b"GET /hello.php HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.9\r\nAccept: */*\r\n\r\n";

/// What a browser sends to a blog that knows it.
pub const BROWSER: &[u8] = b"GET /2026/11/an-entry/?replytocom=12 HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://www.example.org/2026/11/\r\n\
    Connection: keep-alive\r\n\
    Cookie: wordpress_test_cookie=WP%20Cookie%20check; wp-settings-time-1=1795430000; \
    comment_author_1a2b3c=Somebody; PHPSESSID=0123456789abcdef0123456789abcdef\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    If-Modified-Since: Sun, 22 Nov 2026 09:00:00 GMT\r\n\
    Priority: u=0, i\r\n\r\n";

/// The request that these bytes are.
pub fn request(bytes: &[u8]) -> Request {
    let mut inbox = BytesMut::from(bytes);
    match Http1::new(Http1Options::default()).poll_event(&mut inbox) {
        Some(Event::Request(_, request)) => request,
        other => panic!("a request, not {other:?}"),
    }
}

/// The same, on its way to PHP.
pub fn job(bytes: &[u8]) -> Job {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    Job {
        request: request(bytes),
        script: Script {
            document_root: Arc::from(&b"/srv/www"[..]),
            name: b"/index.php".to_vec(),
            path_info: Vec::new(),
        },
        error: None,
        peer: Peer { remote: address, local: address, secure: false },
        content: Content::Memory(Bytes::new()),
        pool: 0,
        received_at: Duration::from_secs(1_795_430_000),
    }
}

/// A site with a front controller and a style sheet.
#[derive(Debug)]
pub struct Site;

impl Files for Site {
    fn kind(&mut self, path: &[u8]) -> Kind {
        match path {
            b"/index.php" | b"/hello.php" | b"/style.css" => Kind::File,
            b"/" => Kind::Directory,
            _ => Kind::Missing,
        }
    }

    fn open(&mut self, _: &[u8]) -> Result<OpenFile, OpenError> {
        unreachable!("a router opens nothing")
    }
}
