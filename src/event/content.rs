//! A hash of an event's content, which tells a repetition from another event with the same id.

use std::{io::Write, sync::Arc};

use serde_json::Value;

use super::Event;
use crate::{emission::Emission, fnv::Fnv};

/// The id under which an event is kept when its producer has used its own one for another event. The same content gets
/// the same id.
pub fn id_for_conflict(id: &str, content: u64) -> Arc<str> {
    let mut seed = Fnv::from(content);
    seed.add(id.bytes());
    let halves = (u128::from(content) << 64) | u128::from(seed.number());
    let id = uuid::Builder::from_custom_bytes(halves.to_be_bytes()).into_uuid();
    id.to_string().into()
}

/// A hash of the type, the project, the facts, and the time if the producer said one: a retry says the same, and the
/// time of its arrival is no content.
pub(super) fn hash(event: &Event, sent_at: Option<&Value>) -> u64 {
    let mut hash = Fnv::default();
    let said = (event.name.raw(), &event.project_id, sent_at, &event.data);
    // Maps with text keys and JSON values: writing them can't fail.
    serde_json::to_writer(&mut hash, &said).ok();
    hash.number()
}

/// The same of an emission: all that reaches a client, and where.
pub(super) fn hash_of_emission(emission: &Emission) -> u64 {
    let mut hash = Fnv::default();
    let rooms = (&emission.rooms, &emission.except);
    let said = (
        &emission.event,
        &emission.args,
        rooms,
        emission.namespace.path(),
    );
    serde_json::to_writer(&mut hash, &said).ok();
    for bytes in &emission.attachments {
        hash.write_all(bytes).ok();
    }
    hash.number()
}
