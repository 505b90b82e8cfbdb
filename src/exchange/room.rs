//! Room for output, as PHP's side finds it: in memory, then in a file, then by waiting.
//!
//! Content is always pulled in the order in which it was put: once some lies in a file, what follows goes there too,
//! until the loop has read all of it. A client that takes what it is given never sees a file made: PHP's side waits for
//! it as long as it takes a block now and then. Only a PHP thread may come here.

use std::sync::{Arc, MutexGuard, PoisonError};

use bytes::Bytes;

use super::responder::Aborted;
use super::spill::{Problem, Spill};
use super::state::{Exchange, State};
use crate::base::limits::{OUTPUT_BLOCK_BYTES, RESPONSE_BUFFER_HIGH, RESPONSE_BUFFER_LOW, SPILL_FIRST_BYTES};

impl Exchange {
    /// Puts content behind all that has not been pulled; at most a block of it.
    pub(super) fn put<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        chunk: Bytes,
    ) -> Result<MutexGuard<'a, State>, Aborted> {
        let mut spill = self.spill.as_deref();
        loop {
            state = self.wait_for_room(state, chunk.len(), spill);
            if self.is_aborted() {
                return Err(Aborted);
            }
            let fits = !state.has_spilled() && state.buffered + chunk.len() <= RESPONSE_BUFFER_HIGH;
            let Some(files) = spill.filter(|_| !fits) else {
                state.push(chunk);
                return Ok(state);
            };
            let is_spilled;
            (state, is_spilled) = self.spill(state, &chunk, files);
            if self.is_aborted() {
                return Err(Aborted);
            }
            if is_spilled {
                return Ok(state);
            }
            // It waits until all that lies in the file has been read.
            spill = None;
        }
    }

    /// Waits until there is room for `len` bytes more, or nobody wants them any more. With files there is room once the
    /// client has been waited for in vain.
    fn wait_for_room<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        len: usize,
        spill: Option<&Spill>,
    ) -> MutexGuard<'a, State> {
        let has_room = |state: &State| match spill {
            Some(_) => state.unread() + len as u64 <= state.allowance,
            None => !state.has_spilled() && state.buffered + len <= RESPONSE_BUFFER_HIGH,
        };
        if has_room(&state) {
            return state;
        }
        // Past the high mark it waits for the low one, so that the two threads do not wake each other per block.
        state.low = match spill {
            Some(_) => state.allowance / (RESPONSE_BUFFER_HIGH / RESPONSE_BUFFER_LOW) as u64,
            None if state.has_spilled() => 0,
            None => RESPONSE_BUFFER_LOW as u64,
        };
        let low = state.low;
        let mut pulled = state.pulled;
        while state.unread() > low && !self.is_aborted() {
            state.waiting = true;
            let Some(spill) = spill else {
                state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let timeout;
            (state, timeout) =
                self.drained.wait_timeout(state, spill.patience()).unwrap_or_else(PoisonError::into_inner);
            let in_vain = timeout.timed_out() && state.pulled - pulled < OUTPUT_BLOCK_BYTES as u64;
            if in_vain && state.unread() > low {
                spill.has_waited(true);
                state.allowance = (2 * state.allowance).max(SPILL_FIRST_BYTES);
                break;
            }
            spill.has_waited(false);
            pulled = state.pulled;
        }
        state.waiting = false;
        state
    }

    /// Writes content to the file, without the lock; false if that cannot be done.
    fn spill<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        chunk: &Bytes,
        spill: &Spill,
    ) -> (MutexGuard<'a, State>, bool) {
        let len = chunk.len() as u64;
        let Some(spilled) = &mut state.spilled else {
            drop(state);
            let begun = spill.begin(chunk);
            let mut state = self.lock();
            let is_spilled = begun.is_some();
            // If the client has gone the file goes, too.
            if !self.is_aborted() {
                state.spilled = begun;
            }
            return (state, is_spilled);
        };
        let Some((file, offset)) = spill.reserve(spilled, len) else { return (state, false) };
        drop(state);
        let written = file.write(chunk, offset);
        if let Err(error) = &written {
            spill.files.report(Problem::Failed(error));
        }
        let mut state = self.lock();
        match (&mut state.spilled, &written) {
            (Some(spilled), Ok(())) => spilled.commit(len),
            (Some(spilled), Err(_)) => spilled.give_up(len),
            // The loop has read all that was there meanwhile, and let the file go.
            (None, _) => return (state, false),
        }
        (state, written.is_ok())
    }
}
