//! What is now and what was: state, history, resume; statistics.

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
};

pub(super) async fn get_state(client: &Client, request: &Request) -> Handled {
    let project = request.text("project_id")?.map(str::to_owned);
    let moment = client.context.hub.moment(false).await?;
    let (permissions, part_bytes) = (
        client.who().permissions.clone(),
        client.context.options.snapshot_part,
    );
    let of = SnapshotOf {
        permissions,
        namespace: client.namespace,
        project,
    };
    let lasts = moment.lasts();
    let (mut shared, whole) = find(moment, of.clone(), part_bytes).await?;
    if whole.is_none() && !lasts {
        // It is given the newest moment that can be kept until it has all of it, and then what came after that.
        let moment = client.context.hub.moment(true).await?;
        (shared, _) = find(moment, of, part_bytes).await?;
    }
    // What was queued before the state is in it, and must not be made again behind it.
    client.lane.settle(client.namespace);
    if let Some(whole) = whole {
        return Ok(Answer::Json(whole));
    }
    // No client takes an answer of any size: it comes as events.
    let answer = json!({
        "type": "snapshot",
        "parts": shared.snapshot().parts(),
        "counts": shared.snapshot().counts(),
    });
    let member = rooms::member(client)?;
    client
        .context
        .hub
        .give_snapshot(member, Arc::new(shared))
        .await;
    Ok(answer.into())
}

/// Finds the parts of the state at a moment, and writes it if it is one.
async fn find(
    moment: Arc<Moment>,
    of: SnapshotOf,
    part_bytes: usize,
) -> Result<(SharedSnapshot, Option<String>), Error> {
    let find = move || {
        let shared = SharedSnapshot::new(moment, of, part_bytes);
        let whole = (shared.snapshot().parts() == 1).then(|| shared.snapshot().part(1));
        (shared, whole.flatten())
    };
    let found = tokio::task::spawn_blocking(find).await;
    found.map_err(|_| Error::unavailable("the state could not be written; try again"))
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
        project_id: text("project_id")?,
        agent_id: text("agent_id")?,
        run_id: text("run_id")?,
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
    Ok(Answer::Fields(
        client
            .context
            .hub
            .question(Question::Stats { permissions })
            .await?,
    ))
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
