//! Keys of the state: each thing that a client sees has one of its own, whatever its project and id are called.

use serde_json::{Value, json};

use super::{post, producer_of};
use kit::{
    Client, PATIENCE,
    guarded::{admin, guarded, request},
};

fn task(project: &str, id: &str) -> Value {
    let name = format!("{project} {id}");
    json!({ "type": "task.created", "project_id": project, "data": { "task_id": id, "name": name } })
}

fn agent(project: &str, id: &str) -> Value {
    json!({ "type": "agent.registered", "project_id": project, "data": { "agent_id": id } })
}

/// Checks that all counted things are there by the given keys, and that each says itself which it is.
fn assert_distinct(state: &Value, tasks: &[(&str, &str)]) {
    for map in ["tasks", "agents", "runs"] {
        let there = state[map].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(state["counts"][map], there, "{map}: {}", state[map]);
    }
    for (key, name) in tasks {
        let task = &state["tasks"][*key];
        assert_eq!(task["name"], *name, "{key}: {}", state["tasks"]);
        let said = format!(
            "{} {}",
            task["project_id"].as_str().unwrap(),
            task["id"].as_str().unwrap()
        );
        assert_eq!(said, *name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_things_of_the_state_have_one_key() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let honest = producer_of("honest", &["p0", "p1", "p2", "a/b"]);
    let mallory = producer_of("mallory", &["a"]);
    // Mallory's task has the key that another's would be given by its project and id.
    let (_, answer) = post(
        address,
        &honest,
        &json!([task("p0", "c"), task("p0", "b/c")]),
    )
    .await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    let (_, answer) = post(address, &mallory, &json!([task("a", "b/c")])).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    let named = json!([
        task("a/b", "c"),
        task("p0", "50%/c"),
        agent("p1", "x"),
        agent("p2", "x"),
        agent("p1", "p2/x"),
    ]);
    let (_, answer) = post(address, &honest, &named).await;
    assert_eq!(answer["accepted"], 5, "{answer}");
    let keys = [
        ("c", "p0 c"),
        ("b/c", "p0 b/c"),
        ("a/b%2Fc", "a b/c"),
        ("a%2Fb/c", "a/b c"),
        ("50%/c", "p0 50%/c"),
    ];
    let folded = async {
        loop {
            let (_, state) = request("GET", address, "/api/v1/state", &admin(), None).await;
            if state["cursor"] == answer["cursor"] {
                return state;
            }
        }
    };
    let state = tokio::time::timeout(PATIENCE, folded).await.unwrap();
    assert_distinct(&state, &keys);
    assert_eq!(state["agents"]["p2/x"]["project_id"], "p2", "{state}");
    assert_eq!(state["agents"]["p1/p2%2Fx"]["id"], "p2/x", "{state}");
    // The same where it comes over Socket.IO.
    let (mut watcher, _) = Client::connect(address, json!({ "token": admin() })).await;
    let answer = watcher.call("get_state", json!({})).await;
    assert_distinct(&answer, &keys);
    server.shutdown().await;
}
