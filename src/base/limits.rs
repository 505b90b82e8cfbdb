//! Bounds that are not configurable, and the defaults of those that are, each with its reason.

use std::time::Duration;

/// Open connections of one event loop.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Bytes of a request head, request line included (431). Below 64 KiB because [`crate::http::headers::Span`] is 16 bits wide.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The largest value that may be configured for [`HEAD_BYTES_MAX`].
pub const HEAD_BYTES_CEILING: usize = 65_535;
/// Header fields of a request (431).
pub const FIELDS_MAX: usize = 100;
/// Bytes of a request target (414). RFC 9112 §3 asks for at least 8000 octets of request line.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Bytes of request content (413).
pub const CONTENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Request content held in memory; what exceeds it goes to an unlinked temporary file.
pub const CONTENT_MEMORY_MAX: usize = 2 * 1024 * 1024;
/// Request content that all requests together hold in memory, or 16 times as much as one may if that is more; what
/// exceeds it goes to files, however short.
pub const CONTENTS_MEMORY_MAX: u64 = 64 * 1024 * 1024;
/// Request content, such as a form's, that is held in memory while there is any for all. More of one request is only
/// while less than half of that is taken, or else a few slow uploads would send everybody's forms to files.
pub const CONTENT_FORM_BYTES: u64 = 256 * 1024;
/// Request content that all requests together hold in temporary files (503).
pub const CONTENT_FILES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Unread request content that is read and thrown away to keep a connection in sync; beyond it the connection closes.
pub const DISCARD_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of chunk extensions and of trailers in one request; a peer that sends more is abusing us (CVE-2023-39326).
pub const CHUNK_OVERHEAD_BYTES_MAX: usize = 8 * 1024;

/// PHP output that gathers on the PHP thread before it is handed to the loop.
pub const OUTPUT_BLOCK_BYTES: usize = 64 * 1024;
/// What each arena of the allocator keeps of freed memory: the blocks of the responses that a thread makes at a time, which
/// otherwise are given back and faulted in again at every response.
pub const FREED_MEMORY_KEPT: i32 = 4 * 1024 * 1024;
/// Pieces of memory from this size on are given back to the kernel as soon as they are freed. An encoder's are smaller.
pub const MAPPED_MEMORY_MIN: i32 = 2 * 1024 * 1024;
/// Interim heads (1xx) of one response that may wait for the loop; a script that sends more has them dropped.
pub const INTERIM_HEADS_MAX: usize = 8;
/// Output handed over but not yet pulled by the loop, above which the PHP thread waits.
pub const RESPONSE_BUFFER_HIGH: usize = 256 * 1024;
/// Output below which a waiting PHP thread goes on.
pub const RESPONSE_BUFFER_LOW: usize = 64 * 1024;
/// How long a PHP thread waits for a client that takes less than a block of output before what follows goes to a file.
/// A client that takes 1.3 MB a second is waited for, as long as slow ones are few.
pub const SPILL_PATIENCE: Duration = Duration::from_millis(50);
/// How often that is halved at most: 1.6 ms remain, and clients that take 40 MB a second.
pub const SPILL_PATIENCE_HALVINGS: u32 = 5;
/// Output that may lie in a file once a client has been waited for in vain. Doubled each time that happens again.
pub const SPILL_FIRST_BYTES: u64 = 1024 * 1024;
/// Space of such a file that is given back at once when it has been read.
pub const SPILL_FREE_BYTES: u64 = 1024 * 1024;
/// Output of one response in a file.
pub const RESPONSE_FILE_MAX: u64 = 1024 * 1024 * 1024;
/// Output of all responses together in files.
pub const RESPONSE_FILES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes in a connection's send queue above which no more content is pulled.
pub const SEND_QUEUE_HIGH: u64 = 128 * 1024;

/// Requests that may be under way at once on an HTTP/2 connection; RFC 9113 §6.5.2 asks for no fewer.
pub const STREAMS_MAX: u32 = 100;
/// Frames a second that an HTTP/2 peer may send beside requests and content: PING, SETTINGS, WINDOW_UPDATE, … Content
/// that is sent allows for more.
pub const CONTROL_FRAMES_MAX: u32 = 1000;
/// How many of these content may have earned: a client that reads on and on may tell of it later.
pub const CONTROL_FRAMES_SAVED_MAX: u32 = 100_000;
/// Requests that an HTTP/2 peer may send after it has been told to send none, since they are on their way before it
/// knows. Beyond, it does not want to know.
pub const REQUESTS_AFTER_GOAWAY_MAX: u32 = 1000;
/// Streams that an HTTP/2 peer may reset in [`RESETS_PERIOD`], beside as many as it lets end. A browser that leaves a
/// page may reset all that are open.
pub const RESETS_MAX: u32 = 300;
/// See [`RESETS_MAX`].
pub const RESETS_PERIOD: Duration = Duration::from_secs(10);
/// Streams of an HTTP/2 connection that may end for an error of the peer, all told.
pub const STREAM_ERRORS_MAX: usize = 100;
/// Bytes of content that an HTTP/2 peer may send of one request before it hears from us. More than the default, so that
/// an upload is not held up by a distance.
pub const STREAM_WINDOW: u32 = 256 * 1024;
/// The same, of all requests of a connection.
pub const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a response that wait for an HTTP/2 peer's window, above which no more content is pulled for it.
pub const STREAM_SEND_HIGH: u64 = 64 * 1024;
/// Bytes that wait, below which it is again.
pub const STREAM_SEND_LOW: u64 = 32 * 1024;

/// Bytes in memory of responses that wait for their HTTP/2 peers, all together, beyond [`STALLED_BYTES_FAIR`] of each
/// connection. With more, those that have taken nothing for [`STALL_LOOK`] are given up, of connections that hold more
/// than that. A connection holds as much as a hundred of HTTP/1.
pub const STALLED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What each connection may hold besides, which is not counted and for which none is given up, or else one client could
/// decide how all others fare: as much as two or three connections of HTTP/1, which nobody counts either.
pub const STALLED_BYTES_FAIR: u64 = 1024 * 1024;
/// How often it is looked how much that is.
pub const STALL_LOOK: Duration = Duration::from_secs(1);

/// Bytes of a file that are read at once, where the kernel cannot send it by itself.
pub const FILE_PIECE_BYTES: u64 = 32 * 1024;
/// Bytes of PHP's output that one connection pulls in one turn: what encoding shrinks does not fill the send queue.
pub const PULL_BUDGET: usize = 256 * 1024;
/// What an interim head (1xx) costs of that: a script that sends nothing else must not keep the loop.
pub const INTERIM_HEAD_COST: usize = 4096;
/// Encoders of PHP's responses alive in one event loop, each up to 1.3 MiB; beyond, responses are sent as they are. One
/// lives as long as its response: a moment, unless the client is slow or the response endless.
pub const ENCODERS_MAX: usize = 64;

/// Bytes read from one connection in one turn, and the size of the loop's scratch buffer.
pub const READ_BUDGET: usize = 64 * 1024;
/// Bytes written to one connection in one turn.
pub const WRITE_BUDGET: usize = 1024 * 1024;
/// Connections accepted in one turn, from all listeners of a loop, one after the other.
pub const ACCEPT_BUDGET: usize = 64;

/// The stack of a PHP thread: address space, of which only what is used takes memory. PHP's functions look how much they
/// have used and stop at a quarter (`zend.max_allowed_stack_size`), eight times of what php-fpm has. What frees objects
/// does not look: some 80 bytes for each, if each is held by the one before. With this all of them can be freed that PHP's
/// default `memory_limit` of 128 MiB has room for, some two million.
pub const THREAD_STACK: usize = 256 * 1024 * 1024;
/// Of a message of PHP's, in the log: a trace of some hundred frames.
pub const LOG_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Of the target of the request that it is about.
pub const LOG_TARGET_BYTES_MAX: usize = 1024;
/// How long after `php.request_timeout` a PHP thread that has not come back is replaced. Its shutdown functions are
/// interrupted each second.
pub const LOST_AFTER: Duration = Duration::from_secs(10);

/// Requests waiting for a PHP thread (503).
pub const QUEUE_MAX: usize = 1024;
/// How long a request may wait for a PHP thread (503).
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);
/// From the first byte of a request head to its last (408); not extended by further bytes.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest gap between two pieces of request content (408).
pub const CONTENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of content a second, below which a peer uses up its timeout (408); Apache's mod_reqtimeout has as many.
pub const CONTENT_RATE_MIN: u64 = 500;
/// The longest time in which a peer takes no byte of a response (the connection is dropped).
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a response that a peer must take a second. Lower than any network is slow, but a reader that holds a PHP
/// thread by taking next to nothing is cut.
pub const WRITE_RATE_MIN: u64 = 1000;
/// How long a connection may be idle between requests.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a half-closed connection is drained, so that the peer reads our last response before a reset.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long requests in flight may go on after SIGTERM.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

const _: () = assert!(HEAD_BYTES_MAX <= HEAD_BYTES_CEILING && HEAD_BYTES_CEILING <= u16::MAX as usize);
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX);
const _: () = assert!(RESPONSE_BUFFER_LOW < RESPONSE_BUFFER_HIGH);
const _: () = assert!(OUTPUT_BLOCK_BYTES <= RESPONSE_BUFFER_HIGH);
const _: () = assert!(STREAM_SEND_LOW < STREAM_SEND_HIGH);
const _: () = assert!(SEND_QUEUE_HIGH >= OUTPUT_BLOCK_BYTES as u64);

/// How long requests are held so that OPcache can restart, the first time: longer than most scripts run.
pub const OPCACHE_PAUSE_FIRST: Duration = Duration::from_secs(2);
/// It doubles each time that it was not long enough, up to this: less than requests may wait in the queue.
pub const OPCACHE_PAUSE_LIMIT: Duration = Duration::from_secs(16);
/// After requests were held they run for so many times as long, whoever calls `opcache_reset()` how often.
pub const OPCACHE_PAUSE_SHARE: u32 = 10;
/// The shortest time between two restarts. Until the second, scripts are compiled for each request.
pub const OPCACHE_RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// Between two interrupts of scripts that OPcache has waited for long enough: their shutdown functions get so long.
pub const OPCACHE_INTERRUPT_INTERVAL: Duration = Duration::from_secs(5);
