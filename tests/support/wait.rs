//! Waiting for what nothing announces.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Waits until `condition` holds; `otherwise` is what to say if it never does.
#[track_caller]
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool, otherwise: &str) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "{otherwise}");
        sleep(Duration::from_millis(5));
    }
}

/// Waits for a file to appear.
#[track_caller]
pub(crate) fn wait_for(path: &Path) {
    wait_until(|| path.exists(), &format!("{} never appeared", path.display()));
}

/// Waits until a file holds what `condition` asks for, and returns that.
#[track_caller]
pub(crate) fn wait_for_text(path: &Path, condition: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    wait_until(
        || {
            text = std::fs::read_to_string(path).unwrap_or_default();
            condition(&text)
        },
        &format!("{} never held what it was to", path.display()),
    );
    text
}
