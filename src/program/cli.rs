//! The command line: from arguments to a command, its help, and how the process ends.
//!
//! Parsing is a pure function. An option that sets a key of the configuration becomes an
//! assignment like those of the file, which wins over all others; the configuration judges it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::config::nearest::nearest;
use super::config::{Assignment, KEYS, Key, Origin, Source, Unset, Value};

/// What the program is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Run(Invocation),
    /// Check the configuration and say so; bind nothing.
    Check(Invocation),
    /// Print [`super::version::version_text`].
    Version,
    /// Print [`help_text`].
    Help,
}

/// How the program was called: what `Config::load` needs besides the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The configuration file, or what stands for it.
    pub source: Source,
    /// Keys set by options, in their order.
    pub options: Vec<Assignment>,
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// It was asked to stop and did, or had only to print something.
    Success = 0,
    /// It could not start, or had to stop: a port in use, PHP that does not start.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong: `EX_CONFIG` of BSD's sysexits.h, as php-fpm has it. Neither
    /// this nor `Usage` is mended by another try: `RestartPreventExitStatus=2 78` for systemd.
    Configuration = 78,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command line is not understood: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// An option that sets a key.
struct Shortcut {
    long: &'static str,
    short: Option<char>,
    key: &'static str,
    value: &'static str,
    help: &'static str,
}

const SHORTCUTS: &[Shortcut] = &[
    Shortcut {
        long: "listen",
        short: Some('l'),
        key: "server.listen",
        value: "ADDRESS",
        help: "listen here, as in :8080; repeatable",
    },
    Shortcut {
        long: "document-root",
        short: Some('t'),
        key: "server.document_root",
        value: "DIR",
        help: "serve this directory",
    },
    Shortcut { long: "workers", short: None, key: "server.workers", value: "N", help: "run this many PHP threads" },
    Shortcut {
        long: "event-loops",
        short: None,
        key: "server.event_loops",
        value: "N",
        help: "run this many event loops",
    },
    Shortcut {
        long: "log-level",
        short: None,
        key: "logging.level",
        value: "LEVEL",
        help: "error, warn, info, debug, trace or off",
    },
    Shortcut { long: "log-format", short: None, key: "logging.format", value: "FORMAT", help: "pretty or json" },
];

/// Options that set no key, for "did you mean".
const OTHER_OPTIONS: &[&str] = &["config", "check", "set", "define", "help", "version"];

/// Understands the arguments, without the program's name.
pub fn parse<A>(arguments: impl IntoIterator<Item = A>) -> Result<Command, UsageError>
where
    A: Into<OsString>,
{
    let mut parser = Parser::from_args(arguments);
    let mut line = Line::default();
    while let Some(argument) = parser.next().map_err(unexpected)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("check") => line.check = true,
            Arg::Short('c') | Arg::Long("config") => {
                let file = value(&mut parser, "--config", "FILE")?;
                line.file(file)?;
            }
            Arg::Long("set") => {
                let text = text(value(&mut parser, "--set", "KEY=VALUE")?)?;
                line.set(&text)?;
            }
            Arg::Short('d') | Arg::Long("define") => {
                let text = text(value(&mut parser, "-d", "NAME[=VALUE]")?)?;
                line.define(&text);
            }
            Arg::Value(word) => line.word(word)?,
            option => {
                let shortcut = SHORTCUTS.iter().find(|shortcut| shortcut.is(&option));
                let shortcut = shortcut.ok_or_else(|| unknown(&option))?;
                let name = format!("--{}", shortcut.long);
                let text = text(value(&mut parser, &name, shortcut.value)?)?;
                line.shortcut(shortcut.key, name, text);
            }
        }
    }
    line.command()
}

/// A command line as far as it has been read.
#[derive(Default)]
struct Line {
    check: bool,
    serve: bool,
    file: Option<PathBuf>,
    directory: Option<String>,
    options: Vec<Assignment>,
}

impl Line {
    /// A word that belongs to no option: `serve`, its directory, or the configuration file.
    fn word(&mut self, word: OsString) -> Result<(), UsageError> {
        if self.serve {
            let word = text(word)?;
            if let Some(directory) = &self.directory {
                let problem = format!("serve takes one directory, found {directory} and {word}");
                return Err(UsageError(problem));
            }
            self.directory = Some(word);
        } else if word == "serve" && self.file.is_none() {
            self.serve = true;
        } else {
            self.file(word)?;
        }
        Ok(())
    }

    fn file(&mut self, file: OsString) -> Result<(), UsageError> {
        if file.is_empty() {
            return Err(UsageError("expected a configuration file, found \"\"".to_owned()));
        }
        let file = PathBuf::from(file);
        if let Some(first) = &self.file {
            let (first, second) = (first.display(), file.display());
            let problem = format!("expected one configuration file, found {first} and {second}");
            return Err(UsageError(problem));
        }
        self.file = Some(file);
        Ok(())
    }

    fn set(&mut self, text: &str) -> Result<(), UsageError> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| UsageError(format!("--set: expected KEY=VALUE, found {text:?}")))?;
        let key = Key::find(name).ok_or_else(|| UsageError(format!("--set: {name}: {}", Key::unknown(name))))?;
        self.assign(key, "--set".to_owned(), Value::Text(value.to_owned()));
        Ok(())
    }

    /// `-d name=value`, or `-d name` for `name=1`, as PHP's own command line has it.
    fn define(&mut self, text: &str) {
        let (name, value) = text.split_once('=').unwrap_or((text, "1"));
        let pair = [name, value].map(|text| Value::String(text.to_owned()));
        let key = Key::find("php.ini_overrides").expect("a key of the table");
        self.assign(key, "-d".to_owned(), Value::Array(vec![Value::Array(pair.to_vec())]));
    }

    /// An option that is a key's own. The last one holds, but addresses gather.
    fn shortcut(&mut self, key: &str, name: String, text: String) {
        let earlier = self
            .options
            .iter_mut()
            .find(|earlier| key == "server.listen" && earlier.origin == Origin::Option(name.clone()));
        match earlier.map(|earlier| &mut earlier.value) {
            Some(Value::Text(addresses)) => {
                addresses.push(',');
                addresses.push_str(&text);
            }
            _ => {
                let key = Key::find(key).expect("a shortcut's key is a key of the table");
                self.assign(key, name, Value::Text(text));
            }
        }
    }

    fn assign(&mut self, key: &'static Key, option: String, value: Value) {
        self.options.push(Assignment { key, value, origin: Origin::Option(option) });
    }

    fn command(mut self) -> Result<Command, UsageError> {
        let source = match (self.serve, self.file.take()) {
            (true, Some(file)) => {
                let file = file.display();
                let problem = format!("serve takes no configuration file, found {file}");
                return Err(UsageError(problem));
            }
            (true, None) => Source::Serve,
            (false, Some(file)) => Source::File(file),
            (false, None) => Source::DefaultFile,
        };
        if source == Source::Serve {
            let directory = self.directory.take().unwrap_or_else(|| ".".to_owned());
            let key = Key::find("server.document_root").expect("a key of the table");
            self.assign(key, "serve".to_owned(), Value::Text(directory));
            // Before the options: an explicit --document-root still has the last word.
            self.options.rotate_right(1);
        }
        let invocation = Invocation { source, options: self.options };
        Ok(if self.check { Command::Check(invocation) } else { Command::Run(invocation) })
    }
}

impl Shortcut {
    fn is(&self, option: &Arg<'_>) -> bool {
        match option {
            Arg::Long(long) => *long == self.long,
            Arg::Short(short) => Some(*short) == self.short,
            Arg::Value(_) => false,
        }
    }
}

fn value(parser: &mut Parser, option: &str, value: &str) -> Result<OsString, UsageError> {
    parser.value().map_err(|_| UsageError(format!("{option}: expected {option} {value}")))
}

fn text(value: OsString) -> Result<String, UsageError> {
    value.into_string().map_err(|value| UsageError(format!("expected UTF-8 text, found {:?}", value.to_string_lossy())))
}

/// What lexopt itself objects to between options: a value where none is taken.
fn unexpected(error: lexopt::Error) -> UsageError {
    UsageError(match error {
        lexopt::Error::UnexpectedValue { option, value } => {
            format!("{option}: takes no value, found {:?}", value.to_string_lossy())
        }
        other => other.to_string(),
    })
}

fn unknown(option: &Arg<'_>) -> UsageError {
    let (option, known) = match option {
        Arg::Long(long) => {
            let shortcuts = SHORTCUTS.iter().map(|shortcut| shortcut.long);
            let known = shortcuts.chain(OTHER_OPTIONS.iter().copied());
            (format!("--{long}"), nearest(long, known, |known| known))
        }
        Arg::Short(short) => (format!("-{short}"), None),
        Arg::Value(word) => (word.to_string_lossy().into_owned(), None),
    };
    UsageError(match known {
        Some(known) => format!("unknown option {option}, did you mean --{known}?"),
        None => format!("unknown option {option} (ephpm --help lists them all)"),
    })
}

/// The text of `--help`: at most 80 columns.
pub fn help_text() -> String {
    let option = |shortcut: &Shortcut| {
        let Shortcut { long, short, value, help, .. } = shortcut;
        let short = short.map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let option = format!("{short}--{long} {value}");
        format!("  {option:<30} {help}\n")
    };
    let key = |key: &Key| match key.default {
        Unset::Value(value) => format!("  {:<30} {value}\n", key.name),
        Unset::Words(words) => format!("  {:<30} ({words})\n", key.name),
    };
    HELP.replace("<shortcuts>\n", &SHORTCUTS.iter().map(option).collect::<String>())
        .replace("<keys>\n", &KEYS.iter().map(key).collect::<String>())
}

const HELP: &str = "\
ePHPm serves PHP sites: an HTTP server and the PHP engine in one program.

Usage:
  ephpm [OPTIONS] [FILE]         serve as FILE says; without FILE: ./ephpm.toml
  ephpm [OPTIONS] serve [DIR]    serve DIR (else this directory) to its author:
                                 no file, 127.0.0.1:8080, errors are displayed
  ephpm php [ARGUMENTS]          PHP's own command line, like the program php;
                                 so does a link to ephpm that is named php

Options:
  -c, --config FILE              the same as FILE
      --check                    check the configuration and exit
<shortcuts>
  -d, --define NAME[=VALUE]      set a php.ini directive; repeatable
      --set KEY=VALUE            set any key; repeatable
  -V, --version                  print the versions of ePHPm and PHP
  -h, --help                     print this

Keys and their defaults:
<keys>

Each key may stand in FILE (section.key is key in [section]), in the
environment (EPHPM_SECTION_KEY=VALUE) and after --set; each of these wins over
the one before. Lists are separated by commas. The ephpm.toml that comes with
ePHPm explains every key.

Exit codes: 0 success, 1 failure, 2 wrong usage, 78 wrong configuration.
";

#[cfg(test)]
mod tests;
