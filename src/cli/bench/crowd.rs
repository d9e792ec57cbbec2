//! Many clients: connects them, some at a time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use super::{
    arguments::{Common, Dialect},
    client::Client,
    live::Live,
    packet::namespace_prefix,
    reading::{Shared, Times},
    run::{Observer, Run},
    tally::{Latencies, Tally},
    target::Target,
    workers::Worker,
};

/// The way in which the clients of a run connect.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) target: Target,
    /// The `auth` of all of them.
    pub(super) auth: Map<String, Value>,
    /// Packets of Socket.IO that each sends once it is connected.
    pub(super) hello: Vec<String>,
    pub(super) concurrency: usize,
}

impl Entry {
    /// Reads the options.
    pub(super) async fn new(common: &Common) -> Result<Self, String> {
        Ok(Self {
            target: Target::new(common).await?,
            auth: auth(common.auth.as_ref(), common.token.as_deref()),
            hello: Vec::new(),
            concurrency: usize::try_from(common.concurrency).unwrap_or(usize::MAX),
        })
    }

    /// Adds the packets that observers of such a server send.
    pub(super) fn say(&mut self, dialect: &Dialect) {
        let namespace = namespace_prefix(&self.target.namespace);
        let joins = dialect.join.iter();
        let joins = joins.map(|room| json!(["join", { "room": room }]).to_string());
        let packets = joins.chain(dialect.hello.iter().cloned());
        self.hello
            .extend(packets.map(|packet| format!("2{namespace}{packet}")));
    }

    /// Connects the client of this number.
    pub(super) async fn open(
        &self,
        nth: usize,
        cursor: Option<&str>,
    ) -> Result<(Client, Times), String> {
        let mut auth = self.auth.clone();
        if let Some(cursor) = cursor {
            auth.insert("cursor".into(), json!(cursor));
        }
        let auth = Value::from(auth).to_string();
        let (mut client, times) = Client::open(&self.target, nth, &auth).await?;
        for packet in &self.hello {
            client.queue(packet.as_bytes());
        }
        Ok((client, times))
    }
}

/// The `auth` of a producer, as JSON; its token is that of all clients unless it has its own.
pub(super) fn producer_auth(common: &Common, own_token: Option<&str>) -> String {
    let token = own_token.or(common.token.as_deref());
    let mut auth = auth(common.auth.as_ref(), token);
    auth.entry("role").or_insert_with(|| json!("producer"));
    Value::from(auth).to_string()
}

/// The `auth` of a client: what is given, and the token.
fn auth(given: Option<&Map<String, Value>>, token: Option<&str>) -> Map<String, Value> {
    let mut auth = given.cloned().unwrap_or_default();
    if let Some(token) = token {
        auth.entry("token").or_insert_with(|| json!(token));
    }
    auth
}

/// The time that connecting took.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) clients: usize,
    pub(super) time: Duration,
    pub(super) tcp: Latencies,
    pub(super) handshake: Latencies,
    pub(super) connect: Latencies,
}

impl Connected {
    pub(super) fn per_second(&self) -> f64 {
        self.clients as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// A client's place in the run.
pub(super) struct Seat {
    pub(super) nth: usize,
    pub(super) client: Client,
    pub(super) shared: Arc<Mutex<Shared<Tally>>>,
}

/// Connects so many clients, and lets each do its work on its thread.
///
/// # Errors
/// In words: one could not connect.
pub(super) async fn connect<F>(
    entry: &Arc<Entry>,
    clients: usize,
    workers: &[Worker<Tally>],
    live: &mut Live,
    work: impl Fn(Seat) -> F + Send + Sync + Clone + 'static,
) -> Result<(Connected, Vec<JoinHandle<()>>), String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut done = Connected {
        clients,
        time: Duration::ZERO,
        tcp: Latencies::new()?,
        handshake: Latencies::new()?,
        connect: Latencies::new()?,
    };
    let begun = Instant::now();
    let places = Arc::new(Semaphore::new(entry.concurrency));
    let (tell, mut told) = mpsc::unbounded_channel::<Result<Times, String>>();
    let mut tasks = Vec::with_capacity(clients);
    let mut count = 0;
    while count < clients {
        // The semaphore is never closed.
        let free = async {
            if tasks.len() < clients {
                places.clone().acquire_owned().await.ok()
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            place = free => {
                let nth = tasks.len();
                let worker = &workers[nth % workers.len()];
                let (entry, tell, work) = (entry.clone(), tell.clone(), work.clone());
                let shared = worker.shared.clone();
                tasks.push(worker.handle.spawn(async move {
                    let opened = entry.open(nth, None).await;
                    drop(place);
                    let (opened, times) = match opened {
                        Ok((client, times)) => (Some(client), Ok(times)),
                        Err(reason) => (None, Err(format!("client {} of {clients}: {reason}", nth + 1))),
                    };
                    tell.send(times).ok();
                    if let Some(client) = opened {
                        work(Seat { nth, client, shared }).await;
                    }
                }));
            }
            Some(times) = told.recv() => {
                let times = times.inspect_err(|_| {
                    for task in &tasks {
                        task.abort();
                    }
                })?;
                count += 1;
                done.tcp.note_time(times.tcp);
                done.handshake.note_time(times.handshake);
                done.connect.note_time(times.connect);
                live.show_sometimes(|| format!("{count} of {clients} clients connected"));
            }
        }
    }
    done.time = begun.elapsed();
    Ok((done, tasks))
}

/// Ends the tasks, and waits until they have.
pub(super) async fn end(tasks: Vec<JoinHandle<()>>) {
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        task.await.ok();
    }
}

/// An observer's life.
pub(super) async fn observe(seat: Seat, run: Arc<Run>) {
    let Seat {
        mut client, shared, ..
    } = seat;
    let mut observer = Observer::new(run.clone());
    let reason = loop {
        if let Err(reason) = client.turn(&shared, &mut observer).await {
            break reason;
        }
    };
    run.lost_one(reason);
    // Its sequence is judged with all others, at the end.
    std::future::pending::<()>().await;
}
