//! Writes an update: once, straight from the event, when it is sent.

use super::{
    animation::Hint,
    bodies, facts,
    kind::UpdateKind,
    planned::{Envelope, Planned},
    writer::Writer,
};
use crate::{event::Event, update::seneca::TypeField};

/// The JSON object of an update.
pub fn render(planned: &Planned, event: &Event, envelope: &Envelope<'_>) -> String {
    let mut out = Writer::default();
    let kind = &planned.kind;
    let animation = kind.animation(event);
    let own_type = matches!(kind, UpdateKind::Seneca(kind) if kind.wants_type() == TypeField::Own);
    if !own_type {
        out.field("type", kind.name());
    }
    out.field("timestamp", &event.timestamp);
    out.field("id", &*event.id);
    out.field("cursor", envelope.cursor);
    out.field("source_type", event.name.raw());
    out.field("priority", &planned.priority);
    out.field("animation", animation.as_str());
    let data = envelope.data.unwrap_or(&event.data);
    let (target_kind, id) = bodies::target(kind, event);
    let (from, to) = bodies::from_to(kind, event, data);
    out.field(
        "hint",
        &Hint {
            kind: target_kind,
            id,
            from,
            to,
            animation,
            priority: planned.priority,
        },
    );
    if envelope.coalesced > 1 {
        out.field("coalesced", &envelope.coalesced);
    }
    facts::write(kind, event, data, envelope.since, &mut out);
    bodies::write(kind, event, data, &mut out);
    out.finish()
}
