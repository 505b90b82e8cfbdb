//! `docs/wordpress.md`, followed: its commands, its configuration and its SQL make a site that answers.
//!
//! They are run as they stand there, but for where things lie, who runs them, and the packages, which are here already.
//! What systemd, proxies and logrotate read is looked at in `tests/docs.rs`, as far as it concerns the program.

#![cfg(feature = "php")]

mod support;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::wordpress::{Database, checkout, lay_out};
use support::{Client, Request, TemporaryDirectory, free_address, wait_until};

const EPHPM: &str = env!("CARGO_BIN_EXE_ephpm");

/// How often another program may take a port that was free a moment ago.
const PORT_ATTEMPTS: u32 = 5;

#[test]
fn the_page_is_followed() {
    let directory = TemporaryDirectory::new("wordpress-page");
    let site = Place::new(&directory);
    let database = Database::start();
    make_a_database(&site, &database);
    let socket = database.host();
    site.shell(&site.block("sh", "wp-config.php").replace("'localhost'", &format!("'{socket}'")).replace(
        // The page's user of the system needs none; this test is run by another.
        "'DB_PASSWORD', ''",
        "'DB_PASSWORD', 'wordpress'",
    ));
    let server = serve(&site);
    // Step 6.
    let check = site.block("sh", "%{http_code}");
    let check = check.lines().find(|line| line.starts_with("curl")).expect("a request");
    assert_eq!(site.shell(&server.moved(check)), "302\n");
    // Step 8.
    check_holds(&site.shell(&site.block("sh", "core install")), "Admin password: ");
    check_site(&mut Client::new(server.address));
    check_log(&site);
    check_scheduled_tasks(&site);
    // The code may belong to somebody else.
    site.shell(&site.block("sh", "chown -R root:wordpress"));
    check_site(&mut Client::new(server.address));
}

/// The page, and what its names are here.
struct Place {
    page: String,
    names: Vec<(String, String)>,
    directory: PathBuf,
}

impl Place {
    fn new(directory: &TemporaryDirectory) -> Self {
        let page = fs::read_to_string(checkout("docs/wordpress.md")).expect("the page");
        let root = lay_out(directory, &[("WP_DATABASE", "mysql"), ("WP_OFFLINE", "1")]);
        let fetched = Command::new(checkout("tests/wordpress/fetch")).output().expect("bash to run it");
        let fetched = String::from_utf8(fetched.stdout).expect("a path in UTF-8");
        let owner = Command::new("sh").args(["-c", "printf %s:%s $(id -u) $(id -g)"]).output().expect("sh to run");
        let owner = String::from_utf8(owner.stdout).expect("two numbers");
        let place = directory.path().display();
        let names = [
            ("/srv/wordpress", root.parent().expect("the site's directory").display().to_string()),
            ("/etc/ephpm", format!("{place}/etc")),
            ("/var/log/ephpm", format!("{place}/log")),
            ("/usr/local/bin/wp", format!("{}/wp-cli/wp-cli.phar", fetched.trim_end())),
            ("runuser -u wordpress -- ", String::new()),
            ("-o wordpress -g wordpress ", String::new()),
            ("wordpress:wordpress", owner.clone()),
            ("root:wordpress", owner),
        ];
        for name in ["etc", "log"] {
            fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        let names = names.map(|(name, here)| (name.to_owned(), here));
        Self { page, names: names.into(), directory: directory.path().to_owned() }
    }

    /// The fenced block in a language that holds `part`, with the names of this place.
    #[track_caller]
    fn block(&self, language: &str, part: &str) -> String {
        let fence = format!("\n```{language}\n");
        let mut blocks = self.page.split(&*fence).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0));
        self.moved(blocks.find(|block| block.contains(part)).expect("such a block"))
    }

    fn moved(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, here)| text.replace(name, here))
    }

    /// What a command prints, which has to end well.
    #[track_caller]
    fn shell(&self, command: &str) -> String {
        // The page's `ephpm` is in PATH.
        let programs = Path::new(EPHPM).parent().expect("a directory").display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", command]).stdin(Stdio::null());
        let output = shell.env("PATH", path).env("WP_CLI_ALLOW_ROOT", "1").output().expect("bash to run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}\n{command}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Step 3, in a MariaDB of the test's own, which has a database and a user of that name already.
fn make_a_database(site: &Place, database: &Database) {
    let block = site.block("sh", "CREATE DATABASE");
    let sql = block.split_once("<<'SQL'\n").and_then(|(_, rest)| rest.split_once("\nSQL")).expect("SQL in it").0;
    let before = "DROP DATABASE wordpress; DROP USER wordpress@localhost;";
    let after = "ALTER USER wordpress@localhost IDENTIFIED BY 'wordpress';";
    let socket = database.host().replace("localhost:", "");
    site.shell(&format!("mariadb --no-defaults --user=root --socket={socket} <<'SQL'\n{before}\n{sql}\n{after}\nSQL"));
}

/// Step 5 and what the service of step 6 starts.
fn serve(site: &Place) -> Service {
    let toml = site.block("toml", "[server]");
    for _ in 0..PORT_ATTEMPTS {
        let server = Service::start(site, &toml);
        if let Some(server) = server {
            return server;
        }
    }
    panic!("no free port in {PORT_ATTEMPTS} attempts");
}

/// The server as the page has it configured.
struct Service {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Service {
    /// `None` if another program has the port by now.
    fn start(site: &Place, toml: &str) -> Option<Self> {
        let (address, internal) = (free_address(), free_address());
        let file = site.directory.join("etc/wordpress.toml");
        let toml = toml.replace("127.0.0.1:8080", &address.to_string());
        fs::write(&file, toml.replace("127.0.0.1:9000", &internal.to_string())).expect("a new file");
        site.shell(&site.block("sh", "ephpm --check"));
        let log = site.directory.join("server.log");
        let output = File::create(&log).expect("a new file");
        let child = Command::new(EPHPM)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle on the log"))
            .stderr(output)
            .spawn()
            .expect("the program that is under test");
        let mut server = Self { child, address, log };
        let mut ended = false;
        let ready = || {
            ended = matches!(server.child.try_wait(), Ok(Some(_)));
            ended || fs::read_to_string(&server.log).is_ok_and(|log| log.contains("listening on"))
        };
        wait_until(ready, "the server does not start");
        let said = fs::read_to_string(&server.log).expect("the server's log");
        assert!(!ended || said.to_ascii_lowercase().contains("in use"), "the server has ended:\n{said}");
        (!ended).then_some(server)
    }

    /// A command of the page for the server where it is here.
    fn moved(&self, command: &str) -> String {
        command.replace("127.0.0.1:8080", &self.address.to_string())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// Step 9: what WordPress has had scheduled since it was installed, no visitor runs.
fn check_scheduled_tasks(site: &Place) {
    let list = "ephpm php /usr/local/bin/wp cron event list --path=public --next_run_relative=now --format=count";
    let due = || site.shell(&site.moved(&format!("cd /srv/wordpress && {list}")));
    assert_ne!(due(), "0");
    let unit = site.block("ini", "ephpm php wp-cron.php");
    let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the unit");
    let task = value("ExecStart=").replace("/usr/local/bin/ephpm", EPHPM);
    site.shell(&format!("cd {} && {task}", value("WorkingDirectory=")));
    assert_eq!(due(), "0");
}

/// What the page promises of the site, asked for as its proxy would.
fn check_site(client: &mut Client) {
    let mut ask = |target: &str| {
        let request = Request::get(target).header("Host", "example.org").header("X-Forwarded-Proto", "https");
        client.send(&request.header("X-Forwarded-For", "192.0.2.7"))
    };
    let home = ask("/").expect(200);
    assert_eq!(home.header("Strict-Transport-Security"), Some("max-age=31536000"));
    assert_eq!(home.header("X-Content-Type-Options"), Some("nosniff"));
    check_holds(&home.text(), "href=\"https://example.org/hello-world/\"");
    check_holds(&ask("/hello-world/").expect(200).text(), "Welcome to WordPress.");
    let style = ask("/wp-includes/css/dist/block-library/style.min.css").expect(200);
    assert_eq!(style.header("Cache-Control"), Some("public, max-age=2592000"));
    for hidden in ["/wp-config.php~", "/.htaccess", "/wp-content/uploads/x.php"] {
        ask(hidden).expect(404);
    }
    assert!(!ask("/wp-config.php").text().contains("DB_PASSWORD"));
}

/// The visitor's address is the one that the proxy tells.
fn check_log(site: &Place) {
    let path = site.directory.join("log/access.log");
    let holds = || fs::read_to_string(&path).is_ok_and(|log| log.contains("192.0.2.7 - - "));
    wait_until(holds, "the access log never names the visitor");
}

#[track_caller]
fn check_holds(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}
