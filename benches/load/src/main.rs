//! Load at a fixed rate, as visitors make it: they come when they come, whether the server has answered others or not.
//!
//! Request number n is due n/rate seconds after the start, and its latency counts from there. A request that finds all
//! connections busy is late, and so are those behind it: a server that stalls for a while is charged for everybody who
//! came meanwhile, where load that waits for answers would just have asked less ("coordinated omission").
//!
//! `ephpm-load ADDRESS PATH RATE SECONDS CONNECTIONS` prints a line of JSON; with rate 0 each connection asks again at
//! once. There is a thread for each connection, which costs more CPU time than an event loop would and is hard to get wrong;
//! how late the threads themselves were is told, too.

mod response;

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use response::is_complete;

/// Longer than any answer in a comparison takes.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longer than the answers that it is used for.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type Anything = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match Load::from_arguments().and_then(|load| load.run()) {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ephpm-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for, and how often.
struct Load {
    address: SocketAddr,
    request: Vec<u8>,
    /// Requests a second over all connections; 0 is as many as there are answers.
    rate: f64,
    duration: Duration,
    connections: usize,
}

/// What the connections share.
struct Start {
    /// The number of the next request, for whichever connection is free.
    next: AtomicU64,
    all_connected: Barrier,
    at: OnceLock<Instant>,
}

/// What one connection saw, in microseconds for each request.
#[derive(Default)]
struct Seen {
    /// From when the request was due to the end of its answer.
    latencies: Vec<u32>,
    /// From when it was due and its connection was free to when it was sent: that is this program's doing.
    delays: Vec<u32>,
}

impl Load {
    fn from_arguments() -> Result<Self, Anything> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let [address, path, rate, seconds, connections] = &arguments[..] else {
            return Err("wanted: ADDRESS PATH RATE SECONDS CONNECTIONS".into());
        };
        Ok(Self {
            address: address.parse()?,
            request: format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes(),
            rate: rate.parse()?,
            duration: Duration::try_from_secs_f64(seconds.parse()?)?,
            connections: connections.parse()?,
        })
    }

    /// Asks for the whole duration; what all connections saw, as JSON.
    fn run(&self) -> Result<String, Anything> {
        // Threads inherit it. Without it the kernel wakes a sleeper up to 50 µs late; where it is refused, delays tell.
        let _ = std::fs::write("/proc/self/timerslack_ns", "1");
        let start =
            Start { next: AtomicU64::new(0), all_connected: Barrier::new(self.connections), at: OnceLock::new() };
        let seen = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.connections).map(|_| scope.spawn(|| self.on_one_connection(&start))).collect();
            threads.into_iter().map(|thread| thread.join().expect("threads return their errors")).collect()
        });
        let seen: Vec<Seen> = Result::from_iter::<Vec<Result<Seen, Anything>>>(seen)?;
        Ok(self.summary(seen))
    }

    /// Takes request after request until the next one is due after the end.
    fn on_one_connection(&self, start: &Start) -> Result<Seen, Anything> {
        let mut buffer = vec![0; ANSWER_BYTES_MAX];
        // Whatever happens here, the others wait at the barrier.
        let connected = self.connect(&mut buffer);
        start.all_connected.wait();
        let (mut stream, began) = (connected?, *start.at.get_or_init(Instant::now));
        let mut seen = Seen::default();
        loop {
            let free = began.elapsed();
            let due = self.due(start.next.fetch_add(1, Ordering::Relaxed)).unwrap_or(free);
            if due >= self.duration {
                return Ok(seen);
            }
            if let Some(early) = due.checked_sub(free) {
                thread::sleep(early);
            }
            seen.delays.push(micros(began.elapsed().saturating_sub(due.max(free))));
            self.ask(&mut stream, &mut buffer)?;
            seen.latencies.push(micros(began.elapsed().saturating_sub(due)));
        }
    }

    /// A connection that the server has got to know by a first request, which counts for nothing.
    fn connect(&self, buffer: &mut [u8]) -> Result<TcpStream, Anything> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        self.ask(&mut stream, buffer)?;
        Ok(stream)
    }

    /// When request number `number` is due after the start, if requests are due at all.
    fn due(&self, number: u64) -> Option<Duration> {
        (self.rate > 0.0).then(|| Duration::from_secs_f64(number as f64 / self.rate))
    }

    /// One request, and all of its answer.
    fn ask(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Anything> {
        stream.write_all(&self.request)?;
        let mut filled = 0;
        while !is_complete(&buffer[..filled])? {
            if filled == buffer.len() {
                return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes").into());
            }
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(format!("the connection ended after {filled} bytes of an answer").into()),
                count => filled += count,
            }
        }
        Ok(())
    }

    fn summary(&self, seen: Vec<Seen>) -> String {
        let (mut latencies, mut delays) = (Vec::new(), Vec::new());
        for one in seen {
            latencies.extend(one.latencies);
            delays.extend(one.delays);
        }
        latencies.sort_unstable();
        delays.sort_unstable();
        let latency = |permille| percentile(&latencies, permille);
        format!(
            r#"{{"requests": {}, "requests_per_second": {:.1}, "p50_us": {}, "p99_us": {}, "p999_us": {}, "max_us": {}, "own_delay_p99_us": {}}}"#,
            latencies.len(),
            latencies.len() as f64 / self.duration.as_secs_f64(),
            latency(500),
            latency(990),
            latency(999),
            latency(1000),
            percentile(&delays, 990),
        )
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// The least of some sorted figures that `permille` of them do not exceed, or 0 if there is none.
fn percentile(ordered: &[u32], permille: usize) -> u32 {
    let rank = (ordered.len() * permille).div_ceil(1000);
    ordered.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64) -> Load {
        let (address, request, duration) = (([127, 0, 0, 1], 80).into(), Vec::new(), Duration::from_secs(1));
        Load { address, request, rate, duration, connections: 1 }
    }

    #[test]
    fn requests_are_due_at_even_distances() {
        assert_eq!(at(4.0).due(0), Some(Duration::ZERO));
        assert_eq!(at(4.0).due(6), Some(Duration::from_millis(1500)));
        assert_eq!(at(0.0).due(6), None);
    }

    #[test]
    fn percentiles_are_figures_that_occurred() {
        let ordered: Vec<u32> = (1..=200).collect();
        assert_eq!(percentile(&ordered, 500), 100);
        assert_eq!(percentile(&ordered, 990), 198);
        assert_eq!(percentile(&ordered, 1000), 200);
        assert_eq!(percentile(&[7], 1), 7);
        assert_eq!(percentile(&[], 990), 0);
    }
}
