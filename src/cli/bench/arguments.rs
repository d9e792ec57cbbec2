//! The arguments of `stoa bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Url;

use super::limits::{
    MAX_BATCH, MAX_CLIENTS, MAX_CONCURRENCY, MAX_IN_FLIGHT, MAX_MISSED, MAX_RATE, MAX_SECONDS,
    MAX_SIZE, MAX_THREADS,
};
use crate::cli::{arguments::HERE, url};

/// The producer's packet where none is given: Stoa sends a decision to every observer, and never coalesces it.
pub(super) const DECISION: &str = r#"["publish",{"type":"decision.made","data":{"decision":"go on","seq":{seq},"rationale":"{pad}"}}]"#;

/// The event of `ingest` where none is given.
pub(super) const EVENT: &str =
    r#"{"type":"decision.made","data":{"decision":"go on","seq":{seq},"rationale":"{pad}"}}"#;

#[derive(Debug, Subcommand)]
pub(super) enum Scenario {
    /// One producer, many observers: deliveries a second, latency, and whether each of them got everything once and in order
    Fanout(FanoutArgs),
    /// Connects per second, the time of each step, and with --pid the memory of an idle connection
    Connect(ConnectArgs),
    /// Clients leave, miss updates, and come back with their cursors, some at a time: until they have everything
    Resume(ReturnArgs),
    /// All clients drop and come back at once: until the last one has everything
    Storm(ReturnArgs),
    /// Events per second that the server takes, and the time until it has them for sure
    Ingest(IngestArgs),
}

/// The options of every scenario.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// The server; one that is not this machine needs --yes-this-server-is-mine
    #[arg(default_value = HERE, value_parser = url::parse)]
    pub(super) url: Url,
    /// The path of Socket.IO on the server
    #[arg(long, default_value = "/socket.io")]
    pub(super) path: String,
    /// The namespace to connect to
    #[arg(long, default_value = "/")]
    pub(super) namespace: String,
    /// The token of the clients, where the server asks for one; better given as STOA_TOKEN, which no list of processes shows
    #[arg(long, env = "STOA_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// The `auth` of the observers when they connect, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub(super) auth: Option<serde_json::Map<String, serde_json::Value>>,
    /// The clients [default: 1000; none for ingest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MAX_CLIENTS))]
    pub(super) observers: Option<u64>,
    /// The time that is measured
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    pub(super) seconds: u64,
    /// The time before it, under the same load, that is not measured
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=MAX_SECONDS))]
    pub(super) warmup: u64,
    /// The way in which all clients connect
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    pub(super) transport: Transport,
    /// The connections that are being opened at a time
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=MAX_CONCURRENCY))]
    pub(super) concurrency: u64,
    /// The threads of the clients; one reads a million updates a second and more
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MAX_THREADS))]
    pub(super) threads: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Believe a server with this certificate, or one signed with it, and no other (PEM) [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Also report the processor time and the memory of this process and its children (Linux)
    #[arg(long, value_name = "PID")]
    pub(super) pid: Option<u32>,
    /// Load a server that is not this machine: you may do that to your own only
    #[arg(long = "yes-this-server-is-mine")]
    pub(super) is_mine: bool,
}

/// The needs of a server that is no Stoa; the defaults fit Stoa.
#[derive(Debug, Args)]
pub(super) struct Dialect {
    /// The packet that the producer sends, as in '["say",{"n":{seq},"x":"{pad}"}]'. {seq} is the update's number, {time} the
    /// time in µs since 1970, {pad} what makes up --size
    #[arg(long, value_name = "TEXT", default_value = DECISION, hide_default_value = true)]
    pub(super) packet: String,
    /// The name of the event that observers get, which is counted
    #[arg(long, value_name = "NAME", default_value = "decision_event")]
    pub(super) event: String,
    /// The text before the number in what observers get [default: the key before {seq} in --packet]
    #[arg(long, value_name = "TEXT")]
    pub(super) marker: Option<String>,
    /// Send ["join",{"room":ROOM}] as each observer, once connected
    #[arg(long, value_name = "ROOM")]
    pub(super) join: Vec<String>,
    /// Send this packet as each observer, once connected, as in '["subscribe","news"]'
    #[arg(long, value_name = "TEXT")]
    pub(super) hello: Vec<String>,
    /// The token of the producer [default: --token]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "STOA_PRODUCER_TOKEN",
        hide_env_values = true
    )]
    pub(super) producer_token: Option<String>,
    /// The bytes of an update as an observer gets it; {pad} is made to fit [default: no padding]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=MAX_SIZE))]
    pub(super) size: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct FanoutArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) dialect: Dialect,
    /// Updates per second, whatever the server does; latency is measured from when an update was due [default: 20]
    #[arg(long, value_name = "N", value_parser = rate, conflicts_with = "in_flight")]
    pub(super) rate: Option<f64>,
    /// As fast as it goes with so many updates on their way to all observers: 1 is lockstep, 64 pipelined
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_IN_FLIGHT))]
    pub(super) in_flight: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct ConnectArgs {
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ReturnArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) dialect: Dialect,
    /// The updates that are sent while the clients are away
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(..=MAX_MISSED))]
    pub(super) missed: u64,
    /// Updates per second while they come back
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = rate)]
    pub(super) rate: f64,
}

#[derive(Debug, Args)]
pub(super) struct IngestArgs {
    #[command(flatten)]
    pub(super) common: Common,
    /// The way in
    #[arg(long, value_enum, default_value_t = Via::Publish)]
    pub(super) via: Via,
    /// Requests that are on their way at a time; with ndjson, each has a connection of its own
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=MAX_IN_FLIGHT))]
    pub(super) in_flight: u64,
    /// Events of a request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MAX_BATCH))]
    pub(super) batch: u64,
    /// An event as it is sent, with {seq}, {time} and {pad}
    #[arg(long, value_name = "JSON", default_value = EVENT, hide_default_value = true)]
    pub(super) body: String,
    /// The name of the Socket.IO event that takes it, and acknowledges it
    #[arg(long, value_name = "NAME", default_value = "publish")]
    pub(super) emit: String,
    /// The bytes of an event as it is sent; {pad} is made to fit [default: no padding]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=MAX_SIZE))]
    pub(super) size: Option<u64>,
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// Events of Socket.IO on one connection, each acknowledged
    Publish,
    /// POST /api/v1/events, lines of JSON
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Transport {
    Websocket,
    /// Long polling, two connections for each client
    Polling,
}

impl Transport {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
        }
    }
}

/// A JSON object.
fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("a JSON object is needed: {error}"))
}

/// Updates per second.
fn rate(text: &str) -> Result<f64, String> {
    crate::cli::written::rate(text).and_then(|rate| {
        if rate <= MAX_RATE {
            Ok(rate)
        } else {
            Err(format!("at most {MAX_RATE} a second"))
        }
    })
}
