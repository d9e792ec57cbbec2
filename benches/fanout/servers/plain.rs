//! A server as one writes it with socketioxide alone.

use std::sync::{Arc, OnceLock};

use axum::{Json, Router, extract::State, routing::post, serve::ListenerExt};
use serde_json::Value;
use socketioxide::{
    ParserError, SocketIo,
    adapter::LocalAdapter,
    extract::{Data, SocketRef},
    handler::FromMessageParts,
    socket::Socket,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Started;

/// Packets that may wait for a client: as many as Stoa lets its engine queue.
const QUEUE: usize = 1_000;
/// The way to the one task that emits.
static PUBLISHER: OnceLock<UnboundedSender<Value>> = OnceLock::new();

/// An update that is on its way. Each handler runs in a task of its own, and these pass each other; arguments are read
/// in the order in which they came.
struct Published;

impl FromMessageParts<LocalAdapter> for Published {
    type Error = ParserError;

    fn from_message_parts(
        socket: &Arc<Socket<LocalAdapter>>,
        value: &mut socketioxide_core::Value,
        number: &Option<i64>,
    ) -> Result<Self, Self::Error> {
        let Data(update) = Data::<Value>::from_message_parts(socket, value, number)?;
        let publisher = PUBLISHER.get().expect("it is there before a client");
        publisher.send(update).expect("the task goes on");
        Ok(Self)
    }
}

pub(crate) async fn serve(started: Started) {
    let (layer, io) = SocketIo::builder().max_buffer_size(QUEUE).build_layer();
    let (publisher, published) = unbounded_channel();
    PUBLISHER.get_or_init(|| publisher);
    io.ns("/", async |socket: SocketRef| {
        socket.join("observers");
        socket.on("publish", async |_: Published| {});
    });
    tokio::spawn(emit(io.clone(), published));
    let router = Router::new()
        .route("/api/v1/events", post(posted))
        .with_state(io)
        .layer(layer);
    let listener = tokio::net::TcpListener::bind(started.address())
        .await
        .expect("it listens");
    started.ready(listener.local_addr().expect("an address"));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("an option"));
    axum::serve(listener, router).await.expect("it serves");
}

async fn emit(io: SocketIo, mut published: UnboundedReceiver<Value>) {
    while let Some(update) = published.recv().await {
        // A client whose queue is full loses the update; the load sees it.
        io.to("observers").emit("update", &update).await.ok();
    }
}

async fn posted(State(io): State<SocketIo>, Json(updates): Json<Vec<Value>>) {
    for update in updates {
        io.to("observers")
            .emit("task_update", &update)
            .await
            .expect("nobody's queue is full");
    }
}
