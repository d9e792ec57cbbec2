//! The figures of the server that operators must know of when they are bad.

use super::{
    alert::{Alert, Severity, Subject},
    board::Key,
};
use crate::breaker::{BreakerSnapshot, BreakerState};

/// Publishes, connects and requests, or updates, of a minute below which a share of them says nothing.
const MIN_COUNT: u64 = 20;
/// An alert ends when its figure is better than its limit by this share, so that it does not come and go.
const MARGIN: f64 = 0.05;

/// The figures of the server at one time.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Updates of the last minute, and the milliseconds within which 95 % of them were with their sockets.
    pub latency: Option<(u64, f64)>,
    /// Publishes, connects and requests of the last minute that the server accepted or failed at, and the share of the
    /// accepted ones.
    pub success: Option<(u64, f64)>,
    /// The used part of each limit.
    pub used: Vec<Used>,
    /// The circuit breakers.
    pub breakers: Vec<BreakerSnapshot>,
}

/// The used part of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// The name of the limit.
    pub name: &'static str,
    /// The key of the settings that raises it.
    pub key: &'static str,
    /// The amount that is used.
    pub used: f64,
    /// The limit.
    pub most: f64,
}

/// The figures from which on they are told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Milliseconds.
    pub latency_ms: f64,
    /// A share.
    pub success_rate: f64,
    /// A share.
    pub limit_share: f64,
}

/// The judgement of one figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// It is bad.
    Bad(Key, Box<Alert>),
    /// It is good again; between the two an alert stays as it is.
    Good(Key),
}

fn alert(
    code: &'static str,
    severity: Severity,
    (kind, id): (&'static str, &str),
    message: String,
    action: String,
) -> Alert {
    Alert {
        code,
        severity,
        subject: Subject {
            kind,
            id: id.into(),
        },
        message,
        action,
        value: None,
        limit: None,
        audience: None,
    }
}

impl Readings {
    /// The findings on all figures.
    pub(super) fn judge(&self, limits: &Thresholds) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(self.judge_latency(limits.latency_ms));
        found.extend(self.judge_success(limits.success_rate));
        let used = self.used.iter();
        found.extend(used.filter_map(|used| used.judge(limits.limit_share)));
        found.extend(self.breakers.iter().map(judge_breaker));
        found
    }

    fn judge_latency(&self, limit: f64) -> Option<Finding> {
        let key = Key::Figure("high_latency", "".into());
        let p95 = match self.latency {
            Some((count, p95)) if count >= MIN_COUNT => p95,
            _ => return Some(Finding::Good(key)),
        };
        if p95 <= limit {
            return (p95 <= limit * (1.0 - MARGIN)).then_some(Finding::Good(key));
        }
        let alert = alert(
            "high_latency",
            Severity::Warning,
            ("server", "latency"),
            format!("5 % of the updates of the last minute took more than {p95:.0} ms to a socket"),
            "look at the processor and stoa_hub_busy_seconds_total: with one of them at its end publish less or spread the load".into(),
        );
        Some(Finding::Bad(key, Box::new(alert.of(p95, limit))))
    }

    fn judge_success(&self, limit: f64) -> Option<Finding> {
        let key = Key::Figure("low_success_rate", "".into());
        let (count, rate) = match self.success {
            Some((count, rate)) if count >= MIN_COUNT => (count, rate),
            _ => return Some(Finding::Good(key)),
        };
        if rate >= limit {
            let margin = (1.0 - limit) * MARGIN;
            return (rate >= limit + margin).then_some(Finding::Good(key));
        }
        let alert = alert(
            "low_success_rate",
            Severity::Critical,
            ("server", "success_rate"),
            format!(
                "the server failed at {:.0} % of {count} publishes, connects and requests of the last minute",
                (1.0 - rate) * 100.0
            ),
            "stoa_requests_refused_total and stoa_events_rejected_total say why, by door and code (overloaded, unavailable, max_connections, …)"
                .into(),
        );
        Some(Finding::Bad(key, Box::new(alert.of(rate, limit))))
    }
}

impl Used {
    fn judge(&self, limit: f64) -> Option<Finding> {
        let key = Key::Figure("near_limit", self.name.into());
        let share = match self.most {
            most if most > 0.0 => self.used / most,
            _ => 0.0,
        };
        // A limit may be reached and not passed: at a share of 1 it is told when it is.
        let is_bad = share > limit || share >= 1.0;
        if !is_bad {
            return (share <= limit - MARGIN).then_some(Finding::Good(key));
        }
        let alert = alert(
            "near_limit",
            Severity::Warning,
            ("limit", self.name),
            format!(
                "{} has reached {:.0} % of its limit ({:.0} of {:.0})",
                self.name.replace('_', " "),
                share * 100.0,
                self.used,
                self.most
            ),
            format!("raise {} or see what uses it", self.key),
        );
        Some(Finding::Bad(key, Box::new(alert.of(self.used, self.most))))
    }
}

fn judge_breaker(breaker: &BreakerSnapshot) -> Finding {
    let key = Key::Figure("breaker_open", breaker.name.into());
    if breaker.state == BreakerState::Closed {
        return Finding::Good(key);
    }
    let why = breaker.last_error.as_deref().unwrap_or("its calls fail");
    let alert = alert(
        "breaker_open",
        Severity::Critical,
        ("breaker", breaker.name),
        format!("the part {} failed {} times in a row: {why}", breaker.name, breaker.failures),
        "mend what it says; the part is tried again by itself, or at once by POST /api/v1/admin/breakers/close".into(),
    );
    Finding::Bad(key, Box::new(alert))
}

impl Alert {
    fn of(mut self, value: f64, limit: f64) -> Self {
        (self.value, self.limit) = (Some(value), Some(limit));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Thresholds = Thresholds {
        latency_ms: 1_000.0,
        success_rate: 0.95,
        limit_share: 0.9,
    };

    /// `bad`, `good`, or `between`, by code.
    fn verdict(readings: &Readings, code: &str) -> &'static str {
        let of = |key: &Key| matches!(key, Key::Figure(name, _) if *name == code);
        let found = readings.judge(&LIMITS);
        let found = found.iter().find_map(|finding| match finding {
            Finding::Bad(key, alert) if of(key) => {
                assert!(!alert.message.is_empty() && !alert.action.is_empty());
                Some("bad")
            }
            Finding::Good(key) if of(key) => Some("good"),
            Finding::Bad(..) | Finding::Good(_) => None,
        });
        found.unwrap_or("between")
    }

    #[test]
    fn each_figure_is_held_against_its_limit() {
        let latency = |count, p95| Readings {
            latency: Some((count, p95)),
            ..Readings::default()
        };
        for (readings, is) in [
            (latency(100, 1_001.0), "bad"),
            (latency(100, 980.0), "between"),
            (latency(100, 900.0), "good"),
            (latency(5, 9_000.0), "good"),
            (Readings::default(), "good"),
        ] {
            assert_eq!(verdict(&readings, "high_latency"), is, "{readings:?}");
        }
        let success = |count, rate| Readings {
            success: Some((count, rate)),
            ..Readings::default()
        };
        for (readings, is) in [
            (success(100, 0.94), "bad"),
            (success(100, 0.951), "between"),
            (success(100, 0.96), "good"),
            (success(3, 0.0), "good"),
        ] {
            assert_eq!(verdict(&readings, "low_success_rate"), is, "{readings:?}");
        }
        let used = |used, most| Readings {
            used: vec![Used {
                name: "connections",
                key: "[server] max_connections",
                used,
                most,
            }],
            ..Readings::default()
        };
        for (readings, is) in [
            (used(91.0, 100.0), "bad"),
            (used(90.0, 100.0), "between"),
            (used(85.0, 100.0), "good"),
            (used(0.0, 0.0), "good"),
        ] {
            assert_eq!(verdict(&readings, "near_limit"), is, "{readings:?}");
        }
    }
}
