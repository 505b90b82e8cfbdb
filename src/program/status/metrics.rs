//! The status in Prometheus' text format. URIs are not in it: each would be a series of its own.

use std::fmt::{self, Display, Write};

use super::Report;
use super::json::figures;

pub(super) fn metrics(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("a string takes all that is written");
    text
}

fn write(text: &mut String, report: &Report) -> fmt::Result {
    let (php, version) = (&report.php, env!("CARGO_PKG_VERSION"));
    let labels = format!("{{version=\"{version}\",php_version=\"{}\"}}", report.php_version);
    family(text, "ephpm_info", "gauge", [(labels, 1)])?;
    family(text, "process_start_time_seconds", "gauge", [(String::new(), report.started_at.as_secs())])?;
    let connections = report.connections.iter().enumerate();
    let connections = connections.map(|(number, count)| (format!("{{loop=\"{number}\"}}"), *count));
    family(text, "ephpm_connections", "gauge", connections)?;
    let pools = || php.pools.iter().map(|pool| (format!("{{pool=\"{}\"}}", pool.name), pool));
    family(text, "ephpm_threads", "gauge", pools().map(|(label, pool)| (label, pool.threads.len())))?;
    family(text, "ephpm_threads_running", "gauge", pools().map(|(label, pool)| (label, report.running(pool))))?;
    family(text, "ephpm_queue_length", "gauge", pools().map(|(label, pool)| (label, pool.queue.len)))?;
    family(text, "ephpm_queue_capacity", "gauge", pools().map(|(label, pool)| (label, pool.queue.capacity)))?;
    let wait = |(label, pool): (String, &crate::php::PoolStatus)| {
        (label, pool.queue.oldest_wait.unwrap_or_default().as_secs_f64())
    };
    family(text, "ephpm_queue_oldest_wait_seconds", "gauge", pools().map(wait))?;
    family(text, "ephpm_threads_restarting", "gauge", [(String::new(), php.restarting)])?;
    let totals = &php.totals;
    for (name, count) in [
        ("ephpm_requests_total", totals.requests),
        ("ephpm_requests_timed_out_total", totals.timeouts),
        ("ephpm_requests_slow_total", totals.slow),
        ("ephpm_threads_lost_total", totals.lost),
        ("ephpm_threads_recycled_total", totals.recycled),
        ("ephpm_threads_unhealthy_total", totals.unhealthy),
        ("ephpm_opcache_restarts_total", totals.opcache_restarts),
    ] {
        family(text, name, "counter", [(String::new(), count)])?;
    }
    for (name, value) in report.opcache.iter().flat_map(|(status, _)| figures(status)) {
        // Hits and misses start anew with each restart, so that they are no counters.
        family(text, &format!("ephpm_opcache_{name}"), "gauge", [(String::new(), value)])?;
    }
    Ok(())
}

fn family<V: Display>(
    text: &mut String,
    name: &str,
    kind: &str,
    values: impl IntoIterator<Item = (String, V)>,
) -> fmt::Result {
    writeln!(text, "# TYPE {name} {kind}")?;
    values.into_iter().try_for_each(|(labels, value)| writeln!(text, "{name}{labels} {value}"))
}
