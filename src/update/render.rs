//! Writes an update: once, straight from the event, when it is sent.

use super::{
    animation::Hint,
    bodies, facts,
    kind::UpdateKind,
    lean,
    planned::{Envelope, Planned},
    shape::UpdateShape,
    writer::Writer,
};
use crate::{event::Event, update::seneca::TypeField};

/// The JSON object of an update. What only Seneca's pages know has one shape.
pub fn render(
    planned: &Planned,
    event: &Event,
    envelope: &Envelope<'_>,
    shape: UpdateShape,
) -> String {
    let mut out = Writer::default();
    let kind = &planned.kind;
    let shape = match kind {
        UpdateKind::Seneca(_) => UpdateShape::Full,
        _ => shape,
    };
    let animation = kind.animation(event);
    let own_type = matches!(kind, UpdateKind::Seneca(kind) if kind.wants_type() == TypeField::Own);
    if !own_type {
        out.field("type", kind.name());
    }
    out.field("timestamp", &event.timestamp);
    out.field("id", &*event.id);
    out.field("cursor", envelope.cursor);
    let data = envelope.data.unwrap_or(&event.data);
    if shape == UpdateShape::Full || !lean::tells_source(kind, event, data) {
        out.field("source_type", event.name.raw());
    }
    out.field("priority", &planned.priority);
    out.field("animation", animation.as_str());
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
            shape,
        },
    );
    if envelope.coalesced > 1 {
        out.field("coalesced", &envelope.coalesced);
    }
    facts::write(kind, event, data, envelope.since, shape, &mut out);
    match shape {
        UpdateShape::Full => bodies::write(kind, event, data, &mut out),
        UpdateShape::Lean => lean::write(kind, event, data, &mut out),
    }
    out.finish()
}
