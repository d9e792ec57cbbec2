//! Sessions of clients that were on another node.

use super::{Pid, Sessions};
use crate::journal::Journal;

/// Takes in a session as the journal has it, if other nodes keep theirs there, too: the client may have been on one of them since.
/// While the journal can't be asked, what this node knows itself counts.
pub async fn fetch(journal: &dyn Journal, sessions: &Sessions, pid: Pid) {
    if !journal.is_shared() {
        return;
    }
    // The changes of this node are there first.
    sessions.kept().await;
    let name = pid.name();
    match journal.take_session(name.clone()).await {
        Ok(Some(text)) => sessions.fill(vec![(name, text)]),
        Ok(None) => sessions.taken_elsewhere(pid),
        Err(error) => tracing::debug!(%error, "a session can't be looked for"),
    }
}
