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

/// The JSON of an update: an object, but where a rule says that nothing of Stoa's own stands in it. That, and what only
/// Seneca's pages know, has one shape.
pub fn render(
    planned: &Planned,
    event: &Event,
    envelope: &Envelope<'_>,
    shape: UpdateShape,
) -> String {
    let kind = &planned.kind;
    let data = envelope.data.unwrap_or(&event.data);
    if let UpdateKind::Rule(rule) = kind
        && !rule.has_envelope()
    {
        return rule.alone(event, data);
    }
    let mut out = Writer::default();
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
            motion: kind.motion(event),
            animation,
            priority: planned.priority,
            intensity: kind.intensity(),
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
