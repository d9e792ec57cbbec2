//! The command line: reads the arguments, runs one command, turns its outcome into an exit code.
//!
//! 0: done. 1: it could not be done, and one line on stderr says why. 2: the arguments make no sense.
//! Results go to stdout, everything about the work to stderr; a reader of stdout that goes away ends a command quietly.

mod arguments;
mod bench;
mod drain;
mod emit;
mod failure;
mod output;
mod plain;
mod publish;
mod repair;
mod sender;
mod serve;
mod tail;
mod token;
mod trust;
mod url;
mod written;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use arguments::{
    CheckArgs, DrainArgs, EmitArgs, PublishArgs, RepairArgs, ServeArgs, TailArgs, TokenArgs,
};
use bench::BenchArgs;
use failure::{Failure, one_line};
use output::note;

/// A Socket.IO-compatible realtime server for multi-agent systems.
#[derive(Debug, Parser)]
#[command(name = "stoa", version, about, max_term_width = 100)]
struct Cli {
    /// Without a command the help is shown.
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
    /// Emit something to the clients of a running server, as an application does
    Emit(EmitArgs),
    /// Watch the updates of a running server
    Tail(TailArgs),
    /// Take a running server out of service: send its clients elsewhere, and let no new ones in
    Drain(DrainArgs),
    /// Load a server of Socket.IO, and measure how it does
    Bench(Box<BenchArgs>),
    /// Check the journal's file, and make a copy without what is damaged
    Repair(RepairArgs),
    /// Make a token for a client, or an API key for a producer
    Token(TokenArgs),
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
        Some(Command::Emit(args)) => with_runtime(emit::emit(args)),
        Some(Command::Drain(args)) => with_runtime(drain::drain(args)),
        Some(Command::Tail(args)) => with_runtime(tail::tail(args)),
        Some(Command::Bench(args)) => with_runtime(bench::bench(*args)),
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

#[cfg(test)]
mod tests;
