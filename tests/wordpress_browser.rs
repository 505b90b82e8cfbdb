//! WordPress as people use it: MariaDB behind it, Chromium in front of it, nothing else in between than ePHPm.
//!
//! One test in many steps, since each step needs the one before: from the wizard that asks for the database to logging
//! out. Two people have a browser each, the site's owner and a visitor. At the end every response that either browser
//! got and every error on their consoles is held to account; what cannot be helped on a machine without the internet
//! is named in `tests/wordpress_browser/allowed.txt`. Pictures of what they saw are kept in `target/wordpress/`.

#![cfg(feature = "php")]

mod support;

#[path = "wordpress_browser/account.rs"]
mod account;
#[path = "wordpress_browser/administration.rs"]
mod administration;
#[path = "wordpress_browser/extensions.rs"]
mod extensions;
#[path = "wordpress_browser/reading.rs"]
mod reading;
#[path = "wordpress_browser/setup.rs"]
mod setup;
#[path = "wordpress_browser/writing.rs"]
mod writing;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use account::Allowed;
use support::browser::{Browser, Driver};
use support::wordpress::{COMPLAINTS, Database, lay_out};
use support::{Client, Server, TemporaryDirectory};

const USER: &str = "owner";
const PASSWORD: &str = "Pa55 & wörd-<X> for an owner";
const SITE_TITLE: &str = "Küche & Co";
const POST_TITLE: &str = "Grüße aus der Küche";
const POST_PATH_END: &str = "/gruse-aus-der-kuche/";
const SECRET_TITLE: &str = "Nur für Gäste";

/// Everything that takes part. The browsers go first and the database last.
struct Site {
    owner: Browser,
    visitor: Browser,
    /// For what no browser shows: feeds, sitemaps, fields.
    client: Client,
    allowed: Allowed,
    /// Where the post is.
    post: String,
    server: Server,
    root: PathBuf,
    directory: TemporaryDirectory,
    database: Database,
}

#[test]
fn wordpress_is_used_in_a_browser() {
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("wordpress");
    let _ = std::fs::remove_dir_all(&screenshots);
    println!("pictures of what the browsers show: {}", screenshots.display());
    let directory = TemporaryDirectory::new("wordpress-browser");
    let start = Instant::now();
    let mut site = Site::start(directory, &screenshots);
    tell(start, "everything is started");
    for (name, step) in STEPS {
        let start = Instant::now();
        step(&mut site);
        tell(start, name);
    }
    let start = Instant::now();
    site.hold_to_account();
    tell(start, "everything is held to account");
    let Site { owner, visitor, server, allowed, database, .. } = site;
    let start = Instant::now();
    drop((owner, visitor));
    let (status, log) = server.stop();
    assert!(status.success(), "{status}\n{log}");
    drop(database);
    tell(start, "everything has ended");
    let complaints = log.lines().filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
    let complaints: Vec<_> = complaints.filter(|line| !allowed.permits("log", line)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

impl Site {
    /// Starts everything; the database, which takes longest, beside the rest.
    fn start(directory: TemporaryDirectory, screenshots: &Path) -> Self {
        thread::scope(|scope| {
            let database = scope.spawn(Database::start);
            let root = lay_out(&directory, &[("WP_DATABASE", "mysql"), ("WP_OFFLINE", "1")]);
            let server = Server::builder(&root)
                .ini("upload_max_filesize", "8M")
                .ini("post_max_size", "8M")
                // Code that has changed is seen only if WordPress says so, by opcache_invalidate().
                .ini("opcache.validate_timestamps", "0")
                .start();
            let driver = Rc::new(Driver::start());
            Self {
                owner: Browser::new(&driver, &server.url(), screenshots, "owner"),
                visitor: Browser::new(&driver, &server.url(), screenshots, "visitor"),
                client: server.client(),
                allowed: Allowed::read(),
                post: String::new(),
                server,
                root,
                directory,
                database: database.join().expect("its panic's message is above"),
            }
        })
    }
}

fn tell(start: Instant, what: &str) {
    println!("{:5.1} s  {what}", start.elapsed().as_secs_f32());
}

/// A part of the story, by its name.
type Step = (&'static str, fn(&mut Site));

/// What happens, in order.
const STEPS: &[Step] = &[
    ("the wizard writes wp-config.php", Site::connect_the_database),
    ("the wizard installs WordPress", Site::install),
    ("the owner logs in", Site::log_in),
    ("permalinks are chosen", Site::choose_permalinks),
    ("a post is scheduled", Site::schedule_a_post),
    ("a category is made", Site::make_a_category),
    ("a picture is uploaded", Site::upload_a_picture),
    ("a post is published in the block editor", Site::publish_a_post),
    ("a visitor reads it", Site::read_the_post),
    ("a visitor finds it", Site::find_the_post),
    ("a visitor comments on it", Site::comment),
    ("a post that has a password", Site::protect_a_post),
    ("feeds and sitemaps", Site::subscribe),
    ("a plugin from a zip file, and its update", Site::install_a_plugin),
    ("a theme from a zip file", Site::install_a_theme),
    ("the customizer", Site::customize),
    ("screens of the administration", Site::visit_screens),
    ("the scheduled post appears by itself", Site::await_the_scheduled_post),
    ("Site Health", Site::check_health),
    ("the owner logs out", Site::log_out),
];
