//! The process that starts those that serve, and starts another where one has ended: a crash costs the requests and the
//! connections of one process, and nothing else.
//!
//! It opens the sockets, keeps them, and forks before there is PHP or a thread; it never has either. All processes
//! accept from the same queues, so what waits there while one of them is gone is the others', or its successor's.
//! Signals are for the supervisor, which passes them on; a process that gets one itself obeys, too, and asking it twice
//! to stop is asking it once, since whole groups of processes are signalled (by terminals, and by systemd).

mod back_off;
mod member;
mod post;
mod successor;

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

pub(super) use post::Post;

use super::drain::End;
use super::error::ServerError;
use super::handover::Given;
use super::listeners::Listeners;
use super::notify::{STOPPING, notify};
use super::{Sockets, Stopped, close, reload};
use crate::base::notice_board::NoticeBoard;
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};
use crate::program::config::{Config, ConfigError};
use crate::program::logger;
use crate::program::status::notice_bytes_max;
use member::{Gone, Member, START_LIMIT};
use post::{END_NOW, LEAVE};
use successor::Successor;

/// What a process may take to end beyond `drain_timeout`, or when it is not to wait for anybody: its PHP threads and its
/// access log have limits of their own, which are shorter together.
const END_LIMIT: Duration = Duration::from_secs(15);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Supervisor<R> {
    config: Config,
    /// Reads the configuration again.
    read: R,
    /// What a successor is started from.
    program: PathBuf,
    /// Until the end is near.
    sockets: Option<Sockets>,
    /// Until all processes serve, what there was at the start.
    given: Option<Given>,
    members: Vec<Member>,
    /// All that is there is to read the configuration again, and the log is to be told when it has: whether all of it
    /// has so far.
    reload: Option<bool>,
    successor: Option<Successor>,
    /// The way to the end.
    ending: Option<Ending>,
    /// No process has ended in any other way than it should when the end was near.
    well: bool,
}

#[derive(Debug)]
struct Ending {
    end: End,
    /// What is left then is killed.
    deadline: Instant,
    /// Where monitors ask to the last.
    internal: Listeners,
}

/// Where a supervisor's way leads, in several processes.
#[derive(Debug)]
pub(super) enum Outcome {
    /// To the end, in the supervisor.
    Ended(Stopped),
    /// To work, in a process that it has started.
    Member(Box<Config>, Sockets, Post),
}

impl<R: Fn() -> Result<Config, ConfigError>> Supervisor<R> {
    /// Will start as many processes as `config` says.
    pub(super) fn new(
        config: Config,
        read: R,
        program: PathBuf,
        sockets: Sockets,
        given: Given,
    ) -> Result<Self, ServerError> {
        signal::watch_children().map_err(|error| ServerError::System("cannot handle signals", error))?;
        signal::stop_in_order();
        let now = Instant::now();
        // The first shows whether there is anything to come: what is wrong is said once.
        let (server, processes) = (&config.server, config.server.processes);
        let text_bytes_max = notice_bytes_max(server.php_threads(), 1 + server.pools.len(), server.event_loops);
        let members = NoticeBoard::new(processes, text_bytes_max).and_then(|board| {
            let member = |number| Member::new(server.php_threads(), board, number, (number == 0).then_some(now));
            (0..processes).map(member).collect::<io::Result<_>>()
        });
        let members = members.map_err(|error| ServerError::System("cannot share memory", error))?;
        let (sockets, given) = (Some(sockets), Some(given));
        let (reload, successor, ending, well) = (None, None, None, true);
        Ok(Self { config, read, program, sockets, given, members, reload, successor, ending, well })
    }

    /// Starts processes, and others in their places, until a signal asks to stop. Returns in each of the processes, too.
    pub(super) fn run(mut self) -> Outcome {
        while !self.is_over() {
            if let Some(post) = self.start_due() {
                return self.into_member(post);
            }
            match signal::wait_beside(self.next_turn(), &self.files()) {
                Ok(Some(signal)) => self.obey(signal),
                Ok(None) => {}
                Err(error) => {
                    log::error!("cannot wait for signals: {error}");
                    self.end(End::Stopped);
                }
            }
            self.hear();
            self.notice_late();
            self.cut();
        }
        if let Some(Ending { end, internal, .. }) = self.ending {
            close(internal, end);
        }
        log::info!("stopped");
        Outcome::Ended(Stopped { well: self.well, php_stuck: false })
    }

    /// Leaves all behind that is the supervisor's: its end is seen by files that nobody else has open.
    fn into_member(self, post: Post) -> Outcome {
        let sockets = self.sockets.expect("nobody is started when the end is near");
        Outcome::Member(Box::new(self.config), sockets, post)
    }

    fn is_over(&self) -> bool {
        self.ending.is_some() && !self.members.iter().any(Member::is_open)
    }

    /// Starts the processes that are due; in one of them this is its post.
    fn start_due(&mut self) -> Option<Post> {
        if self.ending.is_some() {
            return None;
        }
        let now = Instant::now();
        let mut has_predecessor = false;
        let is_start = self.given.as_ref().inspect(|given| has_predecessor = given.has_predecessor()).is_some();
        let are_others_ready = self.members.iter().any(Member::is_ready);
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            if member.due().is_none_or(|at| at > now) {
                continue;
            }
            // One that is ready answers for all; at the start the first of them does, or the predecessor.
            let answers_early = !has_predecessor && !are_others_ready && (number == 0 || !is_start);
            match member.start(is_start && number == 0, answers_early) {
                Ok(Some(post)) => return Some(post),
                Ok(None) => {}
                Err(error) => {
                    let wait = member.postpone(now);
                    log::error!("cannot start a process, and will try again in {wait:?}: {error}");
                }
            }
        }
        None
    }

    fn next_turn(&self) -> Option<Duration> {
        let due = self.members.iter().flat_map(|member| [member.due(), member.late_at()]).flatten().min();
        let deadline = self.ending.as_ref().map(|ending| ending.deadline);
        deadline.or(due).map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn files(&self) -> Vec<BorrowedFd<'_>> {
        let successor = self.successor.iter().filter_map(Successor::line);
        self.members.iter().filter_map(Member::line).chain(successor).collect()
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Stop | Signal::StopNow if self.ending.is_some() => self.end_now(),
            Signal::Stop | Signal::StopNow => self.end(End::Stopped),
            Signal::ChildEnded => self.bury(),
            Signal::ReopenLogs => self.members.iter_mut().for_each(|member| member.signal(signal)),
            Signal::Reload if self.ending.is_none() => self.reload(),
            Signal::Upgrade if self.ending.is_none() => self.upgrade(),
            Signal::Reload | Signal::Upgrade | Signal::Upgraded | Signal::NotUpgraded | Signal::Look => {}
        }
    }

    /// Takes in what processes say.
    fn hear(&mut self) {
        let now = Instant::now();
        let mut is_poked = false;
        for member in &mut self.members {
            let said = member.hear(now);
            let pid = member.pid().unwrap_or_default();
            if said.serves {
                log::info!("process {pid} serves");
            }
            if said.keeps_configuration {
                log::error!("process {pid} goes on with the configuration that it had");
                self.reload = self.reload.map(|_| false);
            }
            is_poked |= said.pokes;
        }
        if is_poked {
            // Pokes that nobody takes do not add up, unlike words on a line.
            self.members.iter_mut().for_each(|member| member.signal(Signal::Look));
        }
        if !self.members.iter().any(Member::is_reloading)
            && let Some(true) = self.reload.take()
        {
            log::info!("the configuration has been read again");
        }
        if self.given.is_some() && self.ending.is_none() && self.members[0].is_ready() {
            self.members.iter_mut().for_each(|member| member.open(now));
            if self.members.iter().all(Member::is_ready) {
                self.given.take().into_iter().for_each(Given::ready);
            }
        }
        self.hear_successor();
    }

    /// It is not ended: what it does may take longer every time.
    fn notice_late(&mut self) {
        let now = Instant::now();
        for pid in self.members.iter_mut().filter_map(|member| member.late(now)) {
            log::error!("process {pid} has been starting for {START_LIMIT:?}, and does not serve yet");
        }
    }

    /// Asks those who are left in vain no longer.
    fn cut(&mut self) {
        if let Some(ending) = &mut self.ending
            && Instant::now() >= ending.deadline
        {
            ending.deadline += END_LIMIT;
            self.well = false;
            for member in self.members.iter().filter(|member| member.pid().is_some()) {
                log::error!("process {} does not end, and is killed", member.pid().unwrap_or_default());
                member.kill();
            }
        }
    }

    fn bury(&mut self) {
        while let Some((pid, status)) = process::reap() {
            if let Some(number) = self.members.iter().position(|member| member.pid() == Some(pid)) {
                self.replace(number, pid, status);
            } else if self.successor.as_ref().is_some_and(|successor| successor.pid() == pid) {
                self.hear_successor();
                if self.successor.take().is_some() {
                    log::error!("the new process did not start: {status}");
                }
            } else {
                log::debug!("process {pid}, which nobody else was left to wait for, has ended: {status}");
            }
        }
    }

    /// A process has ended. Another takes its place, if there is still need for it.
    fn replace(&mut self, number: usize, pid: u32, status: ExitStatus) {
        let gone = self.members[number].bury(Instant::now());
        let what = obituary(pid, status, &gone);
        if self.ending.is_some() {
            self.members[number].close();
            // One that was starting has been asked to end as well, and does so at once.
            if !status.success() {
                log::error!("{what}");
                self.well &= !gone.was_ready;
            }
        } else if self.given.is_some() && !gone.was_ready {
            // It has said why, or else the log says how.
            if !status.success() {
                log::error!("the server does not start: {what}");
                self.well = false;
            }
            self.end(End::Stopped);
        } else {
            let level = if status.success() { log::Level::Info } else { log::Level::Error };
            let when = if gone.wait.is_zero() { String::new() } else { format!(" in {:?}", gone.wait) };
            log::log!(level, "{what}; another takes its place{when}");
        }
    }

    /// A configuration that is wrong reaches no process.
    fn reload(&mut self) {
        match (self.read)() {
            Ok(new) => {
                self.config = reload::merge(&self.config, new, log::Level::Warn);
                logger::configure(self.config.logging.level, self.config.logging.format);
                self.reload = Some(true);
                self.members.iter_mut().for_each(|member| member.signal(Signal::Reload));
            }
            Err(error) => log::error!("the configuration stays as it is: {error}"),
        }
    }

    fn upgrade(&mut self) {
        if let Some(successor) = &self.successor {
            return log::warn!("process {} is starting already", successor.pid());
        }
        let Some(sockets) = &self.sockets else { return };
        match Successor::spawn(&self.program, &sockets.all()) {
            Ok(successor) => {
                log::info!("process {} is starting from {}", successor.pid(), self.program.display());
                self.successor = Some(successor);
            }
            Err(error) => log::error!("cannot start {}: {error}", self.program.display()),
        }
    }

    /// Takes in what the successor says.
    fn hear_successor(&mut self) {
        if let Some(successor) = self.successor.take_if(Successor::serves) {
            let pid = successor.pid();
            log::info!("process {pid} serves now");
            notify(&format!("MAINPID={pid}"));
            self.end(End::Replaced);
        }
    }

    /// Has all processes end, and takes no others.
    fn end(&mut self, end: End) {
        let Some(Sockets { public, internal }) = self.sockets.take() else { return };
        let drain_timeout = self.config.server.drain_timeout;
        log::info!("stopping: requests under way may take {drain_timeout:?} more");
        if end == End::Stopped {
            notify(STOPPING);
            if let Some(successor) = &self.successor {
                // Who stops the server does not want another.
                log::info!("process {} is to stop, too", successor.pid());
                process::terminate(successor.pid());
            }
        }
        for member in &mut self.members {
            match end {
                End::Replaced if member.is_ready() => member.tell(LEAVE),
                _ => member.signal(Signal::Stop),
            }
            member.close();
        }
        // What is open here would keep connections waiting that nobody accepts.
        close(public, end);
        self.ending = Some(Ending { end, deadline: Instant::now() + drain_timeout + END_LIMIT, internal });
    }

    fn end_now(&mut self) {
        if let Some(ending) = &mut self.ending {
            ending.deadline = ending.deadline.min(Instant::now() + END_LIMIT);
        }
        self.members.iter_mut().for_each(|member| member.tell(END_NOW));
    }
}

/// How a process has ended, and what it was at.
fn obituary(pid: u32, status: ExitStatus, gone: &Gone) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(number), _) => match signal::name(number) {
            Some(name) => format!("died of {name}"),
            None => format!("died of signal {number}"),
        },
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => format!("ended: {status}"),
    };
    let core = if status.core_dumped() { ", leaving a core dump," } else { "" };
    let under_way: Vec<_> = gone.under_way.iter().map(|text| String::from_utf8_lossy(text)).collect();
    match (&under_way[..], status.success()) {
        ([], _) | (_, true) => format!("process {pid} {how}{core}"),
        (all, false) => format!("process {pid} {how}{core} while serving {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obituary_says_how_and_while_what() {
        let gone = |under_way: &[&[u8]]| Gone {
            was_ready: true,
            under_way: under_way.iter().map(|text| text.to_vec()).collect(),
            wait: Duration::ZERO,
        };
        let tell = |raw: i32, under_way: &[&[u8]]| obituary(7, ExitStatus::from_raw(raw), &gone(under_way));
        assert_eq!(tell(11, &[b"GET /a (/srv/a)"]), "process 7 died of SIGSEGV while serving GET /a (/srv/a)");
        let several = tell(0x80 | 6, &[b"GET /a (/a)", b"\xff"]);
        assert_eq!(several, "process 7 died of SIGABRT, leaving a core dump, while serving GET /a (/a), \u{fffd}");
        assert_eq!(tell(1 << 8, &[]), "process 7 ended with exit code 1");
        assert_eq!(tell(0, &[b"GET /a (/a)"]), "process 7 ended with exit code 0");
    }
}
