//! Where to listen: an address, the path of a Unix socket, or a socket that systemd has opened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::readers::{Read, parse_digits, resolve};
use super::value::{Mismatch, Value};

/// Bytes of a Unix socket's path (`sun_path` in unix(7), without its NUL).
const PATH_BYTES_MAX: usize = 107;
/// Permissions of a Unix socket: for the user and group that the process runs as.
const MODE: u32 = 0o660;

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub at: Endpoint,
    /// Each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP address.
    Address(SocketAddr),
    /// A Unix socket.
    Path {
        /// Where it lies; absolute.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The sockets that systemd passes under this name (`FileDescriptorName=`), or those that no other entry takes.
    Systemd(Option<String>),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { at: Endpoint::Address(address), proxy_protocol: false }
    }
}

impl Endpoint {
    /// Whether both stand for the same place.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path { path, .. }, Self::Path { path: other, .. }) => path == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Path { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Systemd(None) => f.write_str("systemd"),
            Self::Systemd(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

/// One place, or a list: `127.0.0.1:8080`, `[::1]:80`, `:8080`, `8080`, `localhost:8080`, `unix:/run/site.sock`,
/// `systemd`, `systemd:NAME`; each with the options `proxy_protocol` and, of a Unix socket, `mode=660` after it.
pub(super) fn listen() -> impl Fn(&Value, &Path) -> Read<Vec<Listen>> {
    |value, base| {
        let mut all: Vec<Listen> = Vec::new();
        for element in value.elements() {
            let one = read_listen(&element, base)?;
            if all.iter().any(|other| other.at.is_same(&one.at)) {
                return Err(Mismatch::new("each address once", format!("{} twice", one.at)));
            }
            all.push(one);
        }
        Some(all).filter(|all| !all.is_empty()).ok_or_else(|| value.instead_of(EXPECTED))
    }
}

/// The same, for the internal listener, whose clients are not behind a proxy.
pub(super) fn listen_internal() -> impl Fn(&Value, &Path) -> Read<Vec<Listen>> {
    |value, base| {
        let all = listen()(value, base)?;
        match all.iter().any(|one| one.proxy_protocol) {
            true => Err(value.instead_of("an address without proxy_protocol")),
            false => Ok(all),
        }
    }
}

const EXPECTED: &str =
    r#"an address such as "127.0.0.1:8080", "[::1]:80", ":8080", "8080" or "unix:/run/site.sock", or "systemd""#;

fn read_listen(element: &Value, base: &Path) -> Read<Listen> {
    let text = match element {
        Value::Integer(port) => port.to_string(),
        other => other.str().unwrap_or_default().to_owned(),
    };
    let mut words = text.split_ascii_whitespace();
    let place = words.next().unwrap_or_default();
    let at = read_endpoint(place, base).ok_or_else(|| element.instead_of(EXPECTED))?;
    let mut one = Listen { at, proxy_protocol: false };
    for word in words {
        let known = match (word.split_once('='), &mut one.at) {
            (None, _) if word == "proxy_protocol" => {
                one.proxy_protocol = true;
                true
            }
            (Some(("mode", digits)), Endpoint::Path { mode, .. }) => {
                let read =
                    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777 && !digits.starts_with('+'));
                *mode = read.unwrap_or(*mode);
                read.is_some()
            }
            _ => false,
        };
        if !known {
            return Err(element.instead_of(r#"the options "proxy_protocol" and, of a Unix socket, "mode=660""#));
        }
    }
    Ok(one)
}

fn read_endpoint(text: &str, base: &Path) -> Option<Endpoint> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = resolve(base, path);
        let fits = text != "unix:" && path.as_os_str().len() <= PATH_BYTES_MAX && !text.contains('\0');
        return fits.then_some(Endpoint::Path { path, mode: MODE });
    }
    match text.split_once(':') {
        None if text == "systemd" => Some(Endpoint::Systemd(None)),
        Some(("systemd", name)) if !name.is_empty() => Some(Endpoint::Systemd(Some(name.to_owned()))),
        _ => parse_address(text).map(Endpoint::Address),
    }
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let host = match host {
        "" => Ipv4Addr::UNSPECIFIED,
        "localhost" => Ipv4Addr::LOCALHOST,
        _ => return None,
    };
    let port = parse_digits(port).and_then(|port| u16::try_from(port).ok())?;
    Some(SocketAddr::new(IpAddr::V4(host), port))
}
