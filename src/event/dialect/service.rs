//! `{type, job|run|step|nodeState, timestamp, errorMessage}`: ingest, agent-run and workflow services.

use crate::{
    error::Error,
    event::{Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields},
};

const SUBJECTS: [&str; 4] = ["job", "run", "step", "nodeState"];

pub(in crate::event) fn is(object: &Object) -> bool {
    !object.contains_key("data")
        && SUBJECTS
            .iter()
            .any(|key| object.get(*key).is_some_and(serde_json::Value::is_object))
}

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let name = EventName::published(&fields::event_type(&mut object)?);
    let id = fields::id(&mut object)?;
    let timestamp = fields::timestamp(&mut object, context)?;
    let priority = fields::priority(&mut object)?;
    let metadata = fields::metadata(&mut object)?;
    let own_source = object.remove("source");
    let own_project = object.remove("project_id");
    Ok(Event {
        id,
        name,
        timestamp,
        source: fields::source(own_source, &object, context)?,
        project_id: fields::project_id(own_project)?,
        priority,
        data: object,
        metadata,
        dialect: Dialect::Service,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}
