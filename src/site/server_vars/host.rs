//! The host in an authority.

/// The host of `host[:port]`, if it looks like one: a name of letters, digits, `.`, `-` and `_`, or an IPv6 address in
/// brackets. It ends up in links and mails that applications write, so nothing else may pass.
pub(super) fn without_port(authority: &[u8]) -> Option<&[u8]> {
    let end = match authority.strip_prefix(b"[") {
        Some(address) => memchr::memchr(b']', address)? + 2,
        None => memchr::memchr(b':', authority).unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let is_host = match host {
        [b'[', address @ .., b']'] => {
            !address.is_empty() && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        name => !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte)),
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    (is_host && is_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_their_ports() {
        for (authority, wanted) in [
            ("example.com", Some("example.com")),
            ("example.com:8080", Some("example.com")),
            ("example.com.:80", Some("example.com.")),
            ("example.com:", Some("example.com")),
            ("my_app-1", Some("my_app-1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("[::1]", Some("[::1]")),
            ("[2001:db8::1]:443", Some("[2001:db8::1]")),
            ("", None),
            (":80", None),
            ("a:80:80", None),
            ("a:b", None),
            ("user@a", None),
            ("a/b", None),
            ("a b", None),
            ("a,b", None),
            ("<script>", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[]", None),
            ("[a.b/c]", None),
            ("::1", None),
        ] {
            assert_eq!(without_port(authority.as_bytes()), wanted.map(str::as_bytes), "{authority}");
        }
    }
}
