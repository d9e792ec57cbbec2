//! Sums of the tokens and costs of agents, runs and projects.
//!
//! A client gets the sum of what it may see. So there is a sum for each thing and each audience (`update/usage_scope.rs`), and those
//! that a client may see are added up when the state is written for it. A sum is told with its thing; one of a run that is not
//! known yet waits for it.

use std::collections::BTreeMap;

use super::{
    given::OWN,
    store::{Key, Map, Store},
};
use crate::{
    access::authz::{Audience, Permissions},
    event::Object,
    update::{Scope, Sums, usage_fields},
};

/// The keys of the sums of all calls, and of those that sum up calls themselves.
pub(super) const SUMS: &str = "sums";
pub(super) const TOTALS: &str = "totals";
/// Begins the keys of the sums by model.
const MODEL: char = ':';
/// The sums of the models that have no room of their own.
pub(super) const OTHER: &str = "other";

pub(super) fn model_key(model: &str) -> String {
    format!("{MODEL}{model}")
}

pub(super) fn is_model(key: &str) -> bool {
    key.starts_with(MODEL)
}

/// The beginning of the keys of a thing's sums.
pub(super) fn beginning(scope: Scope, id: &str) -> String {
    let scope = scope as usize;
    format!("{scope}{OWN}{}{OWN}", id.replace(OWN, "\u{2}"))
}

/// The usage of a thing, as far as a client may see it; with `project`, that of an agent of no project only as far as it was there.
pub(super) fn shown(
    store: &Store,
    (map, thing): (Map, &Key),
    permissions: &Permissions,
    project: Option<&str>,
) -> Option<Object> {
    let scope = match map {
        Map::Agents => Scope::Agent,
        Map::Runs => Scope::Run,
        Map::Projects => Scope::Project,
        _ => return None,
    };
    let there = project.filter(|_| thing.project.is_none());
    of(store, scope, thing, |audience| {
        there.is_none_or(|project| audience.project() == Some(project))
            && permissions.may_see_audience(audience, None)
    })
}

/// The usage of a thing, of these audiences.
fn of(
    store: &Store,
    scope: Scope,
    thing: &Key,
    sees: impl Fn(&Audience) -> bool,
) -> Option<Object> {
    let (mut sums, mut totals) = (Sums::default(), Sums::default());
    let mut models: BTreeMap<String, Sums> = BTreeMap::new();
    let with = beginning(scope, &thing.id);
    for (_, entity) in store
        .beginning(Map::Usage, &with)
        .filter(|(key, _)| key.project == thing.project)
    {
        let mask = entity.mask(&sees);
        for (key, value) in entity.all(mask) {
            let told = serde_json::from_str(value).unwrap_or_default();
            let told = Sums::read(&told);
            match (key, key.strip_prefix(MODEL)) {
                (SUMS, _) => sums.add(&told),
                (TOTALS, _) => totals.add(&told),
                (_, Some(model)) => models.entry(model.to_owned()).or_default().add(&told),
                _ => {}
            }
        }
    }
    let is_any = !(sums.is_zero() && totals.is_zero());
    is_any.then(|| usage_fields(&sums, models.into_iter(), &totals))
}
