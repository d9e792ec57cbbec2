//! The members of a room, and visitors that are present in one for as long as they say.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::Value;

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, JsonBody, Parameters, PathName},
};
use crate::{
    access::{
        Identity,
        authz::{Fixed, RoomKind, room_name},
    },
    channel::Namespace,
    error::Error,
    hub::{MembersOf, Visit},
    network::network,
};

/// The most clients, and the most visitors, that one answer names.
const MAX_NAMED: usize = 1_000;
/// The number that it names if the caller doesn't say.
const NAMED: usize = 100;
/// Seconds for which a visit lasts if the caller doesn't say, and at most.
const TTL: u64 = 60;
const MAX_TTL: u64 = 3_600;
/// The most characters of a visitor's id.
const MAX_ID: usize = 128;

#[derive(Deserialize)]
pub(super) struct Of {
    namespace: Option<String>,
    limit: Option<usize>,
}

impl Parameters for Of {
    const NAMES: &'static [&'static str] = &["namespace", "limit"];
}

/// `GET /api/v1/rooms/{room}/members`.
pub(super) async fn members(
    State(api): State<Api>,
    caller: Caller,
    PathName(room): PathName,
    Filters(of): Filters<Of>,
) -> Result<Json<Value>, Error> {
    let read = async {
        let room = room_name::from_query(&room);
        let (namespace, is_everybodys) = place(&api, &caller.who, &room, of.namespace.as_deref())?;
        let is_operator = caller.who.may_see_stats();
        let is_shared =
            room_name::is_of_any_project(&room) && !caller.who.permissions.is_everything();
        // Members of such a room may be of other projects than the caller.
        let limit = match (is_everybodys || is_shared) && !is_operator {
            true => 0,
            false => of.limit.unwrap_or(NAMED).min(MAX_NAMED),
        };
        let of = MembersOf {
            namespace,
            room,
            limit,
        };
        let answer = api.nodes.members(of, is_operator).await?;
        Ok(Json(Value::Object(answer)))
    };
    read.await
        .inspect_err(|refusal| api.metrics.refused("http", refusal))
}

/// `POST /api/v1/presence`.
pub(super) async fn visit(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Error> {
    let read = async {
        let visit = read_visit(&api, &caller, &body)?;
        let ttl = visit.ttl.map(|ttl| ttl.as_secs());
        let mut answer = api.hub.visit(visit).await?;
        answer.insert("ttl".into(), ttl.unwrap_or_default().into());
        Ok(Json(Value::Object(answer)))
    };
    read.await
        .inspect_err(|refusal| api.metrics.refused("http", refusal))
}

fn read_visit(api: &Api, caller: &Caller, body: &Value) -> Result<Visit, Error> {
    const FORM: &str = "send {\"room\": \"lobby\", \"id\": \"agent-7\", \"ttl\": 60}; a ttl of 0 ends the visit, 3600 seconds are the most";
    let wrong = || Error::bad_request(FORM);
    let text = |key: &str| match &body[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.as_str())),
        _ => Err(wrong()),
    };
    let room = room_name::canonical(text("room")?.ok_or_else(wrong)?).into_owned();
    let id = text("id")?.ok_or_else(wrong)?;
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(plain) {
        let why = format!("id has 1 to {MAX_ID} plain characters");
        return Err(Error::bad_request(why));
    }
    let ttl = match &body["ttl"] {
        Value::Null => TTL,
        ttl => ttl
            .as_u64()
            .filter(|ttl| *ttl <= MAX_TTL)
            .ok_or_else(wrong)?,
    };
    let who = &caller.who;
    let (namespace, _) = place(api, who, &room, text("namespace")?)?;
    let verified = who.verified();
    Ok(Visit {
        namespace,
        room,
        id: id.into(),
        owner: match verified.is_empty() {
            true => network(caller.address).to_string().into(),
            false => verified,
        },
        user: who.user.clone(),
        ttl: (ttl > 0).then(|| Duration::from_secs(ttl)),
    })
}

/// The namespace of a room that the caller may be in, and whether everybody is in that room.
fn place(
    api: &Api,
    who: &Identity,
    room: &str,
    namespace: Option<&str>,
) -> Result<(Namespace, bool), Error> {
    let path = namespace.unwrap_or("/");
    let known =
        Namespace::at(path).filter(|n| *n == Namespace::Root || api.stream.namespaces.contains(n));
    let namespace = known.ok_or_else(|| {
        Error::new(
            "unknown_namespace",
            "there is no such namespace of an application: use / or one of [namespaces] declared",
        )
    })?;
    let default_room = api.stream.default_room.as_str();
    let fixed = Fixed {
        default_room,
        own: &[],
        is_app: namespace.is_app(),
    };
    api.authenticator
        .check_rooms(std::iter::once(room), who, fixed)?;
    let kind = RoomKind::on(namespace.is_app(), room);
    let is_everybodys = kind == RoomKind::Standing || !namespace.is_app() && room == default_room;
    Ok((namespace, is_everybodys))
}
