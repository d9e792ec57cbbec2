//! A state that a version before things were settled saved: one JSON object, in which the things of all projects with
//! one id are one entity, and owners and projects are looked up. The server reads it once, at the upgrade, so that
//! facts are kept whose events are gone.

use std::{collections::BTreeMap, sync::Arc};

use compact_str::{CompactString, ToCompactString};
use serde::Deserialize;
use smallvec::SmallVec;

use super::{
    entities::Kept,
    entity::{Entity, Fact, HIDDEN, Part},
    folded::State,
    given::given_key,
    limits::Limits,
    runs::run_of,
    store::{Key, Map},
};
use crate::{
    access::authz::Audience,
    event::{Candidates, Kinds, Object, Owned, ThingKind},
    ledger::{Former as FormerThing, Ledger},
};

type Things = SmallVec<[(ThingKind, Box<str>); 1]>;

#[derive(Deserialize)]
struct Saved {
    projects: Entities,
    agents: Entities,
    tasks: Entities,
    runs: Entities,
    health: Known,
    #[serde(rename = "belongings")]
    ownership: FormerOwnership,
    events: u64,
    decisions: u64,
}

#[derive(Deserialize)]
struct Entities {
    by_id: BTreeMap<String, Item>,
}

#[derive(Deserialize)]
struct Item {
    known: Known,
    changed: u64,
}

/// The facts of an entity: all of them, and the same by the things of their events.
#[derive(Default, Deserialize)]
struct Known {
    facts: Object,
    parts: Vec<Said>,
    things: Things,
}

#[derive(Deserialize)]
struct Said {
    things: Things,
    facts: Object,
}

#[derive(Deserialize)]
struct FormerOwnership {
    things: BTreeMap<ThingKind, OfKind>,
    forgotten: Vec<ThingKind>,
}

#[derive(Deserialize)]
struct OfKind {
    by_id: BTreeMap<Arc<str>, FormerOwner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FormerOwner {
    owner: Option<Arc<str>>,
    sure: bool,
    shared: bool,
    projects: Vec<Arc<str>>,
    more: bool,
}

impl FormerOwner {
    fn owner(&self) -> Option<&Arc<str>> {
        self.owner.as_ref().filter(|_| !self.shared)
    }
}

/// Reads such a state within these limits, and a ledger of its things; `None` for any other text.
pub(super) fn read(text: &str, limits: &Limits) -> Option<(State, Ledger)> {
    let saved: Saved = serde_json::from_str(text).ok()?;
    let known = &saved.ownership;
    let mut kept = Kept::new(limits.clone());
    let health = Item {
        known: saved.health,
        changed: 0,
    };
    let health = BTreeMap::from([(String::new(), health)]);
    for (map, entities) in [
        (Map::Projects, saved.projects.by_id),
        (Map::Agents, saved.agents.by_id),
        (Map::Tasks, saved.tasks.by_id),
        (Map::Runs, saved.runs.by_id),
        (Map::Health, health),
    ] {
        for (id, item) in entities {
            if !item.known.facts.is_empty() {
                divide(map, &id, item, known, &mut kept);
            }
        }
    }
    let ledger = Ledger::within(limits.known);
    ledger.take_over(known.rows(), &known.forgotten);
    // Things of which only the existence is known have no project.
    for (map, run, kind) in [
        (Map::Agents, 0, ThingKind::Agent),
        (Map::Tasks, 0, ThingKind::Task),
        (Map::Runs, run_of("agent_run"), ThingKind::Run),
        (Map::Runs, run_of("execution"), ThingKind::Execution),
        (Map::Runs, run_of("job"), ThingKind::Job),
    ] {
        let keys = kept.store.map(map).into_iter().map(|(key, _)| key);
        let homeless = keys.filter(|key| key.project.is_none() && key.kind == run);
        let homeless = homeless.filter(|key| known.of(kind, &key.id).is_none_or(is_homeless));
        let rows = homeless.map(|key| FormerThing::homeless(kind, &key.id));
        ledger.take_over(rows, &[]);
    }
    kept.hold();
    let state = State {
        kept,
        events: saved.events,
        decisions: saved.decisions,
    };
    Some((state, ledger))
}

fn is_homeless(belonging: &FormerOwner) -> bool {
    belonging.projects.is_empty() && !belonging.more
}

/// Makes an entity of each project from the facts that are kept under one id.
fn divide(map: Map, id: &str, item: Item, known: &FormerOwnership, kept: &mut Kept) {
    let kind = match (map, item.known.facts.get("kind").and_then(|k| k.as_str())) {
        (Map::Runs, kind) => run_of(kind.unwrap_or_default()),
        _ => 0,
    };
    let Known {
        mut facts,
        mut parts,
        things,
    } = item.known;
    if parts.is_empty() {
        let facts = std::mem::take(&mut facts);
        parts.push(Said { things, facts });
    }
    let mut entities: Vec<(Key, Entity)> = Vec::new();
    for said in parts {
        // A fact that another part says later is no leftover.
        facts.retain(|key, value| said.facts.get(key).is_none_or(|known| known != value));
        let own = match map {
            Map::Runs => {
                Some([ThingKind::Run, ThingKind::Execution, ThingKind::Job][usize::from(kind)])
            }
            map => map.kind(),
        };
        let about = known.audience(said.things, own.map(|kind| (kind, id)));
        let home = match map {
            Map::Projects => Some(id),
            Map::Health => None,
            _ => about.project(),
        };
        let key = Key {
            kind,
            ..Key::new(id, home.map(Into::into))
        };
        let at = entities.iter().position(|(known, _)| *known == key);
        let at = at.unwrap_or_else(|| {
            entities.push((key, Entity::new(item.changed)));
            entities.len() - 1
        });
        let entity = &mut entities[at].1;
        let part = u8::try_from(entity.parts.len()).unwrap_or(HIDDEN);
        let project = about.project().map(str::to_owned);
        entity.parts.push(Part {
            about,
            changed: item.changed,
        });
        put(
            entity,
            map,
            part.min(HIDDEN),
            project.as_deref(),
            said.facts,
        );
    }
    // Facts whose part was given up are for clients that see everything.
    if let Some((_, entity)) = entities.first_mut() {
        let later = std::mem::take(&mut entity.facts);
        put(entity, map, HIDDEN, None, facts);
        entity.facts.extend(later);
    }
    for (key, entity) in entities {
        kept.restore(map, key, entity);
    }
}

fn put(entity: &mut Entity, map: Map, part: u8, project: Option<&str>, facts: Object) {
    let mut task = None;
    for (key, value) in facts {
        let key: CompactString = match (map, key.as_str()) {
            // Both are the entity's key.
            (_, "project_id") | (Map::Runs, "id") => continue,
            (Map::Agents, "task_id") => {
                task = value.as_str().map(|task| given_key(project, task));
                continue;
            }
            (Map::Agents, "status") if value.is_string() => "said_status".into(),
            (Map::Agents, "status") => continue,
            _ => key.into(),
        };
        let value = value.to_compact_string();
        entity.facts.push(Fact { key, value, part });
    }
    if let Some(key) = task {
        entity.facts.push(Fact {
            key: key.into(),
            value: CompactString::const_new("true"),
            part,
        });
    }
}

impl FormerOwnership {
    fn of(&self, kind: ThingKind, id: &str) -> Option<&FormerOwner> {
        self.things.get(&kind)?.by_id.get(id)
    }

    /// The audience of facts that events about these things said of `own`, by the owners that were known when the state
    /// was saved.
    fn audience(&self, mut things: Things, own: Option<(ThingKind, &str)>) -> Audience {
        let is_project = |(kind, _): &&(ThingKind, Box<str>)| *kind == ThingKind::Project;
        let named = things.iter().find(is_project);
        let named: Option<Arc<str>> = named.map(|(_, id)| (&**id).into());
        let own = own.filter(|(kind, _)| !matches!(kind, ThingKind::Project));
        let mut owners = SmallVec::<[Owned; 1]>::new();
        let (mut uncertain, mut candidates) = (Kinds::default(), Candidates::None);
        let mut single = None;
        let all = things.iter().map(|(kind, id)| (*kind, &**id)).chain(own);
        for (kind, id) in all {
            let forgotten = self.forgotten.contains(&kind);
            let known = self.of(kind, id);
            if let Some(owner) = known.and_then(FormerOwner::owner) {
                owners.push(Owned {
                    owner: owner.clone(),
                    kinds: [kind].into_iter().collect(),
                });
            }
            // Events about an agent without a project are for everybody.
            if named.is_some() || kind == ThingKind::Agent {
                continue;
            }
            match known {
                Some(FormerOwner {
                    more: false,
                    projects,
                    ..
                }) if !projects.is_empty() => match &projects[..] {
                    [project] if single.as_ref().is_none_or(|single| single == project) => {
                        single = Some(project.clone());
                    }
                    several => {
                        uncertain.insert(kind);
                        candidates = match candidates {
                            Candidates::None if several.len() > 1 => {
                                Candidates::These(several.into())
                            }
                            _ => Candidates::Unknown,
                        };
                    }
                },
                Some(FormerOwner { more: true, .. }) => {
                    uncertain.insert(kind);
                    candidates = Candidates::Unknown;
                }
                _ if forgotten => {
                    uncertain.insert(kind);
                    candidates = Candidates::Unknown;
                }
                _ => {}
            }
        }
        // Things of different projects are of no single one.
        let project = named.clone().or(single.filter(|_| uncertain.is_empty()));
        if let Some(project) = project.as_ref().filter(|_| named.is_none()) {
            things.insert(0, (ThingKind::Project, (&**project).into()));
        }
        Audience::carried(project, things, owners, (uncertain, candidates))
    }

    /// The owners and projects that the ledger takes over.
    fn rows(&self) -> impl Iterator<Item = FormerThing<'_>> {
        let kinds = self.things.iter();
        let all =
            kinds.flat_map(|(kind, of)| of.by_id.iter().map(|(id, known)| (*kind, id, known)));
        all.flat_map(|(kind, id, known)| {
            let homeless = is_homeless(known).then_some(None);
            let homes = known.projects.iter().map(Some).chain(homeless);
            homes.map(move |project| FormerThing {
                kind,
                id,
                project: project.cloned(),
                owner: known.owner.clone(),
                sure: known.sure,
                shared: known.shared,
            })
        })
    }
}
