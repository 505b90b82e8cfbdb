//! The status in Prometheus' text format, each sample with the number of its process. URIs are not in it: each would be a
//! series of its own.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::json::figures as opcache_figures;
use super::{Figures, Report};
use crate::php::{PoolStatus, Totals};
use crate::service::health::Stage;

pub(super) fn metrics(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("a string takes all that is written");
    text
}

/// A counter, and where it is.
type Counter = (&'static str, fn(&Totals) -> u64);

const COUNTERS: [Counter; 7] = [
    ("ephpm_requests_total", |totals| totals.requests),
    ("ephpm_requests_timed_out_total", |totals| totals.timeouts),
    ("ephpm_requests_slow_total", |totals| totals.slow),
    ("ephpm_threads_lost_total", |totals| totals.lost),
    ("ephpm_threads_recycled_total", |totals| totals.recycled),
    ("ephpm_threads_unhealthy_total", |totals| totals.unhealthy),
    ("ephpm_opcache_restarts_total", |totals| totals.opcache_restarts),
];

fn write(text: &mut String, report: &Report) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    let labels = format!("{{version=\"{version}\",php_version=\"{}\"}}", report.php_version);
    family(text, "ephpm_info", "gauge", [(labels, 1)])?;
    let processes = || report.processes.iter().map(|process| (format!("{{process=\"{}\"}}", process.number), process));
    let ready = processes().map(|(label, process)| (label, u8::from(process.stage == Some(Stage::Ready))));
    family(text, "ephpm_process_ready", "gauge", ready)?;
    let starts = processes().map(|(label, process)| (label, process.starts));
    family(text, "ephpm_process_starts_total", "counter", starts)?;
    let age = |figures: &(Figures, Duration)| figures.1.as_secs_f64();
    let ages = processes().filter_map(|(label, process)| Some((label, process.figures.as_ref().map(age)?)));
    family(text, "ephpm_process_age_seconds", "gauge", ages)?;
    single(text, report, "process_start_time_seconds", "gauge", |figures| figures.started_at.as_secs())?;
    let loops = |(process, figures): (usize, &Figures)| {
        let label = move |number| format!("{{process=\"{process}\",loop=\"{number}\"}}");
        let counts = figures.connections.iter().enumerate();
        counts.map(|(number, count)| (label(number), *count)).collect::<Vec<_>>()
    };
    family(text, "ephpm_connections", "gauge", report.told().flat_map(loops))?;
    by_pool(text, report, "ephpm_threads", |_, pool| pool.threads.len())?;
    by_pool(text, report, "ephpm_threads_running", Figures::running)?;
    by_pool(text, report, "ephpm_queue_length", |_, pool| pool.queue.len)?;
    by_pool(text, report, "ephpm_queue_capacity", |_, pool| pool.queue.capacity)?;
    let wait = |_: &Figures, pool: &PoolStatus| pool.queue.oldest_wait.unwrap_or_default().as_secs_f64();
    by_pool(text, report, "ephpm_queue_oldest_wait_seconds", wait)?;
    single(text, report, "ephpm_threads_restarting", "gauge", |figures| figures.php.restarting)?;
    for (name, count) in COUNTERS {
        single(text, report, name, "counter", |figures| count(&figures.php.totals))?;
    }
    let known: Vec<_> =
        report.told().filter_map(|(number, figures)| Some((number, figures.opcache.as_ref()?))).collect();
    let Some((_, (first, _))) = known.first() else { return Ok(()) };
    for (index, (name, _)) in opcache_figures(first).into_iter().enumerate() {
        let values = known.iter().map(|(number, (status, _))| {
            let (_, value) = opcache_figures(status)[index];
            (format!("{{process=\"{number}\"}}"), value)
        });
        // Hits and misses start anew with each restart, so that they are no counters.
        family(text, &format!("ephpm_opcache_{name}"), "gauge", values)?;
    }
    Ok(())
}

/// One sample for each process.
fn single<V: Display>(
    text: &mut String,
    report: &Report,
    name: &str,
    kind: &str,
    value: impl Fn(&Figures) -> V,
) -> fmt::Result {
    let values = report.told().map(|(number, figures)| (format!("{{process=\"{number}\"}}"), value(figures)));
    family(text, name, kind, values)
}

/// One sample for each pool of each process.
fn by_pool<V: Display>(
    text: &mut String,
    report: &Report,
    name: &str,
    value: impl Fn(&Figures, &PoolStatus) -> V,
) -> fmt::Result {
    let of_process = |(number, figures): (usize, &Figures)| {
        let label = |pool: &PoolStatus| format!("{{process=\"{number}\",pool=\"{}\"}}", pool.name);
        figures.php.pools.iter().map(|pool| (label(pool), value(figures, pool))).collect::<Vec<_>>()
    };
    family(text, name, "gauge", report.told().flat_map(of_process))
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
