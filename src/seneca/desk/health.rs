//! The health that Seneca's Health tab shows, from what producers report.
//!
//! The tab reads deep into the object without asking, so the object is always whole; and it is only given
//! once somebody has reported anything at all.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::tasks::Tasks;
use crate::{
    event::{Event, Object, Timestamp},
    seneca::read,
};

/// Readings kept for the history.
const MAX_READINGS: usize = 1_000;
/// An unchanged reading is kept again only after this long.
const REPEAT_MICROS: i64 = 60_000_000;
/// A trend is written to four decimals; less than this is none.
const STEADY: f64 = 0.000_05;
/// Keys that a producer's own analysis may bring; they go before ours if they have the right shape.
const OWN_LISTS: [&str; 3] = ["risk_factors", "recommendations", "resource_optimization"];

/// How well things go, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Colour {
    Green,
    Yellow,
    Red,
}

/// What one report said.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    /// When.
    at: Timestamp,
    /// `None`: the report's words for it are not known here.
    colour: Option<Colour>,
    /// The report's own words, shown beside the colour.
    status: Option<String>,
    /// The report's message for people.
    message: Option<String>,
    /// The share of the work done, 0 to 1: the further the work, the surer the estimate of its end.
    share: f64,
    /// Blocked tasks at that time.
    blocked: u64,
    /// When the work ends at its pace, if it has one.
    ends: Option<Timestamp>,
    /// The producer's own analysis (`timeline_prediction`, `risk_factors`, …).
    own: Object,
}

/// The readings, oldest first.
#[derive(Debug, Default)]
pub(super) struct Health {
    readings: VecDeque<Reading>,
}

impl Health {
    /// Takes the reading of `event`, if it is one; `true` if the health changed.
    pub(super) fn observe(
        &mut self,
        event: &Event,
        tasks: &Tasks,
        ends: impl FnOnce() -> Option<Timestamp>,
    ) -> bool {
        let reports = matches!(
            event.name.canonical(),
            "system.health.changed" | "project.state.refreshed" | "system.state"
        );
        if !reports {
            return false;
        }
        let Some(reading) = self.read(event, tasks, ends()) else {
            return false;
        };
        let changed = self.readings.back().is_none_or(|last| {
            Reading {
                at: reading.at,
                ends: reading.ends,
                ..last.clone()
            } != reading
        });
        let due = self
            .readings
            .back()
            .is_none_or(|last| reading.at.as_micros() - last.at.as_micros() >= REPEAT_MICROS);
        if changed || due {
            self.readings.push_back(reading);
            if self.readings.len() > MAX_READINGS {
                self.readings.pop_front();
            }
        }
        changed
    }

    /// The whole object of the Health tab, or `None` while nothing is known.
    pub(super) fn current(&self, tasks: &Tasks) -> Option<Object> {
        let last = self.readings.back()?;
        let earlier = self.readings.iter().rev().nth(1).unwrap_or(last);
        let mut out = last.object(earlier);
        for (key, found) in [
            ("risk_factors", risks(tasks)),
            ("recommendations", remedies(tasks)),
        ] {
            if !last.own.contains_key(key) {
                out.insert(key.into(), found.into());
            }
        }
        Some(out)
    }

    /// The readings since `since`, each as the tab reads it.
    pub(super) fn since(&self, since: Timestamp) -> Vec<Object> {
        let earlier = std::iter::once(None).chain(self.readings.iter().map(Some));
        self.readings
            .iter()
            .zip(earlier)
            .filter(|(reading, _)| reading.at >= since)
            .map(|(reading, earlier)| reading.object(earlier.unwrap_or(reading)))
            .collect()
    }

    fn read(&self, event: &Event, tasks: &Tasks, ends: Option<Timestamp>) -> Option<Reading> {
        let data = &event.data;
        let last = self.readings.back();
        let mut reading = Reading {
            at: event.timestamp,
            colour: last.and_then(|last| last.colour),
            status: last.and_then(|last| last.status.clone()),
            message: None,
            share: last.map_or(0.0, |last| last.share),
            blocked: tasks.blockers.len() as u64,
            ends,
            own: Object::new(),
        };
        match event.name.canonical() {
            "system.health.changed" => {
                let keys = [
                    "overall_health",
                    "severity",
                    "status",
                    "health",
                    "new_status",
                ];
                reading.colour = keys.iter().find_map(|key| colour(read::text(data, key)?));
                reading.status = read::first_text(data, &["status", "severity"]).map(str::to_owned);
                reading.message = read::text(data, "message").map(str::to_owned);
                reading.own = own_analysis(data);
            }
            "project.state.refreshed" => {
                let state = read::object(data, "project_state")?;
                let risk = read::text(state, "risk_level")?;
                reading.colour = colour(risk);
                reading.status = Some(format!("risk {risk}"));
                if let Some(percent) = read::number(state, "progress_percent") {
                    reading.share = (percent / 100.0).clamp(0.0, 1.0);
                }
                if let Some(blocked) = read::first_count(state, &["blocked_tasks"]) {
                    reading.blocked = blocked;
                }
            }
            "system.state" => {
                let blocked = read::first_count(data, &["tasks_blocked"])?;
                reading.blocked = blocked;
                // A count of blocked tasks says less than a risk level; it only speaks when nothing better did.
                if reading.colour.is_none() {
                    let by_count = if blocked > 0 {
                        Colour::Yellow
                    } else {
                        Colour::Green
                    };
                    reading.colour = Some(by_count);
                }
            }
            _ => return None,
        }
        Some(reading)
    }
}

impl Reading {
    /// Everything the tab reads, with the change since `earlier`.
    fn object(&self, earlier: &Self) -> Object {
        let mut out = self.own.clone();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put(
            "overall_health",
            self.colour.map_or("unknown", Colour::name).into(),
        );
        put("timestamp", json!(self.at));
        put("status", json!(self.status));
        put("message", json!(self.message));
        put("trends", self.trends(earlier));
        for key in OWN_LISTS {
            out.entry(key).or_insert_with(|| json!([]));
        }
        out.entry("timeline_prediction")
            .or_insert_with(|| self.timeline());
        out
    }

    fn timeline(&self) -> Value {
        let on_track = match self.colour {
            Some(Colour::Green) => true,
            Some(Colour::Yellow) => self.blocked == 0,
            Some(Colour::Red) | None => false,
        };
        let risks: Vec<String> = match self.blocked {
            0 => Vec::new(),
            count => vec![format!("Blocked tasks: {count}")],
        };
        json!({
            "on_track": on_track,
            "confidence": read::rounded(self.share),
            "estimated_completion": self.ends.map_or_else(|| "unknown".to_owned(), |at| at.to_string()),
            "critical_path_risks": risks,
        })
    }

    fn trends(&self, earlier: &Self) -> Value {
        let direction = match (earlier.colour, self.colour) {
            (Some(before), Some(now)) if now < before => "improving",
            (Some(before), Some(now)) if now > before => "declining",
            _ => "stable",
        };
        let gained = self.share - earlier.share;
        let risk = match self.blocked.cmp(&earlier.blocked) {
            std::cmp::Ordering::Less => "decreasing",
            std::cmp::Ordering::Equal => "stable",
            std::cmp::Ordering::Greater => "increasing",
        };
        json!({
            "health_direction": direction,
            "confidence_change": read::rounded(if gained.abs() < STEADY { 0.0 } else { gained }),
            "risk_change": risk,
        })
    }
}

impl Colour {
    fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// The colour of the words that producers use.
fn colour(word: &str) -> Option<Colour> {
    match word.to_ascii_lowercase().as_str() {
        "green" | "healthy" | "ok" | "low" | "info" | "normal" | "good" | "recovered" | "up" => {
            Some(Colour::Green)
        }
        "yellow" | "medium" | "warning" | "degraded" | "warn" => Some(Colour::Yellow),
        "red" | "high" | "critical" | "error" | "unhealthy" | "down" | "failed" => {
            Some(Colour::Red)
        }
        _ => None,
    }
}

/// The parts of a producer's own analysis that the tab can read as they are.
fn own_analysis(data: &Object) -> Object {
    let mut own = Object::new();
    for key in OWN_LISTS {
        if let Some(list @ Value::Array(_)) = data.get(key) {
            own.insert(key.into(), list.clone());
        }
    }
    if let Some(timeline) = read::object(data, "timeline_prediction")
        && timeline.get("confidence").is_some_and(Value::is_number)
    {
        own.insert("timeline_prediction".into(), timeline.clone().into());
    }
    own
}

/// Every blocked task is a risk.
fn risks(tasks: &Tasks) -> Vec<Value> {
    let risk = |(task, blocker): (_, &super::tasks::Blocker)| {
        json!({
            "type": "blocked_task", "severity": blocker.severity, "description": blocker.text,
            "mitigation": blocker.suggestion.as_deref().unwrap_or("none proposed"),
            "task_id": task, "since": blocker.since,
        })
    };
    tasks.blockers.iter().map(risk).collect()
}

/// What the agents themselves proposed.
fn remedies(tasks: &Tasks) -> Vec<Value> {
    tasks
        .blockers
        .iter()
        .filter_map(|(task, blocker)| {
            let action = blocker.suggestion.as_deref()?;
            let impact = format!("Task {task} can go on");
            Some(json!({"priority": blocker.severity, "action": action, "expected_impact": impact}))
        })
        .collect()
}
