//! The grades of the figures that people compare: excellent, good, or in need of attention.

use serde_json::{Value, json};

use super::vitals::{NEAR_LIMIT, Vitals, share};

/// The share of a limit up to which the number of users is graded excellent.
const WELL_BELOW_LIMIT: f64 = 0.8;

/// A grade: excellent while `excellent` holds, good while `good` does.
fn grade(excellent: bool, good: bool) -> &'static str {
    match (excellent, good) {
        (true, _) => "excellent",
        (false, true) => "good",
        (false, false) => "needs_attention",
    }
}

/// The grades, each with its value.
pub(super) fn grades(vitals: &Vitals) -> Value {
    let latency = vitals.latency_ms.map(|(average, _)| average);
    let rate = vitals.success.1;
    let again = vitals.reconnections.1;
    let (open, most) = vitals.connections;
    let used = share(vitals.connections);
    json!({
        "message_latency": {
            "value": latency,
            "grade": grade(latency.is_none_or(|ms| ms < 100.0), latency.is_some_and(|ms| ms <= 500.0)),
        },
        "connection_success": { "value": rate, "grade": grade(rate > 0.99, rate >= 0.95) },
        "reconnection_rate": {
            "value": again,
            "grade": grade(again.is_none_or(|rate| rate < 0.05), again.is_some_and(|rate| rate <= 0.15)),
        },
        "concurrent_users": {
            "value": open, "limit": most,
            "grade": grade(used < WELL_BELOW_LIMIT, used <= NEAR_LIMIT),
        },
    })
}
