use super::*;
use crate::site::fuzz::request;

const PROXIES: [&str; 3] = ["10.0.0.0/8", "192.0.2.1", "fd00::/8"];
const X: [Field; 4] = [Field::For, Field::Proto, Field::Host, Field::Port];

fn options(fields: &[Field]) -> Options {
    Options { proxies: PROXIES.iter().map(|network| network.parse().unwrap()).collect(), fields: fields.to_vec() }
}

/// Whom a request with these fields comes from, and to what.
fn resolved(remote: &str, options: &Options, fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = [("Host", "own.example")].iter().chain(fields).copied().collect();
    let mut request = request("GET", "/", &fields);
    let peer = Peer { remote: remote.parse().unwrap(), local: "198.51.100.1:8080".parse().unwrap(), secure: false };
    let seen = resolve(options, peer, &mut request);
    assert_eq!(seen.local.ip(), peer.local.ip());
    let scheme = if seen.secure { "https" } else { "http" };
    let host = request.authority().unwrap().escape_ascii().to_string();
    format!("{} {scheme}://{host} {}", seen.remote, seen.local.port())
}

#[test]
fn s13_the_client_is_the_right_most_address_that_is_not_trusted() {
    for (chain, client) in [
        ("203.0.113.9", "203.0.113.9:0"),
        ("203.0.113.9, 10.1.1.1", "203.0.113.9:0"),
        ("1.1.1.1, 203.0.113.9, 192.0.2.1 , 10.1.1.1", "203.0.113.9:0"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9:0"),
        ("203.0.113.9:4711", "203.0.113.9:4711"),
        ("2001:db8::1", "[2001:db8::1]:0"),
        ("[2001:db8::1]", "[2001:db8::1]:0"),
        ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
        ("203.0.113.9, fd00::7", "203.0.113.9:0"),
        ("203.0.113.9, ::ffff:10.1.1.1", "203.0.113.9:0"),
        ("::ffff:203.0.113.9", "203.0.113.9:0"),
        // What is no address says nothing, and nothing behind it counts.
        ("203.0.113.9, unknown, 10.1.1.1", "10.1.1.1:0"),
        ("203.0.113.9, 10.1.1.1, <script>", "10.0.0.1:999"),
        ("203.0.113.9, 010.1.1.1", "10.0.0.1:999"),
        ("203.0.113.9, 0.0.0.0", "10.0.0.1:999"),
        ("::", "10.0.0.1:999"),
        ("", "10.0.0.1:999"),
        (", ,", "10.0.0.1:999"),
    ] {
        let seen = resolved("10.0.0.1:999", &options(&X), &[("X-Forwarded-For", chain)]);
        assert_eq!(seen, format!("{client} http://own.example 8080"), "{chain}");
    }
}

#[test]
fn lines_are_one_list() {
    let lines = [("X-Forwarded-For", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.2.2.2")];
    assert_eq!(resolved("[::ffff:10.0.0.1]:9", &options(&X), &lines), "203.0.113.9:0 http://own.example 8080");
}

#[test]
fn scheme_host_and_port_are_those_of_the_clients_hop() {
    for (fields, seen) in [
        (&[("X-Forwarded-Proto", "https")][..], "10.0.0.1:9 https://own.example 443"),
        (&[("X-Forwarded-Proto", "HTTP")], "10.0.0.1:9 http://own.example 80"),
        (&[("X-Forwarded-Proto", "gopher")], "10.0.0.1:9 http://own.example 8080"),
        (&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "8443")], "10.0.0.1:9 https://own.example 8443"),
        (&[("X-Forwarded-Port", "0")], "10.0.0.1:9 http://own.example 8080"),
        (&[("X-Forwarded-Port", "65536")], "10.0.0.1:9 http://own.example 8080"),
        (&[("X-Forwarded-Host", "shop.example:444")], "10.0.0.1:9 http://shop.example:444 444"),
        (&[("X-Forwarded-Host", "evil.example/x")], "10.0.0.1:9 http://own.example 8080"),
        // The nearest proxy has added its own to what the client sent.
        (
            &[("X-Forwarded-For", "1.1.1.1, 203.0.113.9"), ("X-Forwarded-Proto", "https, http")],
            "203.0.113.9:0 http://own.example 80",
        ),
        // Two proxies: the outer one's word is of the client.
        (
            &[("X-Forwarded-For", "203.0.113.9, 10.1.1.1"), ("X-Forwarded-Proto", "https, http")],
            "203.0.113.9:0 https://own.example 443",
        ),
        (
            &[("X-Forwarded-For", "203.0.113.9, 10.1.1.1"), ("X-Forwarded-Proto", "https")],
            "203.0.113.9:0 https://own.example 443",
        ),
    ] {
        assert_eq!(resolved("10.0.0.1:9", &options(&X), fields), seen, "{fields:?}");
    }
}

#[test]
fn only_the_named_fields_are_believed() {
    let fields = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=1.1.1.1;proto=https;host=evil.example"),
    ];
    let seen = |believed: &[Field]| resolved("10.0.0.1:9", &options(believed), &fields);
    assert_eq!(seen(&[]), "10.0.0.1:9 http://own.example 8080");
    assert_eq!(seen(&[Field::For, Field::Proto]), "203.0.113.9:0 https://own.example 443");
    assert_eq!(seen(&[Field::Forwarded]), "1.1.1.1:0 https://evil.example 443");
}

#[test]
fn s13_nobody_else_is_believed() {
    for fields in [&X[..], &[Field::Forwarded]] {
        for remote in ["203.0.113.7:1", "[::1]:1", "11.0.0.1:1", "192.0.2.2:1"] {
            let told = [
                ("X-Forwarded-For", "10.0.0.1"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil.example"),
                ("X-Forwarded-Port", "1"),
                ("Forwarded", "for=1.1.1.1;proto=https;host=evil.example"),
            ];
            let seen = resolved(remote, &options(fields), &told);
            assert_eq!(seen, format!("{remote} http://own.example 8080"));
        }
    }
    let told = [("X-Forwarded-For", "1.1.1.1")];
    assert_eq!(resolved("10.0.0.1:9", &Options::default(), &told), "10.0.0.1:9 http://own.example 8080");
}

#[test]
fn forwarded_has_its_own_grammar() {
    for (line, seen) in [
        ("for=203.0.113.9", "203.0.113.9:0 http://own.example 8080"),
        ("For=\"[2001:db8::1]:4711\"", "[2001:db8::1]:4711 http://own.example 8080"),
        ("for=[2001:db8::1]", "[2001:db8::1]:0 http://own.example 8080"),
        ("for=203.0.113.9:_x;by=10.0.0.1;proto=https", "203.0.113.9:0 https://own.example 443"),
        (" for=203.0.113.9 ; proto=https , for=10.1.1.1;proto=http ", "203.0.113.9:0 https://own.example 443"),
        ("for=203.0.113.9;host=\"a.example:81\"", "203.0.113.9:0 http://a.example:81 81"),
        ("for=\"1.1.1.1\", for=203.0.113.9;;proto=https;", "203.0.113.9:0 https://own.example 443"),
        // A comma in quotes separates nothing.
        ("for=\"1.1.1.1, for=203.0.113.9\"", "10.0.0.1:9 http://own.example 8080"),
        ("for=1.1.1.1;x=\"a\\\",\", for=203.0.113.9", "203.0.113.9:0 http://own.example 8080"),
        ("for=\"203.0.113.\\9\"", "10.0.0.1:9 http://own.example 8080"),
        ("for=unknown", "10.0.0.1:9 http://own.example 8080"),
        ("for=_hidden, for=10.1.1.1;proto=https", "10.1.1.1:0 https://own.example 443"),
        // A quote that a client has left open swallows what the proxy has added.
        ("for=1.1.1.1;x=\", for=203.0.113.9", "10.0.0.1:9 http://own.example 8080"),
        ("for = 1.1.1.1", "10.0.0.1:9 http://own.example 8080"),
        ("for=\"1.1.1.1\"x", "10.0.0.1:9 http://own.example 8080"),
        ("for", "10.0.0.1:9 http://own.example 8080"),
        ("", "10.0.0.1:9 http://own.example 8080"),
    ] {
        assert_eq!(resolved("10.0.0.1:9", &options(&[Field::Forwarded]), &[("Forwarded", line)]), seen, "{line}");
    }
}

#[test]
fn networks_are_written_with_a_prefix_or_without() {
    for (network, within, without) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("10.1.2.3/8", "10.0.0.1", "9.255.255.255"),
        ("0.0.0.0/0", "203.0.113.9", "::1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.0/31", "192.0.2.1", "192.0.2.2"),
        ("::/0", "2001:db8::1", "10.0.0.1"),
        ("::1", "::1", "::2"),
        ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
    ] {
        let network: Network = network.parse().unwrap();
        assert!(network.contains(within.parse().unwrap()), "{network:?} {within}");
        assert!(!network.contains(without.parse().unwrap()), "{network:?} {without}");
    }
    for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "a", "::ffff:10.0.0.0/104", "/8"]
    {
        assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
    }
}
