//! A client of a script: reads its queue, keeps the cursors that it is given, and checks all of it against its account.

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Context, time::Duration};

use futures_util::task::noop_waker;
use serde_json::Value;

use super::{events::Claims, reference::Account, truth::Truth, wants::Look};
use crate::{
    doors::{
        queue::{ObserverQueue, QueueOutlet},
        sse::UPDATES,
    },
    hub::{MemberId, Membership, Outlet},
    observe::Sockets,
};

/// Nothing takes so long unless it is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The place where a client stands by what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not greeted yet.
    Greeted,
    /// Being given the updates that it missed.
    Behind,
    /// Promised a snapshot.
    Promised,
    Live,
    /// Given a snapshot in parts, and then the updates after it: nobody says when it has all of them.
    Quiet,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) lane: Arc<ObserverQueue>,
    pub(super) membership: Membership,
    pub(super) mode: Mode,
    pub(super) from: Option<String>,
    /// Whether it resumed a place that the journal need not know.
    pub(super) foreign: bool,
    /// Updates since it came back; none for a client that came back while others were in flight.
    pub(super) replayed: Option<u64>,
    /// The next part of a snapshot, and the number of parts.
    pub(super) part: Option<(u64, u64)>,
    pub(super) tasks: Vec<Value>,
    /// The number of its requests for the state, the number of states that it was told, and whether it waits for one.
    pub(super) asked: (u32, u32, bool),
    /// For each of these requests that it was not told of, the updates that were sent when it asked.
    pub(super) asks: VecDeque<usize>,
    /// The same for the state that it was told of and has not got.
    pub(super) told: Option<usize>,
    /// The number of updates that were sent when it came, and when it had last read everything.
    pub(super) began: usize,
    pub(super) had_all: usize,
    /// The updates that were sent when it last wanted something else while it was live: none of them is taken back.
    pub(super) settled: usize,
    /// The spells that begin where it is told so.
    pub(super) changes: VecDeque<usize>,
}

/// A cursor that a client keeps, with its account as if it had left there.
type Bookmark = (String, Account);

#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) claims: Claims,
    pub(super) account: Account,
    pub(super) connection: Option<Connection>,
    pub(super) cursor: Option<String>,
    kept: Option<Bookmark>,
    /// All messages that it got, for the reader of a failure.
    pub(super) log: Vec<String>,
}

/// The ways in which a client comes.
#[derive(Debug)]
pub(super) enum Coming {
    With(String),
    Anew {
        state: bool,
        foreign: Option<String>,
    },
}

impl Client {
    pub(super) fn new(name: String, claims: Claims, look: Look) -> Self {
        Self {
            name,
            claims,
            account: Account::new(claims, look),
            connection: None,
            cursor: None,
            kept: None,
            log: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }

    pub(super) fn member(&self) -> Option<MemberId> {
        self.connection.as_ref().map(|c| c.membership.id())
    }

    pub(super) fn is_live(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|c| c.mode == Mode::Live && !c.asked.2)
    }

    fn is_quiet(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|c| c.mode == Mode::Quiet && !c.asked.2)
    }

    /// Whether it is up to date, as far as can be known.
    pub(super) fn is_done(&self, truth: &Truth) -> bool {
        self.is_live() || (self.is_quiet() && self.account.missing(truth).is_empty())
    }

    /// Notes that it wants something else from between these numbers of updates on; `told` says whether it is told where.
    pub(super) fn looks_otherwise(&mut self, when: (usize, usize), look: Look, told: bool) {
        let spell = self.account.look_otherwise(when, look);
        let is_live = self.is_live();
        if let Some(connection) = &mut self.connection {
            if told {
                connection.changes.push_back(spell);
            }
            if is_live && !connection.lane.holds("parked") {
                connection.settled = when.0;
            }
        }
    }

    pub(super) fn lane(max_bytes: usize) -> (Arc<ObserverQueue>, Arc<dyn Outlet>) {
        let lane = ObserverQueue::new(&UPDATES, max_bytes, Sockets::default());
        (lane.clone(), Arc::new(QueueOutlet(lane)))
    }

    /// The cursor that it comes back with: the last one, or the one that it kept.
    pub(super) fn coming(&mut self, kept: bool) -> Option<Coming> {
        if kept {
            let (cursor, account) = self.kept.clone()?;
            let look = self.account.look().clone();
            self.account = account;
            self.account.look_otherwise((0, 0), look);
            self.cursor = Some(cursor);
        }
        self.cursor.clone().map(Coming::With)
    }

    /// Notes that it came, when this many updates were sent.
    pub(super) fn came(
        &mut self,
        truth: &Truth,
        coming: Coming,
        lane: Arc<ObserverQueue>,
        membership: Membership,
        when: (usize, usize),
    ) {
        let (from, foreign) = match coming {
            Coming::With(cursor) => {
                self.account.come_back();
                (Some(cursor), false)
            }
            Coming::Anew { state, foreign } => {
                let given_state = state || foreign.is_some();
                self.account.come_anew(truth, when, given_state);
                self.cursor = None;
                (foreign.clone(), foreign.is_some())
            }
        };
        self.note(format!("-- comes with {from:?}, after {} updates", when.0));
        self.connection = Some(Connection {
            lane,
            membership,
            mode: Mode::Greeted,
            replayed: from.is_some().then_some(0),
            from,
            foreign,
            part: None,
            tasks: Vec::new(),
            asked: (0, 0, false),
            asks: VecDeque::new(),
            told: None,
            began: when.0,
            had_all: when.0,
            settled: 0,
            changes: VecDeque::new(),
        });
    }

    /// Leaves without a word; the messages that wait for it are lost.
    pub(super) fn leave(&mut self, truth: &Truth) -> Result<(), String> {
        if self.connection.take().is_some() {
            self.note("-- leaves");
            self.account.leave(truth)?;
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, truth: &Truth) -> Result<(), String> {
        if let Some(cursor) = self.cursor.clone() {
            let mut account = self.account.clone();
            account.leave(truth)?;
            self.note("-- keeps its cursor");
            self.kept = Some((cursor, account));
        }
        Ok(())
    }

    /// Resumes its last cursor, if it is live.
    pub(super) fn go_back(&mut self, truth: &Truth) -> Result<Option<String>, String> {
        let (Some(cursor), true) = (self.cursor.clone(), self.is_live()) else {
            return Ok(None);
        };
        self.account.go_back(truth)?;
        self.note(format!("-- goes back to {cursor}"));
        if let Some(connection) = &mut self.connection {
            connection.mode = Mode::Behind;
            connection.from = Some(cursor.clone());
            connection.replayed = None;
            connection.began = truth.count;
        }
        Ok(Some(cursor))
    }

    pub(super) fn asks_for_state(&mut self, truth: &Truth) {
        self.note("-- asks for the state");
        self.account.falls_behind(0);
        if let Some(connection) = &mut self.connection {
            connection.asked.0 += 1;
            connection.asked.2 = true;
            connection.asks.push_back(truth.count);
        }
    }

    /// The next message in its queue.
    pub(super) fn next(&self) -> Option<String> {
        let waker = noop_waker();
        let lane = &self.connection.as_ref()?.lane;
        match lane.poll_next(&Context::from_waker(&waker)) {
            std::task::Poll::Ready(received) => {
                received.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
            std::task::Poll::Pending => None,
        }
    }

    /// Waits for the next message.
    pub(super) async fn wait(&self, truth: &Truth) -> Result<String, String> {
        let lane = &self
            .connection
            .as_ref()
            .ok_or("nobody is there who waits")?
            .lane;
        let next = tokio::time::timeout(PATIENCE, poll_fn(|cx| lane.poll_next(cx)));
        match next.await {
            Ok(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(None) => Err(format!("{}: the stream ended", self.name)),
            Err(_) => Err(format!(
                "{} waits in vain; it is {:?} and misses {:?}",
                self.name,
                self.connection.as_ref().map(|c| c.mode),
                self.account.missing(truth)
            )),
        }
    }

    /// Notes that it has read its whole queue: nothing may be missing then.
    pub(super) fn has_all(&mut self, truth: &Truth) -> Result<(), String> {
        if !self.is_live() {
            return Ok(());
        }
        if let Some(connection) = &mut self.connection {
            connection.had_all = truth.count;
        }
        match self.account.missing(truth) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(format!("{}: {missing:?} did not come", self.name)),
        }
    }
}
