//! Carries operations out, one after the other.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::value::RawValue;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    by::By,
    clients::{Clients, Connected},
    operation::{Call, Operation},
    outcome::Outcome,
    reconnect::{Reconnect, ReconnectTarget},
};
use crate::{
    channel::Namespace,
    cluster::Cluster,
    doors::backend::BackendMetrics,
    drain::Drain,
    emission::Emission,
    emitter::Emitter,
    error::Error,
    hub::{HubHandle, Question},
};

/// Members of a room that is closed which leave it at a time.
const LEAVING_AT_A_TIME: usize = 64;

/// The parts that operations need of the server, and their limits.
#[derive(Debug)]
pub(crate) struct OperationsContext {
    pub(crate) hub: HubHandle,
    pub(crate) emitter: Emitter,
    /// Sends clients elsewhere.
    pub(crate) drain: Arc<Drain>,
    /// Reaches the clients of other nodes.
    pub(crate) cluster: Cluster,
    pub(crate) metrics: BackendMetrics,
    /// Operations of one request.
    pub(crate) max: usize,
    /// The longest time for which a call may wait for its client.
    pub(crate) max_ask_time: Duration,
    /// Calls at a time that wait for their clients.
    pub(crate) max_asked: usize,
}

/// Carries out operations for all who may want them.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) clients: Clients,
    pub(super) context: OperationsContext,
    calls: Semaphore,
}

impl Operations {
    pub(crate) fn new(context: OperationsContext) -> Arc<Self> {
        let operations = Arc::new(Self {
            clients: Clients::default(),
            calls: Semaphore::new(context.max_asked),
            context,
        });
        operations.serve();
        operations
    }

    /// The most operations of one request.
    pub(crate) fn max(&self) -> usize {
        self.context.max
    }

    /// Carries out one operation; `caller` is the client that one about no other is about. Returns its name beside its
    /// result.
    pub(crate) async fn perform(
        &self,
        operation: &RawValue,
        caller: Option<&Arc<dyn Connected>>,
        by: &By,
    ) -> (&'static str, Result<Outcome, Error>) {
        let (name, read) = Operation::read(operation, &self.context.emitter.options().limits);
        let result = match read {
            Ok(operation) if caller.is_some() && operation.is_question() => {
                Err(Error::bad_request(
                    "in an answer nobody gets the result of this operation: send it to POST /api/v1/operations",
                ))
            }
            Ok(read) => self.everywhere(read, operation, caller, by).await,
            Err(refusal) => Err(refusal),
        };
        self.count(name, &result);
        (name, result)
    }

    /// Counts an operation by what became of it.
    pub(super) fn count<T>(&self, name: &'static str, result: &Result<T, Error>) {
        let code = result
            .as_ref()
            .map_or_else(|refusal| refusal.code, |_| "ok");
        self.context.metrics.operation(name, code);
    }

    /// Whether a client is on a namespace.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) fn is_on(&self, client: &str, namespace: &str) -> Result<(), Error> {
        let found = self.clients.get(client);
        let found = found.filter(|client| client.namespace().path() == namespace);
        found.map(|_| ()).ok_or_else(|| gone(client))
    }

    pub(super) async fn carry_out(
        &self,
        operation: Operation,
        caller: Option<&Arc<dyn Connected>>,
        by: &By,
    ) -> Result<Outcome, Error> {
        match operation {
            Operation::Emit(emission) => self.emit(*emission, by).await,
            Operation::Join { room, client } => {
                let client = self.named(client.as_deref(), caller)?;
                self.place(client, room, true).await
            }
            Operation::Leave { room, client } => {
                let client = self.named(client.as_deref(), caller)?;
                self.place(client, room, false).await
            }
            Operation::CloseRoom { room, namespace } => self.close(room, &namespace).await,
            Operation::Disconnect(id) => {
                let client = self.named(Some(&id), None)?;
                // The hub may still have what was emitted to it before.
                self.emitted().await;
                client.disconnect();
                Ok(Outcome::default())
            }
            Operation::Reconnect(wish) => self.reconnect(wish).await,
            Operation::Session { .. } if !by.may_see_sessions => Err(Error::forbidden(
                "session data belongs to the service of [backend], which signs its requests, and to admins",
            )),
            Operation::Session { data, client } => {
                let client = self.named(client.as_deref(), caller)?;
                client.session().set(&data)?;
                client.has_changed().await;
                Ok(Outcome::default())
            }
            Operation::Call(call) => self.call(*call).await,
            Operation::RoomsOf(id) => {
                let client = self.named(Some(&id), None)?;
                Outcome::default().with("rooms", &self.rooms_of(&*client).await?)
            }
            Operation::Client(id) => {
                let client = self.named(Some(&id), None)?;
                self.describe(&*client, by).await
            }
            Operation::Members { room, namespace } => {
                let members = self.members(&room, &namespace).await?;
                let ids: Vec<_> = members.iter().map(|client| client.id().clone()).collect();
                Outcome::default().with("members", &ids)
            }
        }
    }

    /// A client as the application sees it.
    async fn describe(&self, client: &dyn Connected, by: &By) -> Result<Outcome, Error> {
        let who = client.who();
        let session = by.may_see_sessions.then(|| client.session().get());
        Outcome::default()
            .with("client_id", client.id())?
            .with("namespace", &client.namespace().path())?
            .with("user", &who.user)?
            .with("role", &who.role)?
            .with("rooms", &self.rooms_of(client).await?)?
            .with("session", &session)?
            .with("connected_at", &client.since())
    }

    /// The rooms that a client is in, its own among them.
    pub(crate) async fn rooms_of(&self, client: &dyn Connected) -> Result<Vec<Arc<str>>, Error> {
        let Some(member) = client.member() else {
            return Ok(vec![client.id().clone()]);
        };
        let keys = self.context.hub.rooms_of(member).await?;
        let shown = keys.into_iter().filter(|room| !client.hides(room));
        Ok(shown
            .map(|key| match Namespace::of_key(&key).1 {
                room if room.len() == key.len() => key.clone(),
                room => room.into(),
            })
            .collect())
    }

    /// Puts a client into a room, whatever its token says, or takes it out.
    async fn place(
        &self,
        client: Arc<dyn Connected>,
        room: String,
        on: bool,
    ) -> Result<Outcome, Error> {
        let whom = (client.namespace(), client.id().clone());
        let members = self.context.hub.place(whom, room.clone(), on).await?;
        client.has_changed().await;
        Outcome::default()
            .with("room", &room)?
            .with("members", &members)
    }

    async fn emit(&self, emission: Result<Emission, Error>, by: &By) -> Result<Outcome, Error> {
        let emitter = &self.context.emitter;
        let receipt = emitter.emit(vec![emission], by.producer()).await?;
        if let Some(rejected) = receipt.rejected.first() {
            return Err(rejected.error.clone());
        }
        Outcome::default()
            .with("accepted", &receipt.accepted)?
            .with("duplicates", &receipt.duplicates)?
            .with("cursor", &receipt.cursor)
    }

    /// Has clients connect again.
    async fn reconnect(&self, wish: Reconnect) -> Result<Outcome, Error> {
        // The hub may still have what was emitted to them before.
        self.emitted().await;
        let drain = &self.context.drain;
        match wish.target {
            ReconnectTarget::These(whom) => {
                let moved = drain.reconnect_everywhere(whom, wish.over).await?;
                let outcome = Outcome::default().with("clients", &moved.clients)?;
                match moved.silent.is_empty() {
                    true => Ok(outcome),
                    false => outcome.with("unanswered", &moved.silent),
                }
            }
            ReconnectTarget::Room { room, namespace } => {
                let ids: HashSet<_> = self
                    .ids_in(&room, &namespace)
                    .await?
                    .1
                    .into_iter()
                    .collect();
                let clients = drain.reconnect(wish.over, |s| ids.contains(&s.client_id));
                Outcome::default().with("clients", &clients)
            }
        }
    }

    /// Waits until everything that was emitted before stands in its clients' queues, so that an answer comes behind it.
    pub(crate) async fn emitted(&self) {
        self.context.hub.question(Question::Alive).await.ok();
    }

    /// Takes every member out of a room.
    async fn close(&self, room: String, namespace: &str) -> Result<Outcome, Error> {
        let members = self.members(&room, namespace).await?;
        let mut left = 0;
        let mut members = members.into_iter().peekable();
        while members.peek().is_some() {
            // Many at a time: the sessions of those that are kept are written together.
            let mut leaving = Vec::new();
            for client in members.by_ref().take(LEAVING_AT_A_TIME) {
                leaving.push(self.place(client, room.clone(), false));
            }
            for outcome in join_all(leaving).await {
                match outcome {
                    Ok(_) => left += 1,
                    // A client that left meanwhile is out of the room already.
                    Err(error) if error.code == "not_found" => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Outcome::default().with("room", &room)?.with("left", &left)
    }

    /// The members of a room on a namespace.
    async fn members(&self, room: &str, namespace: &str) -> Result<Vec<Arc<dyn Connected>>, Error> {
        let (namespace, ids) = self.ids_in(room, namespace).await?;
        let clients = ids.iter().filter_map(|id| self.clients.get(id));
        Ok(clients
            .filter(|client| client.namespace() == namespace)
            .collect())
    }

    /// The namespace at a path, and the ids of the members of a room on it.
    async fn ids_in(
        &self,
        room: &str,
        namespace: &str,
    ) -> Result<(Namespace, Vec<Arc<str>>), Error> {
        let namespace = Namespace::at(namespace).ok_or_else(|| {
            Error::new(
                "unknown_namespace",
                format!("there is no namespace {namespace:?}"),
            )
        })?;
        let key = namespace.room_key(room).into_owned();
        Ok((namespace, self.context.hub.members_of(key).await?))
    }

    async fn call(&self, call: Call) -> Result<Outcome, Error> {
        let client = self.named(Some(&call.client), None)?;
        let _place = self.calls.try_acquire().map_err(|_| {
            Error::new(
                "overloaded",
                format!(
                    "{} calls wait for their clients already ([backend] max_asked); try again later",
                    self.context.max_asked
                ),
            )
        })?;
        let within = call.timeout.min(self.context.max_ask_time);
        let asking = client.ask(&call.event, &call.arguments);
        match timeout(within, asking).await {
            Err(_) => Err(Error::new(
                "timeout",
                format!("the client gave no answer within {} ms", within.as_millis()),
            )),
            Ok(None) => Err(gone(&call.client)),
            Ok(Some(answer)) => {
                let answer = answer?;
                let max_depth = self.context.emitter.options().limits.max_depth;
                if answer.depth() > max_depth {
                    return Err(Error::bad_request(format!(
                        "the client's answer is nested more than {max_depth} levels deep ([content_filtering] max_depth)"
                    )));
                }
                let args = answer.list()?;
                let attachments: Vec<_> = answer.base64().collect();
                Outcome::default()
                    .with("args", &args)?
                    .with("attachments", &attachments)
            }
        }
    }

    fn named(
        &self,
        id: Option<&str>,
        caller: Option<&Arc<dyn Connected>>,
    ) -> Result<Arc<dyn Connected>, Error> {
        match (id, caller) {
            // The client is not listed yet while its service lets it in.
            (Some(id), Some(caller)) if **caller.id() == *id => Ok(caller.clone()),
            (Some(id), _) => self.clients.get(id).ok_or_else(|| gone(id)),
            (None, Some(caller)) => Ok(caller.clone()),
            (None, None) => Err(Error::bad_request(
                "name the client: {\"client\": \"its id\"}",
            )),
        }
    }
}

pub(super) fn gone(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::new("not_found", format!("no client {shown:?} is connected"))
}
