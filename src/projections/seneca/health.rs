//! The health that Seneca's Health tab shows, from what producers report.
//!
//! The tab reads deep into the object without checks, so the object is always whole; and there is none before a
//! producer has reported anything.

use std::{collections::VecDeque, sync::Arc};

use serde_json::{Value, json};

use super::tasks::Tasks;
use crate::{
    event::{Event, Object},
    timestamp::Timestamp,
    update::seneca::{
        read,
        reading::{Colour, MAX_OWN, Reading, colour},
    },
};

/// Readings that are kept for the history, as far as they fit into their bytes.
const MAX_READINGS: usize = 1_000;
/// The time after which an unchanged reading is kept again.
const REPEAT_MICROS: i64 = 60_000_000;

/// The readings, oldest first.
#[derive(Debug)]
pub(super) struct Health {
    readings: VecDeque<Arc<Reading>>,
    /// About how many bytes they hold.
    pub(super) bytes: usize,
    /// Exceeded only by the latest reading.
    max: usize,
    /// The number of evicted readings.
    pub(super) forgotten: u64,
}

impl Health {
    /// No readings; they never hold more than so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            readings: VecDeque::new(),
            bytes: 0,
            max,
            forgotten: 0,
        }
    }

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
        // A producer whose token names projects reports the health of its project, and not of all.
        if !reports || event.settled.confined {
            return false;
        }
        let Some(reading) = self.read(event, tasks, ends()) else {
            return false;
        };
        let changed = self.readings.back().is_none_or(|last| {
            Reading {
                at: reading.at,
                ends: reading.ends,
                ..Reading::clone(last)
            } != reading
        });
        let due = self
            .readings
            .back()
            .is_none_or(|last| reading.at.as_micros() - last.at.as_micros() >= REPEAT_MICROS);
        if changed || due {
            self.keep(reading);
        }
        changed
    }

    fn keep(&mut self, reading: Reading) {
        self.bytes += reading.held();
        self.readings.push_back(Arc::new(reading));
        while self.readings.len() > MAX_READINGS
            || (self.bytes > self.max && self.readings.len() > 1)
        {
            let Some(gone) = self.readings.pop_front() else {
                break;
            };
            self.bytes -= gone.held().min(self.bytes);
            self.forgotten += 1;
        }
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

    /// The readings since `since`, each as the tab reads it; the closure is run off the loop.
    pub(super) fn since(&self, since: Timestamp) -> impl FnOnce() -> Vec<Object> + Send + use<> {
        let readings = self.readings.clone();
        move || {
            let earlier = std::iter::once(None).chain(readings.iter().map(Some));
            let found = readings.iter().zip(earlier);
            found
                .filter(|(reading, _)| reading.at >= since)
                .map(|(reading, earlier)| reading.object(earlier.unwrap_or(reading)))
                .collect()
        }
    }

    fn read(&self, event: &Event, tasks: &Tasks, ends: Option<Timestamp>) -> Option<Reading> {
        let data = &event.data;
        let last = self.readings.back();
        let mut reading = Reading {
            colour: last.and_then(|last| last.colour),
            status: last.and_then(|last| last.status.clone()),
            share: last.map_or(0.0, |last| last.share),
            blocked: tasks.blockers.len() as u64,
            ends,
            ..Reading::at(event.timestamp)
        };
        match event.name.canonical() {
            "system.health.changed" => {
                reading.take_report(data, MAX_OWN);
                reading.keep_what_is_read();
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
                // A count of blocked tasks says less than a risk level, so it counts only if the report says nothing
                // better.
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

/// The risks: each blocked task is one.
fn risks(tasks: &Tasks) -> Vec<Value> {
    let risk = |(task, blocker): (_, &super::blocker::Blocker)| {
        let text = match blocker.text.as_str() {
            "" => "no reason given",
            said => said,
        };
        json!({
            "type": "blocked_task", "severity": blocker.severity, "description": text,
            "mitigation": blocker.suggestion.as_deref().unwrap_or("none proposed"),
            "task_id": task, "since": blocker.since,
        })
    };
    tasks.blockers.iter().map(risk).collect()
}

/// The remedies that the agents themselves proposed.
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
