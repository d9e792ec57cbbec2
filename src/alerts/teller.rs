//! Tells an alert to all who must know: the log, operators, the webhook.

use std::sync::Arc;

use super::{
    alert::{Notice, Status},
    metrics::AlertMetrics,
    webhook::Webhook,
};
use crate::hub::HubHandle;

/// The ways out for alerts.
#[derive(Debug)]
pub struct Teller {
    hub: HubHandle,
    /// None where no address is configured.
    webhook: Option<Webhook>,
    metrics: AlertMetrics,
}

impl Teller {
    /// The ways out.
    pub fn new(hub: HubHandle, webhook: Option<Webhook>, metrics: AlertMetrics) -> Self {
        Self {
            hub,
            webhook,
            metrics,
        }
    }

    /// Tells a notice; `posts`: also by the webhook. Waits only for the hub's queue of commands.
    pub(super) async fn tell(&self, notice: Notice, posts: bool) {
        self.metrics.told(notice.alert.code, notice.status.as_str());
        log(&notice);
        let audiences = [&notice.alert.audience, &notice.audience];
        let audiences: Vec<_> = audiences.into_iter().flatten().map(Arc::clone).collect();
        self.hub
            .notify_operators("health_update", notice.health_update(), audiences)
            .await;
        if let Some(webhook) = self.webhook.as_ref().filter(|_| posts) {
            webhook.post(&notice.fields(), notice.producer.as_ref());
        }
    }
}

/// Writes the line of a notice.
fn log(notice: &Notice) {
    let alert = &notice.alert;
    let audience = alert.audience.as_ref();
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                target: "stoa::alerts",
                alert = alert.code,
                id = &*notice.id,
                kind = alert.subject.kind,
                subject = &*alert.subject.id,
                project = audience.and_then(|audience| audience.project()),
                value = alert.value,
                limit = alert.limit,
                repeated = notice.repeated,
                fact = alert.message,
                action = alert.action,
                $text
            )
        };
    }
    match notice.status {
        Status::Firing => line!(warn, "an alert"),
        Status::Resolved => line!(info, "an alert is over"),
    }
}
