//! Clients and the application's service: it is asked before a client is let in, is told when one has left, and its
//! operations reach them.

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Value, value::RawValue};
use socketioxide::socket::DisconnectReason;
use tokio::time::Instant;

use super::{
    client::Client,
    context::DoorContext,
    entrance::{Entry, NotAdmitted, Shown},
    hands::asking,
    word::{Word, recovers},
};
use crate::{
    access::Identity,
    channel::Namespace,
    doors::{
        backend::{
            Arguments, Backend, CallKind, Presence, SessionData, Subject, was_not_handed_over,
            words,
        },
        operations::{Asking, By, Connected, is_session_of},
        socketio::engine::{CloseReason, Frame},
    },
    error::Error,
    hub::MemberId,
    recovery::{Pid, Session},
    timestamp::Timestamp,
};

impl DoorContext {
    /// The service, if the clients of a namespace are its.
    pub(super) fn backend(&self, namespace: Namespace) -> Option<&Arc<Backend>> {
        let backend = self.options.backend.as_ref()?;
        let is_stoas = matches!(namespace, Namespace::Conversations | Namespace::Admin);
        (!is_stoas && backend.serves(namespace.path())).then_some(backend)
    }

    /// The headers of a request that the service may see; `null` where it is not asked.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Value {
        let backend = self.options.backend.as_ref();
        let asked = backend.filter(|backend| backend.is_asked());
        asked.map_or(Value::Null, |backend| backend.headers(headers))
    }
}

impl Client {
    /// Asks the service whether the client may come in, perhaps back to a session.
    ///
    /// # Errors
    /// The service refuses it, or gives no answer.
    pub(super) async fn ask_to_enter(
        self: &Arc<Self>,
        shown: Shown<'_>,
        session: Option<&Session>,
    ) -> Result<Entry, NotAdmitted> {
        let Some(backend) = self.context.backend(self.namespace) else {
            return Ok(Entry::default());
        };
        let who = self.who();
        let id = self.id.clone();
        let presence = Presence::new(backend.clone(), id, self.namespace.path(), who.clone());
        if !backend.is_asked() {
            self.is_known(presence);
            return Ok(Entry::default());
        }
        if let Err(refusal) = backend.check_query(shown.query) {
            presence.forget();
            return Err(refusal.into());
        }
        let auth = of_application(shown.auth);
        let kind = CallKind::Connect {
            auth: &auth,
            query: shown.query,
            headers: shown.headers,
            address: self.address,
            recovers: session.map(recovers),
        };
        let rooms = [self.id.clone()];
        let subject = Subject {
            client_id: &self.id,
            namespace: self.namespace.path(),
            who: &who,
            rooms: &rooms,
            session: None,
        };
        let answer = match backend.attempt(&kind, subject, Instant::now()).await {
            Ok(answer) => answer,
            Err(outcome) => {
                // A service that may have let the client in is told that it left.
                if was_not_handed_over(outcome) {
                    presence.forget();
                }
                return Err(words(outcome).into());
            }
        };
        if let Some(refusal) = answer.refuse {
            presence.forget();
            return Err(NotAdmitted::ByService(refusal));
        }
        // Dropped with the client, it tells the service that the client has left.
        let presence = self.named(answer.user.clone(), presence)?;
        self.is_known(presence);
        let word = Some(Word::of(&answer, &self.id));
        let operations = self.keep_session(answer.operations).await?;
        Ok(Entry { operations, word })
    }

    /// Gives the client the user that the service names, if it names one.
    fn named(&self, user: Option<Arc<str>>, presence: Presence) -> Result<Presence, Error> {
        let Some(user) = user else {
            return Ok(presence);
        };
        let authenticator = &self.context.authenticator;
        let who = authenticator.of_user(&self.who(), user, self.address)?;
        self.performer.renew(who);
        Ok(presence.of(self.who()))
    }

    /// Keeps the session data that the service has just given to the client; the other operations wait until it is in. An
    /// application knows its users by this data, so that nobody comes in without it.
    async fn keep_session(
        self: &Arc<Self>,
        operations: Vec<Box<RawValue>>,
    ) -> Result<Vec<Box<RawValue>>, NotAdmitted> {
        let mut others = Vec::new();
        let caller: Arc<dyn Connected> = self.clone();
        let by = By::service(&self.id);
        for operation in operations {
            if !is_session_of(&operation, &self.id) {
                others.push(operation);
                continue;
            }
            let all = &self.context.options.operations;
            let (name, result) = all.perform(&operation, Some(&caller), &by).await;
            if let Err(refusal) = result {
                if let Some(backend) = &self.context.options.backend {
                    backend.not_done(name, &refusal);
                }
                return Err(refusal.into());
            }
        }
        Ok(others)
    }

    /// Carries out what the service wants done about this client.
    pub(super) async fn carry_out(self: &Arc<Self>, operations: Vec<Box<RawValue>>) {
        if operations.is_empty() {
            return;
        }
        let caller: Arc<dyn Connected> = self.clone();
        let by = By::service(&self.id);
        let mut has_emitted = false;
        let all = &self.context.options.operations;
        for operation in operations {
            let (name, result) = all.perform(&operation, Some(&caller), &by).await;
            has_emitted |= name == "emit";
            if let Err(refusal) = result
                && let Some(backend) = &self.context.options.backend
            {
                backend.not_done(name, &refusal);
            }
        }
        if has_emitted {
            all.emitted().await;
        }
    }

    /// Has the service told that the client has left, once all of its events are handled.
    pub(super) fn leaves(self: &Arc<Self>, reason: DisconnectReason) {
        if self.inbox.farewell(self.reason(reason)) {
            tokio::spawn(self.clone().work());
        }
    }

    /// Has the service told that the client has left, and does what it wants done then: what is about the client itself
    /// is refused, since it is gone.
    pub(super) async fn say_farewell(self: &Arc<Self>, reason: &'static str) {
        if let Some(presence) = self.take_presence() {
            let session = self.data.get();
            let operations = presence.end(reason, session.as_deref()).await;
            self.carry_out(operations).await;
        }
    }

    /// The reason of an end in the words of Socket.IO.
    fn reason(&self, reason: DisconnectReason) -> &'static str {
        match (self.lane.killed(), reason) {
            (_, DisconnectReason::ClientNSDisconnect) => "client disconnect",
            (_, DisconnectReason::ServerNSDisconnect | DisconnectReason::ClosingServer) => {
                "server disconnect"
            }
            (Some(CloseReason::Silent), _) | (_, DisconnectReason::HeartbeatTimeout) => {
                "ping timeout"
            }
            // It is to come back, as after a connection that was cut.
            (Some(CloseReason::Moved), _) => "transport close",
            (Some(_), _) => "server disconnect",
            // Python's servers say so whether the client closed its connection or that was cut.
            (None, DisconnectReason::TransportClose | DisconnectReason::TransportError) => {
                "transport close"
            }
            (None, _) => "transport error",
        }
    }
}

impl Connected for Client {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn namespace(&self) -> Namespace {
        self.namespace
    }

    fn who(&self) -> Arc<Identity> {
        self.performer.who()
    }

    fn member(&self) -> Option<MemberId> {
        self.member()
    }

    fn session(&self) -> &SessionData {
        &self.data
    }

    fn since(&self) -> Timestamp {
        self.since
    }

    fn hides(&self, room: &str) -> bool {
        self.former_id.as_deref() == Some(room)
    }

    fn disconnect(self: Arc<Self>) {
        let packet = Frame::disconnect(self.namespace);
        // The engine tells the client, and says that it has left.
        if self.served.send(&packet) || self.outlet.end() {
            return;
        }
        // The reason is settled before the client hears of it: it may hang up at once.
        let is_first = !self.gone.swap(true, Ordering::SeqCst);
        self.lane.send(&packet);
        self.lane.flush();
        if is_first {
            departed(&self, DisconnectReason::ServerNSDisconnect);
        }
    }

    fn has_changed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.remember().await })
    }

    fn ask(&self, event: &str, arguments: &Arguments) -> Asking {
        asking(&self.lane, self.namespace, event, arguments)
    }
}

/// The part of `auth` that is the application's: without the credential, and without what a client's library adds when it
/// comes back.
fn of_application(auth: &Value) -> Value {
    let Value::Object(all) = auth else {
        return auth.clone();
    };
    let mut own = all.clone();
    own.remove("token");
    let pid = own.get("pid").and_then(Value::as_str);
    if pid.and_then(Pid::read).is_some() {
        own.remove("pid");
        own.remove("offset");
        if own.is_empty() && !all.contains_key("token") {
            return Value::Null;
        }
    }
    Value::Object(own)
}

/// Notes that a client has left its namespace, and why; only the first reason counts.
pub(super) fn left(client: &Arc<Client>, reason: DisconnectReason) {
    if !client.gone.swap(true, Ordering::SeqCst) {
        departed(client, reason);
    }
}

fn departed(client: &Arc<Client>, reason: DisconnectReason) {
    tracing::debug!(client = %client.id, %reason, "disconnected");
    let departs = client.leaves_session(reason);
    client.disconnected(format!("{reason:?}"), is_loss(reason), departs);
    client.leaves(reason);
}

/// Whether a connection was lost: neither its client nor the server ended it.
fn is_loss(reason: DisconnectReason) -> bool {
    !matches!(
        reason,
        DisconnectReason::ClientNSDisconnect
            | DisconnectReason::ServerNSDisconnect
            | DisconnectReason::ClosingServer
    )
}
