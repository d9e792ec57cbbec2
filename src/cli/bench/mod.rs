//! `stoa bench`: a load generator for one's own deployment.
//!
//! It measures any server of Socket.IO; the defaults fit Stoa. All clients of a thread share one buffer and one
//! histogram, and none parses JSON, so that one core of load measures what one core of a server can do.

mod arguments;
mod client;
mod crowd;
mod fanout;
mod frames;
mod http;
mod limits;
mod live;
mod packet;
mod permit;
mod process;
mod producer;
mod report;
mod run;
mod tally;
mod target;
mod tracker;
mod wire;
mod workers;

use clap::Args;

use super::failure::Failure;
use arguments::Scenario;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    scenario: Scenario,
}

pub(super) async fn bench(args: BenchArgs) -> Result<(), Failure> {
    match args.scenario {
        Scenario::Fanout(args) => fanout::fanout(args).await,
    }
}
