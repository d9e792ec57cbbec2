//! Connecting by way of the engine: it asks for each client, and hands on the client's events.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use socketioxide::{
    ParserConfig,
    extract::TryData,
    handler::{ConnectHandler, DisconnectHandler, MessageHandler},
    socket::{DisconnectReason, Socket},
};
use socketioxide_core::Value as Payload;

use super::{
    admin_ui::AdminUi,
    admission::{Admission, Admitted, Requested},
    application::left,
    client::Client,
    context::{DoorContext, Options},
    entrance::NotAdmitted,
    here::Here,
    inbox::Inbound,
};
use crate::{
    access::Authenticator,
    breaker::Breakers,
    channel::Namespace,
    doors::{
        actions::Actions,
        socketio::engine::{
            Engine, ExpressLane,
            adapter::{Adapter, EngineSide, Locals, SocketRef},
            lanes::Lanes,
        },
    },
    emitter::Emitter,
    error::Error,
    hub::HubHandle,
    intake::Intake,
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
    (intake, emitter): (Arc<Intake>, Emitter),
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
        emitter,
        authenticator,
        breakers,
        metrics,
        admin_ui: Arc::new(AdminUi::new(&options.admin_ui)),
        options,
        here: Here::default(),
        locals,
        engine: OnceLock::new(),
    });
    let declared = context.options.namespaces.clone();
    for namespace in Namespace::OWN.into_iter().chain(declared) {
        let entrance = OnConnect(Admission {
            context: context.clone(),
            namespace,
        });
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

/// The engine's connect handler of one namespace.
#[derive(Debug, Clone)]
struct OnConnect(Admission);

impl OnConnect {
    /// Lets a client of the engine in; an error becomes the CONNECT_ERROR.
    ///
    /// The client's inbox exists from here on: the engine sends CONNECT before it calls the connect handler, and events
    /// sent in between would be lost.
    async fn admit(&self, socket: &SocketRef, auth: &Value) -> Result<(), NotAdmitted> {
        let request = socket.req_parts();
        let lane = request.extensions.get::<Arc<ExpressLane>>().cloned();
        let polls = lane.is_none();
        let lane = lane.unwrap_or_else(|| self.0.context.lanes.polling(socket.id));
        let headers = self.0.context.shown(&request.headers);
        let request = Requested::of(request.uri.clone(), &request.extensions, polls, headers);
        let admitted = self.0.let_in(socket.id, &request, lane, auth).await?;
        socket.on_fallback(Receive(admitted.client.clone()));
        // The disconnect handler is set first: the socket may be closed before the connect handler is called.
        socket.on_disconnect(Leave(admitted.client.clone()));
        socket.extensions.insert(admitted.client.clone());
        socket.extensions.insert(admitted);
        Ok(())
    }
}

/// Marks this implementation: socketioxide tells handlers apart by such a type.
#[derive(Debug)]
struct Entering;

impl ConnectHandler<Adapter, Entering> for OnConnect {
    fn call(&self, socket: Arc<Socket<Adapter>>, _: Option<Payload>) {
        let Some(admitted) = socket.extensions.remove::<Admitted>() else {
            return;
        };
        let context = &self.0.context;
        let Some(service) = context.service() else {
            return;
        };
        let engine = EngineSide::new(context.locals.clone(), socket.id, service.clone());
        let engine: Arc<dyn Engine> = Arc::new(engine);
        admitted.client.served.by_engine(engine.clone());
        self.0.enter(&admitted, engine);
        let (lane, namespace) = (admitted.client.lane.clone(), self.0.namespace);
        // The engine ignores a CONNECT of a client that is coming, as this one is until its task has gone on from here. A task
        // that is started now runs after that.
        tokio::spawn(async move { lane.introduced(namespace) });
    }
}

/// Ends a client of which the engine says that it has left.
#[derive(Debug)]
struct Leave(Arc<Client>);

#[derive(Debug)]
struct Leaving;

impl DisconnectHandler<Adapter, Leaving> for Leave {
    fn call_with_defer(
        &self,
        socket: Arc<Socket<Adapter>>,
        reason: DisconnectReason,
        unlist: fn(Arc<Socket<Adapter>>),
    ) {
        let client = self.0.clone();
        let leave = move || {
            if !client.served.has_left_engine() {
                left(&client, reason);
            }
            unlist(socket);
        };
        match reason {
            // The client may come again with its next packet, which the engine ignores as long as it lists the former one.
            DisconnectReason::ClientNSDisconnect => leave(),
            // The server's own call may hold the lane.
            _ => {
                tokio::spawn(async move { leave() });
            }
        }
    }
}

/// Queues every event as it arrives, in order, without a task for each.
#[derive(Debug)]
struct Receive(Arc<Client>);

#[derive(Debug)]
struct Receiving;

impl MessageHandler<Adapter, Receiving> for Receive {
    fn call(&self, _: Arc<Socket<Adapter>>, payload: Payload, ack: Option<i64>) {
        if let Payload::Str(text, attachments) = payload {
            let attachments = attachments.map(Vec::from).unwrap_or_default();
            self.0.receive(Inbound::new(text, attachments, ack));
        }
    }
}
