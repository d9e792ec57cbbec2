//! A client's way back to its session, and the session of a client that comes.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use crate::recovery::{Pid, Session, Sessions};

/// A client's way back to its session.
#[derive(Debug)]
pub(super) struct WayBack {
    pid: Mutex<Pid>,
    /// A hash of what the client asked for.
    pub(super) asked: u64,
    /// A hash of what the application's service answered when the client connected, if that was asked.
    pub(super) word: OnceLock<u64>,
    /// Whether its session outlives the process: only with the places that it is told it can be recovered then.
    pub(super) is_kept: bool,
    /// The session that it came back to, until it is introduced.
    pub(super) former: Mutex<Option<Arc<Session>>>,
    /// Whether its session is left, so that it is not noted as a live one again.
    pub(super) is_left: Mutex<bool>,
    /// Whether it has departed.
    pub(super) departed: OnceCell<()>,
    sessions: Arc<Sessions>,
}

/// The session of a client that comes.
#[derive(Debug, Default)]
pub(super) struct Coming {
    pub(super) way_back: Option<Box<WayBack>>,
    /// The session that it is given back, and the cursor from which it goes on.
    pub(super) recovered: Option<(Arc<Session>, String)>,
    /// The reason why it is given back none, although it asked for it.
    pub(super) refused: Option<&'static str>,
}

impl WayBack {
    pub(super) fn new(
        pid: Pid,
        asked: u64,
        is_kept: bool,
        former: Option<Arc<Session>>,
        sessions: &Arc<Sessions>,
    ) -> Box<Self> {
        Box::new(Self {
            sessions: sessions.clone(),
            pid: Mutex::new(pid),
            asked,
            word: OnceLock::new(),
            is_kept,
            former: Mutex::new(former),
            is_left: Mutex::default(),
            departed: OnceCell::new(),
        })
    }

    /// The session's secret.
    pub(super) fn pid(&self) -> Pid {
        *locked(&self.pid)
    }

    /// Begins a session with another secret, in place of the one that the client came back to. Without random bytes the
    /// secret stays, and nothing is behind it.
    pub(super) fn begin_anew(&self) {
        locked(&self.former).take();
        if let Some(pid) = Pid::mint() {
            *locked(&self.pid) = pid;
        }
    }
}

/// A client that was not let in after all leaves the session where it was.
impl Drop for WayBack {
    fn drop(&mut self) {
        let is_left = *locked(&self.is_left);
        if let Some(former) = locked(&self.former).take().filter(|_| !is_left) {
            self.sessions.put(self.pid(), Session::clone(&former));
        }
    }
}

impl Coming {
    /// The public id of the client that it was.
    pub(super) fn id(&self) -> Option<Arc<str>> {
        Some(self.session()?.client.clone())
    }

    /// The session that it is given back.
    pub(super) fn session(&self) -> Option<&Session> {
        let (session, _) = self.recovered.as_ref()?;
        Some(session)
    }
}

/// Locks something for a moment.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
