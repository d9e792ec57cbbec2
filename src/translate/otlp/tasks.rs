//! The tasks of agents: the set of attempts decides on everything, in whatever order they became known.

use std::{collections::HashMap, sync::Arc};

use super::{
    interrupt::Question,
    meaning::{Ended, Fault},
    span::{SpanId, SpanKey, TraceId, milliseconds, moment},
    telling::{Teller, event_id},
};
use crate::translate::Told;

/// Attempts of one task that are told apart; of more the first are forgotten.
const MAX_ATTEMPTS: usize = 64;
/// The reason why a task that asks is blocked.
const ASKS: &str = "waits for an answer";

/// One attempt at a task. Spans within each other, as the frameworks make them for one node, are one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) span: SpanId,
    pub(super) trace: TraceId,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) ended: Ended,
}

impl Attempt {
    fn meets(&self, other: &Self) -> bool {
        self.trace == other.trace && self.start <= other.end && other.start <= self.end
    }

    fn length(&self) -> (u64, SpanId) {
        (self.end - self.start, self.span)
    }
}

/// A task, by all that is known of it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: Arc<str>,
    pub(super) name: String,
    pub(super) agent: Arc<str>,
    /// The attempts, the first one first.
    attempts: Vec<Attempt>,
    told: Option<Summary>,
    /// Questions that were told, and whether their answers were.
    questions: HashMap<String, bool>,
    /// The place of the attempt that came last: only there can a question be new or answered.
    joined: usize,
    /// Whether something that was told was taken back: then it may be anywhere.
    is_untold: bool,
    /// Attempts whose questions were looked at.
    pub(super) looked: usize,
}

/// The facts of a task that follow from its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    /// The number of the last attempt, where those that failed before it count.
    number: usize,
    last: Attempt,
    /// The error of the last attempt that failed.
    fault: Option<Fault>,
}

/// The told facts of a task, to go back to: its summary, and of questions that were told whether their answers were.
pub(super) type ToldTask = (Option<Summary>, Vec<(String, Option<bool>)>);

impl Task {
    pub(super) fn new(id: Arc<str>, name: String, agent: Arc<str>) -> Self {
        Self {
            id,
            name,
            agent,
            attempts: Vec::new(),
            told: None,
            questions: HashMap::new(),
            joined: 0,
            is_untold: false,
            looked: 0,
        }
    }

    /// Adds an attempt. The result is the same in whatever order attempts are added.
    pub(super) fn join(&mut self, mut new: Attempt) {
        let mut within = Vec::new();
        while let Some(at) = self.attempts.iter().position(|own| own.meets(&new)) {
            let own = self.attempts.remove(at);
            let (start, end) = (own.start.min(new.start), own.end.max(new.end));
            let (outer, inner) = if own.length() >= new.length() {
                (own, new)
            } else {
                (new, own)
            };
            within.extend(self.requests(&inner));
            new = Attempt {
                start,
                end,
                ..outer
            };
        }
        let place = (new.start, new.span);
        let own = self.requests(&new);
        self.attempts.push(new);
        // A question of a span within is asked by the one around it, or is none.
        within.retain(|request| !own.contains(request));
        for request in within {
            self.questions.remove(&request);
        }
        self.attempts
            .sort_by_key(|attempt| (attempt.start, attempt.span));
        if self.attempts.len() > MAX_ATTEMPTS {
            let gone = self.attempts.remove(0);
            for request in self.requests(&gone) {
                self.questions.remove(&request);
            }
        }
        let is_it = |own: &Attempt| (own.start, own.span) == place;
        self.joined = self.attempts.iter().position(is_it).unwrap_or(0);
    }

    /// The traces that worked on it.
    pub(super) fn traces(&self) -> impl Iterator<Item = TraceId> {
        self.attempts.iter().map(|attempt| attempt.trace)
    }

    /// The trace since whose attempt it waits for an answer.
    pub(super) fn asks_since(&self) -> Option<TraceId> {
        let last = self.attempts.last()?;
        matches!(last.ended, Ended::Asked(_)).then_some(last.trace)
    }

    pub(super) fn untell(&mut self, (told, questions): ToldTask) {
        self.told = told;
        for (request, was_answered) in questions.into_iter().rev() {
            match was_answered {
                Some(was_answered) => self.questions.insert(request, was_answered),
                None => self.questions.remove(&request),
            };
        }
        self.is_untold = true;
    }

    fn summary(&self) -> Option<Summary> {
        let (last, before) = self.attempts.split_last()?;
        let fault = |attempt: &Attempt| match &attempt.ended {
            Ended::Failed(fault) => Some(fault.clone()),
            Ended::Done | Ended::Asked(_) => None,
        };
        let failed = before.iter().filter_map(fault);
        Some(Summary {
            number: 1 + failed.count(),
            fault: self.attempts.iter().rev().find_map(fault),
            last: last.clone(),
        })
    }

    /// Tells the difference between what is known and what was told, on the occasion of a span; returns what was told before.
    pub(super) fn tell(&mut self, span: SpanKey, to: &mut Teller<'_>) -> ToldTask {
        let before = self.told.clone();
        let Some(now) = self.summary() else {
            return (before, Vec::new());
        };
        self.told = Some(now.clone());
        let begun = moment(now.last.start);
        let id = |what: &str| event_id(span, what);
        if before.is_none() {
            let first = self.attempts.first().unwrap_or(&now.last);
            let assigned = self.about("task.assigned", first.trace, to);
            let assigned = assigned.with("task_name", self.name.as_str());
            to.tell(assigned.id(id("assigned")).at(moment(first.start)), span);
        }
        let questions = self.tell_questions(span, to);
        if before.as_ref() == Some(&now) {
            return (before, questions);
        }
        let (number, was_last) = before
            .as_ref()
            .map_or((1, None), |before| (before.number, Some(before.last.span)));
        if now.number > number {
            let mut retried = self.about("task.retried", now.last.trace, to);
            retried = retried.with("attempt", now.number);
            if let Some(fault) = &now.fault {
                retried = to.fault(retried, fault);
            }
            to.tell(retried.id(id("retried")).at(begun), span);
        }
        let is_new = was_last.is_some_and(|was| was != now.last.span);
        let same_end = before
            .as_ref()
            .is_some_and(|before| before.last.ended == now.last.ended);
        let grew = before
            .as_ref()
            .is_some_and(|before| before.last.meets(&now.last));
        if is_new && !grew {
            let started = self.about("task.started", now.last.trace, to);
            to.tell(started.id(id("started")).at(begun), span);
        }
        let name = match &now.last.ended {
            _ if same_end && grew && now.number == number => "task.updated",
            Ended::Done => "task.completed",
            Ended::Failed(_) => "task.failed",
            Ended::Asked(_) => "task.blocked",
        };
        let took = now.last.end - now.last.start;
        let mut told = self
            .about(name, now.last.trace, to)
            .with("duration_ms", milliseconds(took));
        match &now.last.ended {
            Ended::Failed(fault) => told = to.fault(told, fault),
            Ended::Asked(_) => told = told.with("blocker", ASKS),
            Ended::Done => {}
        }
        let was_done = self
            .attempts
            .iter()
            .any(|attempt| attempt.ended == Ended::Done);
        if was_done && now.last.ended != Ended::Done {
            told = told.with("progress", 0);
        }
        let end = name.rsplit('.').next().unwrap_or(name);
        to.tell(told.id(id(end)).at(moment(now.last.end)), span);
        (before, questions)
    }

    /// Tells questions that nobody was told of yet, and those that were answered: the task went on after them. Returns what was
    /// told of them before.
    fn tell_questions(
        &mut self,
        span: SpanKey,
        to: &mut Teller<'_>,
    ) -> Vec<(String, Option<bool>)> {
        let mut before = Vec::new();
        let mut told = std::mem::take(&mut self.questions);
        // The attempt that came last may ask, and may be the answer to the one before it.
        let new = self.joined.saturating_sub(1)..=self.joined;
        let is_untold = std::mem::take(&mut self.is_untold);
        for (at, attempt) in self.attempts.iter().enumerate() {
            let Ended::Asked(asked) = &attempt.ended else {
                continue;
            };
            if !is_untold && !new.contains(&at) {
                continue;
            }
            self.looked += 1;
            let key = (attempt.trace, attempt.span);
            let next = self.attempts.get(at + 1);
            for (n, (question, request)) in asked.iter().zip(self.requests(attempt)).enumerate() {
                let known = told.get(&request).copied();
                if known.is_none() {
                    let event = self.about("input.requested", attempt.trace, to);
                    let words = to.words.cut(&question.words);
                    let event = event
                        .with("request_id", request.as_str())
                        .with("kind", "input_required")
                        .with("message", words.unwrap_or_else(|| ASKS.into()));
                    let id = event_id(key, &format!("asked{n}"));
                    to.tell(event.id(id).at(moment(attempt.end)), span);
                }
                let was_answered = known.unwrap_or(false);
                if let (Some(next), false) = (next, was_answered) {
                    let event = self.about("input.received", next.trace, to);
                    let event = event.with("request_id", request.as_str());
                    let id = event_id(key, &format!("answered{n}"));
                    to.tell(event.id(id).at(moment(next.start)), span);
                }
                let is_answered = was_answered || next.is_some();
                if known != Some(is_answered) {
                    before.push((request.clone(), known));
                    told.insert(request, is_answered);
                }
            }
        }
        self.questions = told;
        before
    }

    /// The ids of an attempt's questions.
    fn requests(&self, attempt: &Attempt) -> Vec<String> {
        let Ended::Asked(asked) = &attempt.ended else {
            return Vec::new();
        };
        let asked = asked.iter().enumerate();
        asked
            .map(|(n, question)| self.request(attempt, n, question))
            .collect()
    }

    fn request(&self, attempt: &Attempt, n: usize, question: &Question) -> String {
        let own = question.id.clone();
        own.unwrap_or_else(|| {
            format!(
                "{}:{}:{n}",
                self.id,
                super::hex::span_text((attempt.trace, attempt.span))
            )
        })
    }

    fn about(&self, name: &'static str, trace: TraceId, to: &Teller<'_>) -> Told {
        to.event(name)
            .with("task_id", &*self.id)
            .with("agent_id", &*self.agent)
            .with("run_id", super::hex::trace_text(trace))
    }
}
