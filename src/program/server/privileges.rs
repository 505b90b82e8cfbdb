//! Gives up what the process does not need once its sockets are open: before PHP starts, and for good.
//!
//! Everything here holds for all threads that start later, PHP's among them, and for the programs that PHP starts.

use std::io;

use super::error::ServerError;
use crate::base::sys::process;
use crate::base::sys::user::{self, Identity};
use crate::program::config::Process;

/// Applies `[process]`. Must run while the calling thread is the only one.
pub(super) fn restrict(options: &Process, identity: Option<&Identity>) -> Result<(), ServerError> {
    let refused = |what| move |error: io::Error| ServerError::System(what, error);
    if let Some(identity) = identity {
        identity.assume().map_err(refused("process.user: cannot become this user (only root can)"))?;
    } else if user::is_root() {
        log::warn!("PHP will run as root: set process.user to run it as somebody else");
    }
    process::set_core_dumps(options.core_dumps).map_err(refused("process.core_dumps"))?;
    process::tighten_umask();
    if options.no_new_privileges {
        process::forbid_new_privileges().map_err(refused("process.no_new_privileges"))?;
    }
    Ok(())
}

/// Whom `[process]` wants the process to become, if anybody.
pub(super) fn identity(options: &Process) -> Result<Option<Identity>, ServerError> {
    let (user, group) = (options.user.as_deref(), options.group.as_deref());
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let identity = Identity::find(user, group);
    identity.map(Some).map_err(|error| ServerError::System("process.user", error))
}
