//! The arguments of each command.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use reqwest::Url;

use super::{
    url,
    written::{glob, host, port, rate, role, shape, ttl},
};
use crate::{config::Role, update::UpdateShape};

/// The default of every `--url`: the address of a server that was started without options.
pub(super) const HERE: &str = "http://127.0.0.1:8000";

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    /// Listen on this address instead of [server] host
    #[arg(long, value_parser = host)]
    pub(super) host: Option<String>,
    /// Listen on this port instead of [server] port; 0 takes a free one
    #[arg(long, value_parser = port)]
    pub(super) port: Option<u16>,
    /// Let an invented team work, so that there is something to see
    #[arg(long)]
    pub(super) demo: bool,
    /// Start although other machines can connect and nobody is asked for a token
    #[arg(long)]
    pub(super) insecure: bool,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
}

#[derive(Debug, Args)]
pub(super) struct RepairArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    /// The journal's file [default: journal.path of the configuration]
    #[arg(value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArg {
    /// Configuration file [default: config.toml here, if there is one]
    #[arg(long = "config", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

/// The running server that a command talks to.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The server
    #[arg(long, default_value = HERE, value_parser = url::parse)]
    pub(super) url: Url,
    /// The token to show, where the server asks for one; better given as STOA_TOKEN, which no list of processes shows
    #[arg(long, env = "STOA_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Believe a server with this certificate, or one signed with it, and no other (PEM) [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Events per second, evenly [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Follow the files that match, quoted so that the shell leaves them alone: the lines that are added to them, and the
    /// files that come later, until Ctrl-C
    #[arg(long, value_name = "GLOB", num_args = 1.., conflicts_with_all = ["rate", "file"])]
    pub(super) follow: Vec<String>,
    /// Follow files that are there already from their first line [default: from their end]
    #[arg(long, requires = "follow")]
    pub(super) from_start: bool,
    /// Keep in this file how far each followed file is published, and go on from there the next time
    #[arg(long, value_name = "FILE", requires = "follow")]
    pub(super) state: Option<PathBuf>,
    /// Look at the followed files this often, in milliseconds
    #[arg(long, value_name = "MS", requires = "follow", default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(super) poll_ms: u64,
    /// A file of events, as JSON objects or arrays of them; - is stdin
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct EmitArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Only to clients in these rooms: a room, or the id of a client [default: to everyone]
    #[arg(long = "room", value_name = "ROOM")]
    pub(super) rooms: Vec<String>,
    /// But not to clients in these rooms
    #[arg(long, value_name = "ROOM")]
    pub(super) except: Vec<String>,
    /// The namespace on which it is sent [default: /]
    #[arg(long, value_name = "PATH")]
    pub(super) namespace: Option<String>,
    /// Keep it in the journal, and send it again to clients that missed it
    #[arg(long)]
    pub(super) keep: bool,
    /// Only to clients for whom little waits
    #[arg(long)]
    pub(super) volatile: bool,
    /// An id: the same one emits nothing again
    #[arg(long)]
    pub(super) id: Option<String>,
    /// The name of the event
    pub(super) event: String,
    /// Its arguments, each as JSON or else as text
    pub(super) args: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Only what is sent to these rooms, as in project:p1,agent:backend_1
    #[arg(long, value_delimiter = ',')]
    pub(super) rooms: Vec<String>,
    /// Only these types of updates or events; * stands for anything. Without it all but the figures that only Seneca's pages
    /// read: conversation_summary, system_metrics, active_flows_update, dashboard_update
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    pub(super) types: Vec<String>,
    /// All but these types of updates or events, as in progress_update,agent.heartbeat
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    pub(super) exclude: Vec<String>,
    /// Print {"event":…,"payload":…}, one object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Ask for updates in this shape: full, or lean, with each fact once [default: full with --json, else lean, which is enough
    /// for a line]
    #[arg(long, value_parser = shape)]
    pub(super) shape: Option<UpdateShape>,
}

#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// The time over which clients are told to connect again: 30s, 2m [default: [server] drain_time; at once if no other server
    /// shares the journal]
    #[arg(long, value_parser = ttl)]
    pub(super) time: Option<Duration>,
    /// Return when no client is left
    #[arg(long)]
    pub(super) wait: bool,
    /// Stop the server at the end, and return when it is gone
    #[arg(long)]
    pub(super) stop: bool,
    /// Only show how far it is
    #[arg(long, conflicts_with_all = ["time", "wait", "stop", "end"])]
    pub(super) status: bool,
    /// Take clients again
    #[arg(long, conflicts_with_all = ["time", "wait", "stop"])]
    pub(super) end: bool,
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    /// observer, producer, operator or admin [default: observer, producer for an API key]
    #[arg(long, value_parser = role)]
    pub(super) role: Option<Role>,
    /// The user of the token, who is in the room user:ID
    #[arg(long, value_name = "ID")]
    pub(super) user: Option<String>,
    /// The name of its holder in logs and lists
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Rooms that it is for, as in project:p1,agent:*
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    pub(super) rooms: Vec<String>,
    /// Projects that it is for, as in shop,blog-*; '*' is all. Without it, its holder sees nothing that belongs to a project
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    pub(super) projects: Vec<String>,
    /// Agents whose actions its holder performs, by their ids, as in writer,reviewer
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub(super) agents: Vec<String>,
    /// The time that it is valid: 90s, 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_parser = ttl)]
    pub(super) ttl: Duration,
    /// Sign with this private key (PEM: RSA, P-256, P-384, Ed25519) instead of the configured secret
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// Make an API key, which lives until it is taken out of the settings
    #[arg(long, requires = "name", conflicts_with_all = ["user", "ttl", "key_file"])]
    pub(super) api_key: bool,
}
