//! Threads that are kept for some of the URLs, as the configuration names them.

use std::path::Path;

use super::readers::Read;
use super::value::{Mismatch, Value};

/// The most pools that there may be.
const POOLS_MAX: usize = 16;
/// The most threads of a pool, as of `server.workers`.
const WORKERS_MAX: i64 = 1024;
/// The most requests that may wait for them, as of `server.queue_max`.
const QUEUE_MAX: i64 = 65_536;

const EXPECTED: &str =
    r#"[name, path, workers] or [name, path, workers, queue_max] such as [["reports", "/reports/", 2]]"#;

/// Threads that are kept for some of the URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// What the status calls it.
    pub name: String,
    /// Which paths, as [`Pools`](crate::site::pools::Pools) has them.
    pub pattern: String,
    /// How many threads.
    pub workers: usize,
    /// How many requests may wait for them; unless set, as many as for the others.
    pub queue_max: Option<usize>,
}

/// Names, paths, numbers of threads and perhaps of requests that wait: `[["reports", "/reports/", 2]]`, or as text
/// `reports /reports/ 2`, with a semicolon between two of them.
pub(super) fn pools() -> impl Fn(&Value, &Path) -> Read<Vec<Pool>> {
    |value, _| {
        let rows: Option<Vec<Vec<Value>>> = match value {
            Value::Array(rows) => rows.iter().map(parts).collect(),
            Value::Text(text) => Some(text.split([';', '\n']).map(words).filter(|row| !row.is_empty()).collect()),
            _ => None,
        };
        let rows = rows.ok_or_else(|| value.instead_of(EXPECTED))?;
        if rows.len() > POOLS_MAX {
            return Err(Mismatch::new(format!("at most {POOLS_MAX} pools"), rows.len().to_string()));
        }
        let mut pools: Vec<Pool> = Vec::new();
        for row in rows {
            let pool = pool(&row)?;
            if pool.name == "default" || pools.iter().any(|other| other.name == pool.name) {
                return Err(row[0].instead_of("another name for each pool, and none of them \"default\""));
            }
            pools.push(pool);
        }
        Ok(pools)
    }
}

fn parts(row: &Value) -> Option<Vec<Value>> {
    match row {
        Value::Array(parts) => Some(parts.clone()),
        _ => None,
    }
}

fn words(text: &str) -> Vec<Value> {
    text.split_whitespace().map(|word| Value::Text(word.to_owned())).collect()
}

fn pool(row: &[Value]) -> Read<Pool> {
    let (name, pattern, workers, queue_max) = match row {
        [name, pattern, workers] => (name, pattern, workers, None),
        [name, pattern, workers, queue_max] => (name, pattern, workers, Some(queue_max)),
        _ => return Err(Value::Array(row.to_vec()).instead_of(EXPECTED)),
    };
    let is_name = |text: &&str| {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=32).contains(&text.len()) && text.bytes().all(is_legal)
    };
    let text = name.str().filter(is_name);
    let pool_name = text.ok_or_else(|| name.instead_of("a name of at most 32 letters, digits, \"-\" and \"_\""))?;
    let is_pattern = |text: &&str| text.starts_with(['/', '*']);
    let text = pattern.str().filter(is_pattern);
    let path = text.ok_or_else(|| pattern.instead_of("a path such as \"/reports/\" or \"*/export.php\""))?;
    Ok(Pool {
        name: pool_name.to_owned(),
        pattern: path.to_owned(),
        workers: number(workers, WORKERS_MAX)?,
        queue_max: queue_max.map(|value| number(value, QUEUE_MAX)).transpose()?,
    })
}

fn number(value: &Value, max: i64) -> Read<usize> {
    let number = value.integer().filter(|number| (1..=max).contains(number)).and_then(|number| number.try_into().ok());
    number.ok_or_else(|| value.instead_of(format!("an integer from 1 to {max}")))
}
