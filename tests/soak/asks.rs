//! Requests that are sent as a whole by clients that wait for the answer, each with the answer that is right.
//!
//! What a request asks carries its number, and so does what comes back: an answer to somebody else's request is wrong.

use crate::random::Random;
use crate::site::{LINES, line};
use crate::support::{Multipart, Request};

/// A request, and what is to come back.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) status: u16,
    /// The content, decoded; `None` where it is the server's own page.
    pub(crate) content: Option<Vec<u8>>,
    /// Interim responses that come first.
    pub(crate) interim: usize,
}

impl Ask {
    pub(crate) fn new(request: Request, status: u16, content: impl Into<Vec<u8>>) -> Self {
        Self { request, status, content: Some(content.into()), interim: 0 }
    }

    /// One that the server answers with a page of its own.
    pub(crate) fn refused(request: Request, status: u16) -> Self {
        Self { request, status, content: None, interim: 0 }
    }
}

pub(crate) fn hello(n: u64, random: &mut Random) -> Ask {
    let target = format!("/hello.php?n={n}");
    let content = format!("hello {n};");
    match random.below(8) {
        0 => Ask::new(Request::head(&target), 200, ""),
        1 => Ask::new(Request::get(&target).header("Accept-Encoding", "gzip"), 200, content),
        2 => Ask::new(Request::get(&target).header("Connection", "close"), 200, content),
        _ => Ask::new(Request::get(&target), 200, content),
    }
}

pub(crate) fn classes(n: u64) -> Ask {
    let (animal, sound) = if n.is_multiple_of(2) { ("Cat", "meow") } else { ("Dog", "woof") };
    let word = ["zero", "one", "two"][(n % 3) as usize];
    Ask::new(Request::get(&format!("/classes.php?n={n}")), 200, format!("{animal} {n} {sound} 1 {word};"))
}

/// A form with a file of up to 400 kB, beyond what is kept in memory.
pub(crate) fn upload(n: u64, random: &mut Random) -> Ask {
    let times = 1 + random.below(400_000 / unit(n).len());
    let how = random.pick(&["end", "end", "exit", "fatal", "moved"]);
    let form = Multipart::default()
        .text("times", &times.to_string())
        .file("file", "soak.txt", "text/plain", unit(n).repeat(times).as_bytes())
        .text("after", "1");
    let request = Request::post(&format!("/upload.php?n={n}&how={how}")).multipart(form);
    Ask::new(request, if how == "fatal" { 500 } else { 200 }, format!("upload {n} same;"))
}

/// Content that is no form, of any method, with its length or in chunks.
pub(crate) fn body(n: u64, random: &mut Random) -> Ask {
    let method = random.pick(&["POST", "PUT", "PATCH", "DELETE"]);
    let times = random.below(60_000);
    let content = unit(n).repeat(times);
    let request = Request::new(method, &format!("/body.php?n={n}&times={times}"));
    let request = if random.one_in(2) {
        let pieces: Vec<&[u8]> = content.as_bytes().chunks(1 + random.below(20_000)).collect();
        request.chunked("application/octet-stream", &pieces)
    } else {
        request.content("application/octet-stream", content)
    };
    Ask::new(request, 200, format!("body {n} {method} same 0;"))
}

/// Some megabytes; less in a coding, which a server that is not optimized is slow at.
pub(crate) fn large(n: u64, random: &mut Random) -> Ask {
    let is_coded = random.one_in(4);
    let thousands = if is_coded { 20 + random.below(80) } else { 100 + random.below(400) };
    let request = Request::get(&format!("/large.php?n={n}&thousands={thousands}"));
    let request = if is_coded { request.header("Accept-Encoding", "gzip") } else { request };
    Ask::new(request, 200, unit(n).repeat(1000 * thousands))
}

pub(crate) fn events(n: u64, random: &mut Random) -> Ask {
    let events = 1 + random.below(20);
    let content: String = (0..events).map(|event| format!("data: {n} {event}\n\n")).collect();
    Ask::new(Request::get(&format!("/events.php?n={n}&events={events}")), 200, content)
}

pub(crate) fn sleep(n: u64, random: &mut Random) -> Ask {
    let milliseconds = random.below(100);
    let directory = random.pick(&["", "/pooled"]);
    Ask::new(Request::get(&format!("{directory}/sleep.php?n={n}&ms={milliseconds}")), 200, format!("slept {n};"))
}

/// What ends a script before its end.
pub(crate) fn ending(n: u64, random: &mut Random) -> Ask {
    let how = random.pick(&["exit", "exception", "fatal", "memory", "leak", "deep"]);
    let (status, begun) = match how {
        "exit" => (200, format!("begun {n};over;")),
        "deep" => (200, format!("begun {n};deep;")),
        // Buffers are dropped when there is no memory.
        "memory" | "leak" => (500, String::new()),
        _ => (500, format!("begun {n};")),
    };
    let request = Request::get(&format!("/ending.php?n={n}&how={how}"));
    Ask::new(request, status, format!("{begun}shutdown {n};"))
}

/// A loop that `max_execution_time` ends.
pub(crate) fn endless_loop(n: u64) -> Ask {
    Ask::new(Request::get(&format!("/ending.php?n={n}&how=time")), 500, format!("begun {n};shutdown {n};"))
}

pub(crate) fn finish(n: u64) -> Ask {
    Ask::new(Request::get(&format!("/finish.php?n={n}")), 200, format!("seen {n};"))
}

pub(crate) fn children(n: u64) -> Ask {
    // `ls` has the directory open beside the three files of every program.
    let content = format!(r#"["{n}","{n}\n4","through {n}",0]"#);
    Ask::new(Request::get(&format!("/children.php?n={n}")), 200, content)
}

pub(crate) fn process(n: u64) -> Ask {
    let mask = if n.is_multiple_of(2) { "0027" } else { "0077" };
    let content = format!(r#"[false,true,"C","UTC","14",true,"{n}",true,"C.UTF-8","\/","{n} {mask} \/"]"#);
    Ask::new(Request::get(&format!("/process.php?n={n}")), 200, content)
}

pub(crate) fn user_ini(n: u64) -> Ask {
    let (directory, precision) = if n.is_multiple_of(2) { ("one", 11) } else { ("two", 12) };
    Ask::new(Request::get(&format!("/{directory}/show.php?n={n}")), 200, format!("{directory} {n} {precision};"))
}

pub(crate) fn hints(n: u64) -> Ask {
    Ask { interim: 1, ..Ask::new(Request::get(&format!("/hints.php?n={n}")), 200, format!("hinted {n};")) }
}

pub(crate) fn cache(n: u64, how: &str) -> Ask {
    Ask::new(Request::get(&format!("/cache.php?n={n}&how={how}")), 200, format!("cache {n};"))
}

/// A script that `php.request_timeout` has to end.
pub(crate) fn stuck(n: u64, how: &str) -> Ask {
    Ask::refused(Request::get(&format!("/stuck.php?n={n}&how={how}")), 504)
}

/// A file: whole, in a coding, a part of it, or none of this name.
pub(crate) fn file(n: u64, random: &mut Random) -> Ask {
    let request = Request::get(&format!("/lines.txt?n={n}"));
    let lines = |from: usize, to: usize| (from..to).map(line).collect::<String>();
    let length = line(0).len();
    match random.below(6) {
        0 => Ask::refused(Request::get(&format!("/none-{n}.txt?n={n}")), 404),
        1 => Ask::new(request.header("Accept-Encoding", "gzip"), 200, lines(0, LINES)),
        2 => Ask::new(request, 200, lines(0, LINES)),
        3 => Ask::refused(request.header("Range", "bytes=90000000-"), 416),
        _ => {
            let from = random.below(LINES - 1);
            let to = from + 1 + random.below(LINES - from - 1);
            let range = format!("bytes={}-{}", from * length, to * length - 1);
            Ask::new(request.header("Range", &range), 206, lines(from, to))
        }
    }
}

/// What content consists of, again and again.
pub(crate) fn unit(n: u64) -> String {
    format!("{n};")
}
