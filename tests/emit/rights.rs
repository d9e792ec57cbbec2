//! Rights to emit, by the claims of tokens.

use kit::{
    Client,
    guarded::{grant, guarded, observer, request, token},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_emits_where_it_may_and_is_told_why_not_elsewhere() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mut anna, hello) = Client::connect(
        address,
        json!({ "token": observer("anna", &["shop"]), "rooms": ["project:shop"] }),
    )
    .await;
    let id = hello["client_id"].as_str().unwrap().to_owned();
    let of = |projects: Option<&[&str]>, rooms: Option<&[&str]>| {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        token(&Grant {
            projects: projects.map(list),
            rooms: rooms.map(list),
            ..grant(Role::Producer)
        })
    };
    let all = of(None, None);
    let shop = of(Some(&["shop"]), None);
    let lobby = of(Some(&["shop"]), Some(&["lobby*"]));
    let to = |room: &str| json!({ "event": "e", "rooms": room });
    let everyone = json!({ "event": "e" });
    let user = to("user:anna");
    for (who, token, emission, expected) in [
        ("a producer of all", &all, &everyone, "ok"),
        ("a producer of all", &all, &user, "ok"),
        ("a producer of all", &all, &to(&id), "ok"),
        ("a producer of all", &all, &to("lobby 1"), "ok"),
        ("a producer of the shop", &shop, &to("project:shop"), "ok"),
        (
            "a producer of the shop",
            &shop,
            &to("project:bank"),
            "forbidden_room",
        ),
        ("a producer of the shop", &shop, &everyone, "forbidden"),
        ("a producer of the shop", &shop, &user, "forbidden_room"),
        ("a producer of the shop", &shop, &to(&id), "forbidden_room"),
        (
            "a producer of the shop",
            &shop,
            &to("lobby 1"),
            "forbidden_room",
        ),
        ("a producer of a room", &lobby, &to("lobby 1"), "ok"),
        (
            "a producer of a room",
            &lobby,
            &to("other"),
            "forbidden_room",
        ),
    ] {
        let (status, answer) =
            request("POST", address, "/api/v1/emit", token, Some(emission)).await;
        let code = answer["error"]["code"].as_str().unwrap_or("ok");
        assert_eq!(code, expected, "{who} by HTTP: {emission}: {answer}");
        assert_eq!(status == 202, expected == "ok", "{status}: {answer}");
        if expected != "ok" {
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.len() > 20, "it says why: {message}");
        }
        let auth = json!({ "token": token, "role": "producer", "filters": { "types": ["none"] } });
        let (mut producer, _) = Client::connect(address, auth).await;
        for kept in [false, true] {
            let mut emission: Value = emission.clone();
            emission["keep"] = kept.into();
            let answer = producer.call("emit_to", emission.clone()).await;
            let code = answer["error"]["code"].as_str().unwrap_or("ok");
            assert_eq!(code, expected, "{who} by Socket.IO: {emission}: {answer}");
        }
        producer.close().await;
    }
    let (status, _) = request(
        "POST",
        address,
        "/api/v1/emit",
        &observer("anna", &[]),
        Some(&everyone),
    )
    .await;
    assert_eq!(status, 403, "an observer emits nothing");
    let answer = anna.call("emit_to", everyone.clone()).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    // Of all these, those that were for anna came to her: three of each that was accepted, but in the rooms she is not in.
    let end = json!({ "event": "end", "rooms": "user:anna" });
    request("POST", address, "/api/v1/emit", &all, Some(&end)).await;
    anna.event("end").await;
    let came = anna.names().iter().filter(|name| **name == "e").count();
    assert_eq!(came, 3 * 4, "everyone, anna, her client, the shop");
    server.shutdown().await;
}
