//! The servers that are measured: Stoa, plain socketioxide, and a bound that does next to nothing.
//!
//! Each takes updates in two ways: `42["publish",DATA]` of a client, which becomes `42["update",DATA]` for everybody, as
//! the peers of `benches/peers` do it; and a list of them at `POST /api/v1/events`, as Stoa takes events.

mod frames;
mod log;
mod plain;
mod raw;

use std::{io::Read, net::SocketAddr};

use stoa::config::Config;

pub(crate) use raw::Writes;

/// The way in which a server says where it is.
#[derive(Clone, Copy)]
pub(crate) enum Started {
    /// By a parent that reads the address from the first line, and with which the server ends.
    Child,
    /// By somebody who names the port and reads that it listens.
    Alone(u16),
}

impl Started {
    fn address(self) -> SocketAddr {
        let port = match self {
            Self::Child => 0,
            Self::Alone(port) => port,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn ready(self, address: SocketAddr) {
        match self {
            Self::Child => println!("{address}"),
            Self::Alone(_) => println!("listening on {address}"),
        }
    }

    /// Ends this process with its parent.
    fn watch(self) {
        if matches!(self, Self::Child) {
            std::thread::spawn(|| {
                std::io::stdin().read_to_end(&mut Vec::new()).ok();
                std::process::exit(0);
            });
        }
    }
}

/// Runs the server of this name until the process ends.
pub(crate) fn serve(name: &str, started: Started) {
    started.watch();
    let threads = name.strip_prefix("stoa-threads-");
    let runtime = match (name, threads) {
        ("plain-single" | "stoa-single", _) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        (_, Some(threads)) => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.parse().expect("a number of threads"))
            .enable_all()
            .build(),
        _ => tokio::runtime::Runtime::new(),
    };
    let runtime = runtime.expect("a runtime");
    match name {
        "stoa" | "emit" | "stoa-single" | "stoa-lean" => runtime.block_on(stoa(|_| {}, started)),
        _ if threads.is_some() => runtime.block_on(stoa(|_| {}, started)),
        "guarded" => runtime.block_on(stoa(super::users::guarded, started)),
        "plain" | "plain-single" => runtime.block_on(plain::serve(started)),
        "raw" => raw::serve(Writes::Each, started),
        "raw-coalescing" => raw::serve(Writes::Coalesced, started),
        _ => panic!("there is no server {name}"),
    }
}

async fn stoa(change: fn(&mut Config), started: Started) {
    let mut config = Config::default();
    change(&mut config);
    config.server.port = started.address().port();
    // The fan-out is measured; the disk has a benchmark of its own.
    config.journal.kind = stoa::config::JournalKind::Memory;
    let running = stoa::server::start(&config).await.expect("it starts");
    started.ready(running.address());
    std::future::pending::<()>().await;
}
