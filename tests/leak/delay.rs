//! The delay of one tenant's updates by another, counted in updates and not in time.
//!
//! No update goes but by a tick of the test's own clock: a critical event, which has the next part of what waits sent. So
//! whatever stands before an update of the victim's when it comes was sent between its acceptance and its delivery. How much
//! that may be is computed from what docs/protocol.md says of shares and turns, and not from what was seen.

use std::net::SocketAddr;

use proptest::prelude::*;
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role, server::Running};

use super::world::{HOSTILE, THEIRS};
use kit::{
    Client,
    guarded::{admin, grant, guarded, publish, request, token},
};

/// The updates of a producer's turn, and the bytes for which an update counts once more.
const TURN: usize = 4;
const PIECE: usize = 4_096;
/// The updates of a flush. One of them is the tick.
const FLUSH: usize = 60;
/// The priorities, most urgent first, each with its part of a flush: 8:4:2:1.
const LEVELS: [(&str, usize); 4] = [("critical", 32), ("high", 16), ("normal", 8), ("low", 4)];
/// The most events of a producer that are under way.
const UNDER_WAY: usize = 200;
/// More text than a piece. So many fit into what the hub takes in at once: its bytes have a bound of their own.
const LONG: usize = 8_000;
const LONG_EVENTS: usize = 60;

/// Events that are never coalesced, by what they are about.
const TYPES: [&str; 3] = ["task.assigned", "workflow.node.started", HEALTH];
/// It is one thing for all whose tokens name no projects: what they say of it keeps its order.
const HEALTH: &str = "system.health.changed";

/// A flood, and what the victim says behind it.
#[derive(Debug, Clone)]
pub struct Flood {
    /// The hostile tenant's producers that take part, each with the priority that it claims.
    claims: Vec<usize>,
    /// The events that each of them has under way.
    events: usize,
    /// The tokens with which each of them says that. None of several names a user.
    tokens: usize,
    /// Bytes of text in each event.
    text: usize,
    /// The things that they and the victim speak of.
    kind: usize,
    /// It names the ids of the victim's things, in its own project.
    names_theirs: bool,
    /// A gateway, whose token names no projects, says something of the hostile tenant's things behind it, with this priority;
    /// then another one speaks for the victim.
    gateway: Option<usize>,
    /// The parts of it that are sent before the victim speaks.
    ticks: usize,
    /// The priority of what the victim says.
    says: usize,
    /// The events that the victim publishes.
    victims: usize,
}

pub fn any_flood() -> impl Strategy<Value = Flood> {
    let level = 1..LEVELS.len();
    (
        prop::collection::vec(level.clone(), 1..4),
        50..=UNDER_WAY,
        prop_oneof![7 => Just(1_usize), 1 => Just(50)],
        prop::sample::select(vec![0, LONG]),
        0..TYPES.len(),
        any::<bool>(),
        prop::option::of(level.clone()),
        0_usize..3,
        level,
        1_usize..=8,
    )
        .prop_map(
            |(claims, events, tokens, text, kind, names_theirs, gateway, ticks, says, victims)| {
                Flood {
                    claims,
                    events: if text > 0 {
                        events.min(LONG_EVENTS)
                    } else {
                        events
                    },
                    tokens,
                    text,
                    kind,
                    names_theirs,
                    gateway: gateway.filter(|_| TYPES[kind] != HEALTH),
                    ticks,
                    says,
                    victims,
                }
            },
        )
}

impl Flood {
    /// The most of its updates that may come before the victim's last one.
    fn may_be_before(&self) -> usize {
        let claims = || self.claims.iter().chain(&self.gateway);
        // Producers with the same claim have their turn before each of the victim's: the gateway, and the tenant, whose producers share one.
        let tenant = usize::from(self.claims.contains(&self.says));
        let gateway = usize::from(self.gateway == Some(self.says));
        let turns = self.victims.div_ceil(TURN) * (tenant + gateway);
        let same = (turns * TURN).div_ceil(1 + self.text / PIECE);
        let (all, part) = (same + self.victims, FLUSH - 1);
        if claims().any(|claim| *claim < self.says) {
            // Of each flush the victim's level has its share, also for what a gateway's event takes along; the rest may be what
            // is more urgent.
            return all.div_ceil(LEVELS[self.says].1) * part - self.victims;
        }
        // Less urgent updates have their share too, of each flush that the victim's level fills.
        let has = |level: &usize| claims().any(|claim| claim == level);
        let below = (self.says + 1..LEVELS.len()).filter(has);
        let below: usize = below.map(|level| LEVELS[level].1).sum();
        same + (all.div_ceil(part - below) - 1) * below
    }

    /// An event of the hostile tenant's.
    fn hostile(&self, own: &str, level: usize) -> Value {
        let id = |theirs: &str| if self.names_theirs { theirs } else { own }.to_owned();
        let text = "x".repeat(self.text);
        let mut data = things(id);
        data["message"] = json!({ "text": text });
        self.said(HOSTILE, level, &data)
    }

    /// An event of the victim's.
    fn theirs(&self, mine: usize) -> Value {
        let mut data = things(str::to_owned);
        data["message"] = json!({ "mine": mine });
        self.said(THEIRS, self.says, &data)
    }

    fn said(&self, project: &str, level: usize, data: &Value) -> Value {
        json!({ "type": TYPES[self.kind], "project_id": project, "priority": LEVELS[level].0, "data": data })
    }
}

/// The things that events name.
fn things(id: impl Fn(&str) -> String) -> Value {
    json!({ "task_id": id("task-of-vicproject"), "agent_id": id("both"), "run_id": id("run-vicbob"),
        "execution_id": id("exec-vicbob"), "job_id": id("job-vicbob"), "node_id": id("node"), "message_id": id("msg") })
}

fn producer(user: Option<String>, projects: Option<&str>) -> String {
    token(&Grant {
        user,
        projects: projects.map(|project| vec![project.into()]),
        ..grant(Role::Producer)
    })
}

async fn accepted(address: SocketAddr, token: &str, events: Value) {
    let count = events.as_array().map_or(1, Vec::len);
    let (status, answer) = request("POST", address, "/api/v1/events", token, Some(&events)).await;
    assert_eq!(
        (status, &answer["accepted"]),
        (202, &json!(count)),
        "{answer}"
    );
}

/// A server that sends by ticks only, and one who watches all of it.
pub struct Scene {
    server: Running,
    watcher: Client,
    ticks: usize,
    floods: usize,
}

impl Scene {
    pub async fn open() -> Self {
        let server = guarded(|config| {
            config.pace.flush_interval_ms.set(3_600_000).unwrap();
            config.performance.flush_max.set(FLUSH as u64).unwrap();
            // Nobody waits here for its own: all of the tenant's producers have a part of it together.
            config
                .pace
                .producer_backlog
                .set((16 * UNDER_WAY) as u64)
                .unwrap();
        })
        .await;
        let auth = json!({ "token": admin() });
        let (watcher, _) = Client::connect(server.address(), auth).await;
        Self {
            server,
            watcher,
            ticks: 0,
            floods: 0,
        }
    }

    /// The fault in the order of the victim's updates behind this flood, if there is one.
    pub async fn delayed(&mut self, flood: &Flood) -> Option<String> {
        let address = self.server.address();
        self.floods += 1;
        let round = self.floods;
        for (mallory, claims) in flood.claims.iter().enumerate() {
            let event = |n| flood.hostile(&format!("{round}-{mallory}-{n}"), *claims);
            let events: Vec<Value> = (0..flood.events).map(event).collect();
            for part in events.chunks(flood.events.div_ceil(flood.tokens)) {
                let name = Some(format!("mallory-{mallory}")).filter(|_| flood.tokens == 1);
                accepted(address, &producer(name, Some(HOSTILE)), part.into()).await;
            }
        }
        if let Some(level) = flood.gateway {
            let event = flood.hostile(&format!("{round}-gateway"), level);
            accepted(address, &producer(Some("gateway".into()), None), event).await;
        }
        let all = flood.claims.len() * flood.events + usize::from(flood.gateway.is_some());
        let mut flooded = 0;
        for _ in 0..flood.ticks {
            flooded += self.tick().await.len();
        }
        // A producer that is new comes behind all others, and is accepted though nothing of the flood is sent meanwhile.
        let limits = Some(THEIRS).filter(|_| flood.gateway.is_none());
        let victim = producer(Some(format!("victim-{round}")), limits);
        for n in 0..flood.victims {
            accepted(address, &victim, flood.theirs(n)).await;
        }
        // With the tick comes what the one before had sent.
        flooded += self.tick().await.len();
        let (mut seen, mut before, mut last) = (0, 0, None);
        for _ in 0..2 * all {
            for update in self.tick().await {
                if update["mine"].is_null() {
                    (flooded, before) = (flooded + 1, before + 1);
                } else {
                    assert_eq!(update["mine"], json!(seen), "in order");
                    seen += 1;
                    last = Some(before).filter(|_| seen == flood.victims);
                }
            }
            if flooded == all && last.is_some() {
                break;
            }
        }
        assert_eq!((flooded, seen), (all, flood.victims), "all of it comes");
        let may = flood.may_be_before();
        last.filter(|last| *last > may)
            .map(|last| format!("behind {last}, and not {may}"))
    }

    /// Has the next part sent, and gives what came of the one before: a critical update is the first of its part.
    async fn tick(&mut self) -> Vec<Value> {
        self.ticks += 1;
        let text = format!("tick-{}", self.ticks);
        let event =
            json!({ "type": "team.tick", "priority": "critical", "data": { "text": text } });
        publish(self.server.address(), &event).await;
        let mut came = Vec::new();
        loop {
            let (_, update) = self.watcher.next().await.expect("it stays connected");
            let data = &update["data"];
            if data["text"] == text.as_str() {
                return came;
            }
            if data["message"].is_object() {
                came.push(data["message"].clone());
            }
        }
    }

    pub async fn close(self) {
        self.server.shutdown().await;
    }
}
