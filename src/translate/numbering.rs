//! Ids of the events that messages become: the same message of the same run gives the same ids, so a body that is sent
//! again is a repetition.

use std::fmt::Write;

use super::{Language, StreamContext};
use crate::{event::mint_id, fnv::fnv};

/// The place in a run, by which events are named. Before a run has begun nothing has an id, but in a body that has a number.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbering {
    run: Option<String>,
    next: u64,
    /// The name of the body, if it has a number, and the runs without a name in it.
    body: Option<String>,
    nameless: u64,
}

impl Numbering {
    /// Begins a body, which may have a number within its thread.
    pub(super) fn begin_body(
        &mut self,
        language: Language,
        context: &StreamContext,
        number: Option<u64>,
    ) {
        let name = |number: u64| {
            let parts = [
                language.family(),
                context.project.as_deref().unwrap_or_default(),
                context.agent.as_deref().unwrap_or_default(),
                context.thread.as_deref().unwrap_or_default(),
                &number.to_string(),
            ];
            format!("{:016x}", hash(&parts))
        };
        self.body = number.map(name);
        self.nameless = 0;
        if let (None, Some(body)) = (&self.run, &self.body) {
            self.run = Some(format!("{}:{body}", language.family()));
        }
    }

    /// A name for a run that has none: the same when a body with a number is sent again.
    pub(super) fn mint(&mut self) -> String {
        self.nameless += 1;
        match &self.body {
            Some(body) => format!("run-{body}-{}", self.nameless),
            None => format!("run-{}", mint_id()),
        }
    }

    /// Begins a run: its first message has the number 0.
    pub(super) fn begin(&mut self, language: Language, context: &StreamContext, run: &str) {
        let parts = [
            language.family(),
            context.project.as_deref().unwrap_or_default(),
            context.agent.as_deref().unwrap_or_default(),
            context.thread.as_deref().unwrap_or_default(),
            run,
        ];
        self.run = Some(format!("{}:{:016x}", language.family(), hash(&parts)));
        self.next = 0;
    }

    /// The beginning of the ids of the next message's events; none before a run.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut id = self.run.clone()?;
        write!(id, ":{}", self.next).ok();
        self.next += 1;
        Some(id)
    }

    /// The same for a message that has a number or an id of its own.
    pub(super) fn named(&self, own: &str) -> Option<String> {
        let run = self.run.as_deref()?;
        match own.len() <= MAX_OWN {
            true => Some(format!("{run}:{own}")),
            false => Some(format!("{run}:{:016x}", hash(&[own]))),
        }
    }
}

/// Bytes of a message's own id that go into an event's.
const MAX_OWN: usize = 64;

/// A hash of some texts that is the same in every process and version.
pub(super) fn hash(parts: &[&str]) -> u64 {
    fnv(parts.iter().flat_map(|part| part.bytes().chain([0xff])))
}
