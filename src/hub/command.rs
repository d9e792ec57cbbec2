//! The requests of the doors to the hub. The loop handles commands between two events, so each sees the state, the
//! rooms and the cursor at one place of the stream.

use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::{
    Emit, Membership, Moment, SharedSnapshot, SnapshotOf,
    member::{JoinRequest, MemberId},
    presence::{MembersOf, Visit},
    recovery::Standing,
    subscription::Subscription,
};
use crate::{
    access::{
        Identity,
        authz::{Audience, Permissions},
    },
    channel::{Namespace, Topic},
    delivery::{Cursor, Outgoing},
    error::Error,
    event::Object,
    journal::Seq,
    projections::state::Picture,
    timestamp::Timestamp,
};

/// The rooms and the greeting of a client that joins.
#[derive(Debug)]
pub struct JoinReply {
    /// The rooms to be in, already checked.
    pub rooms: Vec<Arc<str>>,
    /// The rooms among these that it is put into by the word of the application's service, whatever its claims are.
    pub placed: Vec<Arc<str>>,
    /// The client's own rooms, which are not listed to it.
    pub own_rooms: Vec<Arc<str>>,
    /// The event to greet it with, and its fields; the hub adds `rooms` and `cursor`. None on a namespace on which only an
    /// application speaks.
    pub greeting: Option<(&'static str, Object)>,
    /// Whether the client asks for the state.
    pub snapshot: bool,
    /// Messages that tell the state of some things at the cursor of `resume`; they follow the greeting.
    pub state: Vec<Outgoing>,
    /// The time of the client's request: the greeting's way is measured from it.
    pub requested: Instant,
    /// The cursor to go on from, if the client sent one or was told a state.
    pub resume: Option<Resumption>,
}

/// A cursor to go on from. The door reads it: a long one costs the loop nothing.
#[derive(Debug)]
pub struct Resumption {
    /// The cursor as the client wrote it, to be repeated in `resumed`.
    pub(super) text: String,
    /// The cursor as it was read; none for text that is no cursor.
    pub(super) place: Option<Cursor>,
    /// Whether the client hears no `resumed`.
    pub(super) is_silent: bool,
}

impl Resumption {
    /// Goes on from a place without a word about that, since the client is told nothing else, or a state first.
    pub fn silently(cursor: String) -> Self {
        Self {
            is_silent: true,
            ..cursor.into()
        }
    }

    /// Goes on from a member's own place without a word about that.
    pub(super) fn quietly(place: Cursor) -> Self {
        Self {
            text: place.to_string(),
            place: Some(place),
            is_silent: true,
        }
    }
}

impl From<String> for Resumption {
    fn from(text: String) -> Self {
        Self {
            place: text.parse().ok(),
            text,
            is_silent: false,
        }
    }
}

#[derive(Debug)]
pub(super) enum Command {
    Join {
        request: JoinRequest,
        welcome: Box<JoinReply>,
        reply: oneshot::Sender<Membership>,
    },
    Leave(MemberId),
    JoinRooms {
        member: MemberId,
        rooms: Vec<String>,
        reply: oneshot::Sender<Result<usize, Error>>,
    },
    LeaveRooms {
        member: MemberId,
        rooms: Vec<String>,
        reply: oneshot::Sender<usize>,
    },
    SetSubscription(MemberId, Subscription),
    Listen {
        member: MemberId,
        topic: Topic,
        on: bool,
    },
    IsPage(MemberId),
    Notify {
        member: MemberId,
        name: &'static str,
        body: Object,
    },
    NotifyAll {
        namespace: Namespace,
        name: &'static str,
        body: Object,
    },
    NotifyOperators {
        name: &'static str,
        body: Object,
        /// Only operators that may see all of these are told.
        audiences: Vec<Arc<Audience>>,
    },
    Picture(oneshot::Sender<(Picture, Seq, String)>),
    /// The state now.
    Moment(oneshot::Sender<Arc<Moment>>),
    /// Finds a snapshot in parts, which all clients of equal permissions share; none while the state is small enough
    /// for one part.
    FindSnapshot {
        of: SnapshotOf,
        reply: oneshot::Sender<Option<Arc<SharedSnapshot>>>,
    },
    /// Sends a member the state in parts: these, or those of the project that are found next.
    GiveSnapshot {
        member: MemberId,
        project: Option<String>,
        snapshot: Option<Arc<SharedSnapshot>>,
    },
    Resume {
        member: MemberId,
        from: Resumption,
        reply: oneshot::Sender<Object>,
    },
    Reidentify {
        member: MemberId,
        who: Box<Identity>,
        rooms: Vec<Arc<str>>,
        reply: oneshot::Sender<Vec<Arc<str>>>,
    },
    Emit(Emit),
    Ask(Question, oneshot::Sender<Answer>),
    /// Puts a client into a room by the server's word, or takes it out.
    Place {
        /// The client's namespace and its public id.
        whom: (Namespace, Arc<str>),
        room: String,
        on: bool,
        reply: oneshot::Sender<Result<usize, Error>>,
    },
    /// Tells a member who comes into a room and who leaves, or no more.
    WatchPresence {
        member: MemberId,
        room: String,
        on: bool,
        reply: oneshot::Sender<Result<usize, Error>>,
    },
    Visit(Visit, oneshot::Sender<Result<Object, Error>>),
    /// A member as it could be made again; it may leave with that.
    Standing {
        member: MemberId,
        leaves: bool,
        reply: oneshot::Sender<Option<Standing>>,
    },
    CanResume {
        from: Resumption,
        reply: oneshot::Sender<Result<(), &'static str>>,
    },
    RoomsOf {
        member: MemberId,
        reply: oneshot::Sender<Vec<Arc<str>>>,
    },
    MembersOf {
        room: String,
        reply: oneshot::Sender<Vec<Arc<str>>>,
    },
    Stop(oneshot::Sender<()>),
}

/// The answer to a question.
pub(super) enum Answer {
    Ready(Object),
    /// A long answer: the closure holds what it is made of, and it is written outside of the loop.
    ToWrite(Box<dyn FnOnce() -> Object + Send>),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready",
            Self::ToWrite(_) => "ToWrite",
        })
    }
}

/// Read-only questions.
#[derive(Debug)]
pub enum Question {
    /// `GET /readyz`: an answer shows that the loop turns, and costs nothing else.
    Alive,
    /// `GET /api/v1/ws/stats`.
    Stats {
        /// Only the rooms that it may be in are counted.
        permissions: Permissions,
    },
    /// The connections alone, as the statistics have them.
    Connections,
    /// `GET /api/v1/ws/rooms`.
    Rooms {
        /// Only the rooms that it may be in are listed.
        permissions: Permissions,
    },
    /// The rooms of these clients, by public id. The caller bounds how many it asks about.
    RoomsOfClients {
        /// The clients, each with the namespace that it is on.
        clients: Vec<(Namespace, Arc<str>)>,
    },
    /// The members of these rooms, by the room's name. The caller bounds how many it asks about.
    RoomSizes {
        /// The rooms.
        rooms: Vec<Arc<str>>,
    },
    /// `GET /api/v1/rooms/{room}/members`.
    Members(MembersOf),
    /// Seneca's `GET /api/health/current`; empty while nothing is known.
    HealthNow,
    /// Seneca's `GET /api/health/history`.
    HealthHistory {
        /// The age of the oldest entry.
        hours: u64,
    },
    /// Seneca's `GET /api/conversations/recent`.
    Conversations {
        /// The most lines.
        limit: usize,
        /// The lines to skip.
        offset: usize,
        /// The age of the oldest line, in minutes.
        minutes: Option<u64>,
        /// Only the lines of this agent.
        agent_id: Option<String>,
    },
    /// Seneca's `GET /api/pipeline/monitor/dashboard`.
    Dashboard,
    /// Seneca's `active_flows_update`.
    ActiveFlows,
}

pub(super) fn now() -> serde_json::Value {
    Timestamp::now().to_string().into()
}
