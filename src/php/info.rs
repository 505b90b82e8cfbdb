//! What libphp is, as it says itself.

use std::ffi::CStr;
use std::time::Duration;

use php_sys::ephpm_describe;

/// What libphp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// "8.4.1"
    pub version: &'static str,
    /// The engine's version: "4.4.1"
    pub zend_version: &'static str,
    /// Whether several threads can run scripts.
    pub zts: bool,
    /// Whether it is a debug build, which is slow.
    pub debug: bool,
    /// Whether OPcache caches scripts. Known once PHP runs.
    pub opcache: bool,
    /// `opcache.force_restart_timeout`: how long OPcache waits for scripts to end so that it can restart, before they are
    /// ended. None for as long as it takes. Known once PHP runs.
    pub force_restart_timeout: Option<Duration>,
    /// Whether scripts that run for too long are ours to end. If not, PHP's own timers do it, at a price.
    pub limits_time: bool,
}

/// One of PHP's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name, as `php -m` prints it.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
}

impl Info {
    /// What the libphp is that this program was linked with, running or not.
    pub fn of_libphp() -> Self {
        // SAFETY: no precondition.
        let raw = unsafe { ephpm_describe() };
        // SAFETY: constant strings.
        let [version, zend_version] = [raw.version, raw.zend_version].map(|text| unsafe { CStr::from_ptr(text) });
        Self {
            version: version.to_str().expect("PHP's version is ASCII"),
            zend_version: zend_version.to_str().expect("PHP's version is ASCII"),
            zts: raw.zts,
            debug: raw.debug,
            opcache: raw.opcache,
            force_restart_timeout: u64::try_from(raw.force_restart_timeout)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            limits_time: raw.set_timeout,
        }
    }
}
