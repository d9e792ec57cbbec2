//! The two servers. Each takes events at `POST /api/v1/events` and prints its address.

use std::{io::Read, net::SocketAddr};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::Value;
use socketioxide::{SocketIo, extract::SocketRef};
use stoa::config::Config;

/// Packets that may wait for a client: as many as Stoa lets its engine queue.
const QUEUE: usize = 1_000;

pub(crate) fn stoa() {
    start(|_| {});
}

/// The same, for users with tokens.
pub(crate) fn guarded() {
    start(super::users::guarded);
}

fn start(change: fn(&mut Config)) {
    serve(async move {
        let mut config = Config::default();
        change(&mut config);
        config.server.port = 0;
        // The fan-out is measured; the disk has a benchmark of its own.
        config.journal.kind = stoa::config::JournalKind::Memory;
        let running = stoa::server::start(&config).await.expect("it starts");
        ready(running.address());
        std::future::pending::<()>().await;
    });
}

/// A server as one writes it with the library alone: every update to a room in which everybody is.
pub(crate) fn plain() {
    serve(async {
        let (layer, io) = SocketIo::builder().max_buffer_size(QUEUE).build_layer();
        io.ns("/", async |socket: SocketRef| {
            socket.join("observers");
        });
        let router = Router::new()
            .route("/api/v1/events", post(publish))
            .with_state(io)
            .layer(layer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("it listens");
        ready(listener.local_addr().expect("an address"));
        axum::serve(listener, router).await.expect("it serves");
    });
}

async fn publish(State(io): State<SocketIo>, Json(updates): Json<Vec<Value>>) {
    for update in updates {
        io.to("observers")
            .emit("task_update", &update)
            .await
            .expect("nobody's queue is full");
    }
}

fn serve(server: impl Future<Output = ()>) {
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(server);
}

fn ready(address: SocketAddr) {
    println!("{address}");
}
