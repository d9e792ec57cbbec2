//! The packets that one client sees on two servers, made comparable: all of them but places in the journal, ids that a server minted and the
//! time of an answer.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::{Map, Value, json};
use stoa::delivery::Cursor;

use kit::guarded::request;

/// The events of a history, page by page.
pub async fn events(address: SocketAddr, token: &str) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), "/api/v1/events?limit=1000".to_owned());
    loop {
        let (status, page) = request("GET", address, &path, token, None).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["events"].as_array().expect("a list").clone());
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/events?limit=1000&after={next}"),
            None => return all,
        }
    }
}

/// The names by which one server knows what another knows by others: each event's id and place, by its place among those
/// that the client may see.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub fn of(history: &[Value]) -> Self {
        let names = history.iter().enumerate().flat_map(|(n, event)| {
            let name = |key: &str| Some((event[key].as_str()?.to_owned(), format!("{key} {n}")));
            let minted =
                |(id, _): &(String, String)| id.len() == 36 && id.matches('-').count() == 4;
            [name("id").filter(minted), name("cursor")]
        });
        Self(names.flatten().collect())
    }

    /// The same with these names. A place that is none of an event that the client may see is only known to be one.
    pub fn translate(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.0.get(text) {
                Some(name) => name.as_str().into(),
                None => text.as_str().into(),
            },
            Value::Array(list) => list.iter().map(|value| self.translate(value)).collect(),
            Value::Object(object) => {
                let fields = object.iter().map(|(key, value)| {
                    // A page of history begins behind an event that may be anybody's.
                    let begins = key == "from" && object.contains_key("events");
                    let names = ["cursor", "next"].contains(&key.as_str());
                    let place = value.as_str().is_some_and(|text| {
                        (begins || names && !self.0.contains_key(text))
                            && text.parse::<Cursor>().is_ok()
                    });
                    let value = match place {
                        true => "a place".into(),
                        false => self.translate(value),
                    };
                    // A task that is named by an event's id is a key of the state.
                    (self.0.get(key).unwrap_or(key).clone(), value)
                });
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    /// The same of an update. Its place tells what was sent before it.
    pub fn update(&self, update: &Value) -> Value {
        let mut translated = self.translate(update);
        let place = update["cursor"].as_str().map(str::parse::<Cursor>);
        translated["cursor"] = place.is_some_and(|place| place.is_ok()).into();
        translated
    }

    /// The same of an answer, which says when and where in the stream it was given.
    pub fn answer(&self, answer: &Value) -> Value {
        let mut answer = self.translate(answer);
        if let Some(answer) = answer.as_object_mut() {
            for key in ["timestamp", "server_time", "cursor"] {
                if let Some(now) = answer.get_mut(key) {
                    *now = now.is_string().into();
                }
            }
        }
        answer
    }
}

/// The state and the history, as this client may see them.
pub async fn picture(address: SocketAddr, token: &str) -> Value {
    let history = events(address, token).await;
    let names = Names::of(&history);
    let (_, state) = request("GET", address, "/api/v1/state", token, None).await;
    json!({ "state": names.answer(&state), "history": names.translate(&history.into()) })
}

/// The first place where two values differ.
pub fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.filter_map(|key| within(key, a.get(key), b.get(key)))
                .next()
        }
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len()))
            .filter_map(|n| within(&n.to_string(), a.get(n), b.get(n)))
            .next(),
        _ => (one != other).then(|| format!(": {one}, and without the hostile {other}")),
    }
}

fn within(key: &str, one: Option<&Value>, other: Option<&Value>) -> Option<String> {
    let difference = match (one, other) {
        (Some(one), Some(other)) => difference(one, other)?,
        (one, other) => format!(": {one:?}, and without the hostile {other:?}"),
    };
    Some(format!(".{key}{difference}"))
}

/// The updates among what came.
pub fn updates(heard: &[String]) -> Vec<Value> {
    let packets = heard.iter().filter_map(|text| text.strip_prefix("42["));
    let bodies = packets.filter_map(|packet| {
        let packet: Value = serde_json::from_str(&format!("[{packet}")).ok()?;
        Some(packet[1].clone())
    });
    bodies
        .filter(|update| update["source_type"].is_string())
        .collect()
}

/// Of each thing the updates that name it, in their order; and all updates, whatever their order.
pub fn in_order(updates: &[Value]) -> Value {
    const IDS: [&str; 5] = ["agent_id", "task_id", "execution_id", "run_id", "job_id"];
    let mut all: Vec<String> = updates.iter().map(Value::to_string).collect();
    all.sort();
    let mut things = Map::new();
    for update in updates {
        let said = json!([update["type"], update["source_type"], update["id"]]);
        for key in IDS {
            let id = update["data"][key].as_str().or(update[key].as_str());
            let Some(id) = id else { continue };
            let thing = format!("{} {key} {id}", update["project_id"]);
            let list = things.entry(thing).or_insert_with(|| json!([]));
            list.as_array_mut().expect("a list").push(said.clone());
        }
    }
    json!({ "things": things, "all": all })
}

/// The fields that the updates of each kind leave for each thing, however many of them were coalesced.
pub fn folded(updates: &[Value]) -> Value {
    let mut all = Map::new();
    for update in updates {
        let key = json!([
            update["type"],
            update["source_type"],
            update["project_id"],
            update["hint"]["target"]
        ]);
        let said = all.entry(key.to_string()).or_insert_with(|| json!({}));
        let Some(data) = update["data"].as_object() else {
            continue;
        };
        for (field, value) in data.iter().filter(|(_, value)| !value.is_null()) {
            match (&mut said[field], value) {
                (Value::Object(before), Value::Object(after)) => before.extend(after.clone()),
                (Value::String(before), Value::String(after)) if field == "content" => {
                    before.push_str(after);
                }
                (before, after) => *before = after.clone(),
            }
        }
    }
    all.into()
}
