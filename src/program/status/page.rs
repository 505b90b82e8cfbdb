//! The status as an HTML page without scripts; what visitors have sent stands in it as text and as nothing else.

use std::fmt::{self, Write};
use std::time::Duration;

use super::json::figures as opcache_figures;
use super::{Figures, IMPATIENCE, Process, Report, cut, name, stage_name};
use crate::http::date;
use crate::php::ThreadStatus;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>ePHPm</title>\n<style>\n\
    body { font: 14px/1.4 sans-serif; margin: 2em }\ntable { border-collapse: collapse; margin: 1em 0 }\n\
    td, th { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ccc; overflow-wrap: anywhere }\n\
    .n { text-align: right; white-space: nowrap }\n</style>\n";

/// What is older has not been told when it was asked for, and not a moment before either.
const OLD: Duration = IMPATIENCE;

pub(super) fn page(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    write(&mut text, report).expect("a string takes all that is written");
    text
}

fn write(text: &mut String, report: &Report) -> fmt::Result {
    writeln!(text, "<h1>ePHPm {} with PHP {}</h1>", env!("CARGO_PKG_VERSION"), report.php_version)?;
    report.processes.iter().try_for_each(|process| write_process(text, process))
}

fn write_process(text: &mut String, process: &Process) -> fmt::Result {
    let (number, state, starts) = (process.number, stage_name(process.stage), process.starts);
    writeln!(text, "<h2>Process {number}: {state}</h2>")?;
    if starts > 1 {
        writeln!(text, "<p>Processes that were here before: {}.</p>", starts - 1)?;
    }
    let Some((figures, age)) = &process.figures else { return Ok(()) };
    if *age >= OLD {
        writeln!(text, "<p>It does not answer. This is as of {} ago.</p>", length(*age))?;
    }
    write_figures(text, figures)
}

fn write_figures(text: &mut String, figures: &Figures) -> fmt::Result {
    let start = date::format(i64::try_from(figures.started_at.as_secs()).unwrap_or(i64::MAX));
    writeln!(
        text,
        "<p>Number {} of the system, since {} ({}).</p>",
        figures.pid,
        start.escape_ascii(),
        length(figures.uptime)
    )?;
    for (number, connections) in figures.connections.iter().enumerate() {
        writeln!(text, "<p>Event loop {number}: {connections} connections.</p>")?;
    }
    write_pools(text, figures)?;
    write_threads(text, figures)?;
    let totals = &figures.php.totals;
    text.push_str("<h3>Since the start</h3>\n<table>\n");
    for (what, count) in [
        ("requests", totals.requests),
        ("longer than <code>php.request_timeout</code>", totals.timeouts),
        ("longer than <code>php.slow_log_after</code>", totals.slow),
        ("threads lost", totals.lost),
        ("threads started anew", totals.recycled),
        ("threads left in an unknown state", totals.unhealthy),
        ("restarts of OPcache", totals.opcache_restarts),
    ] {
        row(text, what, count)?;
    }
    text.push_str("</table>\n<h3>OPcache</h3>\n");
    let Some((status, age)) = &figures.opcache else {
        text.push_str("<p>Nothing is known of it.</p>\n");
        return Ok(());
    };
    writeln!(text, "<p>As of {} ago.</p>\n<table>", length(*age))?;
    for (what, count) in opcache_figures(status) {
        row(text, &what.replace('_', " "), count)?;
    }
    text.push_str("</table>\n");
    Ok(())
}

fn write_pools(text: &mut String, figures: &Figures) -> fmt::Result {
    text.push_str("<h3>Pools</h3>\n<table>\n<tr><th>pool<th>threads<th>running<th>waiting<th>of<th>for\n");
    for pool in &figures.php.pools {
        let (name, threads, running) = (Html(pool.name.as_bytes()), pool.threads.len(), figures.running(pool));
        let wait = pool.queue.oldest_wait.map(length).unwrap_or_default();
        let (len, capacity) = (pool.queue.len, pool.queue.capacity);
        writeln!(
            text,
            "<tr><td>{name}<td class=\"n\">{threads}<td class=\"n\">{running}<td class=\"n\">{len}\
             <td class=\"n\">{capacity}<td class=\"n\">{wait}"
        )?;
    }
    text.push_str("</table>\n");
    Ok(())
}

fn write_threads(text: &mut String, figures: &Figures) -> fmt::Result {
    text.push_str(
        "<h3>PHP threads</h3>\n<table>\n<tr><th>thread<th>pool<th>state<th>for<th>requests<th>peak<th>held<th>request\n",
    );
    for thread in figures.php.threads.iter().chain(&figures.php.lost) {
        write_thread(text, figures, thread)?;
    }
    text.push_str("</table>\n");
    if figures.php.restarting > 0 {
        writeln!(text, "<p>Threads that have yet to start anew: {}.</p>", figures.php.restarting)?;
    }
    Ok(())
}

fn write_thread(text: &mut String, figures: &Figures, thread: &ThreadStatus) -> fmt::Result {
    write!(
        text,
        "<tr><td>php-{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{} KiB<td class=\"n\">{} KiB<td>",
        thread.number,
        Html(figures.pool_of(thread.number).as_bytes()),
        name(thread.state),
        length(thread.state_age),
        thread.requests,
        thread.memory_peak_bytes / 1024,
        thread.memory_held_bytes / 1024,
    )?;
    if let Some(request) = &thread.request {
        let (uri, script) = (Html(cut(&request.uri)), Html(cut(&request.script)));
        write!(text, "{} {uri}<br>{script}", request.method)?;
    }
    text.push('\n');
    Ok(())
}

fn row(text: &mut String, what: &str, count: u64) -> fmt::Result {
    writeln!(text, "<tr><td>{what}<td class=\"n\">{count}")
}

fn length(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{} ms", duration.as_millis()),
        seconds @ 10..600 => format!("{seconds} s"),
        seconds @ 600..36_000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// Any bytes as text of a page.
struct Html<'a>(&'a [u8]);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in String::from_utf8_lossy(self.0).chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => write!(f, "{}", control.escape_default())?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}
