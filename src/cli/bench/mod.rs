//! `stoa bench`: a load generator for one's own deployment.
//!
//! It measures any server of Socket.IO; the defaults fit Stoa. All clients of a thread share one buffer and one
//! histogram, and none parses JSON, so that one core of load measures what one core of a server can do.

mod acks;
mod arguments;
mod client;
mod connect;
mod crowd;
mod exchange;
mod fanout;
mod feed;
mod frames;
mod http;
mod ingest;
mod limits;
mod live;
mod ndjson;
mod packet;
mod permit;
mod polling;
mod process;
mod producer;
mod publish;
mod reading;
mod report;
mod requests;
mod returner;
mod returning;
mod run;
mod socket;
mod tally;
mod target;
mod tracker;
mod wire;
mod workers;

use clap::Args;

use super::failure::Failure;
use arguments::Scenario;
use returning::Way;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    scenario: Scenario,
}

pub(super) async fn bench(args: BenchArgs) -> Result<(), Failure> {
    match args.scenario {
        Scenario::Fanout(args) => fanout::fanout(args).await,
        Scenario::Connect(args) => connect::connect(args).await,
        Scenario::Resume(args) => returning::come_back(args, Way::Resume).await,
        Scenario::Storm(args) => returning::come_back(args, Way::Storm).await,
        Scenario::Ingest(args) => ingest::ingest(args).await,
    }
}
