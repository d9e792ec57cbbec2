//! The word of the application's service about a client: its answer to the connect call.
//!
//! The rooms that the service put a client into, and the data that it kept with it, hold for one connection. A client that
//! comes back is given them again only if the service, asked anew, says about it what it said before, or says outright that
//! the client is to have them. So nobody keeps what an application would no longer give.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, value::RawValue};

use super::{client::Client, way_back::Coming};
use crate::{
    doors::backend::{Answer, Recovers},
    recovery::Session,
};

/// The operations by which the service says who a client is and where it belongs.
const TELLING: [&str; 3] = ["session", "join", "leave"];

/// The service's word about a client that connects.
#[derive(Debug)]
pub(super) struct Word {
    /// A hash of all that the answer says about the client.
    hash: u64,
    /// The service's own decision whether the client is given its session.
    recover: Option<bool>,
    /// Whether it names the client's user, whose rooms no session has.
    names_user: bool,
}

impl Word {
    /// The word in an answer about the client with this public id.
    pub(super) fn of(answer: &Answer, id: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        for operation in &answer.operations {
            let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(operation.get()) else {
                continue;
            };
            let about = fields.get("client").and_then(Value::as_str);
            let tells = TELLING.iter().any(|name| fields.contains_key(*name));
            if !tells || about.is_some_and(|about| about != id) {
                continue;
            }
            // The id is another one each time.
            fields.remove("client");
            Value::Object(fields).to_string().hash(&mut hasher);
        }
        Self {
            hash: hasher.finish(),
            recover: answer.recover,
            names_user: answer.user.is_some(),
        }
    }

    /// Whether the service would have a client go on with a session.
    fn stands_by(&self, session: &Session) -> bool {
        let is_same = session.word == Some(self.hash);
        !self.names_user && self.recover.unwrap_or(is_same)
    }
}

/// A session, as the service is told of it.
pub(super) fn recovers(session: &Session) -> Recovers<'_> {
    let data = session.data.as_deref().map(serde_json::from_str);
    Recovers {
        client_id: &session.client,
        rooms: &session.placed,
        session: data.and_then(Result::ok),
    }
}

impl Client {
    /// Gives the client back what the service had settled for it, if the service stands by that; otherwise its session
    /// begins anew.
    pub(super) fn heed(&self, word: &Word, coming: &mut Coming) {
        let Some(way_back) = &self.way_back else {
            return;
        };
        way_back.word.set(word.hash).ok();
        let Some((session, _)) = &coming.recovered else {
            return;
        };
        if word.stands_by(session) && self.has_again(session) {
            return;
        }
        way_back.begin_anew();
        coming.recovered = None;
        coming.refused = Some("service");
        let sessions = &self.context.options.recovery.sessions;
        sessions.metrics().came("service");
    }

    /// Gives the client the data of a session, if it had any; `false` if there is no room for them.
    fn has_again(&self, session: &Session) -> bool {
        let Some(data) = session.data.as_deref() else {
            return true;
        };
        let data: Result<&RawValue, _> = serde_json::from_str(data);
        data.is_ok_and(|data| self.data.set(data).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn word(operations: Value, recover: Option<bool>) -> Word {
        let Value::Array(operations) = operations else {
            panic!("a list");
        };
        let answer = Answer {
            operations: operations
                .iter()
                .map(|one| to_raw_value(one).unwrap())
                .collect(),
            recover,
            ..Answer::default()
        };
        Word::of(&answer, "id")
    }

    #[test]
    fn a_word_is_what_is_said_about_the_client() {
        let same = [
            json!([{ "session": { "user": 1 } }, { "join": "a" }]),
            json!([{ "session": { "user": 1 }, "client": "id" }, { "join": "a" }]),
            json!([{ "emit": { "event": "hi" } }, { "session": { "user": 1 } }, { "join": "a" }]),
            json!([{ "session": { "user": 1 } }, { "join": "a" }, { "join": "b", "client": "another" }]),
        ];
        let hashes = same.map(|operations| word(operations, None).hash);
        assert_eq!(hashes, [hashes[0]; 4]);
        for other in [
            json!([]),
            json!([{ "session": { "user": 2 } }, { "join": "a" }]),
            json!([{ "session": { "user": 1 } }]),
            json!([{ "session": { "user": 1 } }, { "join": "b" }]),
        ] {
            assert_ne!(word(other.clone(), None).hash, hashes[0], "{other}");
        }
    }

    #[test]
    fn the_same_word_or_a_plain_one_is_enough() {
        let before = word(json!([{ "join": "a" }]), None);
        let session = Session {
            client: "id".into(),
            namespace: "/".into(),
            owner: "".into(),
            address: None,
            rooms: Vec::new(),
            placed: Vec::new(),
            data: None,
            word: Some(before.hash),
            filter: Value::Null,
            asked: 0,
            at: None,
            bar: None,
            is_kept: false,
            ended: None,
        };
        let stands =
            |room: &str, recover| word(json!([{ "join": room }]), recover).stands_by(&session);
        assert!(stands("a", None) && stands("b", Some(true)));
        let named = Answer {
            user: Some("ann".into()),
            recover: Some(true),
            ..Answer::default()
        };
        assert!(!Word::of(&named, "id").stands_by(&session));
        assert!(!stands("b", None) && !stands("a", Some(false)));
    }
}
