//! Builds the figures for operators, and reads them for the alerts.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{alerts::Alarm, essential::Essential};
use crate::{
    access::Authenticator,
    alerts::{Readings, Used},
    breaker::Breakers,
    config::{Config, JournalKind},
    doors::figures::{FigureLimits, FigureParts, Figures, Sources},
    intake::Intake,
    net::Quota,
    observe::{Metrics, Window},
    pace::degradation::Degradation,
};

/// Starts the reader of the counters, and makes the figures of these parts.
pub(super) fn start(
    config: &Config,
    essential: &Essential,
    (intake, authenticator, quota): (&Arc<Intake>, &Arc<Authenticator>, &Arc<Quota>),
    (breakers, metrics): (&Breakers, &Arc<Metrics>),
    sources: Sources,
) -> (Arc<Figures>, JoinHandle<()>) {
    let window = Window::new(metrics.clone());
    let reader = essential.spawn("reader of the counters", window.clone().keep());
    let parts = FigureParts {
        window,
        metrics: metrics.clone(),
        intake: intake.clone(),
        authenticator: authenticator.clone(),
        quota: quota.clone(),
        breakers: breakers.clone(),
    };
    let figures = Figures::new(parts, limits(config), sources);
    (Arc::new(figures), reader)
}

/// The parts that figures are asked of.
pub(super) fn sources(degradation: Arc<Degradation>, alarm: Option<&Alarm>) -> Sources {
    let sources = Sources::default().with_degradation(move || degradation.taken());
    match alarm {
        Some(alarm) => sources.with_alerts(alarm.active.clone()),
        None => sources,
    }
}

/// The limits that figures are held against.
fn limits(config: &Config) -> FigureLimits {
    let journal = &config.journal;
    FigureLimits {
        connections: config.server.max_connections.into(),
        journal_bytes: match journal.kind {
            JournalKind::Memory => journal.max_bytes.get().min(journal.memory_bytes.get()),
            JournalKind::Sqlite | JournalKind::Redis => journal.max_bytes.get(),
        },
        state_bytes: config.performance.max_state_bytes.into(),
        journal_queue_bytes: config.journal.queue_bytes.into(),
    }
}

/// The figures as the alerts read them.
pub(super) fn readings(figures: &Figures) -> Readings {
    let vitals = figures.vitals();
    let used = |name, key, (used, most): (u64, u64)| Used {
        name,
        key,
        used: used as f64,
        most: most as f64,
    };
    let updates = vitals.within_budget.iter().map(|(count, _)| count).sum();
    Readings {
        latency: vitals.latency_ms.map(|(_, p95)| (updates, p95)),
        success: Some(vitals.success),
        used: vec![
            used(
                "connections",
                "[server] max_connections",
                vitals.connections,
            ),
            // Reached, the oldest events are let go of: an operator may have meant to keep them.
            used("journal_bytes", "[journal] max_bytes", vitals.journal_bytes),
            used("hub_lag", "[performance] max_lag", vitals.hub_lag),
            used(
                "journal_queue",
                "[journal] queue_bytes",
                figures.journal_queue(),
            ),
        ],
        breakers: figures.breakers(),
    }
}
