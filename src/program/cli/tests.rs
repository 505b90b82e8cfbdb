use super::*;

fn check_error(arguments: &[&str], expected: &str) {
    assert_eq!(parse(arguments).unwrap_err().to_string(), expected, "{arguments:?}");
}

/// The source and the options as `option key value` lines.
fn check(arguments: &[&str], source: &Source, options: &[&str]) {
    let Ok(Command::Run(invocation)) = parse(arguments) else {
        panic!("{arguments:?}: {:?}", parse(arguments));
    };
    assert_eq!(&invocation.source, source, "{arguments:?}");
    let line = |assignment: &Assignment| format!("{} {} {}", assignment.origin, assignment.key.name, assignment.value);
    let lines: Vec<String> = invocation.options.iter().map(line).collect();
    assert_eq!(lines, options, "{arguments:?}");
}

fn file(path: &str) -> Source {
    Source::File(PathBuf::from(path))
}

#[test]
fn sources() {
    check(&[], &Source::DefaultFile, &[]);
    check(&["site.toml"], &file("site.toml"), &[]);
    check(&["-c", "site.toml"], &file("site.toml"), &[]);
    check(&["--config", "site.toml"], &file("site.toml"), &[]);
    check(&["--config=site.toml"], &file("site.toml"), &[]);
    check(&["./serve"], &file("./serve"), &[]);
    check(&["--", "-odd.toml"], &file("-odd.toml"), &[]);
    check(&["serve"], &Source::Serve, &["serve server.document_root \".\""]);
    check(&["serve", "public"], &Source::Serve, &["serve server.document_root \"public\""]);
    check(&["serve", "serve"], &Source::Serve, &["serve server.document_root \"serve\""]);
}

#[test]
fn options_become_assignments() {
    let arguments = [
        "--listen=:8080",
        "-t",
        "public",
        "site.toml",
        "--workers",
        "4",
        "--event-loops=2",
        "--log-level",
        "debug",
        "--log-format",
        "json",
        "--set",
        "server.head_timeout=5s",
        "-d",
        "session.save_path=5;/tmp",
        "-ddisplay_errors",
        "--define=a=b=c",
    ];
    let options = [
        "--listen server.listen \":8080\"",
        "--document-root server.document_root \"public\"",
        "--workers server.workers \"4\"",
        "--event-loops server.event_loops \"2\"",
        "--log-level logging.level \"debug\"",
        "--log-format logging.format \"json\"",
        "--set server.head_timeout \"5s\"",
        "-d php.ini_overrides [[\"session.save_path\", \"5;/tmp\"]]",
        "-d php.ini_overrides [[\"display_errors\", \"1\"]]",
        "-d php.ini_overrides [[\"a\", \"b=c\"]]",
    ];
    check(&arguments, &file("site.toml"), &options);
}

#[test]
fn addresses_gather() {
    let arguments = ["--listen", ":80", "--workers=2", "-l", "[::]:80", "--listen=8080"];
    let options = ["--listen server.listen \":80,[::]:80,8080\"", "--workers server.workers \"2\""];
    check(&arguments, &Source::DefaultFile, &options);
}

#[test]
fn the_directory_of_serve_gives_way_to_a_document_root() {
    let options = [
        "serve server.document_root \"site\"",
        "--workers server.workers \"2\"",
        "--document-root server.document_root \"public\"",
    ];
    check(&["--workers=2", "-t", "public", "serve", "site"], &Source::Serve, &options);
}

#[test]
fn other_commands() {
    for arguments in [["-h"], ["--help"]] {
        assert_eq!(parse(arguments), Ok(Command::Help));
    }
    for arguments in [["-V"], ["--version"]] {
        assert_eq!(parse(arguments), Ok(Command::Version));
    }
    assert_eq!(parse(["site.toml", "--help", "--nonsense"]), Ok(Command::Help));
    let checked = Invocation { source: file("site.toml"), options: Vec::new() };
    assert_eq!(parse(["--check", "site.toml"]), Ok(Command::Check(checked.clone())));
    assert_eq!(parse(["site.toml", "--check"]), Ok(Command::Check(checked)));
    assert!(matches!(parse(["serve", "--check"]), Ok(Command::Check(_))));
}

#[test]
fn errors() {
    let table: &[(&[&str], &str)] = &[
        (&["a.toml", "b.toml"], "expected one configuration file, found a.toml and b.toml"),
        (&["-c", "a.toml", "b.toml"], "expected one configuration file, found a.toml and b.toml"),
        (&["a.toml", "serve"], "expected one configuration file, found a.toml and serve"),
        (&["serve", "a", "b"], "serve takes one directory, found a and b"),
        (&["serve", "-c", "a.toml"], "serve takes no configuration file, found a.toml"),
        (&[""], "expected a configuration file, found \"\""),
        (&["--worker", "4"], "unknown option --worker, did you mean --workers?"),
        (&["--document_root=x"], "unknown option --document_root, did you mean --document-root?"),
        (&["--port=80"], "unknown option --port (ephpm --help lists them all)"),
        (&["-x"], "unknown option -x (ephpm --help lists them all)"),
        (&["--listen"], "--listen: expected --listen ADDRESS"),
        (&["-l"], "--listen: expected --listen ADDRESS"),
        (&["-c"], "--config: expected --config FILE"),
        (&["-d"], "-d: expected -d NAME[=VALUE]"),
        (&["--check=yes"], "--check: takes no value, found \"yes\""),
        (&["--set", "server.workers"], "--set: expected KEY=VALUE, found \"server.workers\""),
        (&["--set", "server.worker=4"], "--set: server.worker: unknown key, did you mean server.workers?"),
        (&["--set", "workers=4"], "--set: workers: unknown key, did you mean server.workers?"),
        (&["--set", "server.nonsense=4"], "--set: server.nonsense: unknown key (ephpm --help lists them all)"),
    ];
    for (arguments, expected) in table {
        check_error(arguments, expected);
    }
}

#[test]
fn values_are_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let arguments = ["--document-root".into(), OsString::from_vec(b"a\xff".to_vec())];
    let expected = "expected UTF-8 text, found \"a\u{fffd}\"";
    assert_eq!(parse(arguments).unwrap_err().to_string(), expected);
    let path = OsString::from_vec(b"a\xff.toml".to_vec());
    let Ok(Command::Run(invocation)) = parse([path.clone()]) else { panic!("a path is bytes") };
    assert_eq!(invocation.source, Source::File(PathBuf::from(path)));
}

#[test]
fn shortcuts_are_keys_and_differ() {
    for (index, shortcut) in SHORTCUTS.iter().enumerate() {
        assert!(Key::find(shortcut.key).is_some(), "{}", shortcut.key);
        for other in &SHORTCUTS[index + 1..] {
            assert_ne!(shortcut.long, other.long);
            assert!(shortcut.short.is_none() || shortcut.short != other.short);
        }
    }
}

#[test]
fn help_fits_a_terminal_and_names_everything() {
    let help = help_text();
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line, line.trim_end());
    }
    for key in KEYS {
        assert!(help.contains(&format!("\n  {}", key.name)), "{}", key.name);
    }
    let options = SHORTCUTS.iter().map(|shortcut| shortcut.long);
    for option in options.chain(OTHER_OPTIONS.iter().copied()) {
        assert!(help.contains(&format!("--{option}")), "{option}");
    }
    assert!(!help.contains('<'), "{help}");
    for code in [ExitCode::Success, ExitCode::Failure, ExitCode::Usage, ExitCode::Configuration] {
        assert!(help.contains(&format!(" {} ", code as u8)), "{code:?}");
    }
}
