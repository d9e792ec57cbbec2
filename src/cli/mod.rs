//! The command line: reads the arguments, runs one command, turns what became of it into an exit code.
//!
//! 0: done. 1: it could not be done, and one line on stderr says why. 2: the arguments make no sense.
//! Results go to stdout, everything about the work to stderr; a reader of stdout that goes away ends a command quietly.

mod output;
mod publish;
mod repair;
mod serve;
mod tail;
mod token;
mod trust;
mod url;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand};
use reqwest::Url;
use thiserror::Error;

use crate::{config::Role, pattern::Pattern};
use output::note;

/// The default of every `--url`: where a server listens that was started without options.
const HERE: &str = "http://127.0.0.1:8000";

/// A Socket.IO-compatible realtime server for multi-agent systems.
#[derive(Debug, Parser)]
#[command(name = "stoa", version, about, max_term_width = 100)]
struct Cli {
    /// None asks for the help.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until Ctrl-C or SIGTERM
    Serve(ServeArgs),
    /// Check the configuration as `serve` would, and print what is in effect
    Check(CheckArgs),
    /// Publish events from a file or stdin: JSON objects, one a line or over several, or arrays of them
    Publish(PublishArgs),
    /// Watch the updates of a running server
    Tail(TailArgs),
    /// Check the journal's file, and make a copy without what is damaged
    Repair(RepairArgs),
    /// Make a token for a client, or an API key for a producer
    Token(TokenArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Listen on this address instead of [server] host
    #[arg(long)]
    host: Option<String>,
    /// Listen on this port instead of [server] port; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// Let an invented team work, so that there is something to see
    #[arg(long)]
    demo: bool,
    /// Start although other machines can connect and nobody is asked for a token
    #[arg(long)]
    insecure: bool,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
struct RepairArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The journal's file [default: journal.path of the configuration]
    #[arg(value_name = "FILE")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// Configuration file [default: config.toml here, if there is one]
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PublishArgs {
    /// The server
    #[arg(long, default_value = HERE, value_parser = url::parse)]
    url: Url,
    /// The token to show, where the server asks for one; better given as STOA_TOKEN, which no list of processes shows
    #[arg(long, env = "STOA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Believe a server with this certificate, or one signed with it, and no other (PEM) [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Events per second, evenly [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// A file of events, as JSON objects or arrays of them; - is stdin
    #[arg(default_value = "-")]
    file: PathBuf,
}

#[derive(Debug, Args)]
struct TailArgs {
    /// The server
    #[arg(long, default_value = HERE, value_parser = url::parse)]
    url: Url,
    /// The token to show, where the server asks for one; better given as STOA_TOKEN, which no list of processes shows
    #[arg(long, env = "STOA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Believe a server with this certificate, or one signed with it, and no other (PEM) [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only what is sent to these rooms, as in project:p1,agent:backend_1
    #[arg(long, value_delimiter = ',')]
    rooms: Vec<String>,
    /// Only these types of updates or events; * stands for anything
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    types: Vec<String>,
    /// All but these types of updates or events, as in system_metrics,*_summary
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    exclude: Vec<String>,
    /// Print {"event":…,"payload":…}, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TokenArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// observer, producer, operator or admin [default: observer, producer for an API key]
    #[arg(long, value_parser = token::role)]
    role: Option<Role>,
    /// Whose it is; whoever holds it is in the room user:ID
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// What its holder is called in logs and lists
    #[arg(long)]
    name: Option<String>,
    /// Rooms that it is for, as in project:p1,agent:*
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    rooms: Vec<String>,
    /// Projects that it is for, as in shop,blog-*
    #[arg(long, value_delimiter = ',', value_parser = glob)]
    projects: Vec<String>,
    /// Agents whose actions its holder performs, by their ids, as in writer,reviewer
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    agents: Vec<String>,
    /// How long it is valid: 90s, 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_parser = token::ttl)]
    ttl: Duration,
    /// Sign with this private key (PEM: RSA, P-256, P-384, Ed25519) instead of the configured secret
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Make an API key, which lives until it is taken out of the settings
    #[arg(long, requires = "name", conflicts_with_all = ["user", "ttl", "key_file"])]
    api_key: bool,
}

/// Why a command failed.
#[derive(Debug, Error)]
enum Failure {
    /// In one line: what was wrong, where, what to do.
    #[error("{0}")]
    Because(String),
    /// What the command has said already is enough.
    #[error("said already")]
    Said,
}

impl Failure {
    fn because(reason: impl std::fmt::Display) -> Self {
        Self::Because(format!("{reason}"))
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and go to stdout with code 0.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::Because(reason)) => {
            note(&format!("stoa: {}", one_line(&reason)));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None => {
            Cli::command().print_help().ok();
            Ok(())
        }
        Some(Command::Serve(args)) => serve::serve(args),
        Some(Command::Check(args)) => serve::check(&args),
        Some(Command::Repair(args)) => repair::repair(&args),
        Some(Command::Publish(args)) => with_runtime(publish::publish(args)),
        Some(Command::Tail(args)) => with_runtime(tail::tail(args)),
        Some(Command::Token(args)) => token::token(args),
    }
}

/// Runs a client's work on this thread.
fn with_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Because(format!("can't start: {error}")))?;
    let done = runtime.block_on(work);
    // A read of stdin can't be interrupted; waiting for it would keep the process until somebody presses a key.
    runtime.shutdown_background();
    done
}

/// Programs that read stderr line by line get one line for one failure, whatever is quoted in it.
fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("events per second, a number above 0".into()),
    }
}

fn glob(text: &str) -> Result<String, String> {
    Pattern::written(text)
        .map(|_| text.to_owned())
        .map_err(|bad| format!("it {bad}"))
}

#[cfg(test)]
mod tests;
