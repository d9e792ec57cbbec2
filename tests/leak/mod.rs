//! One who may see one project hears nothing of another, by any door, whatever it asks for and whatever happens meanwhile.
//!
//! Every event carries markers in its fields that say whom it is for. A spy goes through random steps, and every text that
//! the server sends it is searched for markers that are not for it. What is for it must come, or nothing was shown.

mod delay;
mod doors;
mod hostile;
mod http;
mod plain;
mod same;
mod sockets;
mod spy;
mod step;
mod twins;
mod world;

use kit::wait_for;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
};

use delay::{Scene, any_flood};
use doors::Doors;
use kit::guarded::{admin, grant, guarded, observer, publish, request, token};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestRunner},
};
use serde_json::{Value, json};
use spy::Spy;
use step::{Step, any_step};
use stoa::{access::authn::Grant, config::Role, server::Running};
use twins::{Twins, any_deed};
use world::{AT_TIMES, For, OURS, Rights, SPY, VICTIM, WHOM, World};

/// So little may wait for a client that it is parked by a few events.
const BUFFER: usize = 16 * 1_024;

/// A server for spies: they don't read all the while, and are to stay for as long as the steps take.
fn crowded(config: &mut stoa::config::Config) {
    config.server.max_client_buffer.set(BUFFER as u64).unwrap();
    config.server.stall_timeout.set(600.0).unwrap();
    config.server.ping_interval.set(600.0).unwrap();
    // Fewer than a hostile producer names.
    config.access.max_known.set(500).unwrap();
}

#[test]
fn nothing_of_one_project_reaches_who_may_see_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        // So many that somebody falls behind in one of them.
        cases: 12,
        max_shrink_iters: 40,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    });
    let steps = prop::collection::vec(any_step(), 10..40);
    let parked = Cell::new(0);
    let tried = runner.run(&steps, |steps| {
        let (leak, times) = runtime.block_on(spied(&steps));
        parked.set(parked.get() + times);
        prop_assert_eq!(leak, None);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
    assert!(
        parked.get() > 0,
        "nobody fell behind: what is made anew was not looked at"
    );
}

#[test]
fn a_flood_delays_what_another_says_by_no_more_than_its_turns_and_shares() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: 12,
        max_shrink_iters: 40,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    });
    let scene = RefCell::new(runtime.block_on(Scene::open()));
    let tried = runner.run(&any_flood(), |flood| {
        let delayed = runtime.block_on(scene.borrow_mut().delayed(&flood));
        prop_assert_eq!(delayed, None);
        Ok(())
    });
    runtime.block_on(scene.into_inner().close());
    if let Err(error) = tried {
        panic!("{error}");
    }
}

#[test]
fn nothing_that_a_tenant_sees_is_changed_by_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: 6,
        max_shrink_iters: 40,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    });
    let deeds = prop::collection::vec(any_deed(), 5..30);
    let tried = runner.run(&deeds, |deeds| {
        let changed = runtime.block_on(async {
            let mut twins = Twins::open().await;
            for deed in &deeds {
                let changed = twins.take(deed).await;
                if changed.is_some() {
                    return changed;
                }
            }
            twins.finish().await
        });
        prop_assert_eq!(changed, None);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// Goes through these steps; the first leak, and how often somebody was parked.
async fn spied(steps: &[Step]) -> (Option<String>, u64) {
    let server = guarded(crowded).await;
    let alone = guarded(crowded).await;
    let mut doors = Doors::open([server.address(), alone.address()]).await;
    for step in steps {
        doors.take(step).await;
        if doors.leak.is_some() {
            break;
        }
    }
    let leak = match doors.leak.take() {
        Some(leak) => Some(leak),
        None => doors.finish().await,
    };
    let parked = parked(&server);
    server.shutdown().await;
    alone.shutdown().await;
    (leak, parked)
}

/// The number of times that a client was parked.
fn parked(server: &Running) -> u64 {
    let text = server.metrics().text();
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix("stoa_observers_parked_total "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The events of a history, page by page.
async fn history(address: SocketAddr, token: &str) -> String {
    let (mut all, mut path) = (String::new(), "/api/v1/events?limit=1000".to_owned());
    loop {
        let (status, page) = request("GET", address, &path, token, None).await;
        assert_eq!(status, 200, "{page}");
        all.push_str(&page["events"].to_string());
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/events?limit=1000&after={next}"),
            None => return all,
        }
    }
}

/// The markers of the test must be found where they are allowed, or their absence would show nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_marker_is_noticed_wherever_it_is() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mut world = World::default();
    let mut events = world.beginning();
    for whom in WHOM {
        events.extend((0..16).map(|kind| world.event(kind, whom)));
    }
    let auth = json!({ "token": admin() });
    let mut boss = Spy::connect(address, "/", &auth).await.expect("may");
    publish(address, &Value::Array(events)).await;
    let last = World::marker(world.published.len() - 1, For::All);
    boss.until(&last).await;
    let heard = boss.take().concat();
    for kind in 0..16 {
        // Each kind of event of the victim's gives at least one update.
        let first = world.published.len() - 16 * WHOM.len();
        let theirs = World::marker(first + 16 + kind, WHOM[1]);
        assert!(heard.contains(&theirs), "kind {kind} gave nothing");
    }
    for (text, rights, leaks) in [
        (World::marker(3, WHOM[1]), Rights::Wide, true),
        (World::marker(3, WHOM[2]), Rights::Wide, false),
        (World::marker(3, WHOM[2]), Rights::Narrow, true),
        ("a VicProject".to_owned(), Rights::Narrow, true),
        (World::marker(3, WHOM[0]), Rights::Narrow, false),
    ] {
        assert_eq!(rights.leak(&text, &[]).is_some(), leaks, "{text}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_anew_for_one_who_is_parked_goes_by_what_it_may_see_then() {
    let server = guarded(crowded).await;
    let address = server.address();
    let auth = json!({ "token": observer(SPY, &[OURS, AT_TIMES]) });
    let mut spy = Spy::connect(address, "/", &auth).await.expect("may");
    spy.until("connection_established").await;
    let mut world = World::default();
    publish(address, &Value::Array(world.beginning())).await;
    // It reads nothing until it is parked.
    let filler = "x".repeat(2_000);
    wait_for("the parking", async || {
        let mut events = Vec::new();
        for _ in 0..50 {
            let mut event = world.event(0, For::Project(AT_TIMES));
            event["data"]["filler"] = filler.as_str().into();
            events.push(event);
        }
        publish(address, &Value::Array(events)).await;
        parked(&server) > 0
    })
    .await;
    let ack = spy
        .emit("authenticate", &json!({ "token": observer(SPY, &[OURS]) }))
        .await;
    // The answer comes behind all that was on its way before: what follows it is what it may see now.
    let answer = spy.answer(ack).await.expect("it stays");
    assert_eq!(answer["status"], "ok", "{answer}");
    let before = spy.take().len();
    assert!(before > 0);
    let ours = world.event(0, For::Project(OURS));
    publish(address, &ours).await;
    let theirs = world.event(0, For::Project(AT_TIMES));
    publish(address, &theirs).await;
    let last = world.event(0, For::Project(OURS));
    publish(address, &last).await;
    spy.until(&World::marker(
        world.published.len() - 1,
        For::Project(OURS),
    ))
    .await;
    for text in spy.take() {
        assert_eq!(Rights::Narrow.leak(&text, &[]), None, "{text}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_are_in_a_room_is_told_to_those_who_are_in_it() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    publish(address, &Value::Array(World::default().beginning())).await;
    let token = observer(VICTIM, &["vicproject"]);
    let auth = json!({ "token": token, "rooms": ["project:vicproject"] });
    let mut victim = Spy::connect(address, "/", &auth).await.expect("may");
    victim.until("connection_established").await;
    let auth = json!({ "token": observer(SPY, &[OURS]) });
    let mut spy = Spy::connect(address, "/", &auth).await.expect("may");
    for room in ["project:vicproject", "user:vicbob"] {
        let left = spy.call("leave_room", &json!(room)).await.expect("answers");
        assert_eq!(left["members"], 0, "{room}: {left}");
    }
    let left = victim.call("leave_room", &json!("observers")).await;
    assert_eq!(left.expect("answers")["members"], 1, "the spy is in it");
    // Nor is one told of all agents who may not see all of them.
    let mut page = Spy::connect(address, "/conversations", &auth)
        .await
        .expect("may");
    page.call("ping", &Value::Null).await;
    let greeted = page.take().concat();
    assert!(
        greeted.contains("connected") && !greeted.contains("agents_update"),
        "{greeted}"
    );
    // A user whose name is an address has a room as well.
    let auth = json!({ "token": observer("auth0|ann@example.org", &[]) });
    let mut other = Spy::connect(address, "/", &auth).await.expect("may");
    let own = other
        .call("join_room", &json!("user:auth0|ann@example.org"))
        .await;
    assert_eq!(own.expect("answers")["status"], "ok");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_publish_for_one_project_opens_no_other() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mut world = World::default();
    publish(address, &Value::Array(world.beginning())).await;
    wait_for("the owners to be known", async || {
        let (_, state) = request("GET", address, "/api/v1/state", &admin(), None).await;
        state["runs"]["run-ann"].is_object()
    })
    .await;
    let narrow = token(&Grant {
        projects: Some(vec![OURS.into()]),
        ..grant(Role::Producer)
    });
    let door = async |event: Value| {
        request("POST", address, "/api/v1/events", &narrow, Some(&event)).await
    };
    for taking in [
        json!({ "type": "task.progress", "data": { "task_id": "task-of-vicproject" } }),
        json!({ "type": "workflow.run.progress", "data": { "execution_id": "exec-vicbob", "owner_id": SPY } }),
        json!({ "type": "ingest.job.progress", "project_id": OURS, "data": { "job_id": "job-vicbob", "owner_id": SPY } }),
    ] {
        let (status, answer) = door(taking.clone()).await;
        let code = &answer["error"]["code"];
        assert_eq!(
            (status, code),
            (400, &json!("forbidden")),
            "{taking}: {answer}"
        );
    }
    // It may say that a task of that name is its project's as well: then what names no project is for neither.
    let same = json!({ "type": "task.created", "project_id": OURS, "data": { "task_id": "task-of-vicproject" } });
    assert_eq!(door(same).await.0, 202);
    publish(address, &world.event(1, WHOM[1])).await;
    publish(address, &world.event(0, WHOM[0])).await;
    let (token, last) = (observer(SPY, &[OURS]), world.published.len() - 1);
    wait_for("the last event", async || {
        history(address, &token)
            .await
            .contains(&World::marker(last, WHOM[0]))
    })
    .await;
    let text = history(address, &token).await;
    assert!(!text.contains("mk-vic"), "{text}");
    server.shutdown().await;
}
