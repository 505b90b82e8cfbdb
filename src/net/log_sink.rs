//! From event loops to the writer of the access log: a bounded queue of batches that never blocks a loop.
//!
//! A batch that finds no room is dropped and its lines are counted; the writer says how many. The thread that writes is
//! the program's, since it opens files.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::queue::{Consumer, Queue};
use crate::service::access_log::Batch;

/// Batches that wait for the writer: some 4 MiB, seconds of any disk.
const BATCHES_MAX: usize = 128;

/// See the module's documentation.
#[derive(Debug)]
pub struct LogSink {
    queue: Queue<Message>,
    dropped_lines: AtomicUsize,
}

/// What the writer is to do.
#[derive(Debug)]
pub enum Message {
    /// Write these lines.
    Write(Batch),
    /// Open the file again.
    Reopen,
    /// End.
    Stop,
}

impl LogSink {
    /// An empty one.
    pub fn new() -> Self {
        Self { queue: Queue::new(BATCHES_MAX), dropped_lines: AtomicUsize::new(0) }
    }

    /// Hands lines over, or drops them if the writer does not keep up.
    pub fn write(&self, batch: Batch) {
        if let Err(Message::Write(batch)) = self.queue.push(Message::Write(batch)) {
            self.dropped_lines.fetch_add(batch.lines, Ordering::Relaxed);
        }
        self.queue.hand_over();
    }

    /// Tells the writer something else. False if there is no room for it.
    pub fn tell(&self, message: Message) -> bool {
        let is_told = self.queue.push(message).is_ok();
        self.queue.hand_over();
        is_told
    }

    /// The next message; waits for one.
    pub fn next(&self, consumer: &Consumer) -> Option<Message> {
        self.queue.pop(consumer)
    }

    /// How many lines have been dropped since this was last asked.
    pub fn take_dropped_lines(&self) -> usize {
        // Nothing is written to the line of memory that all loops share unless there is something to take.
        if self.dropped_lines.load(Ordering::Relaxed) == 0 { 0 } else { self.dropped_lines.swap(0, Ordering::Relaxed) }
    }
}

impl Default for LogSink {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_writer_that_sleeps_is_woken() {
        let (sink, (told, heard)) = (Arc::new(LogSink::new()), mpsc::channel());
        let source = Arc::clone(&sink);
        thread::spawn(move || {
            let consumer = Consumer::new();
            while let Some(Message::Write(batch)) = source.next(&consumer) {
                told.send(batch.lines).expect("somebody listens");
            }
        });
        // One at a time, so that it has fallen asleep before most of them.
        for lines in 0..100 {
            sink.write(Batch { text: String::new(), lines });
            assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Ok(lines));
        }
        assert!(sink.tell(Message::Stop));
        assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let sink = LogSink::new();
        let batch = |lines| Batch { text: "x\n".repeat(lines), lines };
        (0..BATCHES_MAX).for_each(|_| sink.write(batch(1)));
        assert_eq!(sink.take_dropped_lines(), 0);
        sink.write(batch(3));
        sink.write(batch(4));
        assert!(!sink.tell(Message::Reopen));
        assert_eq!((sink.take_dropped_lines(), sink.take_dropped_lines()), (7, 0));
        let consumer = Consumer::new();
        assert!(matches!(sink.next(&consumer), Some(Message::Write(Batch { lines: 1, .. }))));
        assert!(sink.tell(Message::Stop));
    }
}
