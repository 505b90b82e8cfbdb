//! Composer and WP-CLI, which start PHP by PHP_BINARY, fork, and read and write everything that a command line has.
//!
//! Both come with the WordPress of the other tests (`tests/wordpress/fetch`); neither needs a network here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::support::TemporaryDirectory;
use super::{EPHPM, SECONDS_MAX, data, text};

/// How a command ended, and what it wrote.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

#[test]
fn composer_manages_a_project() {
    let place = TemporaryDirectory::new("composer");
    let library =
        r#"{"name": "demo/library", "version": "1.2.3", "autoload": {"psr-4": {"Demo\\": "src/"}}, "bin": ["hello"]}"#;
    place.write("library/composer.json", library);
    place.write("library/src/Greeter.php", "<?php namespace Demo; class Greeter { const WORD = 'hi'; }");
    place.write("library/hello", "#!/usr/bin/env php\n<?php echo 'a binary in ', basename(PHP_BINARY), \"\\n\";\n");
    place.write("project/own/Own.php", "<?php class Own { const WORD = 'own'; }");
    let run = |arguments: &[&str]| composer(&place, arguments);

    assert!(run(&["--version"]).succeeded().stdout.starts_with("Composer 2."));
    run(&[
        "init",
        "--no-interaction",
        "--name=demo/project",
        "--license=MIT",
        "--require=demo/library:^1.2",
        r#"--repository={"type": "path", "url": "../library"}"#,
        r#"--repository={"packagist.org": false}"#,
    ])
    .succeeded();
    add_to_project(&place);
    let install = run(&["install"]).succeeded();
    assert!(install.stderr.contains("Installing demo/library (1.2.3)"), "{}", install.stderr);
    assert_eq!(run(&["show"]).succeeded().stdout.trim_end(), "demo/library 1.2.3");
    run(&["dump-autoload", "--optimize"]).succeeded();
    let program = "require 'vendor/autoload.php'; echo Demo\\Greeter::WORD, Own::WORD;";
    assert_eq!(php(&place, &["-r", program]).succeeded().stdout, "hiown");
    run(&["check-platform-reqs"]).succeeded();

    // Scripts, all of them processes of their own.
    assert_eq!(run(&["run-script", "php"]).succeeded().stdout, "cli\n");
    assert_eq!(run(&["run-script", "binary"]).succeeded().stdout, "a binary in ephpm\n");
    assert!(run(&["run-script", "self"]).succeeded().stdout.starts_with("Composer 2."));
    assert_eq!(run(&["run-script", "fail"]).code, Some(3));
    assert_eq!(run(&["no-such-command"]).code, Some(1));
}

#[test]
fn wp_cli_manages_a_site() {
    let place = TemporaryDirectory::new("wp-cli");
    let site = place.path().join("project");
    let status = Command::new(script("site"))
        .arg(&site)
        .arg("http://127.0.0.1:8080")
        .env("WP_OFFLINE", "1")
        .stderr(Stdio::null())
        .status()
        .expect("bash");
    assert!(status.success(), "tests/wordpress/site failed");
    let run = |arguments: &[&str]| wp(&place, arguments);

    assert!(run(&["--info"]).succeeded().stdout.contains("WP-CLI version:\t2."));
    assert_eq!(run(&["core", "is-installed"]).code, Some(1));
    let install = ["core", "install", "--url=http://127.0.0.1:8080", "--title=A site", "--skip-email"];
    let owner = ["--admin_user=editor", "--admin_password=secret", "--admin_email=editor@example.org"];
    let installed = run(&[&install[..], &owner].concat()).succeeded();
    assert_eq!(installed.stdout, "Success: WordPress installed successfully.\n");
    run(&["core", "is-installed"]).succeeded();
    let plugins = run(&["plugin", "list", "--fields=name,status", "--format=csv"]).succeeded().stdout;
    assert!(plugins.contains("hello,inactive\n") && plugins.contains("db.php,dropin\n"), "{plugins}");
    run(&["plugin", "activate", "hello"]).succeeded();
    assert_eq!(run(&["plugin", "list", "--status=active", "--field=name"]).succeeded().stdout, "hello\n");
    let id = run(&["post", "create", "--post_title=Grüße", "--post_status=publish", "--porcelain"]).succeeded().stdout;
    assert_eq!(run(&["post", "get", id.trim_end(), "--field=title"]).succeeded().stdout, "Grüße\n");

    // It starts itself by PHP_BINARY.
    let launched = "WP_CLI::runcommand('option get blogname', ['launch' => true]);";
    assert_eq!(run(&["eval", launched]).succeeded().stdout, "A site\n");
    assert_eq!(run(&["eval", "echo PHP_SAPI;"]).succeeded().stdout, "cli");
    let unknown = run(&["no-such-command"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.starts_with("Error: 'no-such-command' is not a registered wp command."),
        "{}",
        unknown.stderr
    );
}

/// A class of the project's own, and scripts: PHP, a package's binary with PHP, Composer itself, and a failure.
fn add_to_project(place: &TemporaryDirectory) {
    let file = place.path().join("project/composer.json");
    let json = fs::read_to_string(&file).expect("what init has written");
    let more = r#"{
        "autoload": {"classmap": ["own"]},
        "scripts": {
            "php": "@php -r \"echo PHP_SAPI, PHP_EOL;\"",
            "binary": "@php vendor/bin/hello",
            "self": "@composer --version",
            "fail": "@php -r \"exit(3);\""
        },"#;
    fs::write(file, json.replacen('{', more, 1)).expect("a written file");
}

impl Outcome {
    #[track_caller]
    fn succeeded(self) -> Self {
        let Self { code, stdout, stderr } = &self;
        assert_eq!(*code, Some(0), "{stdout}\n-- stderr\n{stderr}");
        self
    }
}

fn composer(place: &TemporaryDirectory, arguments: &[&str]) -> Outcome {
    let script = data("composer.php");
    php(place, &[&[script.to_str().expect("UTF-8")], arguments].concat())
}

fn wp(place: &TemporaryDirectory, arguments: &[&str]) -> Outcome {
    let archive = wp_cli();
    php(place, &[&[archive.to_str().expect("UTF-8"), "--allow-root", "--path=public"], arguments].concat())
}

/// `ephpm php` in the project's directory, with nothing of the machine's own settings.
fn php(place: &TemporaryDirectory, arguments: &[&str]) -> Outcome {
    let output = Command::new("timeout")
        .args([SECONDS_MAX, EPHPM, "php"])
        .args(arguments)
        .current_dir(place.path().join("project"))
        .env("HOME", place.path())
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        .env("COMPOSER_HOME", place.path().join("composer"))
        .env("WP_CLI_PHAR", wp_cli())
        .stdin(Stdio::null())
        .output()
        .expect("our program");
    Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// WP-CLI, in whose archive Composer is.
fn wp_cli() -> PathBuf {
    let output = Command::new(script("fetch")).stderr(Stdio::inherit()).output().expect("bash");
    assert!(output.status.success(), "tests/wordpress/fetch failed: its messages are above");
    Path::new(text(&output.stdout).trim_end()).join("wp-cli/wp-cli.phar")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wordpress").join(name)
}
