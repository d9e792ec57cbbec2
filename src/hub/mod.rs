//! The one ordered loop: reads the journal, folds the projections, plans updates, paces them and sends them to the
//! members that may see them.
//!
//! One task without locks: its parts are plain data that it owns, and none of them knows the loop. The doors talk to it by
//! commands, which it handles between two events; so a snapshot, a join and a cursor always belong to one place in the stream.
//!
//! ```text
//! journal ─▶ Stream ─┬─▶ Projections ─▶ snapshots, answers
//!            plan,   │
//!            pace    └─▶ Roster ─▶ Delivery ─▶ outlets
//!                          └─────▶ CatchUp ──▶
//! ```

mod aggregates;
mod audience;
mod behind;
#[cfg(test)]
mod burst;
mod catchup;
mod census;
mod closings;
mod command;
mod degrade;
mod delivery;
mod emissions;
mod fanout;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod forked;
mod handle;
mod load;
mod member;
mod moments;
mod notices;
mod options;
mod outlet;
#[cfg(test)]
mod panics;
mod permission_index;
#[cfg(test)]
mod placed;
mod presence;
mod projections;
mod questions;
mod reach;
mod recovery;
mod requests;
mod rewind;
mod room_groups;
mod room_limits;
pub(crate) mod roster;
mod roster_rooms;
mod shared_snapshot;
mod slowness;
mod snapshots;
mod start;
mod stream;
mod subscription;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod viewer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

pub use closings::{Closings, Listener};
pub use command::{JoinReply, Question, Resumption};
pub use degrade::DegradationOptions;
pub use emissions::{Emit, Flying, InFlight};
pub use handle::{EmitRoom, HubHandle, Membership};
pub use member::{JoinRequest, MemberId};
pub use options::HubOptions;
pub use outlet::Outlet;
pub use presence::{MembersOf, Visit};
pub use recovery::Standing;
pub use subscription::{Channels, Subscription};

use crate::{
    backlog::Backlog,
    channel::Listening,
    journal::{JournalError, Seq},
    ledger::Ledger,
    observe::Metrics,
    timestamp::Timestamp,
};
use aggregates::Aggregates;
use catchup::CatchUp;
use command::Command;
use degrade::LoadWatch;
use delivery::Delivery;
use emissions::Emissions;
use handle::WeakHandle;
pub(crate) use moments::Moment;
use projections::Projections;
use roster::Roster;
pub(crate) use shared_snapshot::{SharedSnapshot, SnapshotOf};
use snapshots::Snapshots;
use stream::Stream;

/// The pause after a failure to read the journal.
const READ_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The reason for a turn of the loop.
enum Why {
    /// A door asks for something.
    Asked(Command),
    /// A segment was made for members that are behind.
    Segment(catchup::making::Made),
    /// A snapshot was made.
    Snapshot(snapshots::Made),
    /// The journal has more, or it is time for something.
    Due,
}

/// The loop and all that it owns.
#[derive(Debug)]
pub struct Hub {
    /// The hub's part of the configuration.
    options: HubOptions,
    /// The place of the loop in the stream, and updates that wait for their time.
    stream: Stream,
    /// The state, and Seneca's dashboard.
    projections: Projections,
    /// Requests of the doors.
    commands: mpsc::Receiver<Command>,
    /// A clone goes into each membership that is given away.
    handle: WeakHandle,
    metrics: Arc<Metrics>,
    /// The doors learn from it how far behind the hub is, and with whose events.
    backlog: Arc<Backlog>,
    /// The members, their rooms and permissions.
    roster: Roster,
    /// The members that are behind, and the segments for them.
    catchup: CatchUp,
    delivery: Delivery,
    /// Emissions that are not kept.
    emissions: Emissions,
    /// The clients that wait for the answers to questions.
    closings: Arc<Closings>,
    /// The members that see an update; a buffer that every update uses again.
    audience: Vec<MemberId>,
    /// The next check for slow members; `None` while nothing was sent since the last.
    look_for_slow: Option<Instant>,
    /// The last flush: under load the next one is an interval later.
    last_flush: Instant,
    /// The time at which Seneca's aggregates are sent.
    aggregates: Aggregates,
    /// The load, by which steps of degradation are entered and left.
    load: LoadWatch,
    /// The intake's ledger, where other nodes append to the journal as well: it learns of their events here.
    learns: Option<Arc<Ledger>>,
    /// Snapshots on their way to clients.
    snapshots: Snapshots,
    /// The start of the loop, for the statistics.
    started: Timestamp,
}

impl Hub {
    /// Runs until a `Stop` command.
    pub async fn run(mut self) {
        let mut grown = self.stream.journal().watch();
        loop {
            let wait = self.wait_until();
            let why = tokio::select! {
                biased;
                command = self.commands.recv() => command.map(Why::Asked),
                changed = grown.changed() => changed.ok().map(|()| Why::Due),
                Some(segment) = self.catchup.segment() => Some(Why::Segment(segment)),
                Some(made) = self.snapshots.made() => Some(Why::Snapshot(made)),
                () = sleep_until(wait), if wait.is_some() => Some(Why::Due),
            };
            let turn = Instant::now();
            match why {
                Some(Why::Asked(command)) => {
                    if let Some(stopped) = self.handle_some(command, &grown).await {
                        self.finish();
                        stopped.send(()).ok();
                        return;
                    }
                }
                Some(Why::Segment(segment)) => self.turn(|turn| turn.take_segment(segment)),
                Some(Why::Snapshot(made)) => self.take_made(made),
                Some(Why::Due) => {}
                None => return,
            }
            let newest = *grown.borrow_and_update();
            if let Err(error) = self.follow(newest).await {
                tracing::error!(%error, "reading the journal failed; trying again");
                tokio::time::sleep(READ_RETRY_PAUSE).await;
            }
            self.do_what_is_due();
            let turn = turn.elapsed();
            self.metrics.stall.took(turn);
            self.load.took(turn);
            // The writers share these threads: let them have what was queued.
            tokio::task::yield_now().await;
        }
    }

    /// Does everything that a turn does beside its reason.
    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        self.weigh_load();
        self.stream.pacer_mut().tick(now);
        if self.stream.pacer().urgent()
            || now.duration_since(self.last_flush) >= self.flush_interval()
        {
            self.flush();
            self.last_flush = Instant::now();
        }
        self.emit_waiting();
        self.report_progress();
        self.report_load();
        self.send_aggregates(now);
        self.tell_presence(Instant::now());
        self.park_who_is_slow(now);
        self.forget_old_snapshots(now);
        self.watch_load(now);
        self.turn(|turn| turn.step(Instant::now()));
        self.wake();
    }

    /// Sends all updates that are ready or held back, because nothing comes after them.
    fn finish(&mut self) {
        self.stream.pacer_mut().release_all();
        while self.stream.pacer().ready() > 0 {
            self.flush();
        }
        self.emit_waiting();
        self.wake();
        self.backlog.end();
        self.closings.end();
    }

    /// The time at which there is something to do without a request.
    fn wait_until(&self) -> Option<Instant> {
        let pacer = self.stream.pacer();
        let flush = (pacer.ready() > 0).then(|| self.last_flush + self.flush_interval());
        let due = [
            flush,
            pacer.next_due(),
            self.aggregates.due(),
            self.look_for_slow,
            self.catchup.due(),
            self.snapshots.due(),
            self.load.due(),
            self.roster.presence.due(),
            self.emissions.due(),
            // The loop stopped reading before the journal's end, and has room again.
            self.stream.is_behind().then(Instant::now),
        ];
        due.into_iter().flatten().min()
    }

    /// Reads the journal, from an earlier place on if it went back.
    async fn follow(&mut self, newest: Seq) -> Result<(), JournalError> {
        if self.stream.is_rewound() {
            self.begin_anew().await;
        }
        self.read(newest).await
    }

    /// Reads the journal beyond the last record. The loop takes all records that it has room for: only then does a
    /// critical update never wait for more than a flush. Doors wait while the hub is far behind.
    async fn read(&mut self, newest: Seq) -> Result<(), JournalError> {
        while let Some(batch) = self.stream.next_batch(newest).await? {
            let (now, listening) = (Instant::now(), self.listening());
            for record in &batch.records {
                if let Some(ledger) = &self.learns {
                    ledger.learn(&record.event);
                }
                self.projections.observe(&record.event);
                self.closings.observe(&record.event);
                self.catchup.remember(record);
                self.aggregates.changed();
                self.stream.plan(record, listening, now);
            }
            self.stream.read_up_to(batch.to);
            self.projections.count();
            self.report_progress();
        }
        Ok(())
    }

    /// Tells the doors how far the loop is: events whose updates are unsent are not done.
    fn report_progress(&mut self) {
        let changed = self.stream.pacer_mut().take_changed();
        let (seq, ready) = (self.stream.seq(), self.stream.pacer().ready());
        self.backlog.report(seq, ready, changed);
    }

    fn listening(&self) -> Listening {
        match self.options.seneca_broadcast {
            true => Listening::ALL,
            false => self.roster.listening(),
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
