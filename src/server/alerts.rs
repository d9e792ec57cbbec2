//! Builds the watcher of alerts that the configuration describes.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{error::ServeError, essential::Essential};
use crate::{
    alerts::{
        AlertMetrics, AlertOptions, BoardLimits, Readings, Teller, Thresholds, Watcher, Webhook,
        WebhookOptions,
    },
    breaker::Breakers,
    config::{Alerts, Config},
    hub::HubHandle,
    journal::Journal,
    observe::Metrics,
};

/// Starts the tasks of alerts; none where the settings want no alerts.
pub(super) fn start(
    config: &Config,
    essential: &Essential,
    (hub, journal): (HubHandle, Arc<dyn Journal>),
    (breakers, metrics): (&Breakers, &Metrics),
    read: impl Fn() -> Readings + Send + 'static,
) -> Result<Vec<JoinHandle<()>>, ServeError> {
    let alerts = &config.alerts;
    if !alerts.enabled {
        return Ok(Vec::new());
    }
    let counters = AlertMetrics::default();
    metrics.add(|registry| counters.register(registry));
    let mut tasks = Vec::new();
    let mut webhook = None;
    if !alerts.webhook_url.is_empty() {
        let breaker = breakers.part("webhook");
        let options = webhook_options(config);
        let (posts, poster) =
            Webhook::new(options, breaker, counters.clone()).map_err(ServeError::Webhook)?;
        tasks.push(essential.spawn("poster of alerts", poster));
        webhook = Some(posts);
    }
    let teller = Teller::new(hub, webhook, counters.clone());
    let watcher = Watcher::new(options(alerts), journal, teller, counters);
    if alerts.runs {
        tasks.push(essential.spawn("watch over runs", watcher.clone().watch_runs()));
    }
    tasks.push(essential.spawn("watch over figures", watcher.watch_figures(read)));
    Ok(tasks)
}

fn options(alerts: &Alerts) -> AlertOptions {
    AlertOptions {
        thresholds: Thresholds {
            latency_ms: alerts.latency_ms.get().as_secs_f64() * 1_000.0,
            success_rate: alerts.success_rate,
            limit_share: alerts.limit_share,
        },
        board: BoardLimits {
            repeat_after: alerts.repeat_after.get(),
            resolve_after: alerts.resolve_after.get(),
            max_runs: alerts.max_runs.into(),
            max_per_minute: alerts.max_per_minute.into(),
        },
        mute: alerts.mute.clone(),
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
        node: config.cluster.node_id.clone(),
    }
}
