//! The length of ids. Everything that is known of a thing is kept by its id, in the state, the rooms and the queues: so
//! no id is long.

use super::{Event, ids};
use crate::error::Error;

/// Checks that no id of the event has more bytes than `max`, in any place.
///
/// # Errors
/// `too_large`, naming the id and its length.
pub fn ids_fit(event: &Event, max: usize) -> Result<(), Error> {
    let mut long = None;
    let mut look = |what: &'static str, id: &str| {
        if id.len() > max {
            long = Some((what, id.len()));
        }
    };
    if let Some(id) = &event.project_id {
        look("project_id", id);
    }
    for what in [
        "target_id",
        "artifact_id",
        "artifactId",
        "plan_id",
        "planId",
    ] {
        if let Some(id) = event.data.get(what).and_then(|id| id.as_str()) {
            look(what, id);
        }
    }
    ids::each(&event.data, &mut look);
    let Some((what, bytes)) = long else {
        return Ok(());
    };
    Err(Error::new(
        "too_large",
        format!(
            "{what} has {bytes} bytes, and an id may have {max} ([content_filtering] max_id_length); name the thing by a shorter one and put long text into a field of its own"
        ),
    ))
}
