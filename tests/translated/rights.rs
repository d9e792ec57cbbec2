use kit::{
    counted_in,
    guarded::{admin, grant, guarded, observer, producer, request, token},
};
use serde_json::{Value, json};
use stoa::config::Role;

use super::{counts, send_as};

const DOORS: [(&str, &str); 3] = [
    (
        "/ag-ui/in",
        r#"{"type":"RUN_STARTED","threadId":"t","runId":"r"}"#,
    ),
    ("/vercel/in", r#"{"type":"start","messageId":"m"}"#),
    (
        "/langgraph/in",
        r#"{"event":"on_chain_start","run_id":"g","name":"team","parent_ids":[],"tags":[],"data":{},"metadata":{}}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_door_has_the_rights_of_a_producers_door() {
    let server = guarded(|config| {
        config.rate_limiting.producer_events_per_second = 20;
    })
    .await;
    let address = server.address();
    let limited = token(&stoa::access::authn::Grant {
        projects: Some(vec!["mine".to_owned()]),
        ..grant(Role::Producer)
    });
    let json = "application/json";
    for (door, message) in DOORS {
        let body = message.to_owned();
        let (status, answer) = send_as(address, door, json, body.clone(), None).await;
        assert_eq!(status, 401, "{door}: {answer}");
        let watcher = observer("ann", &["mine"]);
        let (status, answer) = send_as(address, door, json, body.clone(), Some(&watcher)).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (403, &json!("forbidden")),
            "{door}"
        );
        // A token for one project speaks for no other.
        let theirs = format!("{door}?project=theirs");
        let (status, answer) = send_as(address, &theirs, json, body.clone(), Some(&limited)).await;
        assert_eq!(
            (status, counts(&answer)),
            (400, [0, 0, 1]),
            "{door}: {answer}"
        );
        assert_eq!(
            answer["rejected"][0]["error"]["code"], "forbidden",
            "{door}: {answer}"
        );
        let mine = format!("{door}?project=mine");
        let (status, answer) = send_as(address, &mine, json, body, Some(&limited)).await;
        assert_eq!(
            (status, counts(&answer)),
            (202, [1, 0, 0]),
            "{door}: {answer}"
        );
        let odd = format!("{door}?porject=mine");
        let (status, answer) = send_as(address, &odd, json, "{}", Some(&producer())).await;
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("project"),
            "{answer}"
        );
        let (status, answer) = send_as(address, door, json, "", Some(&producer())).await;
        assert_eq!(status, 400, "{answer}");
    }
    // Nobody of another project sees any of it.
    for (path, sees) in [
        ("/api/v1/state", false),
        ("/api/v1/events?limit=100", false),
    ] {
        let (_, theirs) = request("GET", address, path, &observer("bob", &["theirs"]), None).await;
        assert_eq!(
            theirs.to_string().contains("assistant"),
            sees,
            "{path}: {theirs}"
        );
        let (_, all) = request("GET", address, path, &admin(), None).await;
        assert!(all.to_string().contains("assistant"), "{path}: {all}");
    }
    // More than the budget slows a stream down; what is in it comes all the same.
    let lines: String = (0..30)
        .map(|n| format!("{{\"type\":\"STATE_DELTA\",\"delta\":[{n}]}}\n"))
        .collect();
    let path = "/ag-ui/in?project=mine&thread=other";
    let (status, answer) = send_as(
        address,
        path,
        "application/x-ndjson",
        lines,
        Some(&producer()),
    )
    .await;
    assert_eq!((status, counts(&answer)), (202, [30, 0, 0]), "{answer}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_of_one_producer_are_none_of_anothers() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let of = |user: &str| {
        token(&stoa::access::authn::Grant {
            user: Some(user.to_owned()),
            ..grant(Role::Producer)
        })
    };
    let (ann, bob) = (of("ann"), of("bob"));
    let path = "/ag-ui/in?thread=t&project=shop";
    let json = "application/json";
    let begin = json!({ "type": "RUN_STARTED", "threadId": "secret", "runId": "r" });
    let (_, answer) = send_as(address, path, json, begin.to_string(), Some(&ann)).await;
    assert_eq!(counts(&answer), [1, 0, 0], "{answer}");
    let text = json!({ "type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "hello" });
    for (who, run) in [(&ann, json!("r")), (&bob, Value::Null)] {
        let (_, answer) = send_as(address, path, json, text.to_string(), Some(who)).await;
        assert_eq!(counts(&answer), [1, 0, 0], "{answer}");
        let (_, page) = request(
            "GET",
            address,
            "/api/v1/events?type=agent.message.appended&order=desc&limit=1",
            &admin(),
            None,
        )
        .await;
        assert_eq!(page["events"][0]["data"]["run_id"], run, "{page}");
    }
    assert_eq!(counted_in(&server, "stoa_translation_threads"), 2);
    server.shutdown().await;
}
