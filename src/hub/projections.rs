//! The projections as the loop keeps them: the state, Seneca's dashboard, and the moments of the state that clients are being
//! given.

use std::sync::{Arc, Weak};

use super::{
    HubOptions,
    moments::{MOMENT_LIFETIME, Moment},
    stream::Stream,
};
use crate::{
    config::Recipients,
    event::Event,
    observe::Metrics,
    projections::{
        seneca::{Dashboard, DashboardMetrics},
        state::{State, StateMetrics},
    },
};

/// The most moments: each counts as no less than its share of the bound.
const MAX_MOMENTS: usize = 64;

/// The state and the dashboard. Both include the last event that the loop read.
#[derive(Debug)]
pub(super) struct Projections {
    /// The loop owns it, so that a snapshot fits the place that it names.
    state: State,
    dashboard: Dashboard,
    state_metrics: StateMetrics,
    dashboard_metrics: DashboardMetrics,
    /// The moments that last as long as a client is being given them, oldest first.
    moments: Vec<Weak<Moment>>,
    /// Bytes that the moments may hold together.
    max_moments: usize,
}

/// A dashboard without events.
fn dashboard(options: &HubOptions) -> Dashboard {
    Dashboard::within(options.max_dashboard).sanitizing(options.sanitize != Recipients::Nobody)
}

impl Projections {
    /// Projections without events; their counters are among `metrics`.
    pub(super) fn new(options: &HubOptions, metrics: &Metrics) -> Self {
        let (state_metrics, dashboard_metrics) =
            (StateMetrics::default(), DashboardMetrics::default());
        metrics.add(|registry| {
            state_metrics.register(registry);
            dashboard_metrics.register(registry);
        });
        Self {
            state: State::new(options.state.clone()),
            dashboard: dashboard(options),
            state_metrics,
            dashboard_metrics,
            moments: Vec::new(),
            max_moments: options.state.max_bytes,
        }
    }

    /// Folds the next event.
    pub(super) fn observe(&mut self, event: &Arc<Event>) {
        self.state.apply(event);
        self.dashboard.observe(event);
    }

    /// Shows Seneca's pages an event again that a restored state holds already.
    pub(super) fn observe_again(&mut self, event: &Arc<Event>) {
        self.dashboard.observe(event);
    }

    /// Forgets everything, because the journal went back; [`Self::restore`] comes next.
    pub(super) fn begin_anew(&mut self, options: &HubOptions) {
        self.state = State::new(options.state.clone());
        self.dashboard = dashboard(options);
        self.moments.clear();
    }

    /// Replaces the state by one that was kept over a restart.
    pub(super) fn restore(&mut self, state: State) {
        self.state = state;
        self.count();
    }

    /// Brings the gauges up to date.
    pub(super) fn count(&self) {
        self.state_metrics.look(&self.state);
        self.dashboard_metrics.look(&self.dashboard);
    }

    /// The state now.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn dashboard(&self) -> &Dashboard {
        &self.dashboard
    }

    /// The dashboard, to take what changed.
    pub(super) fn dashboard_mut(&mut self) -> &mut Dashboard {
        &mut self.dashboard
    }

    /// The state now, at this place of the stream. The moment lasts if there is room for it in the bound.
    pub(super) fn present(&mut self, stream: &mut Stream) -> Arc<Moment> {
        self.moments.retain(|moment| moment.strong_count() > 0);
        let newest = self.moments.last().and_then(Weak::upgrade);
        if let Some(newest) = newest.filter(|newest| newest.seq == stream.seq()) {
            return newest;
        }
        let counts = self.state.bytes().max(self.max_moments / MAX_MOMENTS);
        let lasting = self.moments.iter().filter_map(Weak::upgrade);
        let held: usize = lasting.filter_map(|moment| moment.counts()).sum();
        let has_room = held == 0 || held + counts <= self.max_moments;
        let moment = Moment::new(
            self.state.picture(),
            stream.seq(),
            stream.everything_read(),
            has_room.then_some(counts),
        );
        let moment = Arc::new(moment);
        if has_room {
            self.moments.push(Arc::downgrade(&moment));
        } else {
            self.state_metrics.moment_refused();
        }
        moment
    }

    /// The moment for a client that is sent the updates after it: one that lasts, of the last second or the newest that
    /// there is room for.
    pub(super) fn moment(&mut self, stream: &mut Stream) -> Arc<Moment> {
        let newest = || self.moments.iter().rev().find_map(Weak::upgrade);
        if let Some(newest) = newest().filter(|newest| newest.made.elapsed() < MOMENT_LIFETIME) {
            return newest;
        }
        let present = self.present(stream);
        match present.lasts() {
            true => present,
            false => self
                .moments
                .iter()
                .rev()
                .find_map(Weak::upgrade)
                .unwrap_or(present),
        }
    }
}
