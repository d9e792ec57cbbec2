//! The facts of one entity, and from which events they are: who may not see these must not see what they said.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smallvec::SmallVec;

use crate::{
    access::{Belongings, Projects, Sight},
    event::{Event, Kind, Object, json_len},
};

/// Facts of one entity; further ones are not taken, so that a producer with ever new keys can't grow one without end.
const MAX_KEYS: usize = 64;
/// Bytes of one fact: what is longer is in the history, but not in every snapshot.
const MAX_FACT: usize = 8 * 1024;
/// Parts of one entity; what the one unchanged for longest says is then shown only to those who see everything.
const MAX_PARTS: usize = 8;

/// What is known of one entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// All facts, the later ones over the earlier ones.
    pub(super) facts: Object,
    /// The same by what the events were about, when that differed; mostly it is one project, and this is empty.
    parts: Vec<Part>,
    /// What the first events were about.
    things: Things,
}

/// What events said that were about the same things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    /// Who may not see one of these doesn't see the facts.
    things: Things,
    /// What was said about just these.
    facts: Object,
}

/// The things that decide who may see an event. Agents and tasks are not among them: what is said of them is theirs.
pub(super) type Things = SmallVec<[(Kind, Box<str>); 1]>;

/// What an event is about. One that names no project is about that of its task: what an agent does there is not said of the
/// agent to all.
pub(super) fn about(event: &Event, belongings: &Belongings) -> Things {
    let mut things = Things::new();
    event.things(&mut |kind, id| {
        if !matches!(kind, Kind::Agent | Kind::Task) {
            things.push((kind, id.into()));
        }
    });
    if event.project_id.is_none()
        && let Some(task) = event.task_id()
    {
        belongings.look(Kind::Task, task, |_, projects| match projects {
            Projects::None => {}
            Projects::These([project]) => things.insert(0, (Kind::Project, (**project).into())),
            _ => things.push((Kind::Task, task.into())),
        });
    }
    things
}

impl Known {
    /// The facts, to be changed by what is said of these things.
    pub(super) fn change(&mut self, about: &Things) -> Facts<'_> {
        if self.facts.is_empty() {
            self.things = about.clone();
        }
        if self.parts.is_empty() {
            if self.things == *about {
                return Facts {
                    all: &mut self.facts,
                    part: None,
                };
            }
            self.parts.push(Part {
                things: std::mem::take(&mut self.things),
                facts: self.facts.clone(),
            });
        }
        // The part changed last is the last one, so that it lies over the others.
        let part = match self.parts.iter().position(|p| p.things == *about) {
            Some(at) => self.parts.remove(at),
            None => Part {
                things: about.clone(),
                facts: Object::new(),
            },
        };
        if self.parts.len() == MAX_PARTS {
            self.parts.remove(0);
        }
        self.parts.push(part);
        Facts {
            all: &mut self.facts,
            part: self.parts.last_mut().map(|part| &mut part.facts),
        }
    }

    /// What of it may be seen; none if nothing. `own` is the thing that it is about.
    pub(super) fn seen(&self, sight: &Sight, own: Option<(Kind, &str)>) -> Option<Object> {
        if sight.is_everything() {
            return Some(self.facts.clone());
        }
        let may = |things: &Things| {
            let named = things.iter().map(|(kind, id)| (*kind, &**id));
            sight.may_see_things(named.chain(own))
        };
        if self.parts.is_empty() {
            return may(&self.things).then(|| self.facts.clone());
        }
        let mut seen = Object::new();
        let visible = self.parts.iter().filter(|part| may(&part.things));
        visible.for_each(|part| seen.extend(part.facts.clone()));
        (!seen.is_empty()).then_some(seen)
    }
}

/// Whether a value is too much for the state: whoever needs it finds it in the history.
fn is_large(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > MAX_FACT,
        Value::Array(_) | Value::Object(_) => json_len(value) > MAX_FACT,
        _ => false,
    }
}

/// The facts of one entity, within their bound.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// For those who see everything.
    all: &'a mut Object,
    /// The same for the things of this event; none while there is one part only.
    part: Option<&'a mut Object>,
}

impl Facts<'_> {
    /// Sets a fact.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if is_large(&value) {
            return self;
        }
        if let Some(part) = &mut self.part {
            put(part, key, value.clone());
        }
        put(self.all, key, value);
        self
    }

    /// Sets a fact if there is a value.
    pub(super) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Lays all facts of `data` over these, but those.
    pub(super) fn lay_over(&mut self, data: &Object, but: &[&str]) -> &mut Self {
        for (key, value) in data {
            if !but.contains(&key.as_str()) {
                self.set(key, value.clone());
            }
        }
        self
    }

    /// Takes a fact away.
    pub(super) fn clear(&mut self, key: &str) -> &mut Self {
        self.all.remove(key);
        if let Some(part) = &mut self.part {
            part.remove(key);
        }
        self
    }
}

fn put(facts: &mut Object, key: &str, value: Value) {
    if facts.len() < MAX_KEYS || facts.contains_key(key) {
        facts.insert(key.to_owned(), value);
    }
}
