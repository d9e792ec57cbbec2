//! `stoa tail`: prints the updates that observers see, one on each line.
//!
//! If the server was reached at the start and goes away, the command waits for it, and resumes from the cursor of the
//! last update. If the server can't be reached at the start, or refuses the client, the command ends.

mod packet;
mod show;
mod sio_client;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json, value::RawValue};

use super::{
    arguments::TailArgs,
    failure::Failure,
    output::{self, note},
    plain::plain,
    trust, url,
};
use crate::{
    access::authn::Credential,
    event::EventName,
    pattern::{BadPattern, Pattern, Patterns},
    update::UpdateShape,
};
use sio_client::{Connection, Lost, Received};

/// The first and the longest pause before the next attempt to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// The room of all observers, to which every update is sent: a client that wants fewer has to leave it.
const EVERYTHING: &str = "observers";
/// The numbers of the two requests.
const LEAVE: u64 = 1;
const RESUME: u64 = 2;

pub(super) async fn tail(args: TailArgs) -> Result<(), Failure> {
    let mut watch = Watch::new(&args)?;
    let trusted = args.server.ca.as_deref().map(trust::only).transpose();
    let trusted = trusted.map_err(Failure::Because)?.map(Arc::new);
    let mut pause = PAUSES.0;
    let mut before = false;
    loop {
        let lost = match Connection::open(&args.server.url, &watch.auth(), trusted.clone()).await {
            Ok(mut connection) => {
                note(&format!(
                    "{} {}",
                    if before { "back at" } else { "watching" },
                    url::shown(&args.server.url)
                ));
                (before, pause) = (true, PAUSES.0);
                match watch.follow(&mut connection).await {
                    Ok(()) => return Ok(()),
                    Err(End::Lost(lost)) => lost,
                    Err(End::Failed(failure)) => return Err(failure),
                }
            }
            Err(lost) => lost,
        };
        match lost {
            Lost::Refused(reason) if !(before && passes(&reason)) => {
                let (code, message) = reason.split_once(": ").unwrap_or(("refused", &reason));
                return Err(Failure::Because(output::refusal(
                    code,
                    message,
                    args.server.token.is_some(),
                )));
            }
            Lost::Gone(reason) if !before => {
                return Err(Failure::Because(format!(
                    "can't reach {}: {}",
                    url::shown(&args.server.url),
                    plain(&reason, 200)
                )));
            }
            Lost::Gone(reason) | Lost::Refused(reason) => {
                note(&format!(
                    "{}: {}; trying again",
                    url::shown(&args.server.url),
                    plain(&reason, 200)
                ));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// The reason why a connection is not followed any further.
enum End {
    Lost(Lost),
    Failed(Failure),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// The updates to print, and the place reached.
#[derive(Debug)]
struct Watch {
    rooms: Vec<String>,
    types: Vec<String>,
    exclude: Vec<String>,
    /// `types`, checked here too, for updates that the server sends to everybody.
    wanted: Option<Patterns>,
    /// The same for `exclude`.
    unwanted: Option<Patterns>,
    json: bool,
    /// The shape of the updates to ask for.
    shape: UpdateShape,
    /// The token to send.
    token: Option<Credential>,
    /// The cursor after the last update that was printed.
    cursor: Option<String>,
    /// Whether the server still replays missed updates; direct messages then carry a later cursor.
    catching_up: bool,
    /// Whether the client is still in the room of all observers, whose updates were not asked for.
    leaving: bool,
}

impl Watch {
    fn new(args: &TailArgs) -> Result<Self, Failure> {
        let given = |list: &[String]| -> Vec<String> {
            list.iter().filter(|s| !s.is_empty()).cloned().collect()
        };
        let (rooms, types, exclude) =
            (given(&args.rooms), given(&args.types), given(&args.exclude));
        Ok(Self {
            wanted: globs(&types).map_err(Failure::because)?,
            unwanted: globs(&exclude).map_err(Failure::because)?,
            rooms,
            types,
            exclude,
            json: args.json,
            shape: args.shape.unwrap_or(match args.json {
                true => UpdateShape::Full,
                false => UpdateShape::Lean,
            }),
            token: args.server.token.as_deref().map(Credential::new),
            cursor: None,
            catching_up: false,
            leaving: false,
        })
    }

    /// Whether only some rooms are watched.
    fn narrow(&self) -> bool {
        !self.rooms.is_empty() && !self.rooms.iter().any(|r| r == EVERYTHING)
    }

    fn auth(&self) -> Value {
        let mut auth = json!({ "name": "stoa tail" });
        if self.shape != UpdateShape::Full {
            auth["shape"] = json!(self.shape.as_str());
        }
        if let Some(token) = &self.token {
            auth["token"] = json!(token.token());
        }
        if !self.rooms.is_empty() {
            auth["rooms"] = json!(self.rooms);
        }
        for (key, names) in [("types", &self.types), ("exclude", &self.exclude)] {
            if !names.is_empty() {
                auth["filters"][key] = json!(names);
            }
        }
        // A client that watches some rooms only resumes after it has left the room of all observers, so that it is sent
        // only the updates of its rooms.
        if let Some(cursor) = self.cursor.as_ref().filter(|_| !self.narrow()) {
            auth["cursor"] = json!(cursor);
        }
        auth
    }

    /// Prints updates until nobody reads stdout any more.
    async fn follow(&mut self, connection: &mut Connection) -> Result<(), End> {
        self.catching_up = self.cursor.is_some();
        self.leaving = self.narrow();
        loop {
            match connection.next().await? {
                Received::Event(name, payload) => {
                    if name == "connection_established" && self.leaving {
                        connection
                            .ask(LEAVE, "leave_room", json!({ "room": EVERYTHING }))
                            .await?;
                    }
                    if let Some(line) = self.take(&name, &payload)
                        && !output::print(&line)
                            .map_err(|error| End::Failed(Failure::because(error)))?
                    {
                        return Ok(());
                    }
                }
                Received::Ack(LEAVE, answer) => {
                    answered(&answer)?;
                    self.leaving = false;
                    if let Some(cursor) = self.cursor.as_ref().filter(|_| self.catching_up) {
                        connection
                            .ask(RESUME, "resume", json!({ "cursor": cursor }))
                            .await?;
                    }
                }
                Received::Ack(_, answer) => answered(&answer)?,
            }
        }
    }

    /// The line to print for an event, if it is an update that was asked for.
    fn take(&mut self, name: &str, raw: &RawValue) -> Option<String> {
        let payload: Value = serde_json::from_str(raw.get()).ok()?;
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        let cursor = text("cursor").map(str::to_owned);
        match name {
            "connection_established" => {
                if self.cursor.is_none() {
                    self.cursor = cursor;
                }
                return None;
            }
            "resumed" => {
                self.catching_up = false;
                self.cursor = cursor.or(self.cursor.take());
                if payload.get("complete") != Some(&Value::Bool(true)) {
                    note(
                        "the server does not have everything any more that was missed; going on from now",
                    );
                }
                return None;
            }
            // Answers to what this client asked for, not part of the stream.
            "snapshot" | "subscription" | "room_joined" | "room_left" => return None,
            "error" => {
                let (code, message) = (
                    text("code").unwrap_or_default(),
                    text("message").unwrap_or_default(),
                );
                note(&format!(
                    "the server says {}: {}",
                    plain(code, 64),
                    plain(message, 300)
                ));
                return None;
            }
            _ => {}
        }
        let is_update = text("source_type").is_some() || payload.get("hint").is_some();
        let of_an_event = is_update && !is_aggregate(name, &payload);
        let elsewhere = self.narrow() && is_aggregate(name, &payload);
        if self.leaving || elsewhere {
            return None;
        }
        if cursor.is_some() && (of_an_event || !self.catching_up) {
            self.cursor = cursor;
        }
        // Aggregates that only Seneca's pages read come once a second, and nobody who watches events wants them.
        if self.wanted.is_none() && is_aggregate(name, &payload) {
            return None;
        }
        let name_of_it = folded(name);
        let is_one = |of: &Option<Patterns>| of.as_ref().map(|of| of.matches(&name_of_it));
        let unwanted = is_one(&self.wanted) == Some(false) || is_one(&self.unwanted) == Some(true);
        if unwanted && !of_an_event && name != "system_notification" && name != "batch" {
            return None;
        }
        Some(if self.json {
            as_json(name, raw, &payload)
        } else {
            show::line(name, &payload)
        })
    }
}

/// The payload as the server wrote it, unless that has line ends in it.
fn as_json(name: &str, raw: &RawValue, payload: &Value) -> String {
    let name = Value::from(name);
    if raw.get().contains(['\n', '\r']) {
        format!("{{\"event\":{name},\"payload\":{payload}}}")
    } else {
        format!("{{\"event\":{name},\"payload\":{}}}", raw.get())
    }
}

fn answered(answer: &RawValue) -> Result<(), Lost> {
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    if answer.get("status").and_then(Value::as_str) != Some("error") {
        return Ok(());
    }
    let part = |key: &str| {
        answer
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Err(Lost::Refused(format!(
        "{}: {}",
        part("/error/code"),
        part("/error/message")
    )))
}

/// Whether an update is an aggregate: it is sent to everybody and made of no single event, so the server's filters
/// don't apply.
fn is_aggregate(name: &str, payload: &Value) -> bool {
    let target = |key: &str| payload.pointer(key).and_then(Value::as_str);
    target("/hint/target/kind") == Some("system") && target("/hint/target/id") == Some(name)
}

/// Whether a refusal passes once the server has started, or has less to do.
fn passes(reason: &str) -> bool {
    ["unavailable", "overloaded", "timeout"]
        .iter()
        .any(|code| reason.starts_with(code))
}

/// A name without separators, as the server matches it.
fn folded(text: &str) -> String {
    EventName::new(text).canonical().to_owned()
}

/// The patterns; `None` without any.
fn globs(patterns: &[String]) -> Result<Option<Patterns>, BadPattern> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let patterns = patterns.iter().map(|text| Pattern::written(&folded(text)));
    patterns.collect::<Result<_, _>>().map(Some)
}
