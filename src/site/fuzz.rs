//! Properties of the site layer for any input: run by the fuzzer, and here over random bytes.

mod ranges;

pub use ranges::ranges;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::files::{Files, Kind, OpenError, OpenFile};
use super::forwarded::{self, Field};
use super::path::MappedPath;
use super::router::{Options, Route, Router};
use super::server_vars::{RequestInfo, ServerOptions, ServerVars, build};
use crate::exchange::{Content, Job, Script};
use crate::http::authority::Authority;
use crate::http::headers::{Headers, is_field_value, is_token};
use crate::http::message::{Peer, Request, Version};
use crate::http::method::Method;

const ROOT: &[u8] = b"/srv/site";

/// Variables that only the server itself may set.
const TRUSTED: [&str; 23] = [
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "DOCUMENT_ROOT",
    "DOCUMENT_URI",
    "GATEWAY_INTERFACE",
    "HTTPS",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "PHP_SELF",
    "QUERY_STRING",
    "REDIRECT_STATUS",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_ADDR",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
];

/// Whatever a client sends in its head, `$_SERVER` holds what the server knows, and each name once. The first line of
/// `data` is the target, the others are fields; what no protocol would let through is left out.
pub fn server_vars(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = lines.next().filter(|line| is_target(line)).unwrap_or(b"/");
    let fields: Vec<_> =
        lines.filter_map(field).filter(|(name, value)| is_token(name) && is_field_value(value)).collect();
    let Some(request) = try_request(Method::Post, target, &fields) else { return };
    let router = Router::new(Options::new(ROOT));
    let Route::Script(script) = router.route(&request, &mut Tree { data }) else { return };
    let job = Job {
        request,
        script,
        error: None,
        peer: Peer {
            remote: SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into(), 4711),
            local: SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 8080),
            secure: false,
        },
        content: Content::Memory(Bytes::from_static(b"abc")),
        pool: 0,
        received_at: Duration::ZERO,
    };
    let content_len = job.content.len();
    let mut vars = ServerVars::new();
    build(&job, content_len, &ServerOptions::default(), &mut vars);

    for (index, (name, value)) in vars.iter_terminated().enumerate() {
        for bytes in [name, value] {
            assert_eq!(memchr::memchr(0, bytes), Some(bytes.len() - 1), "the NUL at the end is the only one");
        }
        assert_ne!(name, b"HTTP_PROXY\0");
        assert!(
            name[..name.len() - 1]
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        );
        assert!(vars.iter_terminated().skip(index + 1).all(|(later, _)| later != name), "one name twice");
        assert!(!name.starts_with(b"HTTP_") || is_from_header(&name[5..name.len() - 1], &job.request));
    }
    let mut info = RequestInfo::default();
    info.fill(&job);
    assert_same(&info, &vars);
    // What only the server may say, it says just so when there are no fields at all.
    let mut bare = ServerVars::new();
    let Some(request) = try_request(Method::Post, target, &[]) else { return };
    build(&Job { request, ..job }, content_len, &ServerOptions::default(), &mut bare);
    for name in TRUSTED {
        assert_eq!(vars.get(name), bare.get(name), "{name}");
    }
    assert_eq!(vars.get("REMOTE_ADDR"), Some(&b"192.0.2.1"[..]));
    let script = vars.get("SCRIPT_FILENAME").expect("every request has one");
    assert!(script.starts_with(b"/srv/site/") && script.ends_with(b".php"));
    assert_resolved(&script[ROOT.len()..]);
}

/// What PHP is told of every request is what `$_SERVER` says.
pub(super) fn assert_same(info: &RequestInfo, vars: &ServerVars) {
    for (name, told) in [
        ("REQUEST_METHOD", Some(info.request_method())),
        ("PHP_SELF", Some(info.php_self())),
        ("QUERY_STRING", Some(info.query_string())),
        ("SCRIPT_FILENAME", Some(info.script_filename())),
        ("CONTENT_TYPE", info.content_type()),
        ("HTTP_COOKIE", info.cookie()),
        ("HTTP_AUTHORIZATION", info.authorization()),
    ] {
        let told = told.map(|text| text.strip_suffix(b"\0").expect("C looks for its end"));
        assert_eq!(told, vars.get(name), "{name}");
    }
}

/// A path is mapped below the root or refused, and what it is routed to lies there.
pub fn path_mapping(data: &[u8]) {
    assert_eq!(MappedPath::parse(data), MappedPath::map(data));
    if let Ok(path) = MappedPath::parse(data) {
        let whole = path.as_bytes();
        assert!(whole.starts_with(b"/") && whole.starts_with(path.lookup()));
        assert!(!whole.iter().any(u8::is_ascii_control));
        assert!(whole.split(|byte| matches!(byte, b'/' | b'\\')).all(|segment| segment != b".."));
        if !path.lookup().is_empty() {
            assert_resolved(path.lookup());
        }
    }
    if !is_target(data) {
        return;
    }
    let Some(request) = try_request(Method::Get, data, &[]) else { return };
    match Router::new(Options::new(ROOT)).route(&request, &mut Tree { data }) {
        Route::Script(Script { name, path_info, .. }) => {
            assert!(name.ends_with(b".php"));
            assert!(path_info.is_empty() || path_info.starts_with(b"/"));
            assert_resolved(&name);
        }
        Route::File { path } => {
            assert!(!path.to_ascii_lowercase().ends_with(b".php") && !path.ends_with(b"/"));
            assert_resolved(&path);
        }
        Route::Redirect { location } => {
            // An authority would begin with a second slash, or a backslash in the eyes of a browser.
            assert!(location.starts_with(b"/") && !matches!(location[1], b'/' | b'\\'), "{}", location.escape_ascii());
            assert!(is_field_value(&location));
        }
        Route::Options { .. } | Route::Error { .. } => {}
    }
}

/// Whatever a client writes into the fields of proxies, a server that trusts no peer believes nothing of it; and of a
/// trusted proxy that adds the client's address, it believes that address. The first line of `data` is the value that
/// the client has sent, the others are fields.
pub fn forwarded(data: &[u8]) {
    const CLIENT: &str = "203.0.113.9";
    let mut lines = data.split(|byte| *byte == b'\n');
    let sent = lines.next().filter(|line| is_field_value(line)).unwrap_or(b"");
    let others: Vec<_> =
        lines.filter_map(field).filter(|(name, value)| is_token(name) && is_field_value(value)).collect();
    let options = |fields: &[Field]| forwarded::Options {
        proxies: vec!["10.0.0.0/8".parse().expect("a network")],
        fields: fields.to_vec(),
    };
    let all_x = options(&[Field::For, Field::Proto, Field::Host, Field::Port]);
    let rfc = options(&[Field::Forwarded]);
    let peer = |address: [u8; 4]| Peer {
        remote: SocketAddr::new(address.into(), 4711),
        local: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080),
        secure: false,
    };
    let (stranger, proxy) = (peer([198, 51, 100, 7]), peer([10, 0, 0, 1]));

    for options in [&all_x, &rfc] {
        let Some(mut request) = try_request(Method::Get, b"/", &others) else { return };
        let authority = request.authority().map(<[u8]>::to_vec);
        assert_eq!(forwarded::resolve(options, stranger, &mut request), stranger);
        assert_eq!(request.authority().map(<[u8]>::to_vec), authority);
        let seen = forwarded::resolve(options, proxy, &mut request);
        assert_eq!(seen.local.ip(), proxy.local.ip());
        if request.authority().map(<[u8]>::to_vec) != authority {
            assert!(Authority::parse(request.authority().expect("it was told")).is_some());
        }
    }
    // The proxy has added what it knows, in the same line and in one of its own.
    let proxy_says = [("X-Forwarded-For", CLIENT.to_owned()), ("Forwarded", format!("for={CLIENT};proto=https"))];
    for ((name, said), options) in proxy_says.into_iter().zip([&all_x, &rfc]) {
        let joined = [sent, b", ", said.as_bytes()].concat();
        let one_line = [(name.as_bytes(), &joined[..])];
        let two_lines = [(name.as_bytes(), sent), (name.as_bytes(), said.as_bytes())];
        for fields in [&one_line[..], &two_lines] {
            let Some(mut request) = try_request(Method::Get, b"/", fields) else { return };
            let seen = forwarded::resolve(options, proxy, &mut request);
            // An open quote swallows what the proxy says: then its own address is all that is known.
            let is_proxy = seen == proxy && name == "Forwarded";
            assert!(is_proxy || seen.remote.ip().to_string() == CLIENT, "{}", sent.escape_ascii());
        }
    }
}

/// A request that a protocol could have received. Panics on a method that none would let through; `fields` is legal.
#[cfg(test)]
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request {
    let method = Method::from_bytes(method.as_bytes()).expect("a registered method");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    try_request(method, target.as_bytes(), &fields).expect("a head of ordinary size")
}

/// A request with these parts; `None` if they are too large.
fn try_request(method: Method, target: &[u8], fields: &[(&[u8], &[u8])]) -> Option<Request> {
    let mut headers = Headers::from_parts(BytesMut::new(), Vec::new());
    let target = headers.push_bytes(target).ok()?;
    for (name, value) in fields {
        headers.push(name, value).ok()?;
    }
    let host = headers.get("Host").map(<[u8]>::to_vec);
    let authority = match host {
        Some(host) => Some(headers.push_bytes(&host).ok()?),
        None => None,
    };
    let version = Version::Http11;
    Some(Request { method, version, target, authority, headers, content_length: Some(0), expects_continue: false })
}

fn is_target(bytes: &[u8]) -> bool {
    bytes.starts_with(b"/") && bytes.iter().all(|byte| matches!(byte, 0x21..=0x7e | 0x80..) && *byte != b'#')
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], crate::http::headers::trim(&line[colon + 1..])))
}

/// Whether a field without an underscore has this name, once hyphens are underscores.
fn is_from_header(name: &[u8], request: &Request) -> bool {
    request.headers.iter().any(|(field, _)| {
        !field.contains(&b'_')
            && field.len() == name.len()
            && field.iter().zip(name).all(|(a, b)| a.to_ascii_uppercase() == *b || (*a == b'-' && *b == b'_'))
    })
}

fn assert_resolved(path: &[u8]) {
    let text = path.escape_ascii();
    assert!(path.starts_with(b"/") && !path.contains(&0), "{text}");
    assert!(!path.windows(2).any(|pair| pair == b"//"), "{text}");
    assert!(path.split(|byte| *byte == b'/').all(|segment| segment != b".." && segment != b"."), "{text}");
}

/// A tree in which anything may exist, as the input decides.
#[derive(Debug)]
struct Tree<'a> {
    data: &'a [u8],
}

impl Files for Tree<'_> {
    fn kind(&mut self, path: &[u8]) -> Kind {
        assert!(path.len() == 1 || !path.ends_with(b"/"), "a look-up has no slash at its end");
        assert!(!path.contains(&b'\\'), "a backslash is never looked up");
        assert_resolved(path);
        let sum = path.iter().chain(self.data).fold(17_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
        match sum >> 7 & 7 {
            0..=2 => Kind::File,
            3 | 4 => Kind::Directory,
            5 => Kind::Other,
            6 => Kind::Denied,
            _ => Kind::Missing,
        }
    }

    fn open(&mut self, _: &[u8]) -> Result<OpenFile, OpenError> {
        Err(OpenError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// Pieces that matter, so that random input is likely to get somewhere.
    const PIECES: [&[u8]; 40] = [
        b"/",
        b"/",
        b"/",
        b".",
        b"..",
        b"%2e",
        b"%2F",
        b"%5c",
        b"\\",
        b"a",
        b"index",
        b".php",
        b".php",
        b".PHP",
        b".jpg",
        b"%00",
        b"%0a",
        b"%",
        b"?",
        b"//",
        b"\xc3\xa9",
        b"~",
        b"\n",
        b"\n",
        b"\nProxy: x",
        b"\nHost: a",
        b"\nhost: b:80",
        b"\nX_Y: 1",
        b"\nX-Y: 2",
        b"\nx-y: 3",
        b"\nCookie: a=b",
        b"\nContent-Length: 9",
        b"\nContent-Type: t",
        b"\nScript-Filename: /etc",
        b"\nRemote-Addr: 1",
        b"\nHTTPS: on",
        b"\nX.Y: 4",
        b": ",
        b"-",
        b"_",
    ];

    fn random_inputs(mut check: impl FnMut(&[u8])) {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..5000 {
            let mut data = b"/".to_vec();
            for _ in 0..random.below(12) {
                match random.below(8) {
                    0 => data.push(random.below(256) as u8),
                    _ => data.extend_from_slice(random.pick(&PIECES)),
                }
            }
            check(&data);
        }
    }

    #[test]
    fn server_vars_hold_their_properties() {
        random_inputs(server_vars);
    }

    #[test]
    fn forwarded_holds_its_properties() {
        const PIECES: [&[u8]; 24] = [
            b"for=",
            b"1.2.3.4",
            b"10.0.0.1",
            b"\"",
            b"\"",
            b"\\",
            b", ",
            b",",
            b";",
            b"proto=https",
            b"host=a.b",
            b"[::1]",
            b":80",
            b"unknown",
            b"_x",
            b"=",
            b" ",
            b"\n",
            b"\nX-Forwarded-For: ",
            b"\nForwarded: ",
            b"\nX-Forwarded-Host: ",
            b"\nX-Forwarded-Proto: ",
            b"\nX-Forwarded-Port: ",
            b"\nHost: a",
        ];
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for _ in 0..5000 {
            let pieces = random.below(14);
            let data: Vec<u8> = (0..pieces).flat_map(|_| random.pick(&PIECES)).copied().collect();
            forwarded(&data);
        }
    }

    #[test]
    fn path_mapping_holds_its_properties() {
        random_inputs(path_mapping);
    }
}
