use std::collections::HashMap;

use super::*;
use crate::site::files::{OpenError, OpenFile};
use crate::site::fuzz::request;

/// Files by path; a directory exists if it has something in it.
struct Tree(HashMap<Vec<u8>, Kind>);

impl Tree {
    fn new(paths: &[&str]) -> Self {
        let mut tree = HashMap::new();
        for path in paths {
            let (path, kind) = match path.split_once(' ') {
                Some((path, "fifo")) => (path, Kind::Other),
                Some((path, "denied")) => (path, Kind::Denied),
                Some((path, "empty")) => (path, Kind::Directory),
                _ => (*path, Kind::File),
            };
            for (at, _) in path.match_indices('/').skip(1) {
                tree.insert(path[..at].into(), Kind::Directory);
            }
            tree.insert(path.into(), kind);
        }
        Self(tree)
    }
}

impl Files for Tree {
    fn kind(&mut self, path: &[u8]) -> Kind {
        self.0.get(path).copied().unwrap_or(Kind::Missing)
    }

    fn open(&mut self, _: &[u8]) -> Result<OpenFile, OpenError> {
        unreachable!("a router opens nothing")
    }
}

const SITE: &[&str] = &[
    "/index.php",
    "/style.css",
    "/a b+é?.css",
    "/info.php",
    "/up/evil.jpg",
    "/up/evil.php.jpg",
    "/wp-admin/index.php",
    "/docs/index.html",
    "/docs/page.php",
    "/images/logo.png",
    "/dir.php/x.php",
    "/dir.php/style.css",
    "/odd name/index.html",
    "/both/index.html",
    "/both/index.php",
    "/pipe fifo",
    "/pipe.php fifo",
    "/private denied",
    "/private.php denied",
    "/empty empty",
    "/.env",
    "/.git/config",
    "/.well-known/acme-challenge/token",
    "/.well-known/run.php",
    "/sub/.hidden/x.php",
    "/config.PHP",
    "/config.php~",
    "/config.php.bak",
    "/lib.inc",
    "/old.phtml",
    "/index.phpx",
    r"/back\slash.css",
];

/// The route of a request, as a line of text.
fn route(paths: &[&str], method: &str, target: &str) -> String {
    let router = Router::new(Options::new(&b"/srv"[..]));
    match router.route(&request(method, target, &[]), &mut Tree::new(paths)) {
        Route::Script(script) => {
            assert_eq!(&script.document_root[..], b"/srv");
            format!("script {} {}", script.name.escape_ascii(), script.path_info.escape_ascii()).trim_end().to_owned()
        }
        Route::File { path } => format!("file {}", path.escape_ascii()),
        Route::Redirect { location } => format!("redirect {}", location.escape_ascii()),
        Route::Options { allow } => format!("options {allow}"),
        Route::Error { status, allow } => format!("{} {}", status.code(), allow.unwrap_or("")).trim_end().to_owned(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (target, wanted) in cases {
        assert_eq!(route(SITE, "GET", target), *wanted, "{target}");
    }
}

const FRONT: &str = "script /index.php";

#[test]
fn files_are_files_and_scripts_are_scripts() {
    check(&[
        ("/style.css", "file /style.css"),
        ("/style.css?v=1.php", "file /style.css"),
        ("//style.css", "file /style.css"),
        ("/docs/../style.css", "file /style.css"),
        ("/a%20b+%C3%A9%3F.css", r"file /a b+\xc3\xa9?.css"),
        ("/up/evil.php.jpg", "file /up/evil.php.jpg"),
        ("/index.phpx", "file /index.phpx"),
        ("/info.php", "script /info.php"),
        ("/info.php?x", "script /info.php"),
        ("/%69nfo.ph%70", "script /info.php"),
        ("/docs/page.php", "script /docs/page.php"),
        ("/docs/x/../page.php", "script /docs/page.php"),
    ]);
}

#[test]
fn path_info_follows_an_existing_script_only() {
    check(&[
        ("/index.php/foo", "script /index.php /foo"),
        ("/index.php/", "script /index.php /"),
        ("/info.php/a//b/../c%20d", "script /info.php /a/c d"),
        ("/info.php/a%2Fb", "script /info.php /a/b"),
        ("/info.php/x.php", "script /info.php /x.php"),
        ("/info.php/x.jpg", "script /info.php /x.jpg"),
        ("/up/evil.jpg/x.php", FRONT),
        ("/up/evil.jpg/x.php/y.php", FRONT),
        ("/dir.php/x.php/y", "script /dir.php/x.php /y"),
        ("/dir.php/style.css", "file /dir.php/style.css"),
        ("/dir.php/nothing.css", FRONT),
        ("/info.phpx/y", FRONT),
        ("/info.PHP/y", FRONT),
        ("/info.php%2Fy", FRONT),
        ("/info%2Ephp", "script /info.php"),
    ]);
}

#[test]
fn directories_have_index_files_behind_the_slash() {
    check(&[
        ("/", FRONT),
        ("/?p=1", FRONT),
        ("/docs/..", FRONT),
        ("/wp-admin/", "script /wp-admin/index.php"),
        ("/docs/", "file /docs/index.html"),
        ("/docs/.", "file /docs/index.html"),
        ("/both/", "script /both/index.php"),
        ("/wp-admin", "redirect /wp-admin/"),
        ("/docs?a=b/c&d=%2F?", "redirect /docs/?a=b/c&d=%2F?"),
        ("/docs?", "redirect /docs/?"),
        ("/images", FRONT),
        ("/images/", FRONT),
        ("/empty/", FRONT),
        ("/style.css/", FRONT),
    ]);
}

#[test]
fn a_redirect_stays_on_this_host() {
    let tree = &["/evil.example/index.html", "/a/evil.example/index.html", "/odd name%é/index.html"];
    for (target, wanted) in [
        ("//evil.example", "redirect /evil.example/"),
        ("///evil.example", "redirect /evil.example/"),
        ("//evil.example/..//evil.example", "redirect /evil.example/"),
        ("/a/../evil.example?//x", "redirect /evil.example/?//x"),
        (r"/\evil.example", "404"),
        ("/%2Fevil.example", "404"),
        ("/%5Cevil.example", "404"),
        ("/odd%20name%25%c3%a9", "redirect /odd%20name%25%C3%A9/"),
    ] {
        assert_eq!(route(tree, "GET", target), wanted, "{target}");
    }
}

#[test]
fn what_does_not_exist_goes_to_the_front_controller() {
    check(&[
        ("/2026/11/hello-world/", FRONT),
        ("/not-found.txt", FRONT),
        ("/nope.php", FRONT),
        ("/nope.php/x", FRONT),
        ("/nope.phtml", FRONT),
        ("/a%2Fb", FRONT),
        ("/images%2Flogo.png", FRONT),
        ("/back%5Cslash.css", FRONT),
        (r"/back\slash.css", FRONT),
    ]);
    for target in ["/", "/not-found.txt", "/nope.php", "/images/", "/images", "/images%2Flogo.png"] {
        assert_eq!(route(&["/images/logo.png"], "GET", target), "404", "{target}");
    }
    assert_eq!(route(&["/index.php denied"], "GET", "/x"), "403");
    assert_eq!(route(&["/index.php fifo"], "GET", "/x"), "404");
    assert_eq!(route(&["/index.php/x"], "GET", "/y"), "404");
}

#[test]
fn s4_dot_files_are_not_found() {
    for target in [
        "/.env",
        "/.git/config",
        "/.git/",
        "/.nothing",
        "/%2egit/config",
        "/sub/.hidden/x.php",
        "/info.php/.x",
        "/..;/x",
        "/.well-known/.x",
    ] {
        assert_eq!(route(SITE, "GET", target), "404", "{target}");
    }
    check(&[
        ("/.well-known/acme-challenge/token", "file /.well-known/acme-challenge/token"),
        ("/.well-known/run.php", "script /.well-known/run.php"),
        ("/.well-known/change-password", FRONT),
    ]);
}

#[test]
fn s5_source_is_never_a_file() {
    for target in ["/config.PHP", "/config.php~", "/config.php.bak", "/lib.inc", "/old.phtml", "/config.php%7E"] {
        assert_eq!(route(SITE, "GET", target), "404", "{target}");
        assert_eq!(route(SITE, "POST", target), "404", "{target}");
    }
    let mut router = Options::new(&b"/srv"[..]);
    router.index_files = vec!["index.phtml".to_owned()];
    let route = Router::new(router).route(&request("GET", "/", &[]), &mut Tree::new(&["/index.phtml"]));
    assert_eq!(route, error(Status::NOT_FOUND));
}

#[test]
fn s7_where_uploads_are_nothing_is_run() {
    let tree = &[
        "/index.php",
        "/wp-content/uploads/x.php",
        "/wp-content/uploads/x.phtml",
        "/wp-content/uploads/2026/index.php",
        "/wp-content/uploads/x.jpg",
        "/wp-content/uploads.php",
        "/wp-content/plugins/x.php",
    ];
    for (target, wanted) in [
        ("/wp-content/uploads/x.php", "404"),
        ("/wp-content/uploads/x.php/y", "404"),
        ("/wp-content/./uploads//x.php", "404"),
        ("/wp-content/%75ploads/x.php", "404"),
        ("/wp-content/plugins/../uploads/x.php", "404"),
        ("/wp-content/uploads/x.phtml", "404"),
        ("/wp-content/uploads/2026/", "404"),
        ("/wp-content/uploads/2026/index.php", "404"),
        ("/wp-content/uploads/x.jpg", "file /wp-content/uploads/x.jpg"),
        ("/wp-content/uploads/x.jpg/x.php", FRONT),
        ("/wp-content/uploads/missing.php", FRONT),
        ("/wp-content/uploads.php", "script /wp-content/uploads.php"),
        ("/wp-content/plugins/x.php", "script /wp-content/plugins/x.php"),
    ] {
        assert_eq!(route(tree, "GET", target), wanted, "{target}");
        assert_eq!(
            route(tree, "POST", target),
            wanted.replace("file /wp-content/uploads/x.jpg", "405 GET, HEAD, OPTIONS")
        );
    }
}

#[test]
fn s7_only_regular_files_are_served() {
    check(&[
        ("/pipe", "404"),
        ("/pipe.php", "404"),
        ("/private", "403"),
        ("/private.php", "403"),
        ("/private.php/x", "403"),
    ]);
}

#[test]
fn what_cannot_be_mapped_is_a_bad_request() {
    for target in [
        "/%",
        "/%zz",
        "/a%00.php",
        "/a%0d%0ab",
        "/%2e%2e/etc/passwd",
        "/../x",
        "/a/../../x",
        "/..%2fx",
        "/%2e%2e%2f",
        r"/..\x",
        "/..%5c..%5cx",
        "*",
    ] {
        assert_eq!(route(SITE, "GET", target), "400", "{target}");
    }
    assert_eq!(route(SITE, "GET", "/?%zz%00"), FRONT, "a query is the application's affair");
}

#[test]
fn methods() {
    for (method, target, wanted) in [
        ("HEAD", "/style.css", "file /style.css"),
        ("OPTIONS", "/style.css", "options GET, HEAD, OPTIONS"),
        ("OPTIONS", "*", "options GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/style.css", "405 GET, HEAD, OPTIONS"),
        ("QUERY", "/docs/", "405 GET, HEAD, OPTIONS"),
        ("DELETE", "/style.css", "405 GET, HEAD, OPTIONS"),
        ("TRACE", "/index.php", "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("CONNECT", "example.com:80", "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/missing", FRONT),
        ("PROPFIND", "/index.php", FRONT),
        ("OPTIONS", "/wp-json/", FRONT),
        ("POST", "/docs", "redirect /docs/"),
    ] {
        assert_eq!(route(SITE, method, target), wanted, "{method} {target}");
    }
}
