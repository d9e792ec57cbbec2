//! A hash of an event's content, which tells a repetition from another event with the same id.

use std::{
    io::{self, Write},
    sync::Arc,
};

use serde_json::Value;

use super::Event;
use crate::emission::Emission;

/// The 64 bit FNV-1a hash: the same in every process and version, because the journal keeps it. A producer that makes
/// two contents collide harms only its own events.
struct Fnv(u64);

impl Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The id under which an event is kept when its producer has used its own one for another event. The same content gets
/// the same id.
pub fn id_for_conflict(id: &str, content: u64) -> Arc<str> {
    let mut seed = Fnv(content);
    seed.write_all(id.as_bytes()).ok();
    let halves = (u128::from(content) << 64) | u128::from(seed.0);
    let id = uuid::Builder::from_custom_bytes(halves.to_be_bytes()).into_uuid();
    id.to_string().into()
}

/// A hash of the type, the project, the facts, and the time if the producer said one: a retry says the same, and the
/// time of its arrival is no content.
pub(super) fn hash(event: &Event, sent_at: Option<&Value>) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    let said = (event.name.raw(), &event.project_id, sent_at, &event.data);
    // Maps with text keys and JSON values: writing them can't fail.
    serde_json::to_writer(&mut hash, &said).ok();
    hash.0
}

/// The same of an emission: all that reaches a client, and where.
pub(super) fn hash_of_emission(emission: &Emission) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
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
    hash.0
}
