//! The spy's steps: it goes through every door of the contract, and all that it hears is looked at.

use kit::wait_for;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

use super::{
    history, hostile, http, plain, same, sockets,
    spy::Spy,
    step::{Step, filter, query},
    world::{AT_TIMES, For, HOSTILE, OURS, ROOMS, Rights, SPY, THEIRS, VICTIM, WHOM, World},
};
use kit::guarded::{admin, grant, observer, request, token};

/// A spy at all doors, and the world that it looks at.
pub struct Doors {
    address: SocketAddr,
    /// The server, and one that hears the same of everybody but the hostile tenant.
    both: [SocketAddr; 2],
    world: World,
    main: Spy,
    token: String,
    rights: Rights,
    /// On Seneca's page.
    page: Spy,
    operator: Spy,
    /// The one who is spied on: is in the rooms that the spy would like to be in.
    _victim: Spy,
    /// Texts of event streams, with what is looked for.
    streams: Vec<Arc<Mutex<String>>>,
    /// The names that it asked for, and that it may be told back.
    asked: Vec<String>,
    pub leak: Option<String>,
}

fn spys(wide: bool) -> String {
    let projects: &[&str] = if wide { &[OURS, AT_TIMES] } else { &[OURS] };
    observer(SPY, projects)
}

async fn enter(address: SocketAddr, namespace: &str, auth: &Value) -> Spy {
    Spy::connect(address, namespace, auth)
        .await
        .unwrap_or_else(|refusal| panic!("{auth} is refused: {refusal}"))
}

impl Doors {
    pub async fn open(both: [SocketAddr; 2]) -> Self {
        let (address, mut world) = (both[0], World::default());
        let beginning = world.beginning();
        hostile::say(&both, beginning.into(), &mut world).await;
        wait_for("the owners to be known", async || {
            let (_, state) = request("GET", address, "/api/v1/state", &admin(), None).await;
            state["runs"]["run-ann"].is_object()
        })
        .await;
        let victim = observer(VICTIM, &[THEIRS]);
        let rooms = [
            "project:vicproject",
            "execution:exec-vicbob",
            "task:task-of-vicproject",
        ];
        let victim = json!({ "token": victim, "rooms": rooms });
        let operator = token(&Grant {
            projects: Some(vec![OURS.into()]),
            ..grant(Role::Operator)
        });
        let token = spys(false);
        let auth = json!({ "token": token });
        Self {
            main: enter(address, "/", &auth).await,
            page: enter(address, "/conversations", &auth).await,
            operator: enter(address, "/admin", &json!({ "token": operator })).await,
            _victim: enter(address, "/", &victim).await,
            address,
            both,
            world,
            token,
            rights: Rights::Narrow,
            streams: Vec::new(),
            // As long names as come first: a shorter one may be part of a longer one.
            asked: plain::ASKED
                .into_iter()
                .chain(ROOMS)
                .map(str::to_owned)
                .collect(),
            leak: None,
        }
    }

    fn look(&mut self, door: &str, texts: &[String], rights: Rights, asked: bool) {
        // Operators of its project are told of the rooms that it is in.
        let own = plain::ASKED.map(str::to_owned);
        let asked: &[String] = if asked { &self.asked } else { &own };
        for text in texts {
            if let Some(leak) = rights.leak(text, asked) {
                let start: String = text.chars().take(2_000).collect();
                self.leak
                    .get_or_insert(format!("{door}: {leak} in {start}"));
            }
        }
    }

    /// Looks at what the main connection heard; the state of the second project, too, if it has it.
    fn look_at_main(&mut self, door: &str) {
        let heard = self.main.take();
        self.look(door, &heard, self.rights, true);
    }

    async fn ask(&mut self, event: &str, argument: Value) -> Value {
        let answer = self.main.call(event, &argument).await;
        self.look_at_main(event);
        answer.unwrap_or_else(|| panic!("{event} {argument} ended the connection"))
    }

    pub async fn take(&mut self, step: &Step) {
        match step {
            Step::Publish(events) => {
                let world = &mut self.world;
                let events = events
                    .iter()
                    .map(|&(kind, whom)| world.event(kind, WHOM[whom]));
                let events = Value::Array(events.collect());
                hostile::say(&self.both, events, world).await;
            }
            Step::Burst(count) => self.burst(*count).await,
            Step::Room(room, how) => {
                let how = [
                    "join",
                    "join_room",
                    "leave",
                    "leave_room",
                    "subscribe",
                    "unsubscribe",
                ][*how];
                let room = ROOMS[room % ROOMS.len()];
                self.ask(how, json!({ "room": room })).await;
            }
            Step::Filter(n) => {
                let filters = filter(*n);
                self.ask("subscribe", json!({ "filters": filters })).await;
            }
            Step::State(n) => {
                let project = [Value::Null, json!(THEIRS), json!(OURS), json!(AT_TIMES)];
                let state = self
                    .ask("get_state", json!({ "project_id": project[n % 4] }))
                    .await;
                assert_eq!(state["status"], "ok", "{state}");
            }
            Step::History(n) => {
                self.ask("get_history", query(*n)).await;
            }
            Step::Resume(early) => {
                let cursors = &self.main.cursors;
                let cursor = if *early {
                    cursors.first()
                } else {
                    cursors.last()
                };
                if let Some(cursor) = cursor.cloned() {
                    self.resume(&cursor).await;
                }
            }
            Step::Reconnect(how, wide) => self.reconnect(*how, *wide).await,
            Step::Authenticate(wide) => self.authenticate(*wide).await,
            Step::Revoke => self.revoke().await,
            Step::Seneca(n) => {
                let events = [
                    "subscribe_conversations",
                    "subscribe_health_updates",
                    "subscribe_pipeline_flow",
                    "subscribe_metrics",
                    "subscribe_flow",
                ];
                let flow = ["vicproject", "run-vicbob", "alpha"][n % 3];
                self.asked.push(flow.to_owned());
                self.ask(events[n % events.len()], json!({ "flow_id": flow }))
                    .await;
            }
            Step::Conversations(n) => {
                let filters = [json!({}), json!({ "worker_id": "both" }), Value::Null];
                let filters = &filters[n % filters.len()];
                self.page
                    .call("subscribe", &json!({ "filters": filters }))
                    .await;
            }
            Step::Stream(n) => self.stream(*n).await,
            Step::Plain(n) => self.plain(*n).await,
            Step::Get(n) => self.get(*n).await,
            Step::Hostile(n) => hostile::act(&self.both, *n, &mut self.world).await,
            Step::Operator => {
                for event in ["get_rooms", "get_stats"] {
                    self.operator.call(event, &Value::Null).await;
                }
                let heard = self.operator.take();
                self.look("operator", &heard, Rights::Narrow, false);
            }
        }
    }

    async fn burst(&mut self, count: usize) {
        let filler = "x".repeat(1_000);
        let mut events = Vec::new();
        for n in 0..count {
            let mut event = self.world.event(0, WHOM[n % 3]);
            event["data"]["filler"] = filler.as_str().into();
            events.push(event);
        }
        hostile::say(&self.both, events.into(), &mut self.world).await;
    }

    /// Goes on from a cursor, and waits until it is there.
    async fn resume(&mut self, cursor: &str) {
        let resumed = self.ask("resume", json!({ "cursor": cursor })).await;
        assert_eq!(resumed["status"], "ok", "{resumed}");
    }

    async fn reconnect(&mut self, how: usize, wide: bool) {
        let cursors = &self.main.cursors;
        let cursor = match how % 3 {
            0 => None,
            1 => cursors.first().cloned(),
            _ => cursors.last().cloned(),
        };
        self.token = spys(wide);
        let auth = json!({
            "token": self.token, "cursor": cursor, "snapshot": how.is_multiple_of(2), "batch": how % 5 < 2,
            "rooms": if how % 4 < 2 { vec!["project:alpha", "agent:both"] } else { vec![] },
        });
        let kept = std::mem::take(&mut self.main.cursors);
        self.main = enter(self.address, "/", &auth).await;
        self.main.cursors = kept;
        self.rights = if wide { Rights::Wide } else { Rights::Narrow };
        self.ask("ping", Value::Null).await;
    }

    async fn authenticate(&mut self, wide: bool) {
        self.token = spys(wide);
        let argument = json!({ "token": self.token });
        if wide {
            self.rights = Rights::Wide;
            let answer = self.ask("authenticate", argument).await;
            assert_eq!(answer["status"], "ok", "{answer}");
            return;
        }
        // Packets before the answer still show the things that it could see.
        let answer = self.main.call("authenticate", &argument).await;
        let answer = answer.expect("it stays");
        assert_eq!(answer["status"], "ok", "{answer}");
        self.look_at_main("before authenticate");
        self.rights = Rights::Narrow;
        // Somebody else's token doesn't make it somebody else.
        let others = json!({ "token": observer(VICTIM, &[THEIRS]) });
        let refused = self.ask("authenticate", others).await;
        assert_eq!(refused["error"]["code"], "forbidden", "{refused}");
    }

    async fn revoke(&mut self) {
        let what = json!({ "token": self.token });
        let path = "/api/v1/admin/revocations";
        let (status, answer) = request("POST", self.address, path, &admin(), Some(&what)).await;
        assert_eq!(
            (status, answer["ended"].as_u64() >= Some(1)),
            (200, true),
            "{answer}"
        );
        let after = self.world.published.len();
        self.burst(9).await;
        self.main.read_to_the_end().await;
        for n in after..self.world.published.len() {
            let marker = World::marker(n, self.world.published[n]);
            let heard = &self.main.heard;
            if heard.iter().any(|text| text.contains(&marker)) {
                self.leak.get_or_insert(format!("{marker} after the end"));
            }
        }
        self.look_at_main("until revoked");
        let again = json!({ "token": self.token, "cursor": self.main.cursors.first() });
        let refused = Spy::connect(self.address, "/", &again).await;
        assert!(refused.is_err(), "it came back");
        // Others of its connections may have come with the same token.
        self.token = spys(false);
        self.page = enter(
            self.address,
            "/conversations",
            &json!({ "token": self.token }),
        )
        .await;
        self.reconnect(4, false).await;
    }

    async fn stream(&mut self, n: usize) {
        let cursor = self.main.cursors.first().cloned().unwrap_or_default();
        let text = http::stream(self.address, n, &spys(false), &cursor).await;
        self.streams.push(text);
        self.socket(n).await;
    }

    async fn socket(&mut self, n: usize) {
        let cursor = self.main.cursors.first().cloned().unwrap_or_default();
        let text = sockets::open(self.address, n, &spys(false), &cursor).await;
        self.streams.push(text);
    }

    async fn plain(&mut self, n: usize) {
        let cursor = self.main.cursors.first().cloned().unwrap_or_default();
        let text = plain::open(self.address, n, &spys(false), &cursor).await;
        self.streams.extend(text);
    }

    async fn get(&mut self, n: usize) {
        let operator = token(&Grant {
            projects: Some(vec![OURS.into()]),
            ..grant(Role::Operator)
        });
        for token in [spys(false), operator] {
            let (path, text) = http::get(self.address, n, &token).await;
            self.look(path, &[text], Rights::Narrow, false);
        }
    }

    /// One last event for each, which must come by every door that is for it; then all is looked at once more.
    pub async fn finish(mut self) -> Option<String> {
        self.ask("subscribe", json!({ "filters": {} })).await;
        self.ask("join", json!("project:alpha")).await;
        self.page.call("subscribe", &json!({ "filters": {} })).await;
        let before = self.streams.len();
        self.stream(0).await;
        for n in 1..sockets::doors() {
            self.socket(n).await;
        }
        self.stream(5).await;
        let guides = self.streams.len();
        for n in 0..plain::OWN {
            self.plain(n).await;
        }
        // The guide has said that the last room is not for the spy: it is in those before.
        let guides = self.streams[guides].clone();
        wait_for("the rooms", async || {
            guides.lock().unwrap().contains("\"room_id\":\"producers\"")
        })
        .await;
        let whom = [
            For::Project(THEIRS),
            For::Person(VICTIM),
            For::Project(OURS),
        ];
        let last = whom.map(|whom| self.world.event(5, whom));
        hostile::say(&self.both, json!(last), &mut self.world).await;
        let marker = World::marker(self.world.published.len() - 1, For::Project(OURS));
        self.main.until(&marker).await;
        self.page.until(&marker).await;
        let streams = std::mem::take(&mut self.streams);
        for newest in &streams[before..] {
            wait_for("the stream", async || {
                newest.lock().unwrap().contains(&marker)
            })
            .await;
        }
        self.look_at_main("the end");
        let page = self.page.take();
        self.look("conversations", &page, Rights::Narrow, true);
        for text in streams {
            let text = text.lock().unwrap().clone();
            self.look("stream", &[text], Rights::Narrow, true);
        }
        let (spys, all, victims) = (
            history(self.address, &spys(false)).await,
            history(self.address, &admin()).await,
            history(self.address, &observer(VICTIM, &[THEIRS])).await,
        );
        self.look(
            "history",
            std::slice::from_ref(&spys),
            Rights::Narrow,
            false,
        );
        for (n, whom) in self.world.published.iter().enumerate() {
            let marker = World::marker(n, *whom);
            let others = [For::Project(AT_TIMES), For::Project(HOSTILE)];
            let is_ours = !whom.is_victims() && !others.contains(whom);
            assert!(
                victims.contains(&marker) || !whom.is_victims(),
                "{marker} is kept from the victim"
            );
            assert!(all.contains(&marker), "{marker} was lost");
            assert_eq!(spys.contains(&marker), is_ours, "{marker} in the history");
        }
        for token in [
            self::spys(false),
            self::spys(true),
            observer(VICTIM, &[THEIRS]),
        ] {
            let pictures = (
                same::picture(self.both[0], &token).await,
                same::picture(self.both[1], &token).await,
            );
            if let Some(changed) = same::difference(&pictures.0, &pictures.1) {
                self.leak
                    .get_or_insert(format!("changed by the hostile: {changed}"));
            }
        }
        self.leak
    }
}
