//! The body of `GET /api/v1/performance`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{Figures, object};
use crate::{
    event::{Object, Priority},
    observe::{ConnectionKind, Distribution, LONG_WINDOW, RATE_WINDOW},
    pace::BUDGETS,
    timestamp::Timestamp,
};

/// The transports and doors whose connections are always told, also while there are none.
const TRANSPORTS: [&str; 3] = ["websocket", "polling", "sse"];
const DOORS: [&str; 6] = [
    "socketio",
    "sse",
    "guide",
    "streams",
    "visualization",
    "pipeline",
];
const ROLES: [&str; 4] = ["observer", "producer", "operator", "admin"];

impl Figures {
    /// The performance of this moment.
    pub fn performance(&self) -> Object {
        // The queues are looked at before the counters: where nothing waits, all that was published before is counted.
        let queues = self.queues();
        let now = self.parts.window.now();
        let short = self.parts.window.before(&now, RATE_WINDOW);
        let long = self.parts.window.before(&now, LONG_WINDOW);
        let short = short.as_deref().unwrap_or(&now);
        let totals = now.totals;
        let latency = now.latency_since(long.as_deref());
        let all = latency
            .iter()
            .fold(Distribution::default(), Distribution::with);
        let connect = now.connect_since(long.as_deref());
        let (_, success_rate) = now.success_since(long.as_deref());
        let (received, sent) = (
            now.rate_since(short, |totals| totals.received),
            now.rate_since(short, |totals| totals.sent),
        );
        let live = self.parts.metrics.live.live();
        let by_transport = counts(&live, &TRANSPORTS, |kind| kind.transport);
        let percent = now.busy_since(short) * 100.0;
        let resident = now.process.resident_bytes;
        object(json!({
            "updates_per_second": now.rate_since(short, |totals| totals.updates),
            "events_per_second": now.rate_since(short, |totals| totals.events),
            "deliveries_per_second": now.rate_since(short, |totals| totals.deliveries),
            "total_updates": totals.updates,
            "total_events": totals.events,
            "total_deliveries": totals.deliveries,
            "average_latency_ms": all.average_ms(),
            "message_latency": all.average_ms(),
            "p50_latency_ms": all.quantile_ms(0.5), "p50": all.quantile_ms(0.5),
            "p95_latency_ms": all.quantile_ms(0.95), "p95": all.quantile_ms(0.95),
            "p99_latency_ms": all.quantile_ms(0.99), "p99": all.quantile_ms(0.99),
            "latency_ms": by_priority(&latency),
            "connect_ms": times(&connect),
            "connection_time": connect.average_ms(),
            "success_rate": success_rate,
            "refused_rate": now.refused_since(long.as_deref()),
            "websocket_connections": by_transport["websocket"],
            "connections": by_transport,
            "connections_by_door": counts(&live, &DOORS, |kind| kind.door),
            "connections_by_role": counts(&live, &ROLES, |kind| kind.role),
            "circuit_breaker_state": self.parts.breakers.worst(),
            "circuit_breakers": self.parts.breakers.snapshot(),
            "memory": { "rss_bytes": resident, "peak_rss_bytes": now.process.peak_bytes },
            "memory_usage": resident,
            "cpu": {
                "percent": percent,
                "seconds": totals.processor,
                "cores": std::thread::available_parallelism().map_or(1, usize::from),
            },
            "cpu_usage": percent,
            "network": {
                "in_bytes": totals.received, "out_bytes": totals.sent,
                "in_bytes_per_second": received, "out_bytes_per_second": sent,
            },
            "network_throughput": received + sent,
            "retries": self.parts.metrics.retries(),
            "queues": queues,
            "degradation": self.degradation(),
            "uptime_seconds": self.started.elapsed().as_secs_f64(),
            "server_time": Timestamp::now(),
        }))
    }

    /// The work that waits.
    pub fn queues(&self) -> Value {
        let waiting = self.parts.metrics.load.now();
        let held = Priority::ALL.iter().zip(waiting.updates);
        let held: BTreeMap<_, _> = held.map(|(p, count)| (p.as_str(), count)).collect();
        json!({
            "hub_lag_events": self.parts.intake.lag(),
            "journal_waiting": self.parts.intake.journal().waiting(),
            "held_updates": held,
            "observers_behind": waiting.behind,
        })
    }

    fn degradation(&self) -> Value {
        let degradation = self.sources.degradation();
        let entered: BTreeMap<_, _> = degradation.entered.into_iter().collect();
        json!({
            "step": degradation.step as u8, "name": degradation.step.name(),
            "since": degradation.since, "entered": entered,
        })
    }
}

/// Connections by one of their facts; those of `always` are told also while there are none.
fn counts(
    live: &[(ConnectionKind, u64)],
    always: &[&'static str],
    by: impl Fn(&ConnectionKind) -> &'static str,
) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<_, u64> = always.iter().map(|name| (*name, 0)).collect();
    for (kind, count) in live {
        *counts.entry(by(kind)).or_default() += count;
    }
    counts
}

fn times(times: &Distribution) -> Value {
    json!({
        "count": times.count(),
        "average": times.average_ms(),
        "p50": times.quantile_ms(0.5),
        "p95": times.quantile_ms(0.95),
        "p99": times.quantile_ms(0.99),
    })
}

fn by_priority(latency: &[Distribution; 4]) -> Value {
    let levels = Priority::ALL.iter().zip(latency).zip(BUDGETS);
    let level = |((priority, of), budget): ((&Priority, &Distribution), Duration)| {
        let mut level = times(of);
        level["budget_ms"] = json!(budget.as_millis());
        level["within_budget"] = json!(of.share_within(budget));
        (priority.as_str().to_owned(), level)
    };
    Value::Object(levels.map(level).collect())
}
