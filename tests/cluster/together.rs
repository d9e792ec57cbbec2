//! The nodes as one: their list, sums of their figures, the members of rooms on all of them.

use kit::{Client, START_SECRET, get, guarded::request, post, redis::Redis, until};
use serde_json::{Value, json};

use super::node;

fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    let nodes = list["nodes"].as_array().expect("nodes");
    let found = nodes.iter().find(|node| node["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_tells_of_all() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (here, there) = (one.address(), two.address());
    let rooms = json!({ "rooms": ["lobby"], "name": "ann" });
    let (_first, _) = Client::connect(here, rooms.clone()).await;
    let (_second, _) = Client::connect(there, rooms.clone()).await;
    let (_third, _) = Client::connect(there, json!({ "role": "operator" })).await;
    let task = json!({ "type": "task.created", "data": { "task_id": "t" } });
    post(here, &task).await;
    for address in [here, there] {
        let list = until("all to be up to date", async || {
            let (status, list) = get(address, "/api/v1/cluster").await;
            assert_eq!(status, 200, "{list}");
            let nodes = list["nodes"].as_array().expect("nodes").clone();
            // A node leads when the lease is its own, which takes a moment.
            let leads = nodes.iter().filter(|node| node["leads"] == true).count();
            (leads == 1 && nodes.iter().all(|node| node["lag"] == 0)).then_some(list)
        })
        .await;
        assert_eq!(list["clients"], 3, "{list}");
        assert_eq!(list["trouble"], Value::Null);
        let (a, b) = (named(&list, "one"), named(&list, "two"));
        assert_eq!((&a["clients"], &b["clients"]), (&json!(1), &json!(2)));
        assert_eq!(
            (&a["state"], &b["state"]),
            (&json!("serving"), &json!("serving"))
        );
        assert_eq!(a["this"], json!(address == here), "{list}");
        assert_eq!(a["address"], here.to_string());
        assert_ne!(a["boot"], b["boot"]);
        assert_eq!(a["version"], env!("CARGO_PKG_VERSION"));
        let (_, stats) = get(address, "/api/v1/ws/stats").await;
        assert_eq!(stats["total_connections"], 3, "{stats}");
        assert_eq!(stats["connections_by_namespace"]["/"], 3, "{stats}");
        assert_eq!(named(&stats, "two")["clients"], 2);
        // Its counts are looked at no more than once a second.
        until("the counts of both nodes", async || {
            let (_, analytics) = get(address, "/api/v1/analytics").await;
            let counts = (
                &analytics["total_connections"],
                &analytics["connections_opened"],
            );
            (counts == (&json!(3), &json!(3))).then_some(())
        })
        .await;
        let (_, members) = get(address, "/api/v1/rooms/lobby/members").await;
        assert_eq!(
            (&members["members"], &members["complete"]),
            (&json!(2), &json!(true))
        );
        let clients = members["clients"].as_array().expect("clients");
        assert_eq!(clients.len(), 2, "{members}");
        assert!(
            clients.iter().all(|client| client["name"] == "ann"),
            "{members}"
        );
        let (_, some) = get(address, "/api/v1/rooms/lobby/members?limit=1").await;
        assert_eq!(
            (&some["members"], &some["complete"]),
            (&json!(2), &json!(false))
        );
    }
    let visit = json!({ "room": "lobby", "id": "robot" });
    let (status, answer) =
        request("POST", here, "/api/v1/presence", START_SECRET, Some(&visit)).await;
    assert_eq!(status, 200, "{answer}");
    let (_, members) = get(there, "/api/v1/rooms/lobby/members").await;
    assert_eq!(
        (&members["visitors"], &members["present"][0]["id"]),
        (&json!(1), &json!("robot"))
    );
    // A node that is drained says so, and one that has gone counts for nothing.
    let drain = "/api/v1/admin/drain";
    request(
        "POST",
        here,
        drain,
        START_SECRET,
        Some(&json!({ "seconds": 0 })),
    )
    .await;
    until("the node to be drained", async || {
        let (_, list) = get(there, "/api/v1/cluster").await;
        (named(&list, "one")["state"] == "drained" && list["clients"] == 2).then_some(())
    })
    .await;
    one.shutdown().await;
    let (_, list) = get(there, "/api/v1/cluster").await;
    assert_eq!(list["nodes"].as_array().map(Vec::len), Some(1), "{list}");
    let (_, stats) = get(there, "/api/v1/ws/stats").await;
    assert_eq!(stats["total_connections"], 2, "{stats}");
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_its_own_is_the_only_one() {
    let server = kit::server().await;
    let address = server.address();
    let (_client, _) = Client::connect(address, json!({})).await;
    let (status, list) = get(address, "/api/v1/cluster").await;
    assert_eq!(
        (status, list["nodes"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    let own = &list["nodes"][0];
    assert_eq!(
        (&own["clients"], &own["leads"], &own["this"]),
        (&json!(1), &json!(true), &json!(true))
    );
    assert_eq!(own["address"], address.to_string());
    let (_, stats) = get(address, "/api/v1/ws/stats").await;
    assert_eq!(stats.get("nodes"), None, "{stats}");
}
