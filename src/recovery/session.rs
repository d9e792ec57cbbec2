//! A session that a client can come back to.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A client's session: its owner, its rooms, its filter and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The client's public id, which it keeps.
    pub client: Arc<str>,
    /// The path of the namespace that it was on.
    #[serde(default = "root")]
    pub namespace: Arc<str>,
    /// The verified identity: nobody else recovers the session.
    pub owner: Arc<str>,
    /// The address that the client came from.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// The rooms that it was in, but for those of its own.
    pub rooms: Vec<Arc<str>>,
    /// The rooms among these that the application's service had put it into.
    #[serde(default)]
    pub placed: Vec<Arc<str>>,
    /// The data that the service kept with it, as JSON.
    #[serde(default)]
    pub data: Option<Box<str>>,
    /// A hash of what the service answered when it connected; none if that was not asked.
    #[serde(default)]
    pub word: Option<u64>,
    /// Its filter, as clients write filters.
    pub filter: Value,
    /// A hash of what it asked for when it connected: if it asks for something else, it gets that.
    pub asked: u64,
    /// The place after which it has nothing; none while something is on its way to it.
    pub at: Option<Box<str>>,
    /// The reason why it can't be recovered, whatever the client shows.
    pub bar: Option<Box<str>>,
    /// Whether it is to outlive the process.
    #[serde(skip)]
    pub is_kept: bool,
    /// The time at which the connection was lost, in milliseconds since 1970; none while it lives.
    pub ended: Option<u64>,
}

fn root() -> Arc<str> {
    "/".into()
}

/// Bytes that a room's name holds beside its text.
const NAME_BYTES: usize = 32;
/// Bytes that an entry holds beside what is counted, about.
const ENTRY_BYTES: usize = 256;

impl Session {
    /// The bytes of memory that it holds, about; `filter` has so many as text.
    pub(super) fn held(&self) -> usize {
        let rooms = self.rooms.iter().chain(&self.placed);
        let rooms = rooms.map(|room| room.len() + NAME_BYTES);
        let len = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let texts = self.client.len() + self.owner.len() + len(&self.at) + len(&self.data);
        // A tree of JSON holds some times its text.
        let filter = match &self.filter {
            Value::Null => 0,
            filter => 4 * filter.to_string().len(),
        };
        size_of::<Self>() + ENTRY_BYTES + texts + filter + rooms.sum::<usize>()
    }

    /// The one whose sessions share a bound: the verified identity, and for clients without one their address.
    pub(super) fn holder(&self) -> Arc<str> {
        match (&*self.owner, self.address) {
            ("", Some(address)) => address.to_string().into(),
            _ => self.owner.clone(),
        }
    }

    /// Whether it ended longer ago than this, at this time.
    pub(super) fn is_over(&self, max_age: u64, now: u64) -> bool {
        self.ended
            .is_some_and(|ended| now.saturating_sub(ended) > max_age)
    }
}
