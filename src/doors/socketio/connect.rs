//! Connecting: the hello is read and checked, then the client is made and introduced to the hub.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{Extensions, request::Parts};
use serde_json::Value;
use socketioxide::{
    ParserConfig,
    extract::TryData,
    handler::{ConnectHandler, MessageHandler},
    socket::{DisconnectReason, Socket},
};
use socketioxide_core::Value as Payload;

use super::{
    client::Client,
    context::{DoorContext, Options},
    hello::Hello,
    inbox::Inbound,
    welcome::{self, ConnectOptions},
};
use crate::{
    access::{
        self, Authenticator, Identity, Peer,
        authn::{Credential, PageOrigin},
    },
    breaker::Breakers,
    channel::Namespace,
    doors::{
        actions::Actions,
        socketio::engine::{
            ExpressLane,
            adapter::{Adapter, EngineSide, Locals, SocketRef},
            lanes::Lanes,
        },
    },
    error::Error,
    hub::HubHandle,
    intake::Intake,
    net::ClientAddress,
    observe::Metrics,
};

/// Packets in the engine's own queue. The lane fills at most half of it, so that a heartbeat always finds room.
const ENGINE_QUEUE: usize = 32;
/// Bytes of the engine's read buffer, which each WebSocket has all its life. It reads from memory, so a small one costs
/// no system calls.
const ENGINE_READ: usize = 512;
/// Binary attachments of one packet: as many as Socket.IO's own server takes.
const MAX_ATTACHMENTS: usize = 10;

/// Starts the engine with its namespaces.
pub(crate) fn start(
    hub: HubHandle,
    intake: Arc<Intake>,
    authenticator: Arc<Authenticator>,
    breakers: Breakers,
    metrics: Arc<Metrics>,
    actions: Arc<Actions>,
    options: Options,
) -> Arc<DoorContext> {
    let locals = Locals::default();
    let parser = ParserConfig::common()
        .max_incoming_binaries(MAX_ATTACHMENTS)
        .max_incoming_binary_buf_size(options.max_payload)
        .packet_completion_timeout(options.connect_timeout);
    let (service, io) = socketioxide::SocketIo::builder()
        .ping_interval(options.ping.0)
        .ping_timeout(options.ping.1)
        .connect_timeout(options.connect_timeout)
        .max_payload(options.max_payload as u64)
        .ws_max_message_size(options.max_payload)
        .ws_max_frame_size(options.max_payload)
        .max_buffer_size(ENGINE_QUEUE)
        .ws_read_buffer_size(ENGINE_READ)
        .with_parser(parser)
        .with_adapter::<Adapter>(locals.clone())
        .build_svc();
    let context = Arc::new(DoorContext {
        lanes: Lanes::new(options.lane, metrics.clone()),
        actions,
        hub,
        intake,
        authenticator,
        breakers,
        metrics,
        options,
        locals,
        engine: OnceLock::new(),
    });
    for namespace in Namespace::ALL {
        let entrance = OnConnect {
            context: context.clone(),
            namespace,
        };
        let check = entrance.clone();
        let admit = async move |socket: SocketRef, TryData(auth): TryData<Value>| {
            // A payload that isn't JSON is refused like one of a wrong shape.
            let auth = auth.map_err(|_| Error::bad_request("auth is not JSON"))?;
            check.admit(&socket, &auth).await
        };
        io.ns(namespace.path(), entrance.with(admit));
    }
    context.engine.set((io, service)).ok();
    context
}

/// The connect handler of one namespace.
#[derive(Debug, Clone)]
struct OnConnect {
    context: Arc<DoorContext>,
    /// The namespace.
    namespace: Namespace,
}

/// An accepted client, kept on the socket for the handler that runs after the check; whether it began with polling, and
/// when.
#[derive(Debug, Clone)]
struct Admitted(Arc<Hello>, Arc<Client>, (bool, Instant));

impl OnConnect {
    /// Reads and checks the hello; an error becomes the CONNECT_ERROR.
    ///
    /// The client's inbox exists from here on: the engine sends CONNECT before it calls the connect handler, and events
    /// sent in between would be lost.
    async fn admit(&self, socket: &SocketRef, auth: &Value) -> Result<(), Error> {
        let request = socket.req_parts();
        let first_lane = request.extensions.get::<Arc<ExpressLane>>().cloned();
        let polls = first_lane.is_none();
        let lane = first_lane.unwrap_or_else(|| self.context.lanes.polling(socket.id));
        let requested = lane.requested();
        let query = lane.query(self.namespace);
        let (hello, who, address) = self
            .check(request, auth, query.as_deref())
            .await
            .inspect_err(|refusal| self.context.metrics.turned_away("connect", refusal))?;
        lane.admit();
        let client = Client::new(
            (socket.id, address),
            self.namespace,
            who,
            lane,
            self.context.clone(),
        );
        client
            .begin()
            .inspect_err(|refusal| self.context.metrics.turned_away("connect", refusal))?;
        socket.on_fallback(Receive(client.clone()));
        // The disconnect handler is set first: the socket may be closed before the connect handler is called.
        let leaving = client.clone();
        socket.on_disconnect(move |reason: DisconnectReason| async move {
            tracing::debug!(client = %leaving.id, %reason, "disconnected");
            leaving.disconnected(format!("{reason:?}"), is_loss(reason));
        });
        self.context.actions.listed(&client.performer);
        let admitted = Admitted(Arc::new(hello), client, (polls, requested));
        socket.extensions.insert(admitted);
        Ok(())
    }

    async fn check(
        &self,
        request: &Parts,
        auth: &Value,
        query: Option<&str>,
    ) -> Result<(Hello, Identity, IpAddr), Error> {
        let hello = Hello::read(Some(auth), &request.uri, query)?;
        let address = address(&request.extensions);
        let peer = Peer {
            credential: hello
                .token
                .as_ref()
                .or_else(|| request.extensions.get::<Credential>()),
            address,
            role: hello.role.unwrap_or_default(),
            name: hello.name.as_deref().map(Into::into),
            page: request
                .extensions
                .get::<PageOrigin>()
                .copied()
                .unwrap_or_default(),
        };
        let who = self.context.authenticator.identify(peer).await?;
        if self.namespace == Namespace::Admin && !who.role.may_see_stats() {
            return Err(Error::forbidden(
                "the namespace /admin is for operators and admins",
            ));
        }
        let max_rooms = self.context.options.max_rooms;
        if hello.rooms.len() > max_rooms {
            return Err(access::authz::too_many_rooms(max_rooms));
        }
        let rooms = hello.rooms.iter().map(String::as_str);
        let fixed = (self.context.options.default_room.as_str(), &[][..]);
        let authenticator = &self.context.authenticator;
        authenticator.check_rooms(rooms, &who, fixed)?;
        Ok((hello, who, address))
    }
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

/// Marks this implementation: socketioxide tells handlers apart by such a type.
#[derive(Debug)]
struct Entering;

impl ConnectHandler<Adapter, Entering> for OnConnect {
    fn call(&self, socket: Arc<Socket<Adapter>>, _: Option<Payload>) {
        let Some(Admitted(hello, client, came)) = socket.extensions.remove::<Admitted>() else {
            return;
        };
        let Some(service) = self.context.service() else {
            return;
        };
        let engine = EngineSide::new(self.context.locals.clone(), socket.id, service.clone());
        client.stays(client.lane.connect(self.namespace, Arc::new(engine)));
        let options = ConnectOptions::of(&hello, self.namespace, came);
        if !client.count() {
            return;
        }
        tracing::debug!(client = %client.id, namespace = self.namespace.path(), role = client.who().role.as_str(), "connected");
        tokio::spawn(welcome::introduce(client, options));
    }
}

/// The address that a request comes from.
fn address(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ClientAddress>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0)
}

/// Queues every event as it arrives, in order, without a task for each.
#[derive(Debug)]
struct Receive(Arc<Client>);

#[derive(Debug)]
struct Receiving;

impl MessageHandler<Adapter, Receiving> for Receive {
    fn call(&self, _: Arc<Socket<Adapter>>, payload: Payload, ack: Option<i64>) {
        if let Payload::Str(text, attachments) = payload {
            self.0.receive(Inbound {
                text,
                attachments: attachments.map(Vec::from).unwrap_or_default(),
                ack,
            });
        }
    }
}
