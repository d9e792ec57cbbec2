//! `POST /api/v1/operations`: what an application wants done out of its turn.

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    api::Api,
    caller::{Caller, address},
    extract::says_json,
    packed::unpacked,
};
use crate::{
    doors::{
        backend::{SIGNATURE, TIMESTAMP},
        operations::{By, Outcome},
    },
    error::Error,
    event::lenient,
    net::read_body,
};

#[derive(Deserialize)]
struct Written {
    operations: Vec<Box<RawValue>>,
}

pub(super) async fn perform(State(api): State<Api>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_signed = parts.headers.contains_key(SIGNATURE);
    let from = address(&parts.extensions);
    let by = if is_signed {
        By::service(("operations", from))
    } else {
        // A client is known and allowed before its body is read.
        let caller = match Caller::from_request_parts(&mut parts, &api).await {
            Ok(caller) => caller,
            Err(refusal) => return refusal.into_response(),
        };
        if let Err(refusal) = may_operate(&caller) {
            return refused(&api, &refusal);
        }
        By::client(&caller.who, from)
    };
    // Operations emit, and what they emit may be as large as anywhere.
    let limits = api.emission_body();
    let body = match unpacked(&api, &limits, &parts.headers, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let body = read_body(from, body, &limits).await;
    match body.and_then(|body| read(&api, &parts, &body, is_signed)) {
        Ok(operations) => Json(carry_out(&api, operations, &by).await).into_response(),
        Err(refusal) => refused(&api, &refusal),
    }
}

fn refused(api: &Api, refusal: &Error) -> Response {
    api.metrics.refused("http", refusal);
    refusal.clone().into_response()
}

/// Whether a client without a signature may have operations carried out. It takes a proof also while no token is required:
/// operations reach every client and room.
fn may_operate(caller: &Caller) -> Result<(), Error> {
    let who = &caller.who;
    let is_producer = who.role.may_publish() && !who.permissions.is_limited();
    if who.token.is_some() && (is_producer || who.role.may_administer()) {
        return Ok(());
    }
    Err(Error::forbidden(
        "operations take a token with the role admin, or producer without projects, or the secret that the start prints; or \
         the service of [backend] signs them",
    ))
}

fn read(
    api: &Api,
    parts: &Parts,
    body: &Bytes,
    is_signed: bool,
) -> Result<Vec<Box<RawValue>>, Error> {
    if is_signed {
        check_signature(api, &parts.headers, body)?;
    }
    if !says_json(&parts.headers) {
        return Err(Error::bad_request(
            "the body must be JSON, and say so: Content-Type: application/json",
        ));
    }
    let written: Written = serde_json::from_slice(body).map_err(|error| {
        Error::bad_request(format!(
            "the body is {}; it is {{\"operations\": [..]}}",
            lenient::fault(body, &error)
        ))
    })?;
    let most = api.operations.max();
    if written.operations.len() > most {
        return Err(Error::new(
            "too_large",
            format!(
                "{} operations, {most} are allowed ([backend] max_operations)",
                written.operations.len()
            ),
        ));
    }
    Ok(written.operations)
}

fn check_signature(api: &Api, headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
    let unauthorized = |why: String| Error::new("unauthorized", why);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (timestamp, signature) = (header(TIMESTAMP), header(SIGNATURE));
    let Some(backend) = &api.backend else {
        return Err(unauthorized(
            "the request is signed, but this server has no [backend] secret to check that with"
                .into(),
        ));
    };
    let checked = backend.key().check(
        timestamp.unwrap_or_default(),
        signature.unwrap_or_default(),
        body,
    );
    checked.map_err(unauthorized)
}

/// The result of an operation, as it is shown.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Done {
        status: &'static str,
        #[serde(flatten)]
        outcome: Outcome,
    },
    Refused {
        status: &'static str,
        error: Error,
    },
}

#[derive(Serialize)]
struct Results {
    results: Vec<Shown>,
}

async fn carry_out(api: &Api, operations: Vec<Box<RawValue>>, by: &By) -> Results {
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        results.push(match api.operations.perform(&operation, None, by).await.1 {
            Ok(outcome) => Shown::Done {
                status: "ok",
                outcome,
            },
            Err(error) => Shown::Refused {
                status: "error",
                error,
            },
        });
    }
    Results { results }
}
