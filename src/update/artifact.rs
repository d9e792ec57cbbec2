//! Artifacts that agents make, as their events tell them: files, pages, pictures.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::{EventName, Object, id_of};

/// Bytes of a place or a name that stands for the id of an artifact without one: by a longer one nobody finds it again.
const MAX_STAND_IN: usize = 512;

/// The keys of an artifact's id, and of what stands for it.
const ID: [&str; 2] = ["artifact_id", "artifactId"];
const STAND_INS: [&str; 3] = ["url", "path", "name"];

/// The status of an artifact after an event of it; none for other events of the family.
pub(crate) fn artifact_status(name: &EventName) -> Option<&'static str> {
    match name.canonical() {
        "artifact.created" => Some("created"),
        "artifact.updated" => Some("updated"),
        "artifact.deleted" => Some("deleted"),
        _ => None,
    }
}

/// The id of the artifact; its place, else its name stands for one that has none.
pub(crate) fn artifact_id(data: &Object) -> Option<Cow<'_, str>> {
    let said = ID.iter().find_map(|key| match data.get(*key)? {
        Value::String(id) if !id.is_empty() => Some(Cow::from(id)),
        Value::Number(id) => Some(id_of(id).into()),
        _ => None,
    });
    let text = |key: &&str| data.get(*key)?.as_str();
    let mut others = STAND_INS.iter().filter_map(text);
    said.or_else(|| {
        let other = others.find(|other| !other.is_empty() && other.len() <= MAX_STAND_IN)?;
        Some(other.into())
    })
}

/// The name of the artifact: as it is said, else the end of its place.
pub(super) fn artifact_name(data: &Object) -> Option<&str> {
    let text = |key: &str| data.get(key)?.as_str();
    let end = |place: &'static str| {
        let place = text(place)?;
        let path = place.split(['?', '#']).next()?.trim_end_matches('/');
        path.rsplit(['/', '\\'])
            .next()
            .filter(|end| !end.is_empty())
    };
    text("name").or_else(|| end("path")).or_else(|| end("url"))
}
