//! A Marcus realtime log line: `type`, and the data keys beside it.
//!
//! `source` and `priority` stay among the data: there they are facts (who spoke to whom, a task's own priority).

use crate::{
    error::Error,
    event::{Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields},
};

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let name = EventName::published(&fields::event_type(&mut object)?);
    let id = fields::id(&mut object)?;
    let timestamp = fields::timestamp(&mut object, context)?;
    let source = fields::source(None, &object, context)?;
    let project_id = fields::project_id(None)?;
    Ok(Event {
        id,
        name,
        timestamp,
        source,
        project_id,
        priority: None,
        data: object,
        metadata: Object::new(),
        dialect: Dialect::RealtimeLog,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}
