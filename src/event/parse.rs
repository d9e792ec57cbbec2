//! Parses raw JSON into an [`Event`]. The shape decides the dialect, in a fixed order and never by guessing.

use serde_json::Value;
use smallvec::SmallVec;

use super::{
    Event, Ids, Object, content,
    dialect::{agent_update, canonical, conversation, realtime, service, visual},
    foreign, ids, meant,
    raw::{ParseContext, present},
};
use crate::error::Error;

/// Reads one event of any dialect.
///
/// # Errors
/// `unknown_shape` for a value that is no object or only half a dialect, `missing_type`, `invalid_type`,
/// `invalid_data`, `invalid_timestamp`, `too_deep`, and `bad_request` for any other field of a wrong type.
pub fn parse(value: Value, context: &ParseContext<'_>) -> Result<Event, Error> {
    if depth_exceeds(&value, context.max_depth) {
        return Err(Error::new(
            "too_deep",
            format!(
                "the event is nested more than {} levels deep ([content_filtering] max_depth)",
                context.max_depth
            ),
        ));
    }
    let mut object = match value {
        Value::Object(object) => object,
        other => return Err(Error::new("unknown_shape", meant::no_object(&other))),
    };
    ids::spell_out(&mut object);
    let sent_at = object.get("timestamp").cloned();
    let foreign_id = foreign::take_id(&mut object);
    let mut event = read(object, context)?;
    if let Some(id) = foreign_id {
        event.data.entry("id").or_insert(id);
    }
    event.ids = Ids::find(&event.data, event.name.family());
    if event.project_id.is_none() {
        event.project_id = event.ids.project().map(Into::into);
    }
    event.content = content::hash(&event, sent_at.as_ref());
    Ok(event)
}

/// Reads an object by the dialect that its shape says.
fn read(object: Object, context: &ParseContext<'_>) -> Result<Event, Error> {
    if visual::is(&object) {
        return visual::read(object, context);
    }
    let has_type = present(&object, "type") || present(&object, "event_type");
    if present(&object, "event") && !present(&object, "type") {
        return conversation::read(object, context);
    }
    if !has_type {
        return Err(if visual::is_half(&object) {
            Error::new(
                "unknown_shape",
                "this looks like a visual update, which takes update_type (node_update, edge_update, layout_update, style_update or \
                 complete_refresh), target_id and an object changes",
            )
        } else {
            Error::new("missing_type", meant::without_type(&object))
        });
    }
    if agent_update::is(&object) {
        return agent_update::read(object, context);
    }
    if service::is(&object) {
        return service::read(object, context);
    }
    if canonical::is(&object) {
        return canonical::read(object, context);
    }
    realtime::read(object, context)
}

/// Whether the nesting is deeper than `max`, without recursion.
fn depth_exceeds(value: &Value, max: usize) -> bool {
    /// Objects and lists that an ordinary event has open at a time: these take no memory of their own.
    const USUALLY: usize = 16;
    let mut open: SmallVec<[(&Value, usize); USUALLY]> = SmallVec::new();
    open.push((value, 0));
    while let Some((value, depth)) = open.pop() {
        let nested = |v: &&Value| v.is_array() || v.is_object();
        let inside = match value {
            Value::Array(items) => {
                open.extend(items.iter().filter(nested).map(|v| (v, depth + 1)));
                !items.is_empty()
            }
            Value::Object(fields) => {
                open.extend(fields.values().filter(nested).map(|v| (v, depth + 1)));
                !fields.is_empty()
            }
            _ => false,
        };
        if inside && depth >= max {
            return true;
        }
    }
    false
}
