//! The transcripts of HTTP/1 over HTTP/2: what makes sense in both must be the same in both, to the application and to
//! the client.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use ephpm::base::send_queue::SendQueue;
use ephpm::http1::Http1Options;
use ephpm::http2::Http2Options;
use ephpm::protocol::{Disposition, Event, Protocol, StreamId};

use super::application::{Answer as Application, describe, taken};
use super::frames::{Answer, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, Received, hello};
use super::told::{Reply, Tale, Told, common_fields};
use super::transcript::{Action, Case, Step, read_directory};
use super::translate::{Naming, Sent, Skip, Translation, translate};

/// Cases that are run. Fewer, and something has been lost on the way.
const CASES_MIN: usize = 148;
/// Requests among them that are an [`Exception`].
const EXCEPTIONS: usize = 3;
/// Rules that only HTTP/1 can show: folded lines, two framings, Transfer-Encoding in HTTP/1.0, content that breaks off
/// with its connection, what lies behind an error, and pipelines.
const RULES_OF_HTTP_1: [u32; 6] = [12, 21, 23, 29, 31, 39];

#[test]
fn transcripts_of_http_1_hold_over_http_2() {
    let cases = read_directory(Path::new("tests/http1"));
    let (mut failures, mut rules) = (Vec::new(), BTreeSet::new());
    let mut skipped: BTreeMap<Skip, Vec<&str>> = BTreeMap::new();
    let (mut run_count, mut exceptions) = (0, 0);
    for case in &cases {
        for naming in [Naming::Authority, Naming::Field] {
            let translation = match translate(case, naming) {
                Ok(translation) => translation,
                Err(skip) => {
                    skipped.entry(skip).or_default().push(&case.name);
                    break;
                }
            };
            if naming == Naming::Authority {
                run_count += 1;
                exceptions += translation.requests.iter().filter_map(exception).count();
            }
            rules.extend(case.rules.iter().copied());
            for (split, len) in splits(case, &translation) {
                if let Err(difference) = run(case, &translation, naming, len) {
                    failures.push(format!("{} ({naming:?}, split {split})\n{difference}", case.name));
                }
            }
        }
    }
    println!("{run_count} of {} cases, which show the rules {rules:?}", cases.len());
    for (skip, names) in &skipped {
        println!("{skip:?}: {}\n  {}", names.len(), names.join("\n  "));
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n"));
    assert!(run_count >= CASES_MIN, "{run_count} cases");
    assert_eq!(exceptions, EXCEPTIONS);
    let all_rules: BTreeSet<u32> = cases.iter().flat_map(|case| case.rules.iter().copied()).collect();
    assert!(all_rules.difference(&rules).eq(&RULES_OF_HTTP_1), "{rules:?} of {all_rules:?}");
}

/// How the input is split, in words and in bytes.
fn splits(case: &Case, translation: &Translation) -> Vec<(&'static str, usize)> {
    let mut splits = vec![("whole", usize::MAX)];
    let len: usize = translation.frames.iter().map(|(_, frame)| frame.len()).sum();
    match len {
        _ if case.steps.iter().any(|step| matches!(step, Step::Action(Action::Whole))) => {}
        0..10_000 => splits.push(("at every byte", 1)),
        _ => splits.push(("in pieces", 997)),
    }
    splits
}

/// Runs a case; what differs from the transcript, if anything does.
fn run(case: &Case, translation: &Translation, naming: Naming, split: usize) -> Result<(), String> {
    let mut run = Run::new(options(case, naming));
    run.feed(&hello(&[]), split);
    let (mut tale, mut len) = (Tale::default(), 0);
    let mut frames = translation.frames.iter().peekable();
    let methods: Vec<_> = translation.requests.iter().map(|sent| sent.method.clone()).collect();
    for step in &case.steps {
        match step {
            Step::Input(bytes) => {
                len += bytes.len();
                let mut said = Vec::new();
                while let Some((_, frame)) = frames.next_if(|(end, _)| *end <= len) {
                    said.extend(frame);
                }
                run.feed(&said, split);
            }
            Step::Action(action) => run.application.act(action),
            Step::Expect(outcomes) => {
                outcomes.iter().for_each(|outcome| tale.hear(outcome));
                run.compare(&tale, &tale.replies(&methods), &translation.requests)?;
            }
        }
    }
    Ok(())
}

fn options(case: &Case, naming: Naming) -> Http2Options {
    let mut options = Http2Options::default();
    for (name, value) in case.limits() {
        match name {
            // An authority is no field.
            "fields_max" => options.fields_max = value - usize::from(naming == Naming::Authority),
            "target_bytes_max" => options.target_bytes_max = value,
            "requests_max" => options.requests_max = value as u64,
            _ => panic!("{}: {name}", case.name),
        }
    }
    options
}

/// A connection with a scripted application above it, and a client.
struct Run {
    protocol: Protocol,
    inbox: BytesMut,
    out: SendQueue,
    application: Application,
    /// What the application has heard.
    heard: Vec<Told>,
    streams: Vec<StreamId>,
    received: Received,
}

impl Run {
    fn new(options: Http2Options) -> Self {
        Self {
            protocol: Protocol::either(Http1Options::default(), Arc::new(options)),
            inbox: BytesMut::new(),
            out: SendQueue::default(),
            application: Application::default(),
            heard: Vec::new(),
            streams: Vec::new(),
            received: Received::default(),
        }
    }

    fn feed(&mut self, bytes: &[u8], split: usize) {
        for piece in bytes.chunks(split) {
            self.inbox.extend_from_slice(piece);
            while let Some(event) = self.protocol.poll_event(&mut self.inbox, &mut self.out, Instant::now()) {
                self.handle(event);
            }
            self.received.feed(&taken(&mut self.out));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request(id, request) => {
                let escape = |text: &[u8]| text.escape_ascii().to_string();
                let fields = request.headers.iter().map(|(name, value)| (escape(name), escape(value))).collect();
                let described = describe(0, &request).split_off("request 0 ".len());
                self.begin(id, Told { request: Some(described), fields, ..Told::default() });
                if self.application.sends_continue {
                    self.protocol.send_continue(id, &mut self.out);
                    self.protocol.send_continue(id, &mut self.out);
                }
                if self.application.early {
                    self.application.respond(&mut self.protocol, id, &mut self.out);
                }
            }
            Event::Content(id, bytes) => self.told(id).content += &bytes.escape_ascii().to_string(),
            Event::EndOfContent(id) => {
                self.told(id).is_ended = true;
                if !self.application.early {
                    self.application.respond(&mut self.protocol, id, &mut self.out);
                }
            }
            Event::Invalid(id, error) => {
                self.begin(id, Told { error: Some(format!("{error:?}")), ..Told::default() });
                self.application.refuse(&mut self.protocol, id, error, &mut self.out);
            }
            // What became of a response, its client knows.
            Event::Reset(_) | Event::Room(_) | Event::Sent(_) => {}
        }
    }

    fn begin(&mut self, id: StreamId, told: Told) {
        self.streams.push(id);
        self.heard.push(told);
    }

    fn told(&mut self, id: StreamId) -> &mut Told {
        let index = self.streams.iter().rposition(|known| *known == id).expect("a request came first");
        &mut self.heard[index]
    }

    /// Compares what has come of each request so far.
    fn compare(&self, tale: &Tale, replies: &[Reply], requests: &[Sent]) -> Result<(), String> {
        let (nothing, no_reply, silence) = (Told::default(), Reply::default(), Answer::default());
        for (index, (told, sent)) in tale.requests.iter().zip(requests).enumerate() {
            let heard = self.heard.get(index).unwrap_or(&nothing);
            let reply = replies.get(index).unwrap_or(&no_reply);
            let answer = self.received.answers.get(&(1 + 2 * index as u32)).unwrap_or(&silence);
            let is_same = match (&told.error, exception(sent)) {
                (_, Some(Exception::Fragment(target))) => is_for(target, heard),
                (_, Some(Exception::Bytes)) => heard == &nothing && answer.reset == Some(PROTOCOL_ERROR),
                (Some(_), None) => self.is_refused(told, reply, heard, answer),
                (None, None) => self.is_heard(told, sent, heard) && self.is_answered(told, reply, answer),
            };
            if !is_same {
                let goaways = &self.received.goaways;
                return Err(format!(
                    "  expected {told:?}\n    {reply:?}\n  found {heard:?}\n    {answer:?} {goaways:?}"
                ));
            }
        }
        let has_error = tale.requests.iter().any(|told| told.error.is_some());
        if self.heard.len() > tale.requests.len() {
            return Err(format!("  more requests: {:?}", self.heard));
        }
        let is_open = self.protocol.disposition() == Disposition::Open;
        if has_error || is_open { Ok(()) } else { Err(format!("  it ends: {:?}", self.received.goaways)) }
    }

    fn is_heard(&self, told: &Told, sent: &Sent, heard: &Told) -> bool {
        // Of an early answer's request HTTP/1 throws the content away itself.
        let is_content_same =
            self.application.early || (&heard.content, heard.is_ended) == (&told.content, told.is_ended);
        let fields = if told.fields.is_empty() { &sent.fields } else { &told.fields };
        let are_fields_same = common_fields(&heard.fields) == common_fields(fields);
        told.request == heard.request && heard.error.is_none() && are_fields_same && is_content_same
    }

    fn is_answered(&self, told: &Told, reply: &Reply, answer: &Answer) -> bool {
        let (heads, sent) = (sorted(&answer.heads), sorted(&reply.heads));
        let is_awaited = told.error.is_none() && !told.is_ended && answer.heads.len() == reply.heads.len();
        if reply.heads.is_empty() || reply.is_complete || is_awaited {
            // A client whose content is not wanted is told so.
            let is_well = answer.reset.is_none_or(|code| code == NO_ERROR) && answer.is_complete == reply.is_complete;
            return is_well && heads == sent && answer.content == reply.content;
        }
        // What a stream that is reset had still to send does not matter.
        let is_reset = answer.reset == Some(INTERNAL_ERROR) && !answer.is_complete;
        is_reset && sent.starts_with(&heads) && reply.content.starts_with(&answer.content)
    }

    /// For the same reason, by a response with the same status, or, if that would be 400, by an error of the stream or,
    /// since there is no field in what was sent as one, of the connection (RFC 9113 §8.1.1).
    fn is_refused(&self, told: &Told, reply: &Reply, heard: &Told, answer: &Answer) -> bool {
        if heard.error.is_some() && heard.error != told.error {
            return false;
        }
        if heard.error.is_some() && heard.request.is_none() && self.is_answered(told, reply, answer) {
            return true;
        }
        // What is too large h2 answers itself, with nothing but the status.
        if reply.status() == "431" && heard.request.is_none() {
            return answer.is_complete && answer.status() == 431;
        }
        let is_goaway = self.received.goaways.last().is_some_and(|(_, code)| *code == PROTOCOL_ERROR);
        let is_over = answer.reset == Some(PROTOCOL_ERROR) || is_goaway;
        let was_begun = told.request.is_some() || heard.request.is_none();
        is_over && was_begun && !heard.is_ended && answer.heads.is_empty() && reply.status() == "400"
    }
}

/// What HTTP/1 and HTTP/2 do differently, since the `http` crate, which parses `:path` for h2, does so before anything
/// of it can be seen.
enum Exception<'a> {
    /// A target with a fragment, which HTTP/1 refuses. The crate cuts it off and does not say so; this is left.
    Fragment(&'a str),
    /// Bytes that no URI has, and that no browser sends, which HTTP/1 lets pass. The crate refuses them.
    Bytes,
}

fn exception(sent: &Sent) -> Option<Exception<'_>> {
    let (path, query) = sent.target.split_once('?').unwrap_or((&sent.target, ""));
    match sent.target.split_once('#') {
        Some((target, _)) => Some(Exception::Fragment(target)),
        None => (path.contains(['<', '>', '`']) || query.contains(['"', '<', '>'])).then_some(Exception::Bytes),
    }
}

/// Whether it is a request for this target.
fn is_for(target: &str, heard: &Told) -> bool {
    heard.error.is_none() && heard.request.as_ref().is_some_and(|request| request.split(' ').nth(1) == Some(target))
}

/// Heads whose fields have an order that does not depend on the version.
fn sorted(heads: &[Vec<(String, String)>]) -> Vec<Vec<(String, String)>> {
    let mut heads = heads.to_vec();
    heads.iter_mut().for_each(|head| head.sort_by(|(a, _), (b, _)| a.cmp(b)));
    heads
}
