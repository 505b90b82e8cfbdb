//! Where values come from: the file, variables and options, and which of them wins.

use std::fs;
use std::time::Duration;

use ephpm::program::config::{Config, Mode};
use ephpm::program::php_ini::php_ini;

use super::{Place, addresses, load, server};

#[test]
fn the_stronger_source_wins() {
    let place = Place::new("the_stronger_source_wins");
    let toml = server("workers = 3\nevent_loops = 3\nqueue_max = 3\nlisten = [\":1\", \":2\"]");
    let variables = [
        ("EPHPM_SERVER_EVENT_LOOPS", "4"),
        ("EPHPM_SERVER_QUEUE_MAX", " 4 "),
        ("EPHPM_SERVER_LISTEN", ":3, [::1]:4"),
        ("EPHPM_SERVER_INDEX_FILES", "a.php,b.php"),
        ("EPHPM_SERVER_CONTENT_BYTES_MAX", "1M"),
        ("EPHPM_SERVER_HEAD_TIMEOUT", "5"),
        ("EPHPM_SERVER_FIELDS_MAX", ""),
        ("EPHPM_CACHE", "/var/cache/ephpm"),
        ("HOME", "/root"),
    ];
    let arguments = ["--set", "server.queue_max=5"];
    let config = place.load_with(&toml, &variables, &arguments).unwrap().server;
    assert_eq!((config.workers, config.event_loops, config.queue_max), (3, 4, 5));
    assert_eq!(config.listen, addresses(&["0.0.0.0:3", "[::1]:4"]));
    assert_eq!(config.index_files, ["a.php", "b.php"]);
    assert_eq!(config.content_bytes_max, 1 << 20);
    assert_eq!(config.head_timeout, Duration::from_secs(5));
    assert_eq!(config.fields_max, 100);

    let arguments = ["--listen=:5", "--workers=1", "--workers=auto", "--listen=:6"];
    let config = place.load_with(&toml, &variables, &arguments).unwrap().server;
    assert_eq!(config.listen, addresses(&["0.0.0.0:5", "0.0.0.0:6"]));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(config.workers, (2 * cores).clamp(2, 1024));
}

#[test]
fn errors_name_the_variable_and_the_option() {
    let place = Place::new("errors_name_the_variable_and_the_option");
    let workers = "server.workers: expected an integer from 1 to 1024, or \"auto\", found \"x\"";
    let toml = server("");
    let error = place.load_with(&toml, &[("EPHPM_SERVER_WORKERS", "x")], &[]).unwrap_err();
    assert_eq!(error, format!("EPHPM_SERVER_WORKERS: {workers}"));
    let error = place.load_with(&toml, &[], &["--workers=x"]).unwrap_err();
    assert_eq!(error, format!("--workers: {workers}"));
    let error = place.load_with(&toml, &[], &["--set=server.workers=x"]).unwrap_err();
    assert_eq!(error, format!("--set: {workers}"));
    let error = place.load_with(&toml, &[], &["-d", "a b=1"]).unwrap_err();
    let expected = "-d: php.ini_overrides: expected the name of a php.ini directive, found \"a b\"";
    assert_eq!(error, expected);
    // What a stronger source replaces is checked all the same.
    let toml = server("workers = \"x\"");
    let error = place.load_with(&toml, &[], &["--workers=2"]).unwrap_err();
    assert_eq!(error, format!("ephpm.toml:3: {workers}"));
    let error = load(&["serve", "/nowhere"], &[]).unwrap_err();
    let expected = "serve: server.document_root: expected a directory, found \"/nowhere\", \
                    which does not exist";
    assert_eq!(error, expected);
    let variables = [("EPHPM_PHP_INI_OVERRIDES", "a=1;b")];
    let error = place.load_with(&server(""), &variables, &[]).unwrap_err();
    let expected = "EPHPM_PHP_INI_OVERRIDES: php.ini_overrides: expected [name, value] pairs \
                    such as [[\"memory_limit\", \"256M\"]], found \"b\"";
    assert_eq!(error, expected);
}

#[test]
fn paths_start_where_they_were_written() {
    let place = Place::new("paths_start_where_they_were_written");
    let current = std::env::current_dir().unwrap();
    let config = place.load("[server]\ndocument_root = \"./public/\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("public"));
    let config = place.load("[server]\ndocument_root = \"public/../public\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("public"));
    let variables = [("EPHPM_SERVER_DOCUMENT_ROOT", "src")];
    let config = place.load_with("", &variables, &[]).unwrap();
    assert_eq!(config.server.document_root, current.join("src"));
    let config = place.load_with("", &variables, &["-t", "tests"]).unwrap();
    assert_eq!(config.server.document_root, current.join("tests"));

    // A link stays a link; `..` goes where the file system says.
    fs::create_dir_all(place.0.join("releases/1/public")).unwrap();
    std::os::unix::fs::symlink("releases/1/public", place.0.join("current")).unwrap();
    let config = place.load("[server]\ndocument_root = \"current\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("current"));
    let config = place.load("[server]\ndocument_root = \"current/../public\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("releases/1/public"));
}

#[test]
fn serve_needs_no_file() {
    let current = std::env::current_dir().unwrap();
    let config = load(&["serve"], &[]).unwrap();
    assert_eq!(config.mode, Mode::Development);
    assert_eq!(config.server.document_root, current);
    assert_eq!(config.server.listen, addresses(&["127.0.0.1:8080"]));
    // An author has a debugger at hand, who wants to see a crash.
    assert_eq!(config.server.processes, 0);
    assert_eq!(load(&["serve", "--set", "server.processes=1"], &[]).unwrap().server.processes, 1);

    let variables = [("EPHPM_SERVER_DOCUMENT_ROOT", "tests"), ("EPHPM_SERVER_WORKERS", "3")];
    let config = load(&["serve", "src", "--listen", ":9000"], &variables).unwrap();
    assert_eq!(config.server.document_root, current.join("src"));
    assert_eq!(config.server.listen, addresses(&["0.0.0.0:9000"]));
    assert_eq!(config.server.workers, 3);
}

#[test]
fn php_settings_come_in_three_strengths() {
    let place = Place::new("php_settings_come_in_three_strengths");
    let get = |config: &Config, name: &str| {
        let defaults = php_ini(config).defaults;
        defaults.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    };

    let config = place.load(&server("content_bytes_max = \"96M\"\ntemp_dir = \".\"")).unwrap();
    let ini = php_ini(&config);
    assert_eq!(ini.file, None);
    assert_eq!(ini.entries, "");
    for (name, expected) in [
        ("display_errors", "0"),
        ("log_errors", "1"),
        ("error_reporting", "22527"),
        ("variables_order", "GPCS"),
        ("memory_limit", "128M"),
        ("max_execution_time", "30"),
        ("post_max_size", "96M"),
        ("upload_max_filesize", "96M"),
        ("upload_tmp_dir", place.0.to_str().unwrap()),
        ("opcache.validate_timestamps", "1"),
        ("mysqli.default_socket", "/run/mysqld/mysqld.sock"),
        ("pdo_mysql.default_socket", "/run/mysqld/mysqld.sock"),
        ("zend.max_allowed_stack_size", "67108864"),
    ] {
        assert_eq!(get(&config, name).as_deref(), Some(expected), "{name}");
    }

    fs::write(place.0.join("php.ini"), "").unwrap();
    let toml = server(
        "[php]\nini_file = \"php.ini\"\nmax_execution_time = 90\nmemory_limit = -1\n\
         ini_overrides = [[\"memory_limit\", \"1G\"], [\"session.save_path\", \"5;/tmp\"]]",
    );
    let variables = [("EPHPM_PHP_INI_OVERRIDES", "a=1 ; b = x y;c=")];
    let arguments = ["-d", "error_reporting=E_ALL & ~E_NOTICE", "-d", "d", "-d", "e=it's; $"];
    let ini = php_ini(&place.load_with(&toml, &variables, &arguments).unwrap());
    assert_eq!(ini.file, Some(place.0.join("php.ini")));
    let entries = "max_execution_time=90\nmemory_limit='-1'\nmemory_limit=1G\n\
                   session.save_path='5;/tmp'\na=1\nb='x y'\nc=\"\"\n\
                   error_reporting=E_ALL & ~E_NOTICE\nd=1\ne='it'\"'\"'s; $'\n";
    assert_eq!(ini.entries, entries);

    let variables = [("EPHPM_PHP_INI_OVERRIDES", "session.save_path=5;/tmp\nb=2\n")];
    let ini = php_ini(&place.load_with(&server(""), &variables, &[]).unwrap());
    assert_eq!(ini.entries, "session.save_path='5;/tmp'\nb=2\n");

    let config = load(&["serve"], &[]).unwrap();
    for (name, expected) in [("display_errors", "1"), ("error_reporting", "30719"), ("opcache.revalidate_freq", "0")] {
        assert_eq!(get(&config, name).as_deref(), Some(expected), "{name}");
    }
}
