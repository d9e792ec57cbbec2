//! The subscriptions of Seneca's pages on `/`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{answer::Handled, request::Request, rooms};
use crate::{
    channel::Topic, doors::socketio::client::Client, error::Error, event::Object, hub::Question,
};

pub(super) async fn subscribe(client: &Arc<Client>, event: &str) -> Handled {
    let member = rooms::member(client)?;
    let (topic, name) = match event {
        "subscribe_health_updates" => (Topic::Health, "health"),
        "subscribe_pipeline_flow" => (Topic::Pipeline, "pipeline_flow"),
        "subscribe_metrics" => (Topic::Metrics, "metrics"),
        _ => (Topic::Conversations, "conversations"),
    };
    let hub = &client.context.hub;
    hub.listen(member, topic, true).await;
    confirm(client, name);
    // The aggregate covers all projects.
    if !client.who().permissions.is_everything() {
        return Ok(json!({ "type": name }).into());
    }
    // A new page gets its first data at once, not with the next change.
    let now = match topic {
        Topic::Health => Some(("health_update", hub.question(Question::HealthNow).await?)),
        Topic::Pipeline => Some((
            "active_flows_update",
            hub.question(Question::ActiveFlows).await?,
        )),
        _ => None,
    };
    if let Some((name, body)) = now.filter(|(_, body)| !body.is_empty()) {
        hub.notify(member, name, body).await;
    }
    Ok(json!({ "type": name }).into())
}

pub(super) async fn flow(client: &Arc<Client>, request: &Request, on: bool) -> Handled {
    let member = rooms::member(client)?;
    let flow_id = request
        .text("flow_id")?
        .filter(|id| (1..=128).contains(&id.len()) && !id.chars().any(char::is_control))
        .ok_or_else(|| Error::bad_request("flow_id must be 1 to 128 characters of text"))?;
    let room = vec![format!("flow:{flow_id}")];
    client.context.hub.is_page(member).await;
    if on {
        client.context.hub.join_rooms(member, room).await?;
    } else {
        client.context.hub.leave_rooms(member, room).await?;
    }
    confirm(client, "flow");
    Ok(json!({ "flow_id": flow_id }).into())
}

fn confirm(client: &Client, name: &str) {
    let mut body = Object::new();
    body.insert("type".into(), name.into());
    body.insert("status".into(), Value::from("active"));
    client.emit("subscription_confirmed", body);
}
