//! Filters: the updates of its rooms that a client wants to see.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde_json::Value;

use super::verdicts::{self, Verdicts};
use crate::{
    error::Error,
    event::{Event, Priority, folded},
    pattern::{BadPattern, Pattern, Patterns},
};

/// Up to so many patterns are matched faster than a remembered verdict is found.
const LOOKED_AT_EACH_TIME: usize = 4;

/// Limits on one filter, so that a client can't make every update expensive for everybody.
const MAX_ENTRIES: usize = 100;
const MAX_ENTRY: usize = 128;
/// Bytes of all its entries together: each connection may have a filter of its own.
const MAX_BYTES: usize = 16_384;
/// Bytes of memory that an entry holds beside its text, about.
const ENTRY_BYTES: usize = 40;

/// `{types, exclude, projects, agents, runs, min_priority}`; an empty key lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Compared to find clients with equal filters, for which it is evaluated once.
    spec: Spec,
    /// The rules of `spec.types` and `spec.exclude` for names; `None` when they say nothing.
    names: Option<Arc<Names>>,
}

/// The names of updates and events that pass.
#[derive(Debug)]
struct Names {
    /// Names that pass; empty means all.
    types: Patterns,
    /// Names that don't pass, even if `types` has them.
    exclude: Patterns,
    /// The verdicts on earlier names: there are few names, and all come again.
    verdicts: Verdicts,
}

impl Names {
    fn new(types: Patterns, exclude: Patterns) -> Option<Arc<Self>> {
        let none = types.is_empty() && exclude.is_empty();
        let verdicts = Verdicts::default();
        (!none).then(|| {
            Arc::new(Self {
                types,
                exclude,
                verdicts,
            })
        })
    }

    /// Whether an update or event of one of these folded names passes.
    fn admit(&self, update: &str, event: &str) -> bool {
        if !self.remembers() {
            return self.find(update, event);
        }
        self.verdicts.of(update, event, || self.find(update, event))
    }

    /// Whether remembering a verdict is faster than finding it again.
    fn remembers(&self) -> bool {
        self.types.wild() + self.exclude.wild() > LOOKED_AT_EACH_TIME
    }

    fn find(&self, update: &str, event: &str) -> bool {
        let among = |patterns: &Patterns| patterns.matches(update) || patterns.matches(event);
        (self.types.is_empty() || among(&self.types)) && !among(&self.exclude)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Spec {
    /// Names and globs of updates or events; none means all.
    types: BTreeSet<String>,
    /// The same for names that are left out; `exclude` goes before `types`.
    exclude: BTreeSet<String>,
    /// Only of these projects.
    projects: BTreeSet<String>,
    /// Only of these agents.
    agents: BTreeSet<String>,
    /// Only of these runs or executions.
    runs: BTreeSet<String>,
    /// Nothing less urgent than this.
    min_priority: Option<Priority>,
}

/// The subject that a filter judges.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The update's Socket.IO event name.
    pub update: &'a str,
    /// The same [folded].
    pub folded: &'a str,
    /// The update's priority.
    pub priority: Priority,
    /// The event it was made of.
    pub event: &'a Event,
}

impl Spec {
    fn lists(&self) -> [&BTreeSet<String>; 5] {
        [
            &self.types,
            &self.exclude,
            &self.projects,
            &self.agents,
            &self.runs,
        ]
    }

    /// The bytes of all its texts.
    fn bytes(&self) -> usize {
        self.lists().into_iter().flatten().map(String::len).sum()
    }
}

impl Eq for Filter {}

impl Hash for Filter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.hash(state);
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Filter {
    /// Reads a filter as clients send it; `null` and absent keys mean everything.
    ///
    /// # Errors
    /// `bad_request`, naming the key.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        let object = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(object) => object,
            _ => return Err(Error::bad_request("filters must be an object")),
        };
        let mut spec = Spec::default();
        for (key, value) in object {
            match key.as_str() {
                "types" => spec.types = strings(key, value)?,
                "exclude" => spec.exclude = strings(key, value)?,
                "projects" => spec.projects = strings(key, value)?,
                "agents" => spec.agents = strings(key, value)?,
                "runs" => spec.runs = strings(key, value)?,
                "min_priority" => spec.min_priority = priority(value)?,
                _ => {
                    return Err(Error::bad_request(format!(
                        "filters.{} is not known: use types, exclude, projects, agents, runs, min_priority",
                        key.chars().take(64).collect::<String>()
                    )));
                }
            }
        }
        if spec.bytes() > MAX_BYTES {
            return Err(Error::bad_request(format!(
                "filters may have {MAX_BYTES} bytes in all their lists together; use patterns such as \"task.*\" for many names"
            )));
        }
        Ok(Self {
            names: Names::new(
                patterns("types", &spec.types)?,
                patterns("exclude", &spec.exclude)?,
            ),
            spec,
        })
    }

    /// The filter as clients write it: read again it is the same. `null` lets everything through.
    pub fn to_value(&self) -> Value {
        if self.is_empty() {
            return Value::Null;
        }
        let spec = &self.spec;
        let mut value = serde_json::json!({
            "types": spec.types, "exclude": spec.exclude, "projects": spec.projects, "agents": spec.agents, "runs": spec.runs,
        });
        if let Some(priority) = spec.min_priority {
            value["min_priority"] = priority.as_str().into();
        }
        value
    }

    /// The bytes of memory that the filter holds beside itself, estimated, with the verdicts that it may come to
    /// remember.
    pub fn held(&self) -> usize {
        let of = |list: &BTreeSet<String>| {
            list.iter()
                .map(|text| text.len() + ENTRY_BYTES)
                .sum::<usize>()
        };
        let written: usize = self.spec.lists().into_iter().map(of).sum();
        let patterns = of(&self.spec.types) + of(&self.spec.exclude);
        let remembers = |names: &Arc<Names>| names.remembers();
        let verdicts = self.names.as_ref().is_some_and(remembers);
        written + patterns + if verdicts { verdicts::MOST } else { 0 }
    }

    /// Whether the filter lets everything through.
    pub fn is_empty(&self) -> bool {
        self.spec == Spec::default()
    }

    /// Whether an update passes that has a name but no event behind it (an aggregate, a notice).
    pub fn admits_name(&self, name: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let name = folded(name);
        names.admit(&name, &name)
    }

    /// Whether its `types` ask for an update of this name, behind which there is no event.
    pub fn asks_for(&self, name: &str) -> bool {
        !self.spec.types.is_empty() && self.admits_name(name)
    }

    /// Whether an update passes. Globs are held against the update's name and the event's.
    pub fn admits(&self, subject: &Subject<'_>) -> bool {
        let event = subject.event;
        let named = |names: &Arc<Names>| names.admit(subject.folded, event.name.canonical());
        let among = |set: &BTreeSet<String>, id: Option<&str>| {
            set.is_empty() || id.is_some_and(|id| set.contains(id))
        };
        self.spec
            .min_priority
            .is_none_or(|min| subject.priority <= min)
            && among(&self.spec.projects, event.project_id.as_deref())
            && among(&self.spec.agents, event.agent_id())
            && (self.spec.runs.is_empty()
                || [event.run_id(), event.execution_id(), event.job_id()]
                    .into_iter()
                    .flatten()
                    .any(|id| self.spec.runs.contains(id)))
            && self.names.as_ref().is_none_or(named)
    }
}

fn strings(key: &str, value: &Value) -> Result<BTreeSet<String>, Error> {
    let wrong = || {
        Error::bad_request(format!(
            "filters.{key} must be a list of at most {MAX_ENTRIES} strings of at most {MAX_ENTRY} characters"
        ))
    };
    let list = match value {
        Value::Null => return Ok(BTreeSet::new()),
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list
            .iter()
            .map(|v| v.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    if list.len() > MAX_ENTRIES || list.iter().any(|s| s.len() > MAX_ENTRY) {
        return Err(wrong());
    }
    Ok(list.into_iter().collect())
}

fn priority(value: &Value) -> Result<Option<Priority>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    value
        .as_str()
        .and_then(Priority::from_name)
        .map(Some)
        .ok_or_else(|| {
            Error::bad_request("filters.min_priority must be critical, high, normal or low")
        })
}

fn patterns(key: &str, texts: &BTreeSet<String>) -> Result<Patterns, Error> {
    let wrong =
        |text: &str, bad: BadPattern| Error::bad_request(format!("filters.{key}: {text:?} {bad}"));
    texts
        .iter()
        .map(|text| Pattern::written(&folded(text)).map_err(|bad| wrong(text, bad)))
        .collect()
}
