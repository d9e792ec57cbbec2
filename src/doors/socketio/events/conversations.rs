//! Seneca's conversation page, on `/conversations`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::Handled,
    ping::{pong, unknown},
    request::Request,
    rooms,
};
use crate::{
    channel::Topic, doors::socketio::client::Client, event::Object, hub::Subscription,
    update::seneca::ConversationFilter,
};

pub(super) async fn on(client: &Arc<Client>, request: Request) -> Handled {
    let member = rooms::member(client)?;
    let hub = &client.context.hub;
    match request.event.as_str() {
        "subscribe" => {
            let filters = request.field("filters");
            let filter = ConversationFilter::parse(filters);
            hub.set_subscription(member, Subscription::Conversation(filter))
                .await;
            hub.listen(member, Topic::ConversationPage, true).await;
            let filters = if filters.is_null() {
                json!({})
            } else {
                filters.clone()
            };
            reply(client, "subscribed", Some(filters));
        }
        "unsubscribe" => {
            hub.listen(member, Topic::ConversationPage, false).await;
            reply(client, "unsubscribed", None);
        }
        "ping" => return Ok(pong(client)),
        _ => return Err(unknown(client)),
    }
    Ok(json!({}).into())
}

fn reply(client: &Client, name: &str, filters: Option<Value>) {
    let mut body = Object::new();
    body.insert("status".into(), "success".into());
    if let Some(filters) = filters {
        body.insert("filters".into(), filters);
    }
    client.emit(name, body);
}
