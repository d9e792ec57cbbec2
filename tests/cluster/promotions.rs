//! A sentinel promotes a replica again and again, under load.

use std::net::SocketAddr;

use kit::{
    metrics::counted,
    process::{Process, free_port},
    redis::{Redis, Sentinel},
    until,
};

use super::{
    load::{Load, Scale, number},
    process_at, until_ready,
};

const NODES: [&str; 2] = ["one", "two"];
/// More make a longer run of the same: `CHAOS_PROMOTIONS=20`.
const PROMOTIONS: u64 = 2;
const OBSERVERS: u64 = 12;
/// Acknowledged events between two promotions.
const EVENTS: u64 = 200;
/// The user as whom replicas copy: without it on the primary, they are not up to date.
const REPLICATION: [&str; 10] = [
    "--user",
    "copying",
    "on",
    ">password",
    "~*",
    "+@all",
    "--masteruser",
    "copying",
    "--masterauth",
    "password",
];

/// A primary, its replica and a sentinel, with nodes that it leads.
struct Deployment {
    primary: Redis,
    replica: Redis,
    sentinel: Sentinel,
    nodes: Vec<Process>,
}

impl Deployment {
    async fn begin(acks: &str) -> Option<Self> {
        let primary = Redis::with(&REPLICATION).await?;
        let replica = Redis::with(&REPLICATION).await?;
        replica.follow(&primary).await;
        let sentinel = Sentinel::watching(&primary, 1).await;
        let (url, sentinels) = (
            format!("redis://{}", Sentinel::NAME),
            format!("[\"{}\"]", sentinel.url()),
        );
        let further = [
            ("STOA_JOURNAL__SENTINELS", &*sentinels),
            ("STOA_JOURNAL__ACKS", acks),
        ];
        let nodes = NODES.map(|name| process_at(&url, name, free_port(), &further));
        Some(Self {
            primary,
            replica,
            sentinel,
            nodes: nodes.into(),
        })
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    async fn load(&self) -> Load {
        let scale = Scale {
            observers: number("CHAOS_OBSERVERS", OBSERVERS),
            producers_hop: false,
        };
        Load::begin(&self.addresses(), scale).await
    }

    /// Kills the primary, waits until the replica is promoted, and has the former primary, which lost its memory, copy it.
    async fn promote(&mut self) {
        self.primary.kill();
        let promoted = self.replica.port();
        until("the promotion", async || {
            (self.sentinel.primary().await == promoted).then_some(())
        })
        .await;
        std::mem::swap(&mut self.primary, &mut self.replica);
        self.replica.again().await;
        self.replica.follow(&self.primary).await;
        self.sentinel.until_it_could_promote().await;
    }

    async fn sum(&self, name: &str) -> u64 {
        let mut sum = 0;
        for address in self.addresses() {
            sum += counted(address, name).await;
        }
        sum
    }
}

/// Each time the promoted replica lacks the newest events, which were acknowledged: they are put back, and come to
/// everybody once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn promotions_under_load_lose_nothing_that_a_node_has_read() {
    let Some(mut deployment) = Deployment::begin("primary").await else {
        return;
    };
    let load = deployment.load().await;
    for _ in 0..number("CHAOS_PROMOTIONS", PROMOTIONS) {
        load.more(EVENTS).await;
        // It has nearly all of it: one that never had anything of the journal would be another journal.
        deployment.primary.until_copied().await;
        deployment.sentinel.until_it_could_promote().await;
        // The replica is turned away, and has nothing from here on.
        let turn_away = ["ACL", "DELUSER", "copying"];
        deployment.primary.command(&turn_away).await;
        load.more(EVENTS).await;
        deployment.promote().await;
    }
    load.more(EVENTS).await;
    for node in &deployment.nodes {
        until_ready(node.address, true).await;
    }
    load.judge(&deployment.addresses()).await;
    let healed = deployment.sum("stoa_journal_healed_total").await;
    assert!(healed > 0, "nothing was lost by any promotion");
    assert_eq!(deployment.sum("stoa_journal_lost_total").await, 0);
}

/// Events that are acknowledged when a replica has them survive each promotion.
#[tokio::test(flavor = "multi_thread")]
async fn promotions_under_load_lose_nothing_that_a_replica_has() {
    let Some(mut deployment) = Deployment::begin("replica").await else {
        return;
    };
    let load = deployment.load().await;
    for _ in 0..number("CHAOS_PROMOTIONS", PROMOTIONS) {
        load.more(EVENTS).await;
        deployment.sentinel.until_it_could_promote().await;
        deployment.promote().await;
    }
    load.more(EVENTS).await;
    load.judge(&deployment.addresses()).await;
    assert_eq!(deployment.sum("stoa_journal_lost_total").await, 0);
}
