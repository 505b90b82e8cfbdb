//! Where slow requests are told: a file in php-fpm's format, or the ordinary log.
//!
//! It is written by the thread that has found out, which is PHP's own or the one that watches PHP's: a slow request is
//! rare, and slow already.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::date::civil_from_days;
use crate::php::{SlowRequest, SlowSink};

/// What visitors ask for is nobody else's business.
const FILE_MODE: u32 = 0o640;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SlowLog {
    file: Option<(PathBuf, Mutex<File>)>,
}

impl SlowLog {
    /// Opens the file; without a path it is the ordinary log.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path: &Path| Ok::<_, io::Error>((path.to_owned(), Mutex::new(open_file(path)?)));
        Ok(Self { file: path.map(open).transpose()? })
    }

    /// Opens the file again, for programs that move it away.
    pub(super) fn reopen(&self) {
        let Some((path, file)) = &self.file else { return };
        match open_file(path) {
            Ok(new) => *file.lock().unwrap_or_else(PoisonError::into_inner) = new,
            Err(error) => log::error!("cannot reopen the slow log, which goes on in the old file: {error}"),
        }
    }
}

impl SlowSink for SlowLog {
    fn tell(&self, request: &SlowRequest) {
        let Some((_, file)) = &self.file else { return log::warn!(target: "php", "{}", line(request)) };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = entry(request, i64::try_from(seconds).unwrap_or(i64::MAX), process::id());
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(text.as_bytes()) {
            log::error!("cannot write the slow log: {error}");
            log::warn!(target: "php", "{}", line(request));
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

/// As php-fpm has it, with two lines more: what was asked for, and for how long it has run.
fn entry(request: &SlowRequest, seconds: i64, pid: u32) -> String {
    let (thread, script) = (request.thread, request.script.escape_ascii());
    let (method, uri) = (request.method, request.uri.escape_ascii());
    let (date, duration, trace) = (date(seconds), request.duration.as_secs_f64(), &request.trace);
    format!(
        "\n[{date}]  [pool ephpm] pid {pid} thread php-{thread}\nscript_filename = {script}\n\
         request_uri = {method} {uri}\nduration = {duration:.3}\n{trace}"
    )
}

/// One line, the frames without their addresses.
fn line(request: &SlowRequest) -> String {
    let frames = request.trace.lines().filter_map(|line| line.split_once("] ")).map(|(_, frame)| frame);
    let frames = frames.collect::<Vec<_>>().join(" < ");
    let (method, uri, script) = (request.method, request.uri.escape_ascii(), request.script.escape_ascii());
    let (thread, duration) = (request.thread, request.duration.as_secs_f64());
    let at = if frames.is_empty() { "" } else { ", at " };
    format!("slow request on php-{thread}: {method} {uri} has taken {duration:.3} s so far ({script}){at}{frames}")
}

/// 23-Nov-2026 12:17:05 UTC
fn date(seconds: i64) -> String {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or_default();
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}-{month}-{year} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request() -> SlowRequest {
        SlowRequest {
            thread: 3,
            method: "GET",
            uri: b"/a?b=\n\xff".to_vec(),
            script: b"/srv/a.php".to_vec(),
            duration: Duration::from_millis(5021),
            trace: "[0x00000000000000a0] sleep() /srv/a.php:3\n[0x0000000000000010] {main} /srv/a.php:7\n".to_owned(),
        }
    }

    #[test]
    fn an_entry_of_the_file() {
        let expected = "\n[23-Nov-2026 12:17:05 UTC]  [pool ephpm] pid 42 thread php-3\n\
                        script_filename = /srv/a.php\n\
                        request_uri = GET /a?b=\\n\\xff\n\
                        duration = 5.021\n\
                        [0x00000000000000a0] sleep() /srv/a.php:3\n\
                        [0x0000000000000010] {main} /srv/a.php:7\n";
        assert_eq!(entry(&request(), 1_795_436_225, 42), expected);
    }

    #[test]
    fn a_line_of_the_ordinary_log() {
        let told = "slow request on php-3: GET /a?b=\\n\\xff has taken 5.021 s so far (/srv/a.php)";
        assert_eq!(line(&request()), format!("{told}, at sleep() /srv/a.php:3 < {{main}} /srv/a.php:7"));
        assert_eq!(line(&SlowRequest { trace: String::new(), ..request() }), told);
    }
}
