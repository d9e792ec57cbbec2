//! One reading of the health, and the object that the Health tab reads.

use serde_json::{Value, json};
use strum::IntoStaticStr;

use super::analysis;
use crate::{
    event::{Event, Object, held_by_object},
    timestamp::Timestamp,
    update::seneca::read,
};

/// The smallest trend that is written: a trend has four decimals.
const STEADY: f64 = 0.000_05;
/// The most bytes of a producer's own analysis; beyond it the fields that the tab doesn't read are dropped.
pub(crate) const MAX_OWN: usize = 16 * 1024;
/// The keys that may say the health; the first known word counts.
const WORDS: [&str; 5] = [
    "overall_health",
    "severity",
    "status",
    "health",
    "new_status",
];

/// The fields of a `health_update` that one report gives, without the dashboard's counts. The tab can show them as they
/// are.
pub fn health_fields(event: &Event, data: &Object) -> Object {
    let mut reading = Reading::at(event.timestamp);
    reading.take_report(data, usize::MAX);
    let before = read::text(data, "old_status").and_then(colour);
    let earlier = Reading {
        colour: before.or(reading.colour),
        ..reading.clone()
    };
    reading.object(&earlier)
}

/// The health, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Colour {
    Green,
    Yellow,
    Red,
}

/// The facts of one report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) at: Timestamp,
    /// `None` if the report has no known word for it.
    pub(crate) colour: Option<Colour>,
    /// The report's own words, shown beside the colour.
    pub(crate) status: Option<String>,
    /// The report's message for people.
    pub(crate) message: Option<String>,
    /// The share of the work done, 0 to 1: the further the work, the surer the estimate of its end.
    pub(crate) share: f64,
    /// Blocked tasks at that time.
    pub(crate) blocked: u64,
    /// The end of the work at its pace, if it has one.
    pub(crate) ends: Option<Timestamp>,
    /// The producer's own analysis (`timeline_prediction`, `risk_factors`, …), in shapes that the tab can show.
    pub(crate) own: Object,
}

impl Reading {
    /// A reading with only a time.
    pub(crate) fn at(at: Timestamp) -> Self {
        Self {
            at,
            colour: None,
            status: None,
            message: None,
            share: 0.0,
            blocked: 0,
            ends: None,
            own: Object::new(),
        }
    }

    /// Takes the fields of a `system.health.changed`. A report without a word on the health leaves that as it was. Of a
    /// forecast that holds more than `most` bytes only the fields that the tab reads are taken.
    pub(crate) fn take_report(&mut self, data: &Object, most: usize) {
        let mut said = WORDS
            .iter()
            .filter_map(|key| Some((*key, read::text(data, key)?)))
            .peekable();
        self.colour = match said.peek() {
            None => self.colour.or(Some(Colour::Green)),
            Some(_) => said.find_map(|(key, word)| match (key, word) {
                // A report of high severity is a warning: only a critical one says that things are down.
                ("severity", word) if word.eq_ignore_ascii_case("high") => Some(Colour::Yellow),
                (_, word) => colour(word),
            }),
        };
        self.status = read::first_text(data, &["status", "severity"]).map(str::to_owned);
        self.message = read::text(data, "message").map(str::to_owned);
        self.own = analysis::own(data, most);
    }

    /// Drops the fields that the tab doesn't read from a large analysis.
    pub(crate) fn keep_what_is_read(&mut self) {
        if held_by_object(&self.own) > MAX_OWN {
            analysis::keep_what_is_read(&mut self.own);
        }
    }

    /// About how many bytes of memory it holds.
    pub(crate) fn held(&self) -> usize {
        let texts = [&self.status, &self.message].into_iter().flatten();
        let texts: usize = texts.map(String::capacity).sum();
        size_of::<Self>() + texts + held_by_object(&self.own)
    }

    /// The object that the tab reads, with the change since `earlier`.
    pub(crate) fn object(&self, earlier: &Self) -> Object {
        let mut out = self.own.clone();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put(
            "overall_health",
            self.colour.map_or("unknown", Into::into).into(),
        );
        put("timestamp", json!(self.at));
        put("status", json!(self.status));
        put("message", json!(self.message));
        put("trends", self.trends(earlier));
        for key in analysis::LISTS {
            out.entry(key).or_insert_with(|| json!([]));
        }
        let mut timeline = self.timeline();
        if let Some(Value::Object(own)) = out.remove(analysis::TIMELINE) {
            timeline.extend(own);
        }
        out.insert(analysis::TIMELINE.into(), timeline.into());
        out
    }

    fn timeline(&self) -> Object {
        let on_track = match self.colour {
            Some(Colour::Green) => true,
            Some(Colour::Yellow) => self.blocked == 0,
            Some(Colour::Red) | None => false,
        };
        let risks: Vec<String> = match self.blocked {
            0 => Vec::new(),
            count => vec![format!("Blocked tasks: {count}")],
        };
        let ends = self
            .ends
            .map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        Object::from_iter([
            ("on_track".to_owned(), on_track.into()),
            ("confidence".to_owned(), read::rounded(self.share)),
            ("estimated_completion".to_owned(), ends.into()),
            ("critical_path_risks".to_owned(), risks.into()),
        ])
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

/// The colour of the words that producers use.
pub(crate) fn colour(word: &str) -> Option<Colour> {
    match word.to_ascii_lowercase().as_str() {
        "green" | "healthy" | "ok" | "low" | "info" | "normal" | "good" | "recovered" | "up"
        | "notice" | "debug" | "none" | "minor" => Some(Colour::Green),
        "yellow" | "medium" | "warning" | "degraded" | "warn" | "major" => Some(Colour::Yellow),
        "red" | "high" | "critical" | "error" | "unhealthy" | "down" | "failed" | "fatal"
        | "emergency" | "alert" => Some(Colour::Red),
        _ => None,
    }
}
