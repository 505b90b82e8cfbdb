//! A piece of content that h2 has to send. It tells its stream how far it has come.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::wake::Line;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    line: Arc<Line>,
}

impl Piece {
    pub(super) fn new(bytes: Bytes, line: &Arc<Line>) -> Self {
        line.add(bytes.len() as u64);
        Self { bytes, line: Arc::clone(line) }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, n: usize) {
        self.bytes.advance(n);
        self.line.leave(n as u64);
    }
}
