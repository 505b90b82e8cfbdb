//! `ephpm` without a file: what the current directory holds decides. One test, because a process
//! has one current directory.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use ephpm::program::config::{Config, ConfigError, Source};

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), value.into()));
    Config::load(&Source::DefaultFile, variables, &[])
}

#[test]
fn the_default_file() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config_default_file");
    fs::create_dir_all(place.join("public")).unwrap();
    std::env::set_current_dir(&place).unwrap();
    let place = std::env::current_dir().unwrap();

    if fs::exists("ephpm.toml").unwrap() {
        fs::remove_file("ephpm.toml").unwrap();
    }
    let expected = "ephpm.toml: no such file in this directory: name a configuration file \
                    (ephpm FILE) or serve a directory without one (ephpm serve [DIR])";
    assert_eq!(load(&[]).unwrap_err().to_string(), expected);
    // Enough for a container that has no file.
    let config = load(&[("EPHPM_SERVER_DOCUMENT_ROOT", "public")]).unwrap();
    assert_eq!(config.server.document_root, place.join("public"));

    fs::write("ephpm.toml", "[server]\nworkers = 5\n").unwrap();
    let expected = "ephpm.toml: server.document_root: expected a directory to serve, found nothing set";
    assert_eq!(load(&[]).unwrap_err().to_string(), expected);

    fs::write("ephpm.toml", "[server]\nworkers = 5\ndocument_root = \"public\"\n").unwrap();
    let config = load(&[]).unwrap();
    assert_eq!((config.server.workers, config.server.document_root), (5, place.join("public")));
}
