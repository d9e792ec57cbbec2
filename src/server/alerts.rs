//! Builds the watcher of alerts that the configuration describes.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{error::ServeError, essential::Essential};
use crate::{
    alerts::{
        ActiveAlerts, AlertMetrics, AlertOptions, BoardLimits, LastPosts, MinuteLimits, Readings,
        Teller, Thresholds, Watcher, Webhook, WebhookOptions,
    },
    breaker::Breakers,
    config::{Alerts, Config},
    hub::HubHandle,
    journal::Journal,
    observe::Metrics,
};

/// The alerts that hold, of which there are none yet.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) active: ActiveAlerts,
    counters: AlertMetrics,
}

impl Alarm {
    /// An alarm as the settings want it; none where they want no alerts.
    pub(super) fn of(config: &Config, metrics: &Metrics) -> Option<Self> {
        let alerts = &config.alerts;
        if !alerts.enabled {
            return None;
        }
        let counters = AlertMetrics::default();
        metrics.add(|registry| counters.register(registry));
        Some(Self {
            active: ActiveAlerts::new(limits(alerts), counters.clone()),
            counters,
        })
    }
}

/// The tasks of alerts, and the end of their webhook if there is one.
pub(super) type Started = (Vec<JoinHandle<()>>, Option<LastPosts>);

/// Starts the tasks of alerts.
pub(super) fn start(
    config: &Config,
    essential: &Essential,
    Alarm { active, counters }: Alarm,
    (hub, journal): (HubHandle, Arc<dyn Journal>),
    breakers: &Breakers,
    read: impl Fn() -> Readings + Send + 'static,
) -> Result<Started, ServeError> {
    let alerts = &config.alerts;
    let mut tasks = Vec::new();
    let mut webhook = None;
    if !alerts.webhook_url.is_empty() {
        let breaker = breakers.part("webhook");
        let options = webhook_options(config);
        let (posts, poster) =
            Webhook::new(options, breaker, counters.clone()).map_err(ServeError::Webhook)?;
        // It posts what waits when the other tasks are ended, and then has a time of its own.
        essential.spawn("poster of alerts", poster);
        webhook = Some(posts);
    }
    let last_posts = webhook.as_ref().map(Webhook::last_posts);
    let teller = Teller::new(hub, webhook, counters);
    let watcher = Watcher::new(options(alerts), journal, teller, active);
    if alerts.runs {
        tasks.push(essential.spawn("watch over runs", watcher.clone().watch_runs()));
    }
    tasks.push(essential.spawn("watch over figures", watcher.watch_figures(read)));
    Ok((tasks, last_posts))
}

fn options(alerts: &Alerts) -> AlertOptions {
    AlertOptions {
        thresholds: Thresholds {
            latency_ms: alerts.latency_ms.get().as_secs_f64() * 1_000.0,
            success_rate: alerts.success_rate,
            limit_share: alerts.limit_share,
        },
        mute: alerts.mute.clone(),
    }
}

fn limits(alerts: &Alerts) -> BoardLimits {
    BoardLimits {
        repeat_after: alerts.repeat_after.get(),
        resolve_after: alerts.resolve_after.get(),
        max_runs: alerts.max_runs.into(),
        minute: MinuteLimits {
            of_project: alerts.max_per_minute.into(),
            of_producer: alerts.max_per_producer.into(),
        },
    }
}

fn webhook_options(config: &Config) -> WebhookOptions {
    let alerts = &config.alerts;
    WebhookOptions {
        url: alerts.webhook_url.to_string(),
        secret: alerts.webhook_secret.as_bytes().to_vec(),
        timeout: alerts.webhook_timeout.get(),
        retries: alerts.webhook_retries.into(),
        backoff: alerts.webhook_backoff.get(),
        queue: alerts.webhook_queue.into(),
        stop_timeout: alerts.webhook_stop_timeout.get(),
        node: config.cluster.node_id.clone(),
    }
}
