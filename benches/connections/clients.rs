//! The load: connects many clients, and keeps them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kit::socket::{Connecting, Socket};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncReadExt, task::JoinSet};

use super::{
    streams::{Ways, source},
    watch::{Counts, observe, watch},
};

/// Clients that are connecting at a time.
const AT_ONCE: usize = 100;

/// The clients to be connected.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) address: SocketAddr,
    pub(crate) kind: String,
    /// Whether the server greets its clients; with another, the answer to CONNECT is all there is.
    pub(crate) greets: bool,
    /// The certificate of an encrypted server.
    pub(crate) certificate: Option<Vec<u8>>,
    /// Clients that are connected before memory is first looked at.
    pub(crate) first: usize,
    pub(crate) clients: usize,
    /// Seconds for which they get an update each.
    pub(crate) watch: usize,
}

/// The cost of connecting.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) clients: usize,
    pub(crate) seconds: f64,
    /// Milliseconds from the first packet of TCP to the greeting.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

pub(crate) fn run(asked: Asked) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let counts = Arc::new(Counts::default());
        let load = Load {
            ways: Ways::new(asked.address, asked.certificate.clone()),
            asked: Arc::new(asked),
            counts: counts.clone(),
        };
        load.connect(0, load.asked.first).await;
        println!("connected");
        told().await;
        let connected = load.connect(load.asked.first, load.asked.clients).await;
        println!("{}", serde_json::to_string(&connected).expect("JSON"));
        told().await;
        let watched = match load.asked.watch {
            0 => None,
            seconds => Some(watch(load.asked.address, &counts, seconds).await),
        };
        println!("{}", serde_json::to_string(&watched).expect("JSON"));
        told().await;
    });
    // The connections need no farewell.
    std::process::exit(0);
}

/// Waits until the parent says to go on.
async fn told() {
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()).ok())
        .await
        .expect("no panic");
}

#[derive(Clone)]
struct Load {
    ways: Ways,
    asked: Arc<Asked>,
    counts: Arc<Counts>,
}

impl Load {
    async fn connect(&self, first: usize, clients: usize) -> Connected {
        let begun = Instant::now();
        let mut connecting = JoinSet::new();
        let mut took = Vec::with_capacity(clients);
        for nth in first..first + clients {
            let load = self.clone();
            connecting.spawn(async move { load.one(nth).await });
            if connecting.len() == AT_ONCE {
                let one = connecting.join_next().await.expect("some connect");
                took.push(one.expect("no panic"));
            }
        }
        took.extend(connecting.join_all().await);
        let seconds = begun.elapsed().as_secs_f64();
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        Connected {
            clients,
            seconds,
            p50: at(50),
            p99: at(99),
        }
    }

    /// Connects one client and leaves it to a task; returns the time that it took.
    async fn one(&self, nth: usize) -> Duration {
        let begun = Instant::now();
        if self.asked.kind == "websocket" {
            let greeting = self.asked.greets.then_some("connection_established");
            let how = Connecting {
                source: Some(source(nth)),
                ..Connecting::default()
            };
            let socket = Socket::connect_as(how, self.asked.address, "", greeting);
            let socket = socket.await.expect("it connects");
            tokio::spawn(observe(socket, self.counts.clone()));
        } else {
            let stream = self.ways.connect(&self.asked.kind, nth).await;
            let mut stream = stream.expect("it connects");
            tokio::spawn(async move {
                let mut scratch = vec![0; 512];
                while stream.read(&mut scratch).await.is_ok_and(|n| n > 0) {}
            });
        }
        begun.elapsed()
    }
}
