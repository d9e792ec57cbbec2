//! The one ordered loop: reads the journal, folds the state, plans updates, paces them and fans them out.
//!
//! One task without locks: the state, the windows, the rooms and who is in them are plain data that it owns. The
//! doors talk to it by commands, which it handles between two events; so a snapshot, a join and a cursor always
//! belong to one place in the stream.
//!
//! ```text
//! journal ─▶ read ─▶ state, seneca dashboard
//!                └─▶ plan ─▶ pacer ─▶ flush ─▶ roster ─▶ outlets
//! ```

mod aggregates;
mod audience;
mod batches;
mod behind;
#[cfg(test)]
mod burst;
mod catchup;
mod census;
mod coalesce;
mod command;
mod credit;
mod eye;
mod fanout;
#[cfg(test)]
mod forged;
mod handle;
mod making;
mod meeting;
mod member;
mod moments;
mod options;
mod outlet;
#[cfg(test)]
mod panics;
mod permission_index;
mod questions;
mod replay;
mod requests;
pub(crate) mod roster;
mod shared_snapshot;
mod slowness;
mod snapshots;
#[cfg(test)]
mod tests;
mod view;

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};

pub use command::{JoinReply, Question, Resumption};
pub use handle::{HubHandle, Membership};
pub use member::{JoinRequest, MemberId};
pub use options::HubOptions;
pub use outlet::Outlet;
pub use view::View;

use crate::{
    backlog::Backlog,
    channel::Listening,
    config::Recipients,
    delivery::{Pending, position::Position},
    journal::{Journal, JournalError, Record, Seq},
    ledger::Ledger,
    observe::Metrics,
    pace::{Pacer, group},
    projections::{
        seneca::{Dashboard, DashboardMetrics},
        state::{State, StateMetrics, checkpoint},
    },
    timestamp::Timestamp,
    update::{Table, entities, rooms_hash},
};
use aggregates::AGGREGATES;
use catchup::CatchUp;
use command::Command;
use fanout::Flush;
use handle::WeakHandle;
pub(crate) use moments::Moment;
use roster::Roster;
pub(crate) use shared_snapshot::{SharedSnapshot, SnapshotOf};
use snapshots::Snapshots;

/// How many records are read at a time.
const READ: usize = 1_024;
/// Commands handled between two flushes, so that neither starves the other.
const COMMANDS: usize = 256;
/// The same in time: some commands are work.
const COMMANDS_TIME: Duration = Duration::from_millis(2);
/// How long after a failure the journal is read again.
const READ_AGAIN: Duration = Duration::from_millis(100);
/// How many of the last events Seneca's pages are shown again after a start.
const DESK: u64 = 10_000;
/// Bytes of memory that the updates may hold that wait to be sent: beyond that the journal keeps what comes.
const PACED_BYTES: usize = 16 << 20;

/// The reason for a turn of the loop.
enum Why {
    /// A door asks for something.
    Asked(Command),
    /// A segment was made for those who are behind.
    Segment(making::Made),
    /// A snapshot was made.
    Snapshot(snapshots::Made),
    /// The journal has more, or it is time for something.
    Due,
}

/// The loop and all that it owns.
#[derive(Debug)]
pub struct Hub {
    /// What the settings say.
    options: HubOptions,
    /// The one source of events.
    journal: Arc<dyn Journal>,
    /// Shared with the task that makes segments.
    table: Arc<Table>,
    /// What the doors ask.
    commands: mpsc::Receiver<Command>,
    /// For the memberships that it gives away.
    handle: WeakHandle,
    /// What it does is counted.
    metrics: Arc<Metrics>,
    /// The state's counters.
    state_metrics: StateMetrics,
    /// The dashboard's counters.
    dashboard_metrics: DashboardMetrics,
    /// Doors know by it how far behind the hub is, and of whom.
    backlog: Arc<Backlog>,
    /// The last record read.
    seq: Seq,
    /// For snapshots; owned here, so that one fits the place that it names.
    state: State,
    /// What Seneca's pages are told of the whole.
    dashboard: Dashboard,
    /// Who is here, and what each sees.
    roster: Roster,
    /// What was read and waits for its time.
    pacer: Pacer,
    /// What was read but not yet sent.
    pending: Pending,
    /// The cursor that the next update carries.
    position: Position,
    /// Who is behind, and what it is given.
    catchup: CatchUp,
    /// Buffers, used again by every flush.
    flush: Flush,
    /// When it is looked next for whom something waits too long; `None` while nothing was sent since.
    look_for_slow: Option<Instant>,
    /// Under load the next one is an interval later.
    last_flush: Instant,
    /// The next ones are a second later.
    last_aggregates: Instant,
    /// Something happened since the aggregates were last looked at.
    dashboard_changed: bool,
    /// The state on its way to clients.
    snapshots: Snapshots,
    /// The moments of it that last as long as somebody is being given them, oldest first.
    moments: Vec<Weak<Moment>>,
    /// For the statistics.
    started: Timestamp,
}

impl Hub {
    /// A hub before the first event; [`Hub::restore`] brings it to the journal's present end.
    pub fn new(
        options: HubOptions,
        journal: Arc<dyn Journal>,
        table: Table,
        metrics: Arc<Metrics>,
    ) -> (Self, HubHandle, Arc<Backlog>) {
        let (handle, commands) = HubHandle::channel();
        let backlog = Backlog::new(options.producer_backlog);
        let pacer = Pacer::new(options.level_shares);
        let now = Instant::now();
        let catchup = CatchUp::new(options.max_recent);
        let state_metrics = StateMetrics::default();
        let dashboard_metrics = DashboardMetrics::default();
        metrics.add(|registry| {
            state_metrics.register(registry);
            dashboard_metrics.register(registry);
        });
        let hub = Self {
            roster: Roster::new(options.seneca_broadcast, options.sanitize),
            state: State::new(options.state.clone()),
            position: Position::new(&*journal, 0),
            dashboard: Dashboard::within(options.max_dashboard)
                .sanitizing(options.sanitize != Recipients::Nobody),
            options,
            journal,
            table: Arc::new(table),
            catchup,
            commands,
            handle: handle.downgrade(),
            metrics,
            state_metrics,
            dashboard_metrics,
            backlog: backlog.clone(),
            seq: 0,
            pacer,
            pending: Pending::default(),
            flush: Flush::default(),
            look_for_slow: None,
            last_flush: now,
            last_aggregates: now,
            dashboard_changed: false,
            snapshots: Snapshots::new(),
            moments: Vec::new(),
            started: Timestamp::now(),
        };
        (hub, handle, backlog)
    }

    /// Brings the hub to the journal's present end: the state as it was, and what Seneca's pages show of the last events.
    /// Returns what is known there of whose things are, for the intake.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn restore(&mut self) -> Result<Arc<Ledger>, JournalError> {
        let (state, ledger, seq) = checkpoint::restore(&*self.journal, &self.options.state).await?;
        let mut at = seq.saturating_sub(DESK);
        while at < seq {
            let batch = self.journal.read(at, READ).await?;
            if batch.is_end(at) {
                break;
            }
            at = batch.to;
            for record in &batch.records {
                self.dashboard.observe(&record.event);
                self.catchup.remember(record);
            }
        }
        self.state = state;
        self.state_metrics.look(&self.state);
        self.dashboard_metrics.look(&self.dashboard);
        self.seq = seq;
        self.position = Position::new(&*self.journal, seq);
        self.journal.release(seq);
        self.tell_progress();
        Ok(Arc::new(ledger))
    }

    /// Runs until a `Stop` command.
    pub async fn run(mut self) {
        let mut grown = self.journal.watch();
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
                Some(Why::Segment(segment)) => self.take_segment(segment),
                Some(Why::Snapshot(made)) => self.take_made(made),
                Some(Why::Due) => {}
                None => return,
            }
            let newest = *grown.borrow_and_update();
            if let Err(error) = self.read(newest).await {
                tracing::error!(%error, "reading the journal failed; trying again");
                tokio::time::sleep(READ_AGAIN).await;
            }
            let now = Instant::now();
            self.pacer.tick(now);
            if self.pacer.urgent()
                || now.duration_since(self.last_flush) >= self.options.flush_interval
            {
                self.flush();
                self.last_flush = Instant::now();
            }
            self.tell_progress();
            self.send_aggregates(now);
            self.park_who_is_slow(now);
            self.forget_old_snapshots(now);
            self.catch_up();
            self.wake();
            self.metrics.stall.took(turn.elapsed());
            // The writers share these threads: let them have what was queued.
            tokio::task::yield_now().await;
        }
    }

    /// Sends all that is ready or held back: nothing comes after it.
    fn finish(&mut self) {
        self.pacer.release_all();
        while self.pacer.ready() > 0 {
            self.flush();
        }
        self.wake();
        self.backlog.end();
    }

    /// When there is something to do without anybody asking.
    fn wait_until(&self) -> Option<Instant> {
        let flush = (self.pacer.ready() > 0).then(|| self.last_flush + self.options.flush_interval);
        let aggregates = self
            .dashboard_changed
            .then(|| self.last_aggregates + AGGREGATES);
        // It stopped reading before the end, and has room again.
        let unread = self.seq < self.journal.bounds().last && self.may_take_more();
        let due = [
            self.pacer.next_due(),
            self.catchup.due(),
            unread.then(Instant::now),
            self.snapshots.due(),
        ];
        let others = [flush, aggregates, self.look_for_slow];
        others.into_iter().chain(due).flatten().min()
    }

    /// Handles a command and what else waits; who asked for it, when it is time to stop. What was acknowledged before a
    /// command came is read before it is handled: whoever publishes and then looks sees it.
    async fn handle_some(
        &mut self,
        mut command: Command,
        grown: &watch::Receiver<Seq>,
    ) -> Option<oneshot::Sender<()>> {
        // By the clock of the runtime, which stands still where a test says so.
        let began = tokio::time::Instant::now();
        let mut handled = 0;
        loop {
            let newest = *grown.borrow();
            // What can't be read now is told, and tried again, by the loop: commands don't wait for it.
            self.read(newest).await.ok();
            if let Command::Stop(reply) = command {
                return Some(reply);
            }
            self.handle(command);
            self.metrics.filter_bytes(self.roster.filter_bytes());
            handled += 1;
            // A command that is taken is handled: none is taken for which there is no time.
            if handled == COMMANDS || began.elapsed() > COMMANDS_TIME {
                break;
            }
            match self.commands.try_recv() {
                Ok(next) => command = next,
                Err(_) => break,
            }
        }
        None
    }

    /// Reads what the journal has beyond the last record. All that is there is taken in, as far as it can be held: only then
    /// is a critical update never behind more than a flush. Doors wait while the hub is far behind.
    async fn read(&mut self, newest: Seq) -> Result<(), JournalError> {
        while self.seq < newest && self.may_take_more() {
            let batch = self.journal.read(self.seq, READ).await?;
            if batch.is_end(self.seq) {
                break;
            }
            let now = Instant::now();
            for record in batch.records {
                self.take(&record, now);
            }
            // Damaged records are passed over.
            self.seq = self.seq.max(batch.to);
            self.journal.release(self.seq);
            self.state_metrics.look(&self.state);
            self.dashboard_metrics.look(&self.dashboard);
            self.tell_progress();
        }
        Ok(())
    }

    /// Whether what waits to be sent leaves room for more.
    fn may_take_more(&self) -> bool {
        self.pacer.bytes() < PACED_BYTES
    }

    /// Tells the doors how far it is: what waits to be sent is not done.
    fn tell_progress(&mut self) {
        let changed = self.pacer.take_changed();
        self.backlog.tell(self.seq, self.pacer.ready(), changed);
    }

    /// One event: into the state, and its updates into the pacer.
    fn take(&mut self, record: &Arc<Record>, now: Instant) {
        self.seq = record.seq;
        self.state.apply(&record.event);
        self.dashboard.observe(&record.event);
        self.catchup.remember(record);
        self.dashboard_changed = true;
        let planned = self.table.plan(&record.event, self.listening());
        let unsent = planned.iter().fold(0, |unsent, update| unsent | update.bit);
        self.pending.push(record.seq, unsent);
        let (entities, rooms) = (entities(&record.event), rooms_hash(&record.event));
        for group in group(record, planned, &entities, rooms) {
            self.pacer.accept(group, now);
        }
    }

    fn listening(&self) -> Listening {
        if self.options.seneca_broadcast {
            Listening::ALL
        } else {
            self.roster.listening()
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
