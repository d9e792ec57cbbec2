//! What of its rooms a client wants to see.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::Value;

use crate::{
    event::{Event, EventName, Priority},
    refusal::Refusal,
};

/// Limits on one filter, so that a client can't make every update expensive for everybody.
const MAX_ENTRIES: usize = 100;
const MAX_ENTRY: usize = 128;

/// `{types, exclude, projects, agents, runs, min_priority}`; whatever is empty lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Compared to find clients with equal filters: they are evaluated once for all of them.
    spec: Spec,
    /// `spec.types` compiled.
    types: Option<GlobSet>,
    /// `spec.exclude` compiled.
    exclude: Option<GlobSet>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Spec {
    /// Names and globs of updates or events; none means all.
    types: BTreeSet<String>,
    /// The same for what is left out; it goes before `types`.
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

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The update's Socket.IO event name.
    pub update: &'a str,
    /// How urgent the update is.
    pub priority: Priority,
    /// The event it was made of.
    pub event: &'a Event,
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
    pub fn parse(value: &Value) -> Result<Self, Refusal> {
        let object = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(object) => object,
            _ => return Err(Refusal::bad_request("filters must be an object")),
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
                    return Err(Refusal::bad_request(format!(
                        "filters.{} is not known: use types, exclude, projects, agents, runs, min_priority",
                        key.chars().take(64).collect::<String>()
                    )));
                }
            }
        }
        Ok(Self {
            types: globs("types", &spec.types)?,
            exclude: globs("exclude", &spec.exclude)?,
            spec,
        })
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.spec == Spec::default()
    }

    /// Whether something passes that has a name but no event behind it (an aggregate, a notice).
    pub fn admits_name(&self, name: &str) -> bool {
        let matches = |set: &GlobSet| set.is_match(fold_glob(name));
        self.types.as_ref().is_none_or(matches) && !self.exclude.as_ref().is_some_and(matches)
    }

    /// Whether an update passes. Globs are held against the update's name and the event's.
    pub fn admits(&self, subject: &Subject<'_>) -> bool {
        let event = subject.event;
        let matches = |set: &GlobSet| {
            set.is_match(fold_glob(subject.update)) || set.is_match(event.name.canonical())
        };
        let among = |set: &BTreeSet<String>, id: Option<&str>| {
            set.is_empty() || id.is_some_and(|id| set.contains(id))
        };
        self.spec
            .min_priority
            .is_none_or(|min| subject.priority <= min)
            && self.types.as_ref().is_none_or(matches)
            && !self.exclude.as_ref().is_some_and(matches)
            && among(&self.spec.projects, event.project_id.as_deref())
            && among(&self.spec.agents, event.agent_id())
            && (self.spec.runs.is_empty()
                || [event.run_id(), event.execution_id(), event.job_id()]
                    .into_iter()
                    .flatten()
                    .any(|id| self.spec.runs.contains(id)))
    }
}

fn strings(key: &str, value: &Value) -> Result<BTreeSet<String>, Refusal> {
    let wrong = || {
        Refusal::bad_request(format!(
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

fn priority(value: &Value) -> Result<Option<Priority>, Refusal> {
    if value.is_null() {
        return Ok(None);
    }
    value
        .as_str()
        .and_then(Priority::from_name)
        .map(Some)
        .ok_or_else(|| {
            Refusal::bad_request("filters.min_priority must be critical, high, normal or low")
        })
}

fn globs(key: &str, patterns: &BTreeSet<String>) -> Result<Option<GlobSet>, Refusal> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let wrong = |error: globset::Error| {
        Refusal::bad_request(format!(
            "filters.{key}: {:?} is not a pattern",
            error.glob().unwrap_or_default()
        ))
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(&fold_glob(pattern)).map_err(wrong)?);
    }
    set.build().map(Some).map_err(wrong)
}

/// Names and patterns are compared without regard to separators.
fn fold_glob(text: &str) -> String {
    EventName::new(text).canonical().to_owned()
}
