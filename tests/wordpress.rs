//! WordPress over HTTP: installed by its own wizard and used as its owner and its visitors would.
//!
//! One test in many steps, since each step needs the one before. `tests/wordpress/site` lays the files out;
//! from then on everything goes through the server. At the end PHP must have had nothing to complain about.

#![cfg(feature = "php")]

mod support;

use support::html::{Tag, form_fields, set_field, tags};
use support::wordpress::{COMPLAINTS, lay_out};
use support::{Client, Json, Multipart, Request, Response, Server, TemporaryDirectory, png};

const USER: &str = "editor";
const PASSWORD: &str = "Pa55 & wörd-<X>";
const TITLE: &str = "Grüße aus der Küche";
const STRUCTURE: &str = "/%year%/%monthnum%/%day%/%postname%/";

/// The site with its owner, who stays logged in, and a visitor, who never is.
struct Site {
    server: Server,
    owner: Client,
    visitor: Client,
    /// What proves to the REST API that a request is the owner's own.
    nonce: String,
    /// The path of the post.
    post: String,
    post_id: String,
}

#[test]
fn wordpress_is_installed_and_used() {
    let directory = TemporaryDirectory::new("wordpress");
    let root = lay_out(&directory, &[("WP_OFFLINE", "1"), ("WP_DEBUG", "1")]);
    let server = Server::builder(root)
        .ini("display_errors", "1")
        .ini("upload_max_filesize", "8M")
        .ini("post_max_size", "8M")
        .start();
    let mut site = Site {
        owner: server.client(),
        visitor: server.client(),
        server,
        nonce: String::new(),
        post: String::new(),
        post_id: String::new(),
    };
    site.install();
    site.log_in();
    site.choose_pretty_permalinks();
    site.publish_a_post();
    site.read_the_post();
    site.upload_a_picture();
    site.fetch_styles_and_scripts();
    site.search_and_subscribe();
    site.comment();
    site.call_remote_procedures();
    site.reach_itself();
    site.log_out();
    let (status, log) = site.server.stop();
    assert!(status.success(), "{status}\n{log}");
    for complaint in COMPLAINTS {
        assert!(!log.contains(complaint), "{complaint} in the log:\n{log}");
    }
}

impl Site {
    fn install(&mut self) {
        let visitor = &mut self.visitor;
        let first = visitor.get("/").expect(302);
        assert_eq!(visitor.resolve("/", first.header("Location").expect("a location")), "/wp-admin/install.php");
        let welcome = page(visitor.follow(&Request::get("/")), 200);
        let mut fields = form_fields(&welcome, "setup");
        for (name, value) in [
            ("weblog_title", "Küche & Co"),
            ("user_name", USER),
            ("admin_password", PASSWORD),
            ("admin_password2", PASSWORD),
            ("pw_weak", "on"),
            ("admin_email", "editor@example.org"),
        ] {
            set_field(&mut fields, name, value);
        }
        let installed = page(visitor.post_form("/wp-admin/install.php?step=2", &fields), 200);
        check_holds(&installed, "<h1>Success!</h1>");
        let again = page(visitor.get("/wp-admin/install.php"), 200);
        check_holds(&again, "Already Installed");
        check_holds(&page(visitor.get("/"), 200), "Küche &amp; Co");
    }

    fn log_in(&mut self) {
        // A directory without its slash, then a page for users only.
        let sent_away = page(self.owner.follow(&Request::get("/wp-admin")), 200);
        let mut fields = form_fields(&sent_away, "loginform");
        assert!(self.owner.cookies.value("wordpress_test_cookie").is_some());
        set_field(&mut fields, "log", USER);
        set_field(&mut fields, "pwd", "wrong");
        let refused = page(self.owner.post_form("/wp-login.php", &fields), 200);
        check_holds(&refused, "is incorrect");
        assert!(!self.is_logged_in());

        set_field(&mut fields, "pwd", PASSWORD);
        let accepted = self.owner.post_form("/wp-login.php", &fields).expect(302);
        assert!(self.is_logged_in(), "{:?}", accepted.headers);
        let location = accepted.header("Location").expect("a location");
        let dashboard = self.owner.resolve("/wp-login.php", location);
        assert_eq!(dashboard, "/wp-admin/");
        check_holds(&page(self.owner.get(&dashboard), 200), "<title>Dashboard");
        self.nonce = self.owner.get("/wp-admin/admin-ajax.php?action=rest-nonce").expect(200).text();
        assert_eq!(self.nonce.len(), 10, "{:?}", self.nonce);
    }

    fn choose_pretty_permalinks(&mut self) {
        let target = "/wp-admin/options-permalink.php";
        let screen = page(self.owner.get(target), 200);
        // Were the server's name unknown to WordPress, it would offer /index.php/… only.
        let offered = tags(&screen, "input").into_iter().filter(|tag| tag.attribute("name") == Some("selection"));
        let offered: Vec<_> = offered.filter_map(|tag| tag.attribute("value").map(str::to_owned)).collect();
        assert!(offered.iter().any(|value| value == STRUCTURE), "{offered:?}");
        let mut fields = form_fields(&screen, "form");
        set_field(&mut fields, "selection", STRUCTURE);
        set_field(&mut fields, "permalink_structure", STRUCTURE);
        let saved = page(self.owner.follow(&Request::post(target).form(&fields)), 200);
        check_holds(&saved, "Permalink structure updated.");
    }

    fn publish_a_post(&mut self) {
        let text = "<!-- wp:paragraph --><p>Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.</p><!-- /wp:paragraph -->";
        let fields = [("title", TITLE), ("content", text), ("status", "publish")];
        let request = Request::post("/wp-json/wp/v2/posts").form(&fields);
        self.visitor.send(&request).expect(401);
        let created = self.owner.send(&request.header("X-WP-Nonce", &self.nonce)).expect(201);
        assert_eq!(created.header("Content-Type"), Some("application/json; charset=UTF-8"));
        let created = Json::parse(&created.text());
        self.post_id = created["id"].as_number().expect("an id").to_string();
        self.post = self.path(&created["link"]);
        assert!(self.post.starts_with("/20") && self.post.ends_with("/gruse-aus-der-kuche/"), "{}", self.post);
    }

    fn read_the_post(&mut self) {
        let visitor = &mut self.visitor;
        let post = page(visitor.get(&self.post), 200);
        check_holds(&post, &format!("{TITLE}</h1>"));
        check_holds(&post, "Boxkämpfer jagen Viktor");
        // Other ways to the same post lead to its one address.
        for other in [format!("/?p={}", self.post_id), self.post.trim_end_matches('/').to_owned()] {
            let moved = visitor.get(&other).expect(301);
            assert_eq!(visitor.resolve(&other, moved.header("Location").expect("a location")), self.post);
        }
        check_holds(&page(visitor.get("/"), 200), &self.post);
        check_holds(&page(visitor.get("/no/such/post/"), 404), "Küche &amp; Co");
        let head = visitor.send(&Request::head(&self.post)).expect(200);
        assert!(head.content.is_empty());
    }

    fn upload_a_picture(&mut self) {
        let picture = png::picture(640, 480);
        let form = Multipart::default().text("title", "Ein Bild").file("file", "küche.png", "image/png", &picture);
        let request = Request::post("/wp-json/wp/v2/media").multipart(form).header("X-WP-Nonce", &self.nonce);
        let created = Json::parse(&self.owner.send(&request).expect(201).text());
        assert_eq!(created["mime_type"].as_str(), Some("image/png"));
        let details = &created["media_details"];
        assert_eq!((details["width"].as_number(), details["height"].as_number()), (Some(640.0), Some(480.0)));

        let whole = self.visitor.get(&self.path(&created["source_url"])).expect(200);
        assert_eq!(whole.header("Content-Type"), Some("image/png"));
        assert!(whole.content == picture, "the bytes that were sent");
        for (size, dimensions) in [("thumbnail", (150, 150)), ("medium", (300, 225))] {
            let path = self.path(&details["sizes"][size]["source_url"]);
            let scaled = self.visitor.get(&path).expect(200);
            assert_eq!(scaled.header("Content-Type"), Some("image/png"), "{path}");
            assert_eq!(png::dimensions(&scaled.content), Some(dimensions), "{path}");
        }
        let library = page(self.owner.get("/wp-admin/upload.php?mode=list"), 200);
        check_holds(&library, "Ein Bild");
    }

    /// Everything that the pages load from this server: files of WordPress, and joins made by load-*.php.
    fn fetch_styles_and_scripts(&mut self) {
        let visitors = [page(self.visitor.get("/"), 200), page(self.visitor.get(&self.post), 200)];
        let login = page(self.visitor.get("/wp-login.php"), 200);
        let owners = [page(self.owner.get("/wp-admin/"), 200), page(self.owner.get("/wp-admin/post-new.php"), 200)];
        let (mut styles, mut scripts) = (Vec::new(), Vec::new());
        for html in visitors.iter().chain([&login]).chain(&owners) {
            let is_style = |tag: &Tag| tag.attribute("rel") == Some("stylesheet");
            let links = tags(html, "link").into_iter().filter(is_style);
            styles.extend(links.filter_map(|tag| tag.attribute("href").map(str::to_owned)));
            let sources = tags(html, "script").into_iter();
            scripts.extend(sources.filter_map(|tag| tag.attribute("src").map(str::to_owned)));
        }
        let mut fetch = |mut urls: Vec<String>, media_types: &[&str]| {
            urls.sort();
            urls.dedup();
            for url in &urls {
                let target = self.owner.resolve("/wp-admin/", url);
                let response = self.owner.get(&target).expect(200);
                assert!(media_types.contains(&response.media_type().as_str()), "{target}: {:?}", response.headers);
                assert!(!response.content.is_empty(), "{target} is empty");
            }
            urls
        };
        let styles = fetch(styles, &["text/css"]);
        let scripts = fetch(scripts, &["text/javascript", "application/javascript"]);
        for (urls, file, join) in [(styles, ".css?", "load-styles.php?"), (scripts, ".js?", "load-scripts.php?")] {
            assert!(urls.len() >= 5, "{urls:?}");
            assert!(urls.iter().any(|url| url.contains(file)), "{urls:?}");
            assert!(urls.iter().any(|url| url.contains(join)), "{urls:?}");
        }
    }

    fn search_and_subscribe(&mut self) {
        let visitor = &mut self.visitor;
        let found = page(visitor.get("/?s=boxk%C3%A4mpfer"), 200);
        check_holds(&found, &self.post);
        check_holds(&page(visitor.get("/?s=nowhere"), 200), "search-no-results");
        for (target, media_type) in [
            ("/feed/", "application/rss+xml"),
            ("/comments/feed/", "application/rss+xml"),
            ("/wp-sitemap.xml", "application/xml"),
            ("/robots.txt", "text/plain"),
            ("/wp-json/", "application/json"),
        ] {
            let response = visitor.get(target).expect(200);
            assert_eq!(response.media_type(), media_type, "{target}");
        }
        check_holds(&visitor.get("/feed/").text(), &format!("<title>{TITLE}</title>"));
        let listed = Json::parse(&visitor.get("/wp-json/wp/v2/posts?per_page=1").expect(200).text());
        assert_eq!(listed[0]["title"]["rendered"].as_str(), Some(TITLE));
    }

    fn comment(&mut self) {
        // A stranger's words wait until the owner has read them; the stranger sees them at once.
        let html = page(self.visitor.get(&self.post), 200);
        let mut fields = form_fields(&html, "commentform");
        set_field(&mut fields, "author", "Zoë");
        set_field(&mut fields, "email", "zoe@example.org");
        set_field(&mut fields, "comment", "Noch ein Wort.");
        let request = Request::post("/wp-comments-post.php").form(&fields);
        let shown = page(self.visitor.follow(&request), 200);
        check_holds(&shown, "Noch ein Wort.");
        check_holds(&shown, "awaiting moderation");
        assert!(!page(self.visitor.get(&self.post), 200).contains("Noch ein Wort."));

        // The owner need not wait, and is not held to one comment in fifteen seconds.
        let html = page(self.owner.get(&self.post), 200);
        let mut fields = form_fields(&html, "commentform");
        set_field(&mut fields, "comment", "Schön & gut, <em>sehr</em> sogar.");
        let request = Request::post("/wp-comments-post.php").form(&fields);
        let shown = page(self.owner.follow(&request), 200);
        check_holds(&shown, "Schön &amp; gut, <em>sehr</em> sogar.");
        check_holds(&page(self.visitor.get(&self.post), 200), "Schön &amp; gut");
    }

    /// XML-RPC: a program's request, which PHP reads from `php://input`.
    fn call_remote_procedures(&mut self) {
        let call = "<?xml version=\"1.0\"?><methodCall><methodName>demo.addTwoNumbers</methodName><params>\
            <param><value><int>40</int></value></param><param><value><int>2</int></value></param></params></methodCall>";
        let length = self.visitor.send(&Request::post("/xmlrpc.php").content("text/xml", call)).expect(200);
        check_holds(&length.text(), "<int>42</int>");
        let (first, second) = call.as_bytes().split_at(50);
        let chunked = self.visitor.send(&Request::post("/xmlrpc.php").chunked("text/xml", &[first, second]));
        check_holds(&chunked.expect(200).text(), "<int>42</int>");
    }

    /// WordPress calls its own server while that serves it: for its scheduled tasks, and to see that it can.
    fn reach_itself(&mut self) {
        let tasks = self.visitor.get("/wp-cron.php?doing_wp_cron").expect(200);
        assert!(tasks.content.is_empty(), "{}", tasks.text());
        let test = Request::get("/wp-json/wp-site-health/v1/tests/loopback-requests");
        let outcome = self.owner.send(&test.header("X-WP-Nonce", &self.nonce)).expect(200);
        assert_eq!(Json::parse(&outcome.text())["status"].as_str(), Some("good"), "{}", outcome.text());
    }

    fn log_out(&mut self) {
        let dashboard = page(self.owner.get("/wp-admin/"), 200);
        let mut links = tags(&dashboard, "a").into_iter().filter_map(|tag| tag.attribute("href").map(str::to_owned));
        let link = links.find(|link| link.contains("action=logout")).expect("a link to log out");
        let target = self.owner.resolve("/wp-admin/", &link);
        let farewell = page(self.owner.follow(&Request::get(&target)), 200);
        check_holds(&farewell, "You are now logged out.");
        assert!(!self.is_logged_in());
        let sent_away = self.owner.get("/wp-admin/").expect(302);
        check_holds(sent_away.header("Location").expect("a location"), "/wp-login.php?redirect_to=");
    }

    fn is_logged_in(&self) -> bool {
        self.owner.cookies.names().any(|name| name.starts_with("wordpress_logged_in_"))
    }

    /// The path of a URL in a reply of the REST API, which must lead to this server.
    #[track_caller]
    fn path(&self, url: &Json) -> String {
        let url = url.as_str().unwrap_or_else(|| panic!("expected a URL, found {url:?}"));
        self.visitor.resolve("/", url)
    }
}

/// An HTML page with this status, whole and without a complaint of PHP's.
#[track_caller]
fn page(response: Response, status: u16) -> String {
    let response = response.expect(status);
    assert_eq!(
        response.header("Content-Type").map(str::to_ascii_lowercase).as_deref(),
        Some("text/html; charset=utf-8")
    );
    let text = response.text();
    assert!(text.trim_end().ends_with("</html>"), "{text}");
    for complaint in
        ["<b>Warning</b>", "<b>Notice</b>", "<b>Deprecated</b>", "<b>Fatal error</b>", "<b>Parse error</b>"]
    {
        assert!(!text.contains(complaint), "{text}");
    }
    text
}

#[track_caller]
fn check_holds(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}
