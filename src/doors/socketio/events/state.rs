//! Handlers that read: state, history, resume and statistics.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Handled},
    request::Request,
    rooms,
};
use crate::{
    doors::socketio::client::Client,
    error::Error,
    history::{Order, Query},
    hub::{Moment, Question, SharedSnapshot, SnapshotOf},
    projections::state::Snapshot,
};

/// Answers with the whole present state, if it fits into one part. Clients don't accept answers of any size: a larger
/// state comes as events, of a moment of the last second that is shared by all who see the same, followed by the
/// updates after that moment.
pub(super) async fn get_state(client: &Client, request: &Request) -> Handled {
    let hub = &client.context.hub;
    let of = SnapshotOf {
        permissions: client.who().permissions.clone(),
        namespace: client.namespace,
        project: request.id(&["project_id"])?,
    };
    let mut in_parts = hub.find_snapshot(of.clone()).await?;
    if in_parts.as_ref().is_none_or(|s| s.snapshot().parts() == 1) {
        let moment = hub.moment().await?;
        let now = written(moment, of.clone(), client.context.options.snapshot_part).await?;
        match now {
            Ok(whole) => {
                // Updates queued before the state are in it, and must not be sent again after it.
                client.lane.settle(client.namespace);
                return Ok(Answer::Json(whole));
            }
            Err(grown) => in_parts = Some(grown),
        }
    }
    client.lane.settle(client.namespace);
    let snapshot = in_parts.as_ref().map(|shared| shared.snapshot());
    let answer = json!({
        "type": "snapshot",
        "parts": snapshot.map(Snapshot::parts),
        "counts": snapshot.map(Snapshot::counts),
    });
    let member = rooms::member(client)?;
    // A state that grew meanwhile belongs to a moment that may not last.
    let lasting = in_parts.filter(|shared| shared.lasts());
    hub.give_snapshot(member, of.project, lasting).await;
    Ok(answer.into())
}

/// The state at a moment as one text, if it fits into one part; else its parts.
async fn written(
    moment: Arc<Moment>,
    of: SnapshotOf,
    part_bytes: usize,
) -> Result<Result<String, Arc<SharedSnapshot>>, Error> {
    let write = move || {
        let shared = SharedSnapshot::new(moment, of, part_bytes);
        let whole = (shared.snapshot().parts() == 1).then(|| shared.snapshot().part(1));
        whole.flatten().ok_or_else(|| Arc::new(shared))
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.map_err(|_| Error::unavailable("the state could not be written; try again"))
}

pub(super) async fn get_history(client: &Client, request: &Request) -> Handled {
    let limit = match request.field("limit") {
        Value::Null => None,
        limit => Some(
            limit
                .as_u64()
                .ok_or_else(|| Error::bad_request("limit must be a whole number"))?,
        ),
    };
    let text = |key| request.text(key).map(|t| t.map(str::to_owned));
    let query = Query {
        after: text("after")?,
        before: text("before")?,
        limit,
        event_type: text("type")?,
        project_id: request.id(&["project_id"])?,
        agent_id: request.id(&["agent_id"])?,
        run_id: request.id(&["run_id"])?,
        order: request
            .text("order")?
            .map_or(Ok(Order::default()), Order::from_name)?,
    };
    let page = client
        .context
        .intake
        .history(query, &client.who().permissions)
        .await?;
    let text = serde_json::to_string(&page)
        .map_err(|_| Error::unavailable("the page can't be written"))?;
    Ok(Answer::Json(text))
}

pub(super) async fn resume(client: &Client, request: &Request) -> Handled {
    let cursor = request
        .text("cursor")?
        .ok_or_else(|| Error::bad_request("cursor is missing: send the last one received"))?;
    let resumed = client
        .context
        .hub
        .resume(rooms::member(client)?, cursor.to_owned())
        .await?;
    Ok(Answer::Fields(resumed))
}

pub(super) async fn get_stats(client: &Client) -> Handled {
    may_see(client)?;
    let permissions = client.who().permissions.clone();
    let context = &client.context;
    let mut stats = context
        .hub
        .question(Question::Stats { permissions })
        .await?;
    context.options.nodes.add_stats(&mut stats).await?;
    Ok(Answer::Fields(stats))
}

pub(super) async fn get_rooms(client: &Client) -> Handled {
    may_see(client)?;
    let permissions = client.who().permissions.clone();
    Ok(Answer::Fields(
        client
            .context
            .hub
            .question(Question::Rooms { permissions })
            .await?,
    ))
}

fn may_see(client: &Client) -> Result<(), Error> {
    if client.who().role.may_see_stats() {
        Ok(())
    } else {
        Err(Error::forbidden(
            "statistics and rooms take the role operator or admin",
        ))
    }
}
