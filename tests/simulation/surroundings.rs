//! What a connection needs of its surroundings, without a disk to look at, a clock or PHP.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ephpm::base::chunk::FileRange;
use ephpm::base::limits::LINGER_TIMEOUT;
use ephpm::base::slab::Key;
use ephpm::exchange::Spill;
use ephpm::http::message::Peer;
use ephpm::net::connection::{Connection, Turn};
use ephpm::net::scratch::Scratch;
use ephpm::net::spool::OutputFiles;
use ephpm::net::transport::Socket;
use ephpm::protocol::Protocol;
use ephpm::service::access_log::{AccessLog, Format};
use ephpm::service::content::Spool;
use ephpm::service::context::{Context, Exchanges, Options};
use ephpm::service::http::Http;
use ephpm::site::files::{Files, Kind, OpenError, OpenFile, Stored};
use ephpm::site::router::{self, Router};

pub(crate) const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
/// The length of `/small.txt`, and of `/large.bin`.
pub(crate) const SMALL: u64 = 1_200;
pub(crate) const LARGE: u64 = 150_000;

/// Everything around the connections of one loop.
pub(crate) struct Surroundings {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) options: Options,
    pub(crate) exchanges: Exchanges,
    pub(crate) spool: SimSpool,
    pub(crate) scratch: Scratch,
    /// Lines of the access log.
    pub(crate) logged: usize,
    access_log: AccessLog,
    router: Router,
    files: SimFiles,
}

impl Surroundings {
    pub(crate) fn new(options: Options, exchanges: Exchanges) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            options,
            exchanges,
            spool: SimSpool::default(),
            scratch: Scratch::default(),
            logged: 0,
            access_log: AccessLog::new(Format::Json),
            router: Router::new(router::Options::new(&b"/site"[..])),
            files: SimFiles::new(),
        }
    }

    /// Gives a connection its turn.
    pub(crate) fn turn<S: Socket>(&mut self, connection: &mut Connection<S>) -> Turn {
        let mut context = Context {
            now: self.now,
            wall: self.now - self.start,
            date: DATE,
            options: &self.options,
            router: &self.router,
            files: &mut self.files,
            spool: &mut self.spool,
            internal: &mut Vec::<SimFiles>::new(),
            exchanges: &mut self.exchanges,
            access_log: Some(&mut self.access_log),
        };
        connection.turn(&mut self.scratch, LINGER_TIMEOUT, &mut context)
    }

    /// Takes note of a connection's end.
    pub(crate) fn abandon<S: Socket>(&mut self, connection: &mut Connection<S>) {
        connection.abandon(&mut self.access_log, self.now);
        self.logged += self.access_log.take_all().map_or(0, |batch| batch.lines);
    }
}

/// A fresh connection over `socket`, from and to anywhere.
pub(crate) fn connect<S: Socket>(socket: S, key: Key, protocol: Protocol) -> Connection<S> {
    let peer = Peer {
        remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 80)),
        secure: false,
    };
    Connection::new(socket, Http::new(protocol, key, peer))
}

/// A document root with one script and two files.
pub(crate) struct SimFiles {
    large: Arc<File>,
}

impl SimFiles {
    pub(crate) fn new() -> Self {
        thread_local! {
            static LARGE_FILE: Arc<File> = {
                let mut file = unnamed().unwrap();
                file.write_all(&vec![b'x'; LARGE as usize]).unwrap();
                Arc::new(file)
            };
        }
        Self { large: LARGE_FILE.with(Arc::clone) }
    }
}

impl Files for SimFiles {
    fn kind(&mut self, path: &[u8]) -> Kind {
        match path {
            b"/p.php" | b"/small.txt" | b"/large.bin" => Kind::File,
            b"/" => Kind::Directory,
            _ => Kind::Missing,
        }
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        match path {
            b"/small.txt" => {
                let content = Stored::Memory(Bytes::from(vec![b'x'; SMALL as usize]));
                Ok(OpenFile::new(path, content, SMALL, (1, 1), None))
            }
            b"/large.bin" => Ok(OpenFile::new(path, Stored::File(Arc::clone(&self.large)), LARGE, (1, 1), None)),
            _ => Err(OpenError::NotFound),
        }
    }

    fn read(&mut self, range: &FileRange) -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(range.len).unwrap()];
        range.file.read_exact_at(&mut bytes, range.offset)?;
        Ok(bytes.into())
    }
}

/// Temporary files, on a disk that may be full.
#[derive(Default)]
pub(crate) struct SimSpool {
    pub(crate) is_full: bool,
    pub(crate) has_failed: bool,
}

impl Spool for SimSpool {
    fn create(&mut self) -> io::Result<File> {
        self.has_failed |= self.is_full;
        if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { unnamed() }
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn rewind(&mut self, file: &mut File) -> io::Result<()> {
        file.rewind()
    }
}

/// Files for output, without a bound and without patience: no worker ever waits for room.
pub(crate) fn no_end_of_files() -> Spill {
    Spill {
        files: Box::new(OutputFiles::new(std::env::temp_dir())),
        bytes_max: u64::MAX,
        all_bytes_max: u64::MAX,
        files_max: u64::MAX,
        patience: Duration::ZERO,
        held: Arc::default(),
    }
}

fn unnamed() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ephpm-simulation-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}
