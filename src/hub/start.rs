//! The start of the loop: its parts, and the journal's end, to which it is brought before it runs.

use std::{sync::Arc, time::Instant};

use super::{
    Hub, HubHandle, HubOptions,
    aggregates::Aggregates,
    catchup::CatchUp,
    degrade::LoadWatch,
    delivery::Delivery,
    emissions::Emissions,
    projections::Projections,
    roster::Roster,
    snapshots::Snapshots,
    stream::{READ_BATCH, Stream},
};
use crate::{
    backlog::Backlog,
    journal::{Journal, JournalError, Seq},
    ledger::Ledger,
    observe::Metrics,
    projections::state::checkpoint,
    timestamp::Timestamp,
    update::Table,
};

/// The newest events that Seneca's dashboards are shown again after a start.
const DASHBOARD_REPLAY_EVENTS: u64 = 10_000;

impl Hub {
    /// A hub before the first event; [`Hub::restore`] brings it to the journal's present end.
    pub fn new(
        options: HubOptions,
        journal: Arc<dyn Journal>,
        table: Table,
        metrics: Arc<Metrics>,
    ) -> (Self, HubHandle, Arc<Backlog>) {
        let (handle, commands) = HubHandle::channel(&journal);
        let backlog = Backlog::new(options.producer_backlog);
        let hub = Self {
            stream: Stream::new(journal, table, options.level_shares),
            projections: Projections::new(&options, &metrics),
            roster: Roster::new(options.seneca_broadcast, options.sanitize),
            catchup: CatchUp::new(&options, metrics.clone()),
            delivery: Delivery::new(options.max_segment),
            emissions: Emissions::default(),
            closings: handle.closings().clone(),
            load: LoadWatch::new(&options.degradation),
            options,
            commands,
            handle: handle.downgrade(),
            metrics,
            backlog: backlog.clone(),
            audience: Vec::new(),
            look_for_slow: None,
            last_flush: Instant::now(),
            aggregates: Aggregates::new(),
            learns: None,
            snapshots: Snapshots::new(),
            started: Timestamp::now(),
        };
        (hub, handle, backlog)
    }

    /// The table by which events become updates.
    pub fn table(&self) -> &Arc<Table> {
        self.stream.table()
    }

    /// Brings the hub to the journal's present end: the state as it was, and Seneca's dashboards of the last events.
    /// Returns the ledger of projects and owners, for the intake.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn restore(&mut self) -> Result<Arc<Ledger>, JournalError> {
        self.restore_from(Seq::MAX).await
    }

    /// The same where the intake's ledger has learnt nothing after this place.
    pub(super) async fn restore_from(&mut self, learnt: Seq) -> Result<Arc<Ledger>, JournalError> {
        loop {
            let restored = self.restore_once(learnt).await;
            // All that was read is of a history that ended, or could not be read because it ended.
            if !self.stream.is_rewound() {
                return restored;
            }
        }
    }

    /// The same from the journal's history of now, which may end meanwhile.
    async fn restore_once(&mut self, learnt: Seq) -> Result<Arc<Ledger>, JournalError> {
        self.stream.begin_anew();
        self.projections.begin_anew(&self.options);
        self.catchup.begin_anew();
        self.begin_snapshots_anew();
        let journal = self.stream.journal().clone();
        let (state, ledger, seq) = checkpoint::restore(&*journal, &self.options.state).await?;
        let ledger = Arc::new(ledger);
        // The intake keeps its ledger when the hub begins anew, and learns what the hub has not read.
        let learns = self.learns.clone();
        if journal.is_shared() && learns.is_none() {
            self.learns = Some(ledger.clone());
        }
        let mut at = seq.saturating_sub(DASHBOARD_REPLAY_EVENTS).min(learnt);
        while at < seq {
            let batch = journal.read(at, READ_BATCH).await?;
            if batch.is_end(at) {
                break;
            }
            at = batch.to;
            // Other nodes append meanwhile: those events are the live stream's.
            let records = batch.records.iter();
            for record in records.take_while(|record| record.seq <= seq) {
                if let Some(ledger) = &learns {
                    ledger.learn(&record.event);
                }
                self.projections.observe_again(&record.event);
                self.catchup.remember(record);
            }
        }
        self.projections.restore(state);
        self.stream.begin_after(seq);
        self.report_progress();
        Ok(ledger)
    }
}
