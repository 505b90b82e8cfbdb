//! The `ephpm` program: the only place that prints to standard output or exits.

use std::process::ExitCode as ProcessExitCode;

use ephpm::php;
use ephpm::program::cli::{self, Command, ExitCode, Invocation};
use ephpm::program::config::Config;
use ephpm::program::logger;
use ephpm::program::php_cli;
use ephpm::program::server::{self, Stopped};
use ephpm::program::version::{PhpInfo, version_text};

fn main() -> ProcessExitCode {
    // First, since nothing of the server may be at work then.
    if let Some(words_before) = php_cli::recognise(std::env::args_os()) {
        let error = php::run_command_line(words_before, php_cli::binary());
        return complain(&error, ExitCode::Failure).into();
    }
    logger::install();
    let code = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(&cli::help_text()),
        Ok(Command::Version) => print(&version()),
        Ok(Command::Check(invocation)) => check(&invocation),
        Ok(Command::Run(invocation)) => run(&invocation),
        Err(error) => complain(&error, ExitCode::Usage),
    };
    code.into()
}

fn run(invocation: &Invocation) -> ExitCode {
    let read = || Config::load(&invocation.source, std::env::vars_os(), &invocation.options);
    let config = match read() {
        Ok(config) => config,
        Err(error) => return complain(&error, ExitCode::Configuration),
    };
    logger::configure(config.logging.level, config.logging.format);
    match server::run(config, read) {
        Ok(Stopped { well, php_stuck }) => {
            let code = if well { ExitCode::Success } else { ExitCode::Failure };
            if php_stuck {
                // Destructors of C libraries would run under a thread that is still in PHP.
                ephpm::base::sys::process::exit_now(code as i32);
            }
            code
        }
        Err(error) => complain(&error, ExitCode::Failure),
    }
}

fn check(invocation: &Invocation) -> ExitCode {
    match Config::load(&invocation.source, std::env::vars_os(), &invocation.options) {
        Ok(_) => print("the configuration is valid\n"),
        Err(error) => complain(&error, ExitCode::Configuration),
    }
}

/// Starts PHP to ask it for its extensions.
fn version() -> String {
    logger::configure(log::LevelFilter::Error, logger::Format::Pretty);
    let info = php::Info::of_libphp();
    let extensions = match php::Php::start(&php::PhpOptions { threads: 1, ..Default::default() }) {
        Ok(php) => {
            let names = php.extensions().into_iter().map(|extension| extension.name).collect();
            // A process that only prints does not care how PHP ends.
            let _ = php.stop();
            names
        }
        Err(_) => Vec::new(),
    };
    let (version, zend_version) = (info.version.to_owned(), Some(info.zend_version.to_owned()));
    version_text(Some(&PhpInfo { version, zend_version, zts: info.zts, extensions }))
}

fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::Success,
        Err(_) => ExitCode::Failure, // a closed pipe
    }
}

fn complain(error: &dyn std::error::Error, code: ExitCode) -> ExitCode {
    eprintln!("ephpm: {error}");
    code
}
