//! Runs the transcripts in `tests/http1/` through the pure connection: whole, split at every byte, and split at random.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http1/application.rs"]
mod application;
#[path = "http1/tcp.rs"]
mod tcp;
#[path = "http1/transcript.rs"]
mod transcript;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use application::{Answer, Given, describe, describe_fields, taken};
use bytes::BytesMut;
use ephpm::base::random::Random;
use ephpm::base::send_queue::SendQueue;
use ephpm::http1::Http1Options;
use ephpm::http2::Http2Options;
use ephpm::protocol::{Awaiting, Disposition, Event, Protocol, StreamId};
use transcript::{Action, Case, Outcome, Step, read_directory};

#[test]
fn transcripts_hold_however_the_input_is_split() {
    let cases = read_directory(Path::new("tests/http1"));
    let mut failures = Vec::new();
    for case in &cases {
        let seed = case.name.bytes().fold(0x5eed, |seed: u64, byte| seed.rotate_left(7) ^ u64::from(byte)) | 1;
        let mut random = Random(seed);
        let mut outcomes = vec![("whole", run(case, &mut |len| len))];
        if !case.steps.iter().any(|step| matches!(step, Step::Action(Action::Whole))) {
            outcomes.push(("at every byte", run(case, &mut |_| 1)));
            outcomes.extend((0..8).map(|_| ("at random", run(case, &mut |_| 1 + random.below(40)))));
        }
        failures.extend(outcomes.into_iter().filter_map(|(split, outcome)| {
            outcome.err().map(|difference| format!("{} (split {split})\n{difference}", case.name))
        }));
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn transcripts_hold_over_a_socket() {
    let cases: Vec<_> = read_directory(Path::new("tests/http1")).into_iter().filter(tcp::is_shown_here).collect();
    assert!(cases.len() > 150, "{} cases", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        for piece in [usize::MAX, 11] {
            // Pieces are for what is short.
            let is_long = case.steps.iter().any(|step| matches!(step, Step::Input(bytes) if bytes.len() > 1000));
            if piece < usize::MAX && is_long {
                continue;
            }
            if let Err(difference) = tcp::run(case, piece) {
                failures.push(format!("{} (in pieces of {piece})\n{difference}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_rule_that_concerns_the_connection_has_a_transcript() {
    // Those of messages and connections, but for what a service decides: 7 (405), 17 (virtual hosts), 36 (OPTIONS), 42
    // (upgrades), 46 to 48 (fields of a response). 43 is the transport's half of a lingering close.
    let concerning = (1..=49).filter(|rule| ![7, 17, 36, 42, 43, 46, 47, 48].contains(rule)).collect::<BTreeSet<_>>();
    let shown = read_directory(Path::new("tests/http1")).iter().flat_map(|case| case.rules.clone()).collect();
    assert_eq!(concerning.difference(&shown).collect::<Vec<_>>(), Vec::<&u32>::new());
}

/// Runs a case, with input in pieces whose lengths `split` says; what differs from the transcript, if anything does.
fn run(case: &Case, split: &mut dyn FnMut(usize) -> usize) -> Result<(), String> {
    let mut run = Run::new(case);
    for step in &case.steps {
        match step {
            Step::Input(bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(split(rest.len()).min(rest.len()));
                    run.inbox.extend_from_slice(piece);
                    run.pump();
                    rest = after;
                }
            }
            Step::Action(action) => run.act(action),
            Step::Expect(outcomes) => {
                let mut found = std::mem::take(&mut run.log);
                if outcomes.iter().any(|outcome| matches!(outcome, Outcome::State(_))) {
                    found.push(Outcome::State(run.state()));
                }
                if found != *outcomes {
                    return Err(format!("  expected {outcomes:#?}\n  found {found:#?}"));
                }
            }
        }
    }
    if run.log.is_empty() { Ok(()) } else { Err(format!("  not expected {:#?}", run.log)) }
}

/// A protocol that may still become HTTP/2, unless the case is about what happens if it may not.
fn protocol(case: &Case) -> Protocol {
    match http2_options(case) {
        Some(http2) => Protocol::either(http1_options(case), http2),
        None => Protocol::http1(http1_options(case)),
    }
}

fn http2_options(case: &Case) -> Option<Arc<Http2Options>> {
    (!case.name.contains("preface of HTTP/2")).then(Arc::default)
}

/// The limits that a case sets.
fn http1_options(case: &Case) -> Http1Options {
    let mut options = Http1Options::default();
    for (name, value) in case.limits() {
        match name {
            "head_bytes_max" => options.head_bytes_max = value,
            "fields_max" => options.fields_max = value,
            "target_bytes_max" => options.target_bytes_max = value,
            "requests_max" => options.requests_max = value as u64,
            _ => panic!("{}: {name}", case.name),
        }
    }
    options
}

/// A connection with a scripted application above it.
struct Run {
    protocol: Protocol,
    inbox: BytesMut,
    out: SendQueue,
    log: Vec<Outcome>,
    answer: Answer,
    /// The request that a held answer or an unfinished response is for.
    waiting: Option<StreamId>,
}

impl Run {
    fn new(case: &Case) -> Self {
        Self {
            protocol: protocol(case),
            inbox: BytesMut::new(),
            out: SendQueue::default(),
            log: Vec::new(),
            answer: Answer::default(),
            waiting: None,
        }
    }

    fn act(&mut self, action: &Action) {
        self.answer.act(action);
        match action {
            Action::Finish => {
                let id = self.waiting.take().expect("a response is unfinished");
                self.protocol.finish(id, &mut self.out);
                self.pump();
            }
            Action::Release => {
                self.answer.hold = false;
                let id = self.waiting.take().expect("an answer is held");
                self.respond(id);
                self.pump();
            }
            Action::Eof => {
                self.protocol.eof();
                self.pump();
            }
            Action::Drain => {
                self.protocol.drain();
                self.pump();
            }
            Action::Expire => {
                if let Some(event) = self.protocol.expire(&self.inbox) {
                    self.handle(event);
                }
                self.pump();
            }
            _ => {}
        }
    }

    fn pump(&mut self) {
        while let Some(event) = self.protocol.poll_event(&mut self.inbox, &mut self.out, Instant::now()) {
            self.handle(event);
        }
        self.log_output();
    }

    fn handle(&mut self, event: Event) {
        self.log_output();
        match event {
            Event::Request(id, request) => {
                let fields = if self.answer.shows_fields { describe_fields(&request) } else { Vec::new() };
                self.log.push(Outcome::Event(describe(id.0, &request)));
                self.log.extend(fields.into_iter().map(Outcome::Event));
                if self.answer.sends_continue {
                    self.protocol.send_continue(id, &mut self.out);
                    self.protocol.send_continue(id, &mut self.out);
                }
                if self.answer.early {
                    self.respond(id);
                }
            }
            Event::Content(id, bytes) => {
                assert!(!bytes.is_empty());
                let (start, content) = (format!("content {} ", id.0), bytes.escape_ascii().to_string());
                match self.log.last_mut() {
                    Some(Outcome::Event(event)) if event.starts_with(&start) => event.push_str(&content),
                    _ => self.log.push(Outcome::Event(start + &content)),
                }
            }
            Event::EndOfContent(id) => {
                self.log.push(Outcome::Event(format!("end {}", id.0)));
                match self.answer.hold {
                    true => self.waiting = Some(id),
                    false => self.respond(id),
                }
            }
            Event::Reset(_) | Event::Room(_) | Event::Sent(_) => panic!("HTTP/1 has no streams to tell of"),
            Event::Invalid(id, error) => {
                self.log.push(Outcome::Event(format!("invalid {} {error:?}", id.0)));
                if self.waiting == Some(id) {
                    return self.protocol.reset(id);
                }
                self.answer.refuse(&mut self.protocol, id, error, &mut self.out);
            }
        }
    }

    fn respond(&mut self, id: StreamId) {
        if self.answer.respond(&mut self.protocol, id, &mut self.out) == Given::Unfinished {
            self.waiting = Some(id);
        }
    }

    /// Moves what is queued to the log.
    fn log_output(&mut self) {
        let text = taken(&mut self.out).escape_ascii().to_string();
        match self.log.last_mut() {
            _ if text.is_empty() => {}
            Some(Outcome::Output(before)) => before.push_str(&text),
            _ => self.log.push(Outcome::Output(text)),
        }
    }

    fn state(&self) -> String {
        let awaiting = self.protocol.awaiting(&self.inbox);
        assert_eq!(self.protocol.is_idle(&self.inbox), awaiting == Awaiting::Request);
        match self.protocol.disposition() {
            Disposition::Open => {
                assert!(self.protocol.wants_input(&self.inbox) || awaiting == Awaiting::Nothing);
                format!("open {}", format!("{awaiting:?}").to_lowercase())
            }
            closing => {
                assert!(!self.protocol.wants_input(&self.inbox) && awaiting == Awaiting::Nothing);
                format!("{closing:?}").to_lowercase()
            }
        }
    }
}
