//! The grades of the figures that people compare: excellent, good, or in need of attention.

use serde_json::{Value, json};

/// A figure with its grade; one that is not known is graded as the best.
fn graded(value: Option<f64>, is_excellent: fn(f64) -> bool, is_good: fn(f64) -> bool) -> Value {
    let grade = match value {
        None => "excellent",
        Some(value) if is_excellent(value) => "excellent",
        Some(value) if is_good(value) => "good",
        Some(_) => "needs_attention",
    };
    json!({ "value": value, "grade": grade })
}

/// The grades of the average latency in milliseconds, of the part of clients that were let in, of the part that came back
/// after a lost connection, and of the users against their limit.
pub(super) fn grades(
    latency_ms: Option<f64>,
    success: Option<f64>,
    reconnection: Option<f64>,
    (users, limit): (u64, u64),
) -> Value {
    let share = users as f64 / limit.max(1) as f64;
    let mut concurrent = graded(Some(share), |share| share < 0.8, |share| share <= 0.9);
    concurrent["value"] = users.into();
    concurrent["limit"] = limit.into();
    json!({
        "message_latency": graded(latency_ms, |ms| ms < 100.0, |ms| ms <= 500.0),
        "connection_success": graded(success, |share| share > 0.99, |share| share >= 0.95),
        "reconnection_rate": graded(reconnection, |share| share < 0.05, |share| share <= 0.15),
        "concurrent_users": concurrent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grades_are_those_of_the_table() {
        let of = |what: &str, value: f64| {
            let users = (value * 100.0) as u64;
            let value = Some(value);
            grades(value, value, value, (users, 100))[what]["grade"].clone()
        };
        for (what, excellent, good, bad) in [
            ("message_latency", 99.9, 100.0, 500.1),
            ("connection_success", 0.991, 0.95, 0.949),
            ("reconnection_rate", 0.049, 0.15, 0.151),
            ("concurrent_users", 0.79, 0.9, 0.92),
        ] {
            assert_eq!(of(what, excellent), "excellent", "{what}");
            assert_eq!(of(what, good), "good", "{what}");
            assert_eq!(of(what, bad), "needs_attention", "{what}");
        }
        let unknown = grades(None, None, None, (0, 0));
        assert_eq!(unknown["message_latency"]["value"], Value::Null);
    }
}
