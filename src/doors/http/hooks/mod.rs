//! `POST /hooks/claude`: the door of Claude's hooks. The agent waits for the answer, so there is always one, soon and empty: 204.
//! A hook that can't be taken is counted with the reason.

mod sessions;

use std::sync::PoisonError;

use axum::{
    body::Body,
    extract::{Query, State},
};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;

use super::{api::Api, caller::Caller, packed::unpacked, producer::producer};
use crate::{
    config::Role,
    error::Error,
    intake::{self, Raw, Receipt},
    net::read_body,
    translate::{Told, claude::Hook},
};
use sessions::{AT_A_TIME, Remembered};
pub use sessions::{Hooks, HooksOptions};

/// The query of a hook.
#[derive(Debug, Deserialize)]
struct InProject {
    /// The project, in place of the folder that the session works in.
    project: Option<String>,
}

/// Takes a hook.
pub(super) async fn claude(
    State(api): State<Api>,
    caller: Result<Caller, Error>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    api.metrics.usage.count("publish");
    let hooks = api.hooks.clone();
    let counted = hooks.clone();
    let taking = tokio::spawn(async move {
        let taken = take(&api, caller, &uri, &headers, body).await;
        counted.metrics.hook(match &taken {
            Ok(()) => "published",
            Err(refusal) => refusal.code,
        });
        if let Err(refusal) = taken {
            api.metrics.refused("http", &refusal);
        }
    });
    if tokio::time::timeout(hooks.options.answer_within, taking)
        .await
        .is_err()
    {
        hooks.metrics.hook("answered_before");
    }
    StatusCode::NO_CONTENT
}

async fn take(
    api: &Api,
    caller: Result<Caller, Error>,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Error> {
    let caller = caller?;
    caller.must(
        Role::may_publish,
        "hooks take a token with the role producer or admin",
    )?;
    let body = unpacked(api, &api.body, headers, body)
        .await
        .map_err(|_| Error::bad_request("the body can't be unpacked"))?;
    let body = read_body(caller.address, body, &api.body).await?;
    let hook = Hook::read(&body).map_err(|no| Error::bad_request(no.to_string()))?;
    drop(body);
    // A body that is slow to come has no place: it would take one from all others.
    let Ok(_place) = api.hooks.places.try_acquire() else {
        return Err(Error::new(
            "overloaded",
            format!("{AT_A_TIME} hooks are under way; the agent goes on without this one"),
        ));
    };
    let query = Query::<InProject>::try_from_uri(uri).ok();
    let project = query.and_then(|Query(query)| query.project);
    let flow = intake::flow(&caller.who, caller.address);
    let sender = (caller.who.clone(), caller.address);
    let (own, gone) = api.hooks.session(flow, &hook, project.as_deref(), &sender);
    let taken = tell(api, &caller, &own, &hook).await;
    if let Some(gone) = gone {
        let (told, (who, address)) = gone.leave();
        let caller = Caller {
            who,
            address,
            trace: None,
        };
        let told = publish(api, &caller, told).await;
        if let Err(refusal) = told {
            api.metrics.refused("http", &refusal);
        }
    }
    taken
}

/// Tells what a hook says of its session.
async fn tell(api: &Api, caller: &Caller, own: &Remembered, hook: &Hook) -> Result<(), Error> {
    // The hooks of a session are told in the order in which they come.
    let Ok(_turn) = own.turn.acquire().await else {
        return Ok(());
    };
    let session = || own.session.lock().unwrap_or_else(PoisonError::into_inner);
    let before = session().clone();
    let told = session().take(hook);
    if told.is_empty() {
        return Ok(());
    }
    let published = publish(api, caller, told).await;
    let is_kept = |receipt: &Receipt| receipt.accepted + receipt.duplicates > 0;
    if !published.as_ref().is_ok_and(is_kept) {
        // Nobody was told of this hook: the session goes on from where it was.
        *session() = before;
    }
    match published?.rejected.into_iter().next() {
        Some(rejected) => Err(rejected.error),
        None => Ok(()),
    }
}

async fn publish(api: &Api, caller: &Caller, told: Vec<Told>) -> Result<Receipt, Error> {
    let raws: Vec<Raw> = told
        .into_iter()
        .map(|event| Raw::Json(event.into_json(), None))
        .collect();
    api.authenticator
        .events(&caller.who, caller.address, raws.len())?;
    let verified = caller.who.verified();
    api.intake.publish(raws, producer(caller, &verified)).await
}
