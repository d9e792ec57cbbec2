//! Nodes that sentinels lead to the primary.

use kit::{
    Client, get, post,
    redis::{Redis, Sentinel},
    server_with, until,
};
use serde_json::json;
use stoa::{config::JournalKind, server::Running};

async fn node(sentinel: &Sentinel) -> Running {
    let sentinels = vec![sentinel.url().into()];
    server_with(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = format!("redis://{}", Sentinel::NAME).into();
        config.journal.sentinels = sentinels;
    })
    .await
}

/// The primary is killed: the nodes follow the promotion, and what was acknowledged is told by all, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_followed_and_no_event_is_lost_or_told_twice() {
    let Some(mut primary) = Redis::start().await else {
        return;
    };
    let Some(replica) = Redis::start().await else {
        return;
    };
    replica.follow(&primary).await;
    let sentinel = Sentinel::watching(&primary, 1).await;
    let (one, two) = (node(&sentinel).await, node(&sentinel).await);
    let (mut client, _) = Client::connect(two.address(), json!({})).await;
    let event = |n: usize| json!({ "id": format!("e{n}"), "type": "task.created", "data": { "task_id": format!("t{n}") } });
    // A replica that never had anything of the journal would be another one.
    let (status, answer) = post(one.address(), &event(0)).await;
    assert_eq!(status, 202, "{answer}");
    primary.until_copied().await;
    sentinel.until_it_could_promote().await;
    for n in 1..20 {
        let (status, answer) = post(one.address(), &event(n)).await;
        assert_eq!(status, 202, "{answer}");
    }
    for n in 0..20 {
        assert_eq!(client.event("task_update").await["id"], format!("e{n}"));
    }
    primary.kill();
    for n in 20..40 {
        until("an event to be taken", async || {
            (post(one.address(), &event(n)).await.0 == 202).then_some(())
        })
        .await;
    }
    for n in 20..40 {
        assert_eq!(client.event("task_update").await["id"], format!("e{n}"));
    }
    for server in [one, two] {
        until("all tasks", async || {
            let (_, state) = get(server.address(), "/api/v1/state").await;
            let tasks = state["tasks"].as_object()?;
            (tasks.len() == 40).then_some(())
        })
        .await;
        server.shutdown().await;
    }
}
