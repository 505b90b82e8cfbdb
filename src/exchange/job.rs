//! What a PHP thread needs to know of one request.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::base::account::Share;
use crate::http::message::{Peer, Request};
use crate::http::status::Status;

/// Everything that a PHP thread needs to know of one request.
#[derive(Debug)]
pub struct Job {
    /// The request head.
    pub request: Request,
    /// The script that answers it.
    pub script: Script,
    /// Which PHP threads it is for: 0 for those that serve everything, or the number of a named pool.
    pub pool: usize,
    /// The error that the script is to explain, if it is for that (`REDIRECT_STATUS`).
    pub error: Option<Status>,
    /// The two ends of the connection.
    pub peer: Peer,
    /// The content, complete.
    pub content: Content,
    /// When the content was complete and the request went to PHP's queue, since 1970 (`REQUEST_TIME_FLOAT`).
    pub received_at: Duration,
}

/// Which script answers a request, as a router decided (RFC 3875 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `DOCUMENT_ROOT`: absolute, without a slash at the end.
    pub document_root: Arc<[u8]>,
    /// `SCRIPT_NAME`: the decoded path of the script below the document root, beginning with a slash.
    pub name: Vec<u8>,
    /// `PATH_INFO`: what followed the script's path in the decoded target; empty or beginning with a slash.
    pub path_info: Vec<u8>,
}

impl Script {
    /// `SCRIPT_FILENAME`: the script's absolute path.
    pub fn filename(&self) -> Vec<u8> {
        [&self.document_root[..], &self.name].concat()
    }
}

/// A request's complete content.
#[derive(Debug)]
pub enum Content {
    /// In memory; empty when there is none.
    Memory(Bytes),
    /// In an unlinked temporary file, read from its current position on.
    File {
        /// The file.
        file: File,
        /// How many bytes are left in it.
        len: u64,
        /// What it counts for among all of them.
        share: Share,
    },
}

impl Content {
    /// How many bytes are left to read.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing left to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads until `buf` is full or the content ends, and returns how much was read: less than asked for means the
    /// end, as PHP understands a short `read_post`. A file that cannot be read ends there, and the log says so.
    pub fn read(&mut self, buf: &mut [u8]) -> usize {
        match self {
            Self::Memory(bytes) => {
                let n = buf.len().min(bytes.len());
                bytes.copy_to_slice(&mut buf[..n]);
                n
            }
            Self::File { file, len, .. } => {
                let wanted = buf.len().min(usize::try_from(*len).unwrap_or(usize::MAX));
                let mut read = 0;
                while read < wanted {
                    match file.read(&mut buf[read..wanted]) {
                        Ok(0) => break,
                        Ok(n) => read += n,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => {
                            log::error!("cannot read buffered request content: {error}");
                            break;
                        }
                    }
                }
                *len = if read < wanted { 0 } else { *len - read as u64 };
                read
            }
        }
    }
}
