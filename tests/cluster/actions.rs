//! Actions: an operator on one node, the producer that performs them on another.

use kit::{Client, counted, redis::Redis, server_with, until};
use serde_json::{Value, json};
use stoa::config::JournalKind;

use super::{linked, node};

/// Waits for an action, and gives back the number of its packet and its body.
async fn asked(producer: &mut Client) -> (String, Value) {
    loop {
        if let Some(at) = producer
            .events
            .iter()
            .position(|(name, _)| name == "agent_action")
        {
            panic!("it asks for no answer: {:?}", producer.events.remove(at));
        }
        if let Some(at) = producer
            .other
            .iter()
            .position(|t| t.contains("agent_action"))
        {
            let packet = producer.other.remove(at);
            let digits = packet[2..].find('[').expect("arguments");
            let body: Value = serde_json::from_str(&packet[2 + digits..]).expect("JSON");
            return (packet[2..2 + digits].to_owned(), body[1].clone());
        }
        let text = producer.text().await.expect("it stays connected");
        producer.other.push(text);
    }
}

async fn answer(producer: &mut Client, number: &str, with: &Value) {
    producer.send_text(&format!("43{number}[{with}]")).await;
}

async fn performer(address: std::net::SocketAddr, room: &str) -> Client {
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let joined = producer.call("join_room", json!({ "room": room })).await;
    assert_eq!(joined["status"], "ok", "{joined}");
    producer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_performed_on_the_node_where_its_producer_is() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let three = node(&engine, "three").await;
    linked(&[&one, &two, &three]).await;
    let (mut operator, _) = Client::connect(one.address(), json!({ "role": "operator" })).await;
    let act = json!({ "agent_id": "a1", "action": "move", "params": { "to": "pool" } });
    let nobody = operator.call("agent_action", act.clone()).await;
    assert_eq!(nobody["error"]["code"], "unavailable", "{nobody}");
    operator.event("agent_action_result").await;

    let mut own = performer(two.address(), "agent:a1:actions").await;
    let mut other = performer(three.address(), "agent:a2:actions").await;
    let taken = operator.call("agent_action", act.clone()).await;
    let (number, body) = asked(&mut own).await;
    assert_eq!(
        (&body["action_id"], &body["params"]["to"]),
        (&taken["action_id"], &json!("pool"))
    );
    answer(&mut own, &number, &json!({ "done": [1, null] })).await;
    let result = operator.event("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["result"]),
        (&json!("ok"), &json!({ "done": [1, null] }))
    );
    other.so_far().await;
    assert!(
        other
            .other
            .iter()
            .all(|text| !text.contains("agent_action"))
    );

    // Of a project: asked for by its name.
    let mut of_project = performer(three.address(), "agent:p/a3:actions").await;
    let act = json!({ "agent_id": "a3", "project_id": "p", "action": "stop" });
    operator.call("agent_action", act).await;
    let (number, body) = asked(&mut of_project).await;
    assert_eq!(body["project_id"], "p", "{body}");
    answer(&mut of_project, &number, &Value::Null).await;
    let result = operator.event("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["result"]),
        (&json!("ok"), &Value::Null)
    );
    for server in [one, two, three] {
        server.shutdown().await;
    }
}

/// A producer that leaves before it answers: another one is asked, on whichever node it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_action_goes_over_to_a_producer_of_another_node_when_its_own_leaves() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let start = async |name: &str| {
        server_with(|config| {
            config.journal.kind = JournalKind::Redis;
            config.journal.url = url.clone().into();
            config.cluster.node_id = name.into();
            if name == "two" {
                config.server.action_timeout = 1.0.try_into().expect("a time");
            }
        })
        .await
    };
    let (one, two, three) = (start("one").await, start("two").await, start("three").await);
    linked(&[&one, &two, &three]).await;
    let (mut operator, _) = Client::connect(one.address(), json!({ "role": "operator" })).await;
    let mut first = performer(two.address(), "agent:a1:actions").await;
    let act = json!({ "agent_id": "a1", "action": "move" });
    let taken = operator.call("agent_action", act.clone()).await;
    asked(&mut first).await;
    let mut second = performer(three.address(), "agent:a1:actions").await;
    first.close().await;
    let (number, body) = asked(&mut second).await;
    assert_eq!(
        (&body["action_id"], &body["retry_count"]),
        (&taken["action_id"], &json!(1))
    );
    answer(&mut second, &number, &json!(5)).await;
    assert_eq!(operator.event("agent_action_result").await["result"], 5);

    // A node that goes down takes its producers with it.
    operator.call("agent_action", act.clone()).await;
    asked(&mut second).await;
    let mut third = performer(two.address(), "agent:a1:actions").await;
    three.shutdown().await;
    let (number, _) = asked(&mut third).await;
    answer(&mut third, &number, &json!(6)).await;
    assert_eq!(operator.event("agent_action_result").await["result"], 6);

    // One that does not answer has the time that it has on one node.
    let (mut hasty, _) = Client::connect(two.address(), json!({ "role": "operator" })).await;
    let mut silent = performer(one.address(), "agent:a2:actions").await;
    let act = json!({ "agent_id": "a2", "action": "move" });
    hasty.call("agent_action", act).await;
    asked(&mut silent).await;
    let result = hasty.event("agent_action_result").await;
    assert_eq!(
        (&result["status"], &result["error"]["code"]),
        (&json!("timeout"), &json!("timeout"))
    );
    one.shutdown().await;
    two.shutdown().await;
}

/// An operator's answer to an agent's question is one for all nodes, and wakes the agent on its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_asked_on_one_node_is_answered_on_another_once() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let asked = json!({ "type": "input.requested", "data": { "request_id": "q1", "agent_id": "a1", "message": "Go on?" } });
    let (status, answer) = kit::post(one.address(), &asked).await;
    assert_eq!(status, 202, "{answer}");
    kit::until_folded(one.address(), &answer["cursor"]).await;
    let waiting = kit::get(one.address(), "/api/v1/inputs/q1?wait=30");
    let waits = async {
        let (mut here, _) = Client::connect(one.address(), json!({ "role": "operator" })).await;
        let (mut there, _) = Client::connect(two.address(), json!({ "role": "operator" })).await;
        until("the question at the other node", async || {
            (kit::get(two.address(), "/api/v1/inputs/q1").await.0 == 200).then_some(())
        })
        .await;
        until("the agent to wait", async || {
            (counted(one.address(), "stoa_input_waits").await == 1).then_some(())
        })
        .await;
        let act = |value: &str| json!({ "agent_id": "a1", "action": "answer", "params": { "request_id": "q1", "value": value } });
        let first = there.call("agent_action", act("yes")).await;
        assert_eq!(first["status"], "ok", "{first}");
        until("the answer at the first node", async || {
            let (_, question) = kit::get(one.address(), "/api/v1/inputs/q1").await;
            (question["status"] != "open").then_some(())
        })
        .await;
        let second = here.call("agent_action", act("no")).await;
        assert_eq!(second["error"]["code"], "closed", "{second}");
    };
    let ((_, told), ()) = tokio::join!(waiting, waits);
    assert_eq!(
        (&told["answer"], &told["status"]),
        (&json!("yes"), &json!("received"))
    );
    one.shutdown().await;
    two.shutdown().await;
}
