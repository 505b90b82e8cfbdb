//! The configuration: defaults, then the file, then the environment, then the command line.
//!
//! Each source turns into assignments of values to keys; applied in this order, the last one
//! holds. Everything is checked here, before anything is started, and the first error ends it:
//! one line that names the place and the key, what was wanted and what was found. The result is a
//! plain struct; the layers below the program do not know it.

mod assignment;
mod environment;
mod error;
mod file;
mod ini_readers;
mod listen;
#[doc(hidden)]
pub mod fuzz;
pub(in crate::program) mod nearest;
mod pools;
pub(in crate::program) mod readers;
mod request_readers;
mod settings;
mod table;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use assignment::Assignment;
#[cfg(feature = "php")]
pub(in crate::program) use environment::HANDOVER_PREFIX;
pub use error::{ConfigError, Origin};
pub use listen::{Endpoint, Listen};
pub use pools::Pool;
pub use settings::{
    AccessLog, Cache, Compression, Config, Headers, Internal, KEYS, Key, Logging, Mode, Php, Process, Server, Unset,
};
pub use value::Value;

use readers::size_text;
use value::Mismatch;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "ephpm.toml";

/// Where the configuration starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This file, which must exist.
    File(PathBuf),
    /// `ephpm.toml` of the current directory. It may be missing where the environment or the
    /// command line sets a document root.
    DefaultFile,
    /// No file: a site is served to its author (`ephpm serve`).
    Serve,
}

impl Config {
    /// Puts the configuration together and checks it. `environment` is all of the process's
    /// environment; `options` are the assignments of the command line, in its order. Reads the
    /// file and looks whether the directories exist; starts, opens and binds nothing.
    pub fn load(
        source: &Source,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        options: &[Assignment],
    ) -> Result<Self, ConfigError> {
        let (mode, from_file) = match source {
            Source::File(path) => {
                let assignments = file::read(path)?
                    .ok_or_else(|| ConfigError::source(Origin::file(path), "no such configuration file"))?;
                (Mode::Production, assignments)
            }
            Source::DefaultFile => {
                let assignments = file::read(Path::new(DEFAULT_FILE))?.unwrap_or_default();
                (Mode::Production, assignments)
            }
            Source::Serve => (Mode::Development, Vec::new()),
        };
        let mut draft = Draft::new(mode);
        draft.apply(&from_file)?;
        draft.apply(&environment::read(environment)?)?;
        draft.apply(options)?;
        draft.finish(source)
    }
}

/// A configuration in the making: what holds so far, and who said so last.
struct Draft {
    config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

impl Draft {
    fn new(mode: Mode) -> Self {
        Self { config: Config::initial(mode), origins: BTreeMap::new() }
    }

    fn apply(&mut self, assignments: &[Assignment]) -> Result<(), ConfigError> {
        for Assignment { key, value, origin } in assignments {
            (key.set)(&mut self.config, value, origin.base())
                .map_err(|mismatch| ConfigError::key(origin.clone(), key.name, mismatch))?;
            self.origins.insert(key.name, origin.clone());
        }
        Ok(())
    }

    /// The checks that need the whole: keys that must be set, keys that limit one another, and
    /// last the disk.
    fn finish(mut self, source: &Source) -> Result<Config, ConfigError> {
        if !self.origins.contains_key("server.document_root") {
            return Err(no_document_root(source));
        }
        if !self.origins.contains_key("server.temp_dir") {
            let temp_dir = std::env::temp_dir();
            self.config.server.temp_dir = std::path::absolute(&temp_dir).unwrap_or(temp_dir);
        }
        if self.config.mode == Mode::Development && !self.origins.contains_key("server.processes") {
            self.config.server.processes = 0;
        }
        self.check_head()?;
        self.check_directory("server.document_root", &self.config.server.document_root)?;
        self.check_directory("server.temp_dir", &self.config.server.temp_dir)?;
        for (_, page) in &self.config.server.error_pages {
            let file = self.config.server.document_root.join(&page[1..]);
            self.check_exists("server.error_pages", &file, "a file below server.document_root", Path::is_file)?;
        }
        for (_, directory) in &self.config.server.internal_files {
            self.check_directory("server.internal_files", directory)?;
        }
        if let Some(path) = &self.config.php.ini_file {
            self.check_exists("php.ini_file", path, "a file", Path::is_file)?;
        }
        Ok(self.config)
    }

    /// A request target is part of a head: were it allowed to be longer, 414 could never be said.
    fn check_head(&self) -> Result<(), ConfigError> {
        let server = &self.config.server;
        let (head, target) = (server.head_bytes_max, server.target_bytes_max);
        if target < head {
            return Ok(());
        }
        let (head, target) = (size_text(head as u64), size_text(target as u64));
        Err(if self.origins.contains_key("server.target_bytes_max") {
            let expected = format!("less than server.head_bytes_max, {head}");
            self.error("server.target_bytes_max", Mismatch::new(expected, target))
        } else {
            let expected = format!("more than server.target_bytes_max, {target}");
            self.error("server.head_bytes_max", Mismatch::new(expected, head))
        })
    }

    fn check_directory(&self, key: &str, path: &Path) -> Result<(), ConfigError> {
        self.check_exists(key, path, "a directory", Path::is_dir)
    }

    fn check_exists(
        &self,
        key: &str,
        path: &Path,
        kind: &str,
        is_kind: impl Fn(&Path) -> bool,
    ) -> Result<(), ConfigError> {
        if is_kind(path) {
            return Ok(());
        }
        let problem = match path.try_exists() {
            Ok(true) => format!("is not {kind}"),
            Ok(false) => "does not exist".to_owned(),
            Err(error) => format!("cannot be looked at: {error}"),
        };
        let found = format!("{path:?}, which {problem}");
        Err(self.error(key, Mismatch::new(kind, found)))
    }

    fn error(&self, key: &str, mismatch: Mismatch) -> ConfigError {
        let origin = self.origins.get(key).cloned().unwrap_or(Origin::Default);
        ConfigError::key(origin, key, mismatch)
    }
}

fn no_document_root(source: &Source) -> ConfigError {
    let expected = "expected a directory to serve, found nothing set";
    match source {
        Source::File(path) => ConfigError::key(Origin::file(path), "server.document_root", expected),
        Source::DefaultFile if Path::new(DEFAULT_FILE).exists() => {
            let origin = Origin::file(Path::new(DEFAULT_FILE));
            ConfigError::key(origin, "server.document_root", expected)
        }
        Source::DefaultFile | Source::Serve => {
            let problem = "no such file in this directory: name a configuration file \
                           (ephpm FILE) or serve a directory without one (ephpm serve [DIR])";
            ConfigError::source(Origin::file(Path::new(DEFAULT_FILE)), problem)
        }
    }
}
