//! The things whose usage an event adds to, and for each an event of its own that names only what decides who sees the sum.
//!
//! A sum adds up calls of many agents, tasks and runs. It may be seen by those who may see *each* of its events, so only
//! events are added up that the same clients see: what is seen of an event depends on its project, on the owners and the
//! kinds of its things, and on a user. The ids of all other things decide nothing, so a sum's event has one word for all of
//! them ([`ANY`]); a token that names the room of one of these is shown fewer sums, not more.

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::usage::{Sums, Usage, usage};
use crate::event::{Event, Ids, Kinds, Object, Settled, ThingKind};

/// Stands for the id of a thing that is not the scope. No room has this name.
const ANY: &str = "\u{1}";

/// The keys of a sum's data.
pub(super) const SCOPE: &str = "scope";
const SUMS: &str = "sums";
const MODELS: &str = "models";
const TOTALS: &str = "totals";

/// A kind of things that have sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An agent.
    Agent,
    /// An agent's run, a workflow's execution or a job: its events may name it by any of these.
    Run,
    /// A project.
    Project,
}

impl Scope {
    pub(crate) const ALL: [Self; 3] = [Self::Agent, Self::Run, Self::Project];

    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Project => "project",
        }
    }

    /// The scope of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// The thing of this kind that an event names.
    fn of(self, event: &Event) -> Option<(ThingKind, &str)> {
        let runs = [
            (ThingKind::Run, event.run_id()),
            (ThingKind::Execution, event.execution_id()),
            (ThingKind::Job, event.job_id()),
        ];
        match self {
            Self::Agent => Some((ThingKind::Agent, event.agent_id()?)),
            Self::Run => runs.into_iter().find_map(|(kind, id)| Some((kind, id?))),
            Self::Project => Some((ThingKind::Project, event.project_id.as_deref()?)),
        }
    }
}

/// The share of an event in the sums of one thing.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) scope: Scope,
    /// The thing's kind, as it is settled.
    pub(crate) kind: ThingKind,
    /// Its id.
    pub(crate) id: Box<str>,
    /// The event that is judged in the place of the one that was published.
    pub(crate) event: Event,
}

/// The sums that an event adds to, and by how much.
pub(crate) fn added(event: &Event) -> Option<(Usage, SmallVec<[Added; 3]>)> {
    let usage = usage(event)?;
    let to = Scope::ALL.into_iter().filter_map(|scope| {
        let (kind, id) = scope.of(event)?;
        let data = data(scope, id, &usage);
        Some(Added {
            scope,
            kind,
            id: id.into(),
            event: narrowed(event, kind, id, data),
        })
    });
    let to = to.collect();
    Some((usage, to))
}

fn data(scope: Scope, id: &str, usage: &Usage) -> Object {
    let mut data = Object::new();
    data.insert(SCOPE.into(), json!({ "kind": scope.as_str(), "id": id }));
    let sums = usage.sums.written();
    match (&usage.model, usage.is_total) {
        (_, true) => drop(data.insert(TOTALS.into(), sums)),
        (model, false) => {
            if let Some(model) = model {
                data.insert(MODELS.into(), json!({ model: sums }));
            }
            data.insert(SUMS.into(), sums);
        }
    }
    data
}

/// An event that names this thing, its project, its user, and that it has things of other kinds.
fn narrowed(event: &Event, own: ThingKind, id: &str, data: Object) -> Event {
    let mut names = Object::new();
    event.things(&mut |kind, named| {
        let (key, named) = match kind {
            ThingKind::Project => return,
            ThingKind::User => ("user_id", named),
            kind => {
                let key = match kind {
                    ThingKind::Agent => "agent_id",
                    ThingKind::Task => "task_id",
                    ThingKind::Run => "run_id",
                    ThingKind::Execution => "execution_id",
                    ThingKind::Workflow => "workflow_id",
                    _ => "job_id",
                };
                (key, if kind == own { id } else { ANY })
            }
        };
        names.insert(key.into(), named.into());
    });
    Event {
        id: event.id.clone(),
        name: event.name.clone(),
        timestamp: event.timestamp,
        source: event.source.clone(),
        project_id: event.project_id.clone(),
        priority: None,
        data,
        metadata: Object::new(),
        dialect: event.dialect,
        ids: Ids::find(&names, event.name.family()),
        content: 0,
        emission: None,
        settled: Settled {
            // The update of the call says what changed its project.
            adopted: Kinds::default(),
            ..event.settled.clone()
        },
    }
}

/// Adds the later sums of one thing to the earlier ones. The number is that of the models.
pub(crate) fn join_sums(mut earlier: Object, later: &Object) -> (Object, usize) {
    let sum = |one: Option<&Value>, other: &Value| {
        let mut sums = one.map(Sums::read).unwrap_or_default();
        sums.add(&Sums::read(other));
        sums.written()
    };
    for key in [SUMS, TOTALS] {
        if let Some(more) = later.get(key) {
            let sums = sum(earlier.get(key), more);
            earlier.insert(key.into(), sums);
        }
    }
    if let Some(more) = later.get(MODELS).and_then(Value::as_object) {
        let models = earlier.entry(MODELS).or_insert_with(|| json!({}));
        if let Value::Object(models) = models {
            for (model, more) in more {
                let sums = sum(models.get(model), more);
                models.insert(model.clone(), sums);
            }
        }
    }
    let models = earlier.get(MODELS).and_then(Value::as_object);
    let models = models.map_or(0, Object::len);
    (earlier, models)
}

/// The scope that an event of sums is about.
pub(super) fn scope_of(data: &Object) -> Option<(Scope, &str)> {
    let scope = data.get(SCOPE)?;
    let kind = Scope::named(scope.get("kind")?.as_str()?)?;
    Some((kind, scope.get("id")?.as_str()?))
}

/// The fields of an update of sums, beside its scope.
pub(super) fn fields(data: &Object) -> Object {
    let read = |key: &str| data.get(key).map(Sums::read).unwrap_or_default();
    let models = data.get(MODELS).and_then(Value::as_object);
    let models = models.into_iter().flatten();
    let models = models.map(|(model, sums)| (model.clone(), Sums::read(sums)));
    usage_fields(&read(SUMS), models, &read(TOTALS))
}

/// The sums of a thing as clients read them, in updates and in the state.
pub(crate) fn usage_fields(
    sums: &Sums,
    models: impl Iterator<Item = (String, Sums)>,
    totals: &Sums,
) -> Object {
    let mut fields = sums.fields();
    let models: Object = models
        .map(|(model, sums)| (model, sums.fields().into()))
        .collect();
    fields.insert("by_model".into(), models.into());
    if !totals.is_zero() {
        fields.insert("totals".into(), totals.fields().into());
    }
    fields
}
