//! Operations and the acts of admins, about clients of any node.

use kit::{
    Client,
    guarded::{admin, guarded, observer, request},
    redis::Redis,
    until,
};
use serde_json::{Value, json};
use stoa::{config::JournalKind, server::Running};

use super::linked;

async fn closed(engine: &Redis, name: &str) -> Running {
    let url = engine.url();
    guarded(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = url.into();
        config.cluster.node_id = name.into();
    })
    .await
}

async fn operate(node: &Running, operations: Value) -> Vec<Value> {
    let asked = json!({ "operations": operations });
    let path = "/api/v1/operations";
    let (status, answer) = request("POST", node.address(), path, &admin(), Some(&asked)).await;
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().expect("results").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_carried_out_where_their_clients_are() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (closed(&engine, "one").await, closed(&engine, "two").await);
    linked(&[&one, &two]).await;
    let auth = json!({ "token": observer("ann", &["p"]) });
    let (_here, hello) = Client::connect(one.address(), auth.clone()).await;
    let (mut there, other) = Client::connect(two.address(), auth).await;
    let (a, b) = (&hello["client_id"], &other["client_id"]);
    let results = operate(
        &one,
        json!([
            { "join": "team:blue", "client": a },
            { "join": "team:blue", "client": b },
            { "members": "team:blue", "namespace": "/" },
            { "rooms_of": b },
            { "client": b },
            { "session": { "cart": [1, 2] }, "client": b },
            { "emit": { "event": "first", "rooms": ["team:blue"] } },
            { "leave": "team:blue", "client": b },
            { "emit": { "event": "second", "rooms": ["team:blue"] } },
            { "join": "team:blue", "client": b },
            { "client": "nobody" },
        ]),
    )
    .await;
    let error = |result: &Value| result["error"]["code"].clone();
    assert!(
        results[..10].iter().all(|result| error(result).is_null()),
        "{results:?}"
    );
    assert_eq!(error(&results[10]), "not_found", "{results:?}");
    let mut members: Vec<&Value> = results[2]["members"]
        .as_array()
        .expect("members")
        .iter()
        .collect();
    members.sort_by_key(ToString::to_string);
    let mut wanted = vec![a, b];
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(members, wanted);
    let rooms = results[3]["rooms"].as_array().expect("rooms");
    assert!(
        rooms.contains(&json!("team:blue")) && rooms.contains(b),
        "{rooms:?}"
    );
    assert_eq!(
        (&results[4]["client_id"], &results[4]["user"]),
        (b, &json!("ann"))
    );
    let described = operate(&two, json!([{ "client": b }])).await;
    assert_eq!(described[0]["session"], json!({ "cart": [1, 2] }));
    // Emissions from before it left are there, and later ones are not.
    there.event("first").await;
    let seen = there.so_far().await;
    assert!(seen.iter().all(|(name, _)| name != "second"), "{seen:?}");

    // A question to a client of the other node.
    let asking = operate(
        &one,
        json!([{ "call": { "client": b, "event": "who", "args": [7] } }]),
    );
    let answering = async {
        let packet = loop {
            if let Some(at) = there.other.iter().position(|text| text.contains("\"who\"")) {
                break there.other.remove(at);
            }
            if let Some(at) = there.events.iter().position(|(name, _)| name == "who") {
                panic!("it asks for no answer: {:?}", there.events.remove(at));
            }
            let text = there.text().await.expect("it is connected");
            there.other.push(text);
        };
        let digits = packet[2..].find('[').expect("arguments");
        let number = packet[2..2 + digits].to_owned();
        there.send_text(&format!("43{number}[\"me\"]")).await;
    };
    let (results, ()) = tokio::join!(asking, answering);
    assert_eq!(results[0]["args"], json!(["me"]), "{results:?}");

    // The room of both nodes is emptied, and the client of the other one told goodbye and put out.
    let results = operate(
        &one,
        json!([
            { "close_room": "team:blue", "namespace": "/" },
            { "members": "team:blue", "namespace": "/" },
            { "emit": { "event": "bye", "rooms": [b] } },
            { "disconnect": b },
        ]),
    )
    .await;
    assert_eq!(
        (&results[0]["left"], &results[1]["members"]),
        (&json!(2), &json!([])),
        "{results:?}"
    );
    assert!(error(&results[3]).is_null(), "{results:?}");
    there.event("bye").await;
    while !there.other.iter().any(|packet| packet == "41") {
        let text = there.text().await.expect("the connection itself stays");
        there.other.push(text);
    }
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_list_and_end_the_connections_of_all_nodes() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (closed(&engine, "one").await, closed(&engine, "two").await);
    linked(&[&one, &two]).await;
    let auth = |user: &str| json!({ "token": observer(user, &["p"]) });
    let (_ann, hello) = Client::connect(one.address(), auth("ann")).await;
    let (mut bob, other) = Client::connect(two.address(), auth("bob")).await;
    let (mut zeno, _) = Client::connect(two.address(), auth("zeno")).await;
    let path = "/api/v1/admin/connections";
    let (_, list) = request("GET", one.address(), path, &admin(), None).await;
    assert_eq!(list["total"], 3, "{list}");
    let node_of = |id: &Value| {
        let connections = list["connections"].as_array().expect("a list");
        let found = connections.iter().find(|one| one["client_id"] == *id);
        found.expect("it is listed")["node"].clone()
    };
    assert_eq!(
        (node_of(&hello["client_id"]), node_of(&other["client_id"])),
        (json!("one"), json!("two"))
    );
    let of_bob = format!("{path}?user=bob");
    let (_, list) = request("GET", one.address(), &of_bob, &admin(), None).await;
    assert_eq!(list["total"], 1, "{list}");

    let id = other["client_id"].as_str().expect("an id");
    let end = format!("{path}/{id}");
    let (status, ended) = request("DELETE", one.address(), &end, &admin(), None).await;
    assert_eq!((status, &ended["ended"]), (200, &json!(1)), "{ended}");
    until("the end of bob", async || {
        bob.next().await.is_none().then_some(())
    })
    .await;
    let nobody = format!("{path}/nobody");
    let (status, refused) = request("DELETE", one.address(), &nobody, &admin(), None).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (404, &json!("not_found")),
        "{refused}"
    );

    let ban = json!({ "user": "zeno" });
    let (status, banned) = request(
        "POST",
        one.address(),
        "/api/v1/admin/bans",
        &admin(),
        Some(&ban),
    )
    .await;
    assert_eq!(status, 200, "{banned}");
    until("the end of zeno", async || {
        zeno.next().await.is_none().then_some(())
    })
    .await;
    one.shutdown().await;
    two.shutdown().await;
}
