//! The status as a JSON object (RFC 8259), valid UTF-8 whatever bytes visitors have sent. A process that has not said yet
//! what it is at has its number and its state only.

use std::fmt::{self, Write};

use super::{Figures, Process, Report, cut, name, stage_name};
use crate::php::{OpcacheStatus, PoolStatus, ThreadStatus};
use crate::service::access_log::escape_json;

pub(super) fn json(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("a string takes all that is written");
    text
}

fn write(text: &mut String, report: &Report) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    write!(text, "{{\"version\":\"{version}\",\"php_version\":\"{}\"", report.php_version)?;
    list(text, "processes", &report.processes, write_process)?;
    text.push_str("}\n");
    Ok(())
}

fn write_process(text: &mut String, process: &Process) -> fmt::Result {
    let (number, state, starts) = (process.number, stage_name(process.stage), process.starts);
    write!(text, "{{\"number\":{number},\"state\":\"{state}\",\"starts\":{starts}")?;
    if let Some((figures, age)) = &process.figures {
        write!(text, ",\"age_ms\":{}", age.as_millis())?;
        write_figures(text, figures)?;
    }
    text.push('}');
    Ok(())
}

fn write_figures(text: &mut String, figures: &Figures) -> fmt::Result {
    let (start, uptime) = (figures.started_at.as_secs(), figures.uptime.as_secs());
    write!(text, ",\"pid\":{},\"start_time\":{start},\"uptime_seconds\":{uptime}", figures.pid)?;
    write!(text, ",\"connections\":{:?}", figures.connections)?;
    let php = &figures.php;
    list(text, "pools", &php.pools, |text, pool| write_pool(text, figures, pool))?;
    list(text, "threads", &php.threads, |text, thread| write_thread(text, figures, thread))?;
    list(text, "lost", &php.lost, |text, thread| write_thread(text, figures, thread))?;
    let totals = &php.totals;
    write!(
        text,
        ",\"restarting\":{},\"totals\":{{\"requests\":{},\"timeouts\":{},\"slow\":{},\"lost\":{},\"recycled\":{},\
         \"unhealthy\":{},\"opcache_restarts\":{}}},\"opcache\":",
        php.restarting,
        totals.requests,
        totals.timeouts,
        totals.slow,
        totals.lost,
        totals.recycled,
        totals.unhealthy,
        totals.opcache_restarts,
    )?;
    match &figures.opcache {
        Some((status, age)) => write_opcache(text, status, age.as_millis()),
        None => text.write_str("null"),
    }
}

fn list<T>(
    text: &mut String,
    key: &str,
    items: &[T],
    write_item: impl Fn(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
    write!(text, ",\"{key}\":[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_item(text, item)?;
    }
    text.push(']');
    Ok(())
}

fn write_pool(text: &mut String, figures: &Figures, pool: &PoolStatus) -> fmt::Result {
    text.push_str("{\"name\":");
    string(text, pool.name.as_bytes())?;
    let (threads, running, queue) = (pool.threads.len(), figures.running(pool), &pool.queue);
    write!(text, ",\"threads\":{threads},\"running\":{running},\"queue_length\":{}", queue.len)?;
    write!(text, ",\"queue_capacity\":{},\"oldest_wait_ms\":", queue.capacity)?;
    match queue.oldest_wait {
        Some(wait) => write!(text, "{}}}", wait.as_millis()),
        None => write!(text, "null}}"),
    }
}

fn write_thread(text: &mut String, figures: &Figures, thread: &ThreadStatus) -> fmt::Result {
    write!(text, "{{\"number\":{},\"pool\":", thread.number)?;
    string(text, figures.pool_of(thread.number).as_bytes())?;
    write!(text, ",\"state\":\"{}\",\"state_ms\":{}", name(thread.state), thread.state_age.as_millis())?;
    write!(text, ",\"requests\":{}", thread.requests)?;
    match &thread.request {
        Some(request) => {
            for (key, value) in
                [("method", request.method.as_bytes()), ("uri", &request.uri), ("script", &request.script)]
            {
                write!(text, ",\"{key}\":")?;
                string(text, cut(value))?;
            }
        }
        None => text.push_str(",\"method\":null,\"uri\":null,\"script\":null"),
    }
    let (peak, held) = (thread.memory_peak_bytes, thread.memory_held_bytes);
    write!(text, ",\"memory_peak_bytes\":{peak},\"memory_held_bytes\":{held}}}")
}

fn write_opcache(text: &mut String, status: &OpcacheStatus, age_ms: u128) -> fmt::Result {
    write!(text, "{{\"age_ms\":{age_ms}")?;
    for (key, value) in figures(status) {
        write!(text, ",\"{key}\":{value}")?;
    }
    write!(text, ",\"restart_pending\":{},\"cache_full\":{}}}", status.restart_pending, status.is_full)
}

/// The figures of OPcache by their names.
pub(super) fn figures(status: &OpcacheStatus) -> [(&'static str, u64); 14] {
    [
        ("memory_used_bytes", status.memory_used_bytes),
        ("memory_free_bytes", status.memory_free_bytes),
        ("memory_wasted_bytes", status.memory_wasted_bytes),
        ("interned_strings_used_bytes", status.strings_used_bytes),
        ("interned_strings_free_bytes", status.strings_free_bytes),
        ("interned_strings", status.strings),
        ("cached_scripts", status.scripts),
        ("cached_keys", status.keys),
        ("cached_keys_max", status.keys_max),
        ("hits", status.hits),
        ("misses", status.misses),
        ("restarts_out_of_memory", status.restarts_out_of_memory),
        ("restarts_hash_overflow", status.restarts_hash_overflow),
        ("restarts_reset", status.restarts_reset),
    ]
}

fn string(text: &mut String, bytes: &[u8]) -> fmt::Result {
    text.push('"');
    escape_json(text, bytes)?;
    text.push('"');
    Ok(())
}
