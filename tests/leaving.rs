//! Thousands of clients leave at once: the ordered loop goes on for everybody else. `STOA_LEAVERS` says how many.

use std::{net::SocketAddr, time::Duration};

use kit::{
    get, metrics,
    process::{Process, free_port},
    socket::Socket,
};

/// Clients that leave where `STOA_LEAVERS` says nothing, as far as there are descriptors.
const CLIENTS: usize = 5_000;
/// Descriptors for everything else.
const SPARE: usize = 500;
/// Clients that connect at the same time.
const CONNECTING: usize = 200;
/// The loop never stands still for longer.
const STALL: f64 = 0.05;
/// Other work of the machine may fall on one round, but not on each; the loop's own work falls on each.
const ROUNDS: usize = 4;

fn clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = open.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    let wanted =
        std::env::var("STOA_LEAVERS").map_or(CLIENTS, |said| said.parse().expect("a number"));
    soft.map_or(wanted, |soft| wanted.min(soft.saturating_sub(SPARE)))
}

async fn connected(address: SocketAddr) -> u64 {
    let (_, stats) = get(address, "/api/v1/ws/stats").await;
    stats["total_connections"].as_u64().expect("a number")
}

/// The longest turn of the loop since this was last asked.
async fn stall(address: SocketAddr) -> f64 {
    let metrics = metrics(address).await;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix("stoa_hub_stall_seconds "));
    value.expect("the gauge").parse().expect("a number")
}

/// So many come and leave at once; how long the loop stood still meanwhile.
async fn round(address: SocketAddr, clients: usize) -> f64 {
    let mut all = Vec::with_capacity(clients);
    while all.len() < clients {
        let some = CONNECTING.min(clients - all.len());
        let connecting = (0..some).map(|_| Socket::connect(address, "", None));
        all.extend(futures_util::future::join_all(connecting).await);
    }
    assert!(all.iter().all(Result::is_ok), "all connect");
    assert_eq!(connected(address).await, clients as u64);
    stall(address).await;
    drop(all);
    while connected(address).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stall(address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_who_leave_at_once_stop_the_loop_for_nobody() {
    let clients = clients();
    let folder = tempfile::tempdir().unwrap();
    let most = (clients * 2).to_string();
    let settings = [
        ("STOA_SERVER__MAX_CONNECTIONS", most.clone()),
        ("STOA_SERVER__MAX_CONNECTIONS_PER_ADDRESS", most),
        ("STOA_RATE_LIMITING__ENABLED", "false".into()),
    ];
    let server = Process::start(&folder.path().join("stoa.db"), free_port(), &settings).await;
    let address = server.address;
    let mut stalls = Vec::new();
    for _ in 0..ROUNDS {
        let stood_still = round(address, clients).await;
        assert!(stood_still > 0.0, "it is measured");
        println!(
            "{clients} left; the longest turn of the loop: {:.1} ms",
            stood_still * 1e3
        );
        stalls.push(stood_still);
        if stood_still < STALL {
            return;
        }
    }
    panic!("the loop stood still for {stalls:?} seconds while {clients} clients left");
}
