//! Writes the access log: a thread that takes batches of lines from the event loops and appends them to a file or to
//! standard output.
//!
//! Only this thread waits for the disk, or for whoever reads a pipe. The file is opened again on demand, for programs
//! that move it away. Lines that cannot be written are lost, and the server's log says so.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::queue::Consumer;
use crate::net::log_sink::{LogSink, Message};

/// How long the writer gets to write what is left when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often it is asked to when there is no room for the question.
const ASK_AGAIN: Duration = Duration::from_millis(5);
/// What a pipe takes in one piece (`PIPE_BUF` of Linux).
const PIPE_BYTES_MAX: usize = 4096;
/// Visitors' addresses are nobody else's business.
const FILE_MODE: u32 = 0o640;

/// The thread that writes.
#[derive(Debug)]
pub struct AccessLogWriter {
    sink: Arc<LogSink>,
    /// Its other end is dropped when the thread ends.
    end: Receiver<()>,
}

impl AccessLogWriter {
    /// Opens the log, which is standard output without a path, and starts the thread.
    pub fn start(path: Option<&Path>) -> io::Result<Self> {
        let mut output = Output { path: path.map(Path::to_owned), file: None, is_failing: false };
        output.file = output.open()?;
        let sink = Arc::new(LogSink::new());
        let (alive, end) = mpsc::channel();
        let source = Arc::clone(&sink);
        let run = move || {
            output.run(&source);
            drop::<mpsc::Sender<()>>(alive);
        };
        thread::Builder::new().name("access-log".to_owned()).spawn(run)?;
        Ok(Self { sink, end })
    }

    /// Where event loops put their lines.
    pub fn sink(&self) -> Arc<LogSink> {
        Arc::clone(&self.sink)
    }

    /// Opens the file again.
    pub fn reopen(&self) {
        if !self.tell(|| Message::Reopen, Instant::now() + STOP_LIMIT) {
            log::error!("cannot reopen the access log: its writer is stuck");
        }
    }

    /// Ends the thread when it has written everything that was handed over before, unless that takes too long.
    pub fn stop(self) {
        let deadline = Instant::now() + STOP_LIMIT;
        let told = self.tell(|| Message::Stop, deadline);
        let left = deadline.saturating_duration_since(Instant::now());
        // The thread sends nothing: the wait ends when it does.
        if !told || self.end.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
            log::error!("the access log could not be written to its end: its writer is stuck");
        }
    }

    fn tell(&self, message: impl Fn() -> Message, deadline: Instant) -> bool {
        loop {
            if self.sink.tell(message()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(ASK_AGAIN);
        }
    }
}

/// Where the lines go.
#[derive(Debug)]
struct Output {
    path: Option<PathBuf>,
    /// None for standard output.
    file: Option<File>,
    /// The last lines could not be written, and the log knows.
    is_failing: bool,
}

impl Output {
    fn open(&self) -> io::Result<Option<File>> {
        let open = |path| OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path);
        self.path.as_ref().map(open).transpose()
    }

    fn run(&mut self, source: &LogSink) {
        let consumer = Consumer::new();
        while let Some(message) = source.next(&consumer) {
            match message {
                Message::Write(batch) => self.write(&batch.text),
                Message::Reopen => self.reopen(),
                Message::Stop => break,
            }
            let dropped = source.take_dropped_lines();
            if dropped > 0 {
                log::warn!("{dropped} lines of the access log were dropped: it is not written fast enough");
            }
        }
    }

    fn write(&mut self, text: &str) {
        let written = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => write_lines(&mut io::stdout().lock(), text),
        };
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) if !std::mem::replace(&mut self.is_failing, true) => {
                log::error!("cannot write the access log, whose lines are lost: {error}");
            }
            Err(_) => {}
        }
    }

    fn reopen(&mut self) {
        match self.open() {
            Ok(file) => self.file = file,
            Err(error) => log::error!("cannot reopen the access log, which goes on in the old file: {error}"),
        }
    }
}

/// Writes whole lines at a time, and no more of them than a pipe takes in one piece: other processes may write to it.
fn write_lines(output: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let room = &rest.as_bytes()[..rest.len().min(PIPE_BYTES_MAX)];
        let lines = memchr::memrchr(b'\n', room).or_else(|| memchr::memchr(b'\n', rest.as_bytes()));
        let (piece, left) = rest.split_at(lines.map_or(rest.len(), |end| end + 1));
        output.write_all(piece.as_bytes())?;
        output.flush()?;
        rest = left;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::service::access_log::Batch;

    /// Takes down what is written at once.
    #[derive(Default)]
    struct Pieces(Vec<String>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_pipe_is_given_whole_lines() {
        let line = |len: usize| "x".repeat(len - 1) + "\n";
        let (short, long) = (line(1500), line(5000));
        let mut pieces = Pieces::default();
        let text = [&*short, &short, &short, &long, &short].concat();
        write_lines(&mut pieces, &text).unwrap();
        assert_eq!(pieces.0, [short.repeat(2), short.clone(), long, short]);
        let exact = line(4096);
        let mut pieces = Pieces::default();
        write_lines(&mut pieces, &(exact.clone() + "\n")).unwrap();
        assert_eq!(pieces.0, [exact, "\n".to_owned()]);
    }

    #[test]
    fn lines_are_appended_and_a_file_that_was_moved_away_is_replaced() {
        let directory = std::env::temp_dir().join(format!("ephpm-access-log-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (path, old) = (directory.join("access.log"), directory.join("access.log.1"));
        fs::write(&path, "before\n").unwrap();

        let writer = AccessLogWriter::start(Some(&path)).unwrap();
        let batch = |text: &str| Batch { text: text.to_owned(), lines: 1 };
        writer.sink().write(batch("one\n"));
        fs::rename(&path, &old).unwrap();
        writer.sink().write(batch("two\n"));
        writer.reopen();
        writer.sink().write(batch("three\n"));
        writer.stop();
        assert_eq!(fs::read_to_string(&old).unwrap(), "before\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");

        fs::remove_dir_all(&directory).unwrap();
        assert!(AccessLogWriter::start(Some(&path)).is_err(), "its directory is gone");
    }
}
