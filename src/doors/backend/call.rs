//! The body of a call: its kind, and the client that it is about.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::{Value, value::RawValue};

use crate::{access::Identity, config::Role, event::mint_id, timestamp::Timestamp};

/// The client that a call is about, as the service is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'c> {
    /// The client's public id.
    pub(crate) client_id: &'c str,
    pub(crate) namespace: &'c str,
    pub(crate) who: &'c Identity,
    /// The rooms that the client is in, its own among them.
    pub(crate) rooms: &'c [std::sync::Arc<str>],
    /// The client's session data, as JSON.
    pub(crate) session: Option<&'c RawValue>,
}

/// The session that a client comes back to, as the service is told of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Recovers<'c> {
    /// The client's public id then.
    pub(crate) client_id: &'c str,
    /// The rooms that the service had put it into.
    pub(crate) rooms: &'c [std::sync::Arc<str>],
    /// The data that the service kept with it.
    pub(crate) session: Option<&'c RawValue>,
}

/// The kind of a call, with the fields that only it has.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum CallKind<'c> {
    /// A client asks to be let in.
    Connect {
        /// The payload of its CONNECT, without the token.
        auth: &'c Value,
        /// The query string of its request, without the token.
        query: &'c str,
        /// The headers that the service may see.
        headers: &'c Value,
        /// The address that it comes from.
        address: std::net::IpAddr,
        /// The session that it comes back to.
        #[serde(skip_serializing_if = "Option::is_none")]
        recovers: Option<Recovers<'c>>,
    },
    /// A client has sent an event.
    Event {
        event: &'c str,
        /// The arguments, as the client wrote them.
        args: &'c RawValue,
        /// The binary attachments that placeholders in the arguments name.
        #[serde(serialize_with = "base64")]
        attachments: &'c [Bytes],
        /// Whether the client wants an answer.
        ack: bool,
    },
    /// A client has left.
    Disconnect {
        /// The reason, in the words of Socket.IO.
        reason: &'c str,
    },
}

#[derive(Serialize)]
struct Body<'c> {
    call: String,
    timestamp: Timestamp,
    namespace: &'c str,
    client_id: &'c str,
    user: Option<&'c str>,
    role: Role,
    rooms: &'c [std::sync::Arc<str>],
    session: Option<&'c RawValue>,
    #[serde(flatten)]
    kind: &'c CallKind<'c>,
}

impl CallKind<'_> {
    /// The name of the kind.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Event { .. } => "event",
            Self::Disconnect { .. } => "disconnect",
        }
    }

    /// The bytes of the client's that it holds.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Event {
                args, attachments, ..
            } => args.get().len() + attachments.iter().map(Bytes::len).sum::<usize>(),
            Self::Connect { .. } | Self::Disconnect { .. } => 0,
        }
    }

    /// The whole call as JSON; all tries of it have the same id.
    pub(super) fn body(&self, subject: &Subject<'_>) -> serde_json::Result<Bytes> {
        let body = Body {
            call: mint_id().to_string(),
            timestamp: Timestamp::now(),
            namespace: subject.namespace,
            client_id: subject.client_id,
            user: subject.who.user.as_deref(),
            role: subject.who.role,
            rooms: subject.rooms,
            session: subject.session,
            kind: self,
        };
        serde_json::to_vec(&body).map(Bytes::from)
    }
}

fn base64<S: Serializer>(attachments: &&[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(attachments.len()))?;
    for bytes in *attachments {
        list.serialize_element(&STANDARD.encode(bytes))?;
    }
    list.end()
}
