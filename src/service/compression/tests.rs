use super::*;
use crate::base::random::Random;
use crate::http::encoder::decode;
use crate::http::headers::Headers as Fields;

/// What the stage gave, in order.
#[derive(Default)]
struct Sent {
    head: Option<(Response, ContentLength)>,
    content: Vec<u8>,
}

impl Sent {
    fn take(&mut self, ready: Ready) {
        if let Some(head) = ready.head {
            assert!(self.head.is_none() && self.content.is_empty(), "one head, and in front");
            self.head = Some(head);
        }
        if let Some(content) = ready.content {
            assert!(self.head.is_some() && !content.is_empty());
            self.content.extend_from_slice(&content);
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        let (response, _) = self.head.as_ref().unwrap();
        let lines: Vec<_> = response.headers.get_all(name).map(|value| String::from_utf8_lossy(value)).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    fn length(&self) -> ContentLength {
        self.head.as_ref().unwrap().1
    }
}

fn request(method: &str, accepted: &str) -> Request {
    let mut headers = Fields::new();
    let target = headers.push_bytes(b"/").unwrap();
    headers.add("Accept-Encoding", accepted.as_bytes());
    Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        version: crate::http::message::Version::Http11,
        target,
        authority: None,
        headers,
        content_length: Some(0),
        expects_continue: false,
    }
}

fn response(status: u16, fields: &[(&str, &str)]) -> Response {
    let mut response = Response::new(Status::from_code(status).unwrap());
    fields.iter().for_each(|(name, value)| response.headers.add(name, value.as_bytes()));
    response
}

const HTML: (&str, &str) = ("Content-Type", "text/html; charset=UTF-8");

/// A page of some kilobytes.
fn page() -> Bytes {
    Bytes::from("<p>Hello, world!</p>\n".repeat(300))
}

/// What is sent for a whole page with this head.
fn run(request: &Request, response: Response, content: &Bytes, options: &Options) -> Sent {
    let (mut compression, mut sent) = (Compression::new(request, options), Sent::default());
    let length = ContentLength::Exact(content.len() as u64);
    sent.take(compression.start(response, length, options, &Arc::new(())));
    if !content.is_empty() {
        sent.take(compression.write(content.clone()));
    }
    sent.take(compression.finish());
    sent
}

#[test]
fn a_page_that_is_there_as_a_whole_has_a_length() {
    for coding in Coding::ALL {
        let sent = run(&request("GET", coding.name()), response(200, &[HTML]), &page(), &Options::default());
        assert_eq!(sent.field("Content-Encoding").unwrap(), coding.name());
        assert_eq!(sent.field("Vary").unwrap(), "Accept-Encoding");
        assert_eq!(sent.length(), ContentLength::Exact(sent.content.len() as u64));
        assert!(sent.content.len() < page().len() / 10);
        assert_eq!(decode(coding, &sent.content), page());
    }
}

#[test]
fn what_a_script_flushes_arrives() {
    for coding in Coding::ALL {
        let options = Options::default();
        let mut compression = Compression::new(&request("GET", coding.name()), &options);
        let (mut sent, mut written) = (Sent::default(), Vec::new());
        sent.take(compression.start(response(200, &[HTML]), ContentLength::Unknown, &options, &Arc::new(())));
        assert!(sent.head.is_none() && compression.holds_head());
        // The head alone, if that is all there is.
        sent.take(compression.flush());
        assert_eq!(sent.length(), ContentLength::Unknown);
        for piece in ["one", "two", "three"] {
            sent.take(compression.write(Bytes::from(piece)));
            sent.take(compression.flush());
            written.extend_from_slice(piece.as_bytes());
            assert_eq!(decode(coding, &sent.content), written, "{coding:?}");
        }
        let before = sent.content.len();
        sent.take(compression.flush());
        assert_eq!(sent.content.len(), before, "{coding:?}: nothing new, nothing sent");
        sent.take(compression.finish());
        assert_eq!(decode(coding, &sent.content), written);
    }
}

#[test]
fn a_long_response_is_not_gathered() {
    let options = Options::default();
    let encoders = Arc::new(());
    let mut compression = Compression::new(&request("GET", "gzip"), &options);
    let mut sent = Sent::default();
    sent.take(compression.start(response(200, &[HTML]), ContentLength::Unknown, &options, &encoders));
    let (mut random, mut written) = (Random(1), Vec::new());
    for _ in 0..40 {
        let piece = random.bytes(16 * 1024);
        written.extend_from_slice(&piece);
        sent.take(compression.write(Bytes::from(piece)));
        assert!(written.len() < sent.content.len() + 2 * HELD_BYTES_MAX);
    }
    assert_eq!(sent.length(), ContentLength::Unknown);
    assert_eq!(Arc::strong_count(&encoders), 2);
    sent.take(compression.finish());
    assert_eq!(Arc::strong_count(&encoders), 1, "the encoder goes with its response");
    assert_eq!(decode(Coding::Gzip, &sent.content), written);
}

#[test]
fn rule_62_what_is_not_encoded() {
    let plain = |request: &Request, response: Response, content: &Bytes, vary: Option<&str>| {
        let text = format!("{response:?}");
        let sent = run(request, response, content, &Options::default());
        assert_eq!(sent.content, content.to_vec(), "{text}");
        assert_eq!(sent.length(), ContentLength::Exact(content.len() as u64));
        assert_eq!(sent.field("Vary").as_deref(), vary, "{text}");
        sent
    };
    let (get, page) = (request("GET", "gzip, br"), page());
    // The answer would be another one for another client, or would not.
    let varies = Some("Accept-Encoding");
    plain(&request("GET", "identity"), response(200, &[HTML]), &page, varies);
    plain(&request("GET", "gzip;q=0"), response(200, &[HTML]), &page, varies);
    for fields in [
        &[("Content-Type", "text/event-stream")][..],
        &[("Content-Type", "image/png")],
        &[],
        &[HTML, ("Cache-Control", "public, No-Transform")],
        &[HTML, ("Content-Range", "bytes 0-1/2")],
        &[HTML, ("Content-Digest", "sha-256=:AA==:")],
    ] {
        plain(&get, response(200, fields), &page, None);
    }
    let sent = plain(&get, response(200, &[HTML, ("Content-Encoding", "gzip")]), &page, None);
    assert_eq!(sent.field("Content-Encoding").unwrap(), "gzip");
    for status in [204, 205, 206] {
        plain(&get, response(status, &[HTML]), &page, None);
    }
    plain(&get, response(200, &[HTML]), &page.slice(..1023), None);
    // An error page is a page.
    for status in [404, 500] {
        let sent = run(&get, response(status, &[HTML]), &page, &Options::default());
        assert_eq!(sent.field("Content-Encoding").unwrap(), "br");
    }
    let off = Options { enabled: false, ..Options::default() };
    let sent = run(&get, response(200, &[HTML]), &page, &off);
    assert_eq!((sent.field("Vary"), sent.content), (None, page.to_vec()));
}

#[test]
fn rule_54_a_strong_tag_of_the_script_becomes_weak() {
    for (tag, wanted) in [("\"abc\"", "W/\"abc\""), ("W/\"abc\"", "W/\"abc\""), ("abc", "abc")] {
        let fields = [HTML, ("ETag", tag), ("Accept-Ranges", "bytes"), ("X", "y")];
        let sent = run(&request("GET", "gzip"), response(200, &fields), &page(), &Options::default());
        assert_eq!(sent.field("ETag").unwrap(), wanted);
        assert_eq!((sent.field("Accept-Ranges"), sent.field("X").as_deref()), (None, Some("y")));
        let sent = run(&request("GET", ""), response(200, &fields), &page(), &Options::default());
        assert_eq!(sent.field("ETag").unwrap(), tag);
    }
}

#[test]
fn rule_35_head_is_told_what_get_would_be() {
    let fields = [HTML, ("ETag", "\"abc\""), ("Accept-Ranges", "bytes")];
    let head = |accepted, length| {
        let (options, mut sent) = (Options::default(), Sent::default());
        let mut compression = Compression::new(&request("HEAD", accepted), &options);
        sent.take(compression.start(response(200, &fields), length, &options, &Arc::new(())));
        sent.take(compression.flush());
        sent.take(compression.finish());
        assert!(sent.content.is_empty());
        sent
    };
    let get = run(&request("GET", "gzip"), response(200, &fields), &page(), &Options::default());
    for length in [ContentLength::Unknown, ContentLength::Exact(5000)] {
        let sent = head("gzip", length);
        for name in ["Content-Encoding", "Content-Type", "ETag", "Vary", "Accept-Ranges"] {
            assert_eq!(sent.field(name), get.field(name), "{name}");
        }
        assert_eq!(sent.length(), ContentLength::Unknown, "5000 is not what GET would get");
    }
    let sent = head("", ContentLength::Exact(5000));
    assert_eq!((sent.length(), sent.field("Content-Encoding")), (ContentLength::Exact(5000), None));
    let sent = head("gzip", ContentLength::Exact(5));
    assert_eq!((sent.length(), sent.field("Vary")), (ContentLength::Exact(5), None));
}

#[test]
fn rule_53_a_304_of_a_script_tells_what_its_200_has_told() {
    for (known, tag, wanted) in [
        ("W/\"abc\"", "\"abc\"", "W/\"abc\""),
        ("\"x\", W/\"abc\"", "\"abc\"", "W/\"abc\""),
        ("W/\"abc\"", "W/\"abc\"", "W/\"abc\""),
        ("\"abc\"", "\"abc\"", "\"abc\""),
        ("W/\"abcd\"", "\"abc\"", "\"abc\""),
        ("", "\"abc\"", "\"abc\""),
    ] {
        let mut request = request("GET", "gzip");
        request.headers.add("If-None-Match", known.as_bytes());
        let sent = run(&request, response(304, &[HTML, ("ETag", tag)]), &Bytes::new(), &Options::default());
        assert_eq!(sent.field("ETag").unwrap(), wanted, "{known}");
        assert_eq!(sent.field("Vary").unwrap(), "Accept-Encoding");
        assert_eq!(sent.field("Content-Encoding"), None);
        let image = [("Content-Type", "image/png"), ("ETag", tag)];
        let sent = run(&request, response(304, &image), &Bytes::new(), &Options::default());
        assert_eq!((sent.field("ETag").as_deref(), sent.field("Vary")), (Some(tag), None));
    }
}

#[test]
fn rule_60_the_script_may_have_said_vary_itself() {
    for (vary, wanted) in
        [("Cookie", "Cookie, Accept-Encoding"), ("Cookie, accept-encoding", "Cookie, accept-encoding"), ("*", "*")]
    {
        let fields = [HTML, ("Vary", vary)];
        let sent = run(&request("GET", "gzip"), response(200, &fields), &page(), &Options::default());
        assert_eq!(sent.field("Vary").unwrap(), wanted);
    }
}

#[test]
fn encoders_are_bounded() {
    let (options, encoders) = (Options::default(), Arc::new(()));
    let start = || {
        let mut compression = Compression::new(&request("GET", "gzip"), &options);
        compression.start(response(200, &[HTML]), ContentLength::Unknown, &options, &encoders);
        compression
    };
    let mut alive: Vec<_> = (0..limits::ENCODERS_MAX).map(|_| start()).collect();
    assert!(alive.iter().all(Compression::holds_head));
    assert!(!start().holds_head());
    alive.pop();
    assert!(start().holds_head());
}
