//! Questions to people one by one: for those who answer them, and for those who wait for the answers.

use std::{collections::HashSet, sync::Arc};

use serde_json::Value;

use super::{
    entity::{Entity, Mask},
    given::{ASKED_BY, ASKER_HOME, CLOSED_BY, OWN},
    picture::Picture,
    store::{Key, Map, Store},
};
use crate::{
    access::authz::Permissions,
    error::Error,
    event::{self, Object},
    timestamp::Timestamp,
};

const OPEN: &str = r#""open""#;

/// The client that wants to know of a question.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    /// The permissions by which it sees questions.
    pub(crate) permissions: &'a Permissions,
    /// Its verified identity; empty for none. Who asked a question may always learn the answer.
    pub(crate) verified: &'a str,
}

/// The status of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuestionStatus {
    /// Nobody has answered.
    Open,
    /// It has an answer.
    Received,
    /// Its agent no longer waits.
    Expired,
}

impl QuestionStatus {
    fn read(json: Option<&str>) -> Option<Self> {
        Some(match json? {
            OPEN => Self::Open,
            r#""received""# => Self::Received,
            r#""expired""# => Self::Expired,
            _ => return None,
        })
    }
}

/// A question as one client may see it.
#[derive(Debug)]
pub(crate) struct Question {
    /// The request's id, and its project.
    pub(crate) id: String,
    pub(crate) project: Option<Arc<str>>,
    /// The status as the client may see it.
    pub(crate) status: QuestionStatus,
    /// Whether it is open, whatever the client may see of its end.
    pub(crate) is_open: bool,
    /// The time from which on it is not to be answered.
    pub(crate) expires_at: Option<Timestamp>,
    /// The event that closed it.
    pub(crate) closed_by: Option<String>,
    /// Its facts.
    pub(crate) facts: Object,
    /// The ids by which its event named things, without the project.
    pub(crate) named: Object,
    /// Whether its producer speaks for its project only.
    pub(crate) is_confined: bool,
}

impl Question {
    /// Whether its time is over although nobody closed it.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.is_open && self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Picture {
    /// The question of an id, in this project or in the only one in which the client may see it.
    ///
    /// # Errors
    /// `bad_request` if the client may see several.
    pub(crate) fn question(
        &self,
        asker: &Asker<'_>,
        project: Option<&str>,
        id: &str,
    ) -> Result<Option<Question>, Error> {
        let named = self.store.namesakes(Map::Inputs, id);
        let named = named.filter(|(key, _)| project.is_none() || key.project.as_deref() == project);
        let mut seen = named.filter_map(|(key, entity)| Some((key, entity, mask(asker, entity)?)));
        let Some((key, entity, mask)) = seen.next() else {
            return Ok(None);
        };
        if seen.next().is_some() {
            return Err(Error::bad_request(
                "several projects have a question of this id: say in which one it is, as project_id",
            ));
        }
        Ok(read(key, entity, mask))
    }
}

fn mask(asker: &Asker<'_>, entity: &Entity) -> Option<Mask> {
    let asked_by = entity.get(Mask::MAX, ASKED_BY).and_then(text);
    let is_own = !asker.verified.is_empty() && asked_by.as_deref() == Some(asker.verified);
    match is_own {
        true => Some(Mask::MAX),
        false => entity.seen(asker.permissions, None),
    }
}

fn read(key: &Key, entity: &Entity, mask: Mask) -> Option<Question> {
    let mut facts = Object::new();
    for (name, value) in entity.shown(mask) {
        if !name.starts_with(OWN)
            && let Ok(value) = serde_json::from_str(value)
        {
            facts.insert(name.into(), value);
        }
    }
    facts.insert("project_id".into(), key.project.as_deref().into());
    let asked = entity.facts.iter().find(|fact| fact.key == "requested_at");
    let part = asked.and_then(|fact| entity.parts.get(usize::from(fact.part)));
    let named = part.iter().flat_map(|part| part.about.named());
    let named = named.filter(|(kind, _)| *kind != event::ThingKind::Project);
    Some(Question {
        id: key.id.to_string(),
        project: key.project.clone(),
        status: QuestionStatus::read(entity.get(mask, "status"))?,
        is_open: is_open(entity, Mask::MAX),
        expires_at: facts.get("expires_at").and_then(event::read_timestamp),
        closed_by: entity.get(Mask::MAX, CLOSED_BY).and_then(text),
        named: named
            .map(|(kind, id)| (format!("{kind}_id"), id.into()))
            .collect(),
        // The audience of a question with very many is forgotten: then it is for fewer.
        is_confined: part.map_or(key.project.is_some(), |part| part.about.is_confined()),
        facts,
    })
}

/// Whether a question is open, as far as the mask shows it.
pub(super) fn is_open(entity: &Entity, mask: Mask) -> bool {
    entity.get(mask, "status") == Some(OPEN)
}

/// The open question that an event closes: that of its project; or the only one of this id, where either names no
/// project.
pub(super) fn meant(store: &Store, key: Key, confined: bool) -> Option<Key> {
    let open = store.namesakes(Map::Inputs, &key.id);
    let open = open.filter(|(_, entity)| is_open(entity, Mask::MAX));
    let open: Vec<&Key> = open.map(|(known, _)| known).collect();
    if open.contains(&&key) {
        return Some(key);
    }
    let [other] = open[..] else { return None };
    let fits = !confined && (key.project.is_none() || other.project.is_none());
    fits.then(|| other.clone())
}

/// The agents with an open question that a client may see.
pub(super) fn askers(store: &Store, permissions: &Permissions) -> HashSet<Key> {
    let questions = store.map(Map::Inputs).into_iter();
    let asking = questions.filter_map(|(_, entity)| {
        let mask = entity.seen(permissions, None)?;
        let agent = entity.get(mask, "agent_id").and_then(text)?;
        let home = entity.get(mask, ASKER_HOME).and_then(text);
        is_open(entity, mask).then(|| Key::new(&agent, home.map(Arc::from)))
    });
    asking.collect()
}

fn text(json: &str) -> Option<String> {
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}
