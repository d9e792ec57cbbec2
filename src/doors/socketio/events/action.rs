//! `agent_action` of an operator at this door.

use std::sync::{Arc, atomic::Ordering};

use serde_json::json;

use super::{
    answer::{Answer, Handled},
    request::Request,
};
use crate::doors::{
    actions::{Accepted, Operator},
    socketio::client::Client,
};

pub(super) async fn act(client: &Arc<Client>, request: Request) -> Handled {
    let (here, reporting) = (client.clone(), client.clone());
    let operator = Operator {
        id: client.id.clone(),
        who: client.who(),
        door: "socketio",
        is_here: Box::new(move || !here.gone.load(Ordering::Acquire) && !here.is_ended()),
        report: Box::new(move |body| reporting.emit("agent_action_result", body)),
    };
    let accepted = client.context.actions.act(operator, &request.argument);
    let Accepted {
        action_id,
        refused,
        done,
    } = accepted.await?;
    let mut answer = json!({ "action_id": action_id });
    if let Some(mut done) = done {
        answer["result"] = done.remove("result").unwrap_or_default();
    }
    Ok(match refused {
        Some(refusal) => Answer::Refused(refusal, answer.to_string()),
        None => answer.into(),
    })
}
