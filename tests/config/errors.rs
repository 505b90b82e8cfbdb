//! What is wrong with a configuration, in one line: where, which key, what was found and what was wanted.

use std::fs;

use ephpm::program::config::KEYS;

use super::{Place, load, server};

#[test]
fn pages_and_directories_must_exist() {
    let place = Place::new("pages_and_directories_must_exist");
    for (lines, expected) in [
        (
            "error_pages = { 404 = \"/404.html\" }",
            "ephpm.toml:3: server.error_pages: expected a file below server.document_root, found \
             \"public/404.html\", which does not exist",
        ),
        (
            "internal_files = { \"/x/\" = \"none\" }",
            "ephpm.toml:3: server.internal_files: expected a directory, found \"none\", which does not exist",
        ),
    ] {
        assert_eq!(place.load(&server(lines)).unwrap_err(), expected);
    }
}

/// The cases of `tests/config/bad_values.txt`: `section.key = value`, and below it the error.
#[test]
fn bad_values() {
    let place = Place::new("bad_values");
    let mut lines = include_str!("bad_values.txt").lines();
    let mut cases = 0;
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(" = ").unwrap();
        let (section, bare) = name.split_once('.').unwrap();
        let expected = lines.next().unwrap().trim_start();
        let toml = format!("\n[{section}]\n{bare} = {value}\n");
        let error = format!("ephpm.toml:3: {name}: {expected}");
        assert_eq!(place.load(&toml).unwrap_err(), error, "{toml}");
        cases += 1;
    }
    assert!(cases > KEYS.len(), "{cases} cases");
}

#[test]
fn bad_files() {
    let place = Place::new("bad_files");
    let table: &[(&str, &str)] = &[
        ("[server]\nworker = 4\n", "ephpm.toml:2: server.worker: unknown key, did you mean server.workers?"),
        (
            "[server]\ndocument-root = \"public\"\n",
            "ephpm.toml:2: server.document-root: unknown key, did you mean server.document_root?",
        ),
        (
            "[server]\n\n\nmemory_limit = \"1G\"\n",
            "ephpm.toml:4: server.memory_limit: unknown key, did you mean php.memory_limit?",
        ),
        (
            "[server]\nfavourite_colour = \"blue\"\n",
            "ephpm.toml:2: server.favourite_colour: unknown key (ephpm --help lists them all)",
        ),
        ("listen = \":80\"\n", "ephpm.toml:1: listen: unknown key, did you mean server.listen?"),
        (
            "# Sections.\n[sever]\nworkers = 4\n",
            "ephpm.toml:2: sever: unknown section, expected one of [server], [http2], [headers], [access_log], [php], [compression], \
             [cache], [process], [internal], [logging]",
        ),
        ("server = 3\n", "ephpm.toml:1: server: expected the section [server], found 3"),
        ("[[server]]\nworkers = 4\n", "ephpm.toml:1: server: expected the section [server], found [a table]"),
        // The first of several errors is reported.
        ("[server]\nzzz = 1\naaa = 1\n", "ephpm.toml:2: server.zzz: unknown key (ephpm --help lists them all)"),
        (
            "[server]\nworkers = 0\nevent_loops = 0\n",
            "ephpm.toml:2: server.workers: \
             expected an integer from 1 to 1024, or \"auto\", found 0",
        ),
        ("[server]\nworkers = = 4\n", "ephpm.toml:2:11: extra `=`, expected nothing"),
        ("[server\n", "ephpm.toml:1:8: unclosed table, expected `]`"),
        ("[server]\nworkers = 4\nworkers = 5\n", "ephpm.toml:3:1: duplicate key"),
        ("[server]\nlisten = \"é\" x\n", "ephpm.toml:2:14: unexpected key or value, expected newline, `#`"),
        ("", "ephpm.toml: server.document_root: expected a directory to serve, found nothing set"),
    ];
    for (toml, expected) in table {
        assert_eq!(place.load(toml).unwrap_err(), *expected, "{toml}");
    }
}

#[test]
fn files_that_are_none() {
    let place = Place::new("files_that_are_none");
    let path = |name: &str| place.0.join(name).to_str().unwrap().to_owned();
    let check = |name: &str, expected: &str| {
        let error = load(&[&path(name)], &[]).unwrap_err();
        assert_eq!(place.shorten(&error), expected);
    };
    check("nowhere.toml", "nowhere.toml: no such configuration file");
    check("nowhere/ephpm.toml", "nowhere/ephpm.toml: no such configuration file");
    check(
        "public",
        "public: expected a configuration file, found a directory \
         (to serve it without one: ephpm serve public)",
    );
    fs::write(path("latin1.toml"), b"[server]\n# caf\xe9\n").unwrap();
    check("latin1.toml", "latin1.toml:2: expected UTF-8 text, found the byte 0xe9");
    fs::write(path("large.toml"), " ".repeat((1 << 20) + 1)).unwrap();
    check("large.toml", "large.toml: expected a configuration file, found more than 1M");
    // The largest file that is read, with a byte order mark.
    let mut largest = format!("\u{feff}{}", server("workers = 5"));
    largest.push_str(&" ".repeat((1 << 20) - largest.len()));
    assert_eq!(place.load(&largest).unwrap().server.workers, 5);
}

#[test]
fn the_disk_is_asked_last_and_of_what_holds() {
    let place = Place::new("the_disk_is_asked_last_and_of_what_holds");
    fs::write(place.0.join("file"), "").unwrap();
    let table = [
        (
            "[server]\ndocument_root = \"publik\"\n",
            "ephpm.toml:2: server.document_root: expected a directory, \
             found \"publik\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"file\"\n",
            "ephpm.toml:2: server.document_root: expected a directory, \
             found \"file\", which is not a directory",
        ),
        (
            "[server]\ndocument_root = \"public\"\ntemp_dir = \"nowhere\"\n",
            "ephpm.toml:3: server.temp_dir: expected a directory, \
             found \"nowhere\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"public\"\n[php]\nini_file = \"php.ini\"\n",
            "ephpm.toml:4: php.ini_file: expected a file, \
             found \"php.ini\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"public\"\n[php]\nini_file = \"public\"\n",
            "ephpm.toml:4: php.ini_file: expected a file, \
             found \"public\", which is not a file",
        ),
        // A bad value comes first, wherever it stands.
        (
            "[server]\ndocument_root = \"publik\"\nworkers = 0\n",
            "ephpm.toml:3: server.workers: \
             expected an integer from 1 to 1024, or \"auto\", found 0",
        ),
    ];
    for (toml, expected) in table {
        assert_eq!(place.load(toml).unwrap_err(), expected, "{toml}");
    }

    let public = place.0.join("public");
    let arguments = ["--document-root", public.to_str().unwrap()];
    let config = place.load_with("[server]\ndocument_root = \"publik\"\n", &[], &arguments);
    assert_eq!(config.unwrap().server.document_root, public);
}

#[test]
fn a_target_fits_into_its_head() {
    let place = Place::new("a_target_fits_into_its_head");
    let table = [
        (
            "target_bytes_max = \"32K\"",
            "ephpm.toml:3: server.target_bytes_max: expected less than server.head_bytes_max, 32K, \
             found 32K",
        ),
        (
            "head_bytes_max = 8000",
            "ephpm.toml:3: server.head_bytes_max: expected more than server.target_bytes_max, 8K, \
             found 8000",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(place.load(&server(line)).unwrap_err(), expected);
    }
    place.load(&server("target_bytes_max = 32767")).unwrap();
}
