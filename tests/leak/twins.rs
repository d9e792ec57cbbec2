//! Two servers that hear the same of everybody but a hostile tenant, whom only the first one hears: whoever watches, asks and
//! acts must not be able to tell them apart.

use std::net::SocketAddr;

use proptest::prelude::*;
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role, server::Running};

use super::{
    hostile,
    same::{Names, difference, events, folded, in_order, picture, updates},
    spy::Spy,
    step::{filter, query},
    world::{For, HOSTILE, ROOMS, THEIRS, VICTIM, WHOM, World},
};
use kit::guarded::{grant, guarded, observer, token};

/// A step.
#[derive(Debug, Clone)]
pub enum Deed {
    /// These kinds of events, and for whom, by a producer without limits.
    Say(Vec<(usize, usize)>),
    /// The victim's own producer says these.
    Own(Vec<usize>),
    /// The deeds of producers of other tenants.
    Hostile(usize),
    /// A hostile producer says these of its own project, by the ids of the victim's things.
    Namesakes(Vec<usize>),
    /// The victim joins or leaves rooms.
    Room(usize, bool),
    Filter(usize),
    State(usize),
    History(usize),
    /// The victim comes back to where it was at first.
    Resume,
    /// The victim's operator has an agent do something; it names the project, or doesn't.
    Act(bool),
    /// The hostile operator does.
    HostileAct(usize),
}

pub fn any_deed() -> impl Strategy<Value = Deed> {
    let n = 0_usize..64;
    let kinds = prop::collection::vec(n.clone(), 1..12);
    prop_oneof![
        5 => prop::collection::vec((n.clone(), 0..WHOM.len()), 1..12).prop_map(Deed::Say),
        3 => kinds.clone().prop_map(Deed::Own),
        3 => n.clone().prop_map(Deed::Hostile),
        3 => kinds.prop_map(Deed::Namesakes),
        1 => (n.clone(), any::<bool>()).prop_map(|(room, joins)| Deed::Room(room, joins)),
        1 => n.clone().prop_map(Deed::Filter),
        1 => n.clone().prop_map(Deed::State),
        1 => n.clone().prop_map(Deed::History),
        1 => Just(Deed::Resume),
        2 => any::<bool>().prop_map(Deed::Act),
        1 => n.prop_map(Deed::HostileAct),
    ]
}

/// One of the servers, with the victim's people at it.
struct Side {
    server: Running,
    /// Watches all the while.
    live: Spy,
    asker: Spy,
    operator: Spy,
    performer: Spy,
}

fn of(role: Role, user: &str, project: &str) -> Value {
    let token = token(&Grant {
        user: Some(user.into()),
        projects: Some(vec![project.into()]),
        ..grant(role)
    });
    json!({ "token": token })
}

async fn enter(address: SocketAddr, auth: &Value) -> Spy {
    let entered = Spy::connect(address, "/", auth).await;
    let mut spy = entered.unwrap_or_else(|refusal| panic!("{auth} is refused: {refusal}"));
    spy.until("connection_established").await;
    spy
}

async fn performer(address: SocketAddr, auth: &Value) -> Spy {
    let mut spy = enter(address, auth).await;
    let joined = spy.call("join_room", &json!("agent:both:actions")).await;
    assert_eq!(joined.expect("answers")["status"], "ok");
    spy
}

impl Side {
    async fn open(beginning: &Value) -> Self {
        let server = guarded(|config| {
            // Each update is one event's, and nobody who reads late falls behind.
            config.transform.throttle_ms.set(0).unwrap();
            config.transform.text_throttle_ms.set(0).unwrap();
            config.transform.usage_throttle_ms.set(0).unwrap();
            config.server.max_client_buffer.set(64 << 20).unwrap();
            config.server.max_client_delay.set(600.0).unwrap();
            config.server.stall_timeout.set(600.0).unwrap();
            config.server.ping_interval.set(600.0).unwrap();
            // Fewer than a hostile producer names.
            config.access.max_known.set(500).unwrap();
        })
        .await;
        let address = server.address();
        let watches = json!({ "token": observer(VICTIM, &[THEIRS]) });
        let live = enter(address, &watches).await;
        hostile::say(&[address], beginning.clone(), &mut World::default()).await;
        Self {
            live,
            asker: enter(address, &watches).await,
            operator: enter(address, &of(Role::Operator, VICTIM, THEIRS)).await,
            performer: performer(address, &of(Role::Producer, "vicagent", THEIRS)).await,
            server,
        }
    }

    async fn ask(&mut self, event: &str, argument: &Value) -> Value {
        let answer = self.asker.call(event, argument).await;
        let history = events(self.server.address(), &observer(VICTIM, &[THEIRS])).await;
        Names::of(&history).answer(&answer.expect("it stays"))
    }

    /// Has the agent do something: the answer, what the performer was asked and what came of it.
    async fn act(&mut self, act: &Value) -> Value {
        let answer = self.operator.call("agent_action", act).await;
        let mut answer = answer.expect("it stays");
        let id = answer["action_id"].take();
        if id.is_null() {
            return answer;
        }
        let mut asked = Value::Null;
        if answer["status"] == "ok" {
            let id = id.as_str().expect("an id");
            asked = self.performer.perform(id, &json!({ "done": THEIRS })).await;
        }
        self.operator.until("agent_action_result").await;
        let heard = self.operator.take();
        let result = heard
            .iter()
            .find(|text| text.contains("agent_action_result"));
        let (_, result) = result
            .expect("it is there")
            .split_once('[')
            .expect("a list");
        let mut result: Value = serde_json::from_str(&format!("[{result}")).expect("JSON");
        let mut result = result[1].take();
        for answer in [&mut answer, &mut asked, &mut result] {
            for key in ["action_id", "requested_by", "timestamp"] {
                answer.as_object_mut().map(|answer| answer.remove(key));
            }
        }
        json!([answer, asked, result])
    }
}

/// Both of them.
pub struct Twins {
    /// The first has the hostile tenant.
    sides: [Side; 2],
    world: World,
    mallory: Spy,
    boss: Spy,
}

impl Twins {
    pub async fn open() -> Self {
        let mut world = World::default();
        let beginning = world.beginning();
        let beginning = world.dated(beginning.into());
        let sides = [Side::open(&beginning).await, Side::open(&beginning).await];
        let address = sides[0].server.address();
        Self {
            mallory: performer(address, &of(Role::Producer, "mallory", HOSTILE)).await,
            boss: enter(address, &of(Role::Operator, "boss", HOSTILE)).await,
            sides,
            world,
        }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [0, 1].map(|n| self.sides[n].server.address())
    }

    /// Does it on both, and tells how they differ then.
    pub async fn take(&mut self, deed: &Deed) -> Option<String> {
        let addresses = self.addresses();
        match deed {
            Deed::Say(kinds) => {
                let kinds = kinds.iter();
                let said = kinds.map(|&(kind, whom)| self.world.event(kind, WHOM[whom]));
                let said = Value::Array(said.collect());
                hostile::say(&addresses, said, &mut self.world).await;
                None
            }
            Deed::Own(kinds) => {
                let answers = self.own(kinds, THEIRS, &addresses).await;
                difference(&answers[0], &answers[1])
            }
            Deed::Namesakes(kinds) => {
                self.own(kinds, HOSTILE, &addresses[..1]).await;
                None
            }
            Deed::Hostile(n) => {
                hostile::act(&addresses, *n, &mut self.world).await;
                None
            }
            Deed::Room(room, joins) => {
                let how = if *joins { "join_room" } else { "leave_room" };
                self.ask(how, json!(ROOMS[room % ROOMS.len()])).await
            }
            Deed::Filter(n) => {
                self.ask("subscribe", json!({ "filters": filter(*n) }))
                    .await
            }
            Deed::State(n) => {
                let project = [Value::Null, json!(THEIRS)][n % 2].clone();
                self.ask("get_state", json!({ "project_id": project }))
                    .await
            }
            Deed::History(n) => self.ask("get_history", query(*n)).await,
            Deed::Resume => {
                for side in &mut self.sides {
                    let cursor = side.asker.cursors[0].clone();
                    let answer = side
                        .asker
                        .call("resume", &json!({ "cursor": cursor }))
                        .await;
                    assert_eq!(answer.expect("it stays")["status"], "ok");
                }
                None
            }
            Deed::Act(names) => {
                let project = Some(THEIRS).filter(|_| *names);
                let act = json!({ "agent_id": "both", "action": "vicact", "project_id": project });
                let [one, other] = &mut self.sides;
                difference(&one.act(&act).await, &other.act(&act).await)
            }
            Deed::HostileAct(n) => {
                let project = [Value::Null, json!(THEIRS), json!(HOSTILE)][n % 3].clone();
                let act = json!({ "agent_id": "both", "action": "malact", "project_id": project });
                self.boss.call("agent_action", &act).await;
                // Nor does it help to answer what others are asked.
                for n in 0..8 {
                    self.mallory
                        .send(format!("43{n}[{{\"done\":\"beta\"}}]"))
                        .await;
                }
                None
            }
        }
    }

    async fn ask(&mut self, event: &str, argument: Value) -> Option<String> {
        let [one, other] = &mut self.sides;
        let (one, other) = (
            one.ask(event, &argument).await,
            other.ask(event, &argument).await,
        );
        difference(&one, &other).map(|difference| format!("{event} {argument}: {difference}"))
    }

    /// A producer of one project says these, which name the victim's task.
    async fn own(
        &mut self,
        kinds: &[usize],
        project: &'static str,
        to: &[SocketAddr],
    ) -> Vec<Value> {
        let said = kinds.iter().map(|kind| {
            let event = self.world.event(*kind, For::Project(project)).to_string();
            let event = event.replace(&format!("task-of-{project}"), "task-of-vicproject");
            let mut event: Value = serde_json::from_str(&event).expect("JSON");
            event["project_id"] = project.into();
            event
        });
        let said = Value::Array(said.collect());
        hostile::post(to, project, said, &mut self.world).await
    }

    /// All that the victim was told and may see, compared.
    pub async fn finish(self) -> Option<String> {
        let tokens = [observer(VICTIM, &[THEIRS]), observer("ann", &["alpha"])];
        let addresses = self.addresses();
        for token in &tokens {
            let pictures = [
                picture(addresses[0], token).await,
                picture(addresses[1], token).await,
            ];
            if let Some(difference) = difference(&pictures[0], &pictures[1]) {
                return Some(difference);
            }
        }
        for mut spy in [self.mallory, self.boss] {
            spy.call("ping", &Value::Null).await;
            let heard = spy.take().concat();
            for theirs in ["vicact", "\"project_id\":\"vicproject\""] {
                assert!(
                    !heard.contains(theirs),
                    "the hostile heard {theirs}: {heard}"
                );
            }
        }
        let mut told = Vec::new();
        for side in self.sides {
            let address = side.server.address();
            let names = Names::of(&events(address, &tokens[0]).await);
            let back = json!({ "token": tokens[0], "cursor": side.live.cursors[0] });
            let (mut live, mut performer) = (side.live, side.performer);
            let mut late = enter(address, &back).await;
            late.until("42[\"resumed\"").await;
            // At its end a server sends all that still waits.
            tokio::join!(
                side.server.shutdown(),
                live.read_to_the_end(),
                late.read_to_the_end(),
                performer.read_to_the_end()
            );
            let asked = performer.take().concat().matches("malact").count();
            let translated = |spy: &mut Spy| {
                let updates = updates(&spy.take());
                let translated = updates.iter().map(|update| names.update(update));
                translated.collect::<Vec<_>>()
            };
            let live = translated(&mut live);
            assert!(!live.is_empty());
            told.push(json!({ "live": in_order(&live), "late": folded(&translated(&mut late)), "asked": asked }));
        }
        difference(&told[0], &told[1])
    }
}
