use kit::{Client, counted_in, get, server, until_folded};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{counts, recorded, send};

const LINES: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";

/// The recorded streams, each with its door, its agents and the number of its tasks.
const STREAMS: [(&str, &str, &[&str], usize); 4] = [
    (
        "ag_ui_showcase_1_0.jsonl",
        "/ag-ui/in",
        &["researcher", "researcher-2", "thread-42"],
        5,
    ),
    (
        "vercel_ai_ui_message_stream.jsonl",
        "/vercel/in",
        &["assistant"],
        1,
    ),
    (
        "langgraph_astream_events_v2.jsonl",
        "/langgraph/in",
        &[
            "coordinator",
            "docs_researcher",
            "editor",
            "issue_analyst",
            "publisher",
            "writer",
        ],
        6,
    ),
    (
        "langgraph_protocol_v3.jsonl",
        "/langgraph/in",
        &["planner", "researcher"],
        2,
    ),
];

fn as_events(lines: &str) -> String {
    lines
        .lines()
        .map(|line| format!("data: {line}\n\n"))
        .collect()
}

/// The state of a project, without times and the project itself.
async fn state(address: std::net::SocketAddr, project: &str) -> Value {
    let (_, state) = get(address, &format!("/api/v1/state?project_id={project}")).await;
    let mut state = json!({
        "agents": state["agents"], "tasks": state["tasks"], "runs": state["runs"],
    });
    scrub(&mut state);
    state
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !key.ends_with("_at") && !key.contains("project"));
            object.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

/// The ids of things, in their order.
fn ids<'s>(things: &'s Value, key: &str) -> Vec<&'s str> {
    let things = things.as_object().into_iter().flatten();
    let mut ids: Vec<_> = things
        .filter_map(|(_, thing)| thing[key].as_str())
        .collect();
    ids.sort_unstable();
    ids
}

/// Posts a stream in one of several ways; the messages that were accepted, repeated and refused, and the last cursor.
async fn post_as(
    address: std::net::SocketAddr,
    path: &str,
    way: &str,
    text: &str,
) -> ([u64; 3], Value) {
    let bodies: Vec<(&str, String)> = match way {
        "events" => vec![(SSE, as_events(text))],
        "lines" => vec![(LINES, text.to_owned())],
        _ => text
            .lines()
            .map(|line| ("application/json", line.to_owned()))
            .collect(),
    };
    let (mut totals, mut cursor) = ([0; 3], Value::Null);
    for (media, body) in bodies {
        let (status, answer) = send(address, path, media, body).await;
        assert_eq!(status, 202, "{path} {way}: {answer}");
        totals = [0, 1, 2].map(|nth| totals[nth] + counts(&answer)[nth]);
        cursor = answer["cursor"].clone();
    }
    (totals, cursor)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_stream_shows_the_same_whole_and_message_by_message() {
    let server = server().await;
    let address = server.address();
    for (file, door, agents, tasks) in STREAMS {
        let text = recorded(file);
        let sent = text.lines().count() as u64;
        let mut states = Vec::new();
        for way in ["events", "lines", "singles"] {
            let project = format!("{way}-{}", &file[..12]);
            // Vercel's stream doesn't name its run.
            let run = if door == "/vercel/in" { "&run=r1" } else { "" };
            let path = format!("{door}?project={project}&thread=t1{run}");
            let (totals, cursor) = post_as(address, &path, way, &text).await;
            assert_eq!(totals, [sent, 0, 0], "{file} {way}");
            until_folded(address, &cursor).await;
            let state = state(address, &project).await;
            let expected: Vec<_> = match door {
                "/vercel/in" => vec!["t1"],
                _ => agents.to_vec(),
            };
            assert_eq!(
                ids(&state["agents"], "agent_id"),
                expected,
                "{file} {way}: {state}"
            );
            assert_eq!(
                ids(&state["tasks"], "task_id").len(),
                tasks,
                "{file} {way}: {state}"
            );
            states.push((way, state));
        }
        let (_, first) = &states[0];
        for (way, state) in &states[1..] {
            assert_eq!(state, first, "{file} {way}");
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plain_door_knows_a_recorded_stream_and_takes_it_once() {
    let server = server().await;
    let address = server.address();
    for (file, door, agents, _) in STREAMS {
        let text = recorded(file);
        let sent = text.lines().count() as u64;
        for way in ["lines", "singles"] {
            let (totals, cursor) = post_as(address, "/api/v1/events", way, &text).await;
            // A stream that doesn't name its run is a new one each time.
            let is_again = way == "singles" && door != "/vercel/in";
            let expected = if is_again { [0, sent, 0] } else { [sent, 0, 0] };
            assert_eq!(totals, expected, "{file} {way}");
            until_folded(address, &cursor).await;
            let (_, state) = get(address, "/api/v1/state").await;
            let known = ids(&state["agents"], "agent_id");
            assert!(
                agents.iter().all(|agent| known.contains(agent)),
                "{file} {way}: {known:?}"
            );
        }
    }
    // Events of one's own between the messages, and before them, are events.
    let mixed = [
        r#"{"type":"RUN_STARTED","threadId":"mixed","runId":"m1"}"#,
        r#"{"type":"task.created","data":{"task_id":"own"}}"#,
        r#"{"type":"RUN_FINISHED","threadId":"mixed","runId":"m1"}"#,
    ];
    let (status, answer) = send(address, "/api/v1/events", LINES, mixed.join("\n")).await;
    assert_eq!((status, counts(&answer)), (202, [3, 0, 0]), "{answer}");
    let plain = [
        r#"{"type":"start"}"#,
        r#"{"type":"task.created","data":{"task_id":"own2"}}"#,
    ];
    for media in [LINES, "application/json"] {
        let body = match media {
            LINES => plain.join("\n"),
            _ => format!("[{}]", plain.join(",")),
        };
        let (status, answer) = send(address, "/api/v1/events", media, body).await;
        assert_eq!((status, counts(&answer)), (202, [2, 0, 0]), "{answer}");
    }
    let (_, page) = get(address, "/api/v1/events?type=start&limit=500&order=desc").await;
    // The recorded one begins so, too, when it comes message by message.
    assert_eq!(page["events"].as_array().unwrap().len(), 3, "{page}");
    server.shutdown().await;
}

/// The bytes of a pipe; its end is a fault.
fn until_cut(
    pipe: tokio::io::DuplexStream,
) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> {
    futures_util::stream::unfold(Some(pipe), async |pipe| {
        let mut pipe = pipe?;
        let mut chunk = vec![0; 4_096];
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => Some((Err(std::io::Error::other("cut off")), None)),
            Ok(len) => {
                chunk.truncate(len);
                Some((Ok(chunk), Some(pipe)))
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_again_is_a_repetition_and_nothing_is_lost_of_one_that_breaks_off() {
    let server = server().await;
    let address = server.address();
    for (file, door) in [
        ("ag_ui_showcase_1_0.jsonl", "/ag-ui/in"),
        ("vercel_ai_ui_message_stream.jsonl", "/vercel/in?run=r1"),
        ("langgraph_astream_events_v2.jsonl", "/langgraph/in"),
        ("langgraph_protocol_v3.jsonl", "/langgraph/in?project=v3"),
    ] {
        let text = recorded(file);
        let sent = text.lines().count() as u64;
        let half: String = text
            .lines()
            .take(text.lines().count() / 2)
            .map(|line| format!("{line}\n"))
            .collect();
        // The connection ends in the middle of a line, when some of the lines before it are kept.
        let before = counted_in(&server, "stoa_events_total");
        let (mut write, read) = tokio::io::duplex(1 << 20);
        let cut = kit::http_client()
            .post(format!("http://{address}{door}"))
            .header("content-type", LINES)
            .body(reqwest::Body::wrap_stream(until_cut(read)))
            .send();
        let cut = tokio::spawn(cut);
        write.write_all(half.as_bytes()).await.unwrap();
        write.write_all(b"{\"type\":\"RU").await.unwrap();
        let kept = async {
            while counted_in(&server, "stoa_events_total") == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(kit::PATIENCE, kept).await.unwrap();
        drop(write);
        let answer = cut.await.unwrap();
        assert!(answer.is_err() || !answer.unwrap().status().is_success());
        // Sent again whole: all is there once, however much came before.
        let (status, answer) = send(address, door, LINES, text.clone()).await;
        assert_eq!(status, 202, "{file}: {answer}");
        let [accepted, duplicates, rejected] = counts(&answer);
        assert_eq!(
            (accepted + duplicates, rejected),
            (sent, 0),
            "{file}: {answer}"
        );
        assert!(duplicates > 0 && accepted > 0, "{file}: {answer}");
        let (_, again) = send(address, door, LINES, text).await;
        assert_eq!(counts(&again), [0, sent, 0], "{file}: {again}");
        assert_eq!(again["duplicate"], true);
    }
    assert_eq!(counted_in(&server, "stoa_event_id_conflicts_total"), 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_threads_at_once_are_told_apart_and_a_bad_line_is_refused_by_itself() {
    let server = server().await;
    let address = server.address();
    let text = recorded("ag_ui_showcase_1_0.jsonl");
    let of = |name: &str| {
        [
            "thread-42",
            "run-7",
            "run-8",
            "run-9",
            "sub-alpha",
            "sub-beta",
        ]
        .iter()
        .fold(text.clone(), |text, id| {
            text.replace(id, &format!("{id}{name}"))
        })
    };
    let (one, two) = (of("a"), of("b"));
    let mut cursor = Value::Null;
    for (one, two) in one.lines().zip(two.lines()) {
        for (thread, line) in [("a", one), ("b", two)] {
            let path = format!("/ag-ui/in?project=shop&thread={thread}");
            let (status, answer) = send(address, &path, "application/json", line.to_owned()).await;
            assert_eq!(
                (status, counts(&answer)),
                (202, [1, 0, 0]),
                "{line}: {answer}"
            );
            cursor = answer["cursor"].clone();
        }
    }
    until_folded(address, &cursor).await;
    let state = state(address, "shop").await;
    for thread in ["a", "b"] {
        let task = state["tasks"].as_object().unwrap().iter();
        let of_it: Vec<_> = task
            .filter(|(id, _)| id.ends_with(thread))
            .map(|(_, task)| task)
            .collect();
        assert_eq!(of_it.len(), 5, "{state}");
        let main = of_it
            .iter()
            .filter(|task| task["agent_id"] == format!("thread-42{thread}"))
            .count();
        assert_eq!(main, 3, "{state}");
    }

    let body = [
        r#"{"type":"RUN_STARTED","threadId":"t","runId":"r"}"#,
        "",
        r#"{"type":"TEXT_MESSAGE_CONTENT","delta":"to nobody"}"#,
        "no json",
        "[1]",
        r#"{"type":"LATER_THING","x":1}"#,
        r#"{"type":"RUN_FINISHED","threadId":"t","runId":"r"}"#,
    ];
    let (status, answer) = send(address, "/ag-ui/in?agent=ada", LINES, body.join("\n")).await;
    assert_eq!((status, counts(&answer)), (202, [3, 0, 3]), "{answer}");
    for (nth, (index, line, word)) in [(1, 3, "messageId"), (2, 4, "JSON"), (3, 5, "JSON object")]
        .into_iter()
        .enumerate()
    {
        let refused = &answer["rejected"][nth];
        let message = refused["error"]["message"].as_str().unwrap();
        assert_eq!(refused["index"], index, "{answer}");
        assert!(
            message.starts_with(&format!("line {line}: ")) && message.contains(word),
            "{message}"
        );
    }
    for (outcome, count) in [("unknown", 1), ("refused", 3)] {
        let name = format!("stoa_translated_total{{language=\"agui\",outcome=\"{outcome}\"}}");
        assert_eq!(counted_in(&server, &name), count, "{outcome}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_kept_is_in_the_history_and_nobody_gets_an_update() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let body = json!([
        { "type": "RUN_STARTED", "threadId": "t", "runId": "r" },
        { "type": "STATE_SNAPSHOT", "snapshot": { "secret": 1 } },
        { "type": "RUN_FINISHED", "threadId": "t", "runId": "r" },
    ]);
    let (_, answer) = send(
        address,
        "/ag-ui/in?agent=ada&project=shop",
        "application/json",
        body.to_string(),
    )
    .await;
    assert_eq!(counts(&answer), [3, 0, 0], "{answer}");
    let done = client
        .event_where("execution_update", |update| {
            update["data"]["status"] == "completed"
        })
        .await;
    // The cursor of what follows passes it by.
    assert_eq!(done["cursor"], answer["cursor"], "{done}");
    assert!(client.names().iter().all(|name| *name != "generic_update"));
    let (_, page) = get(address, "/api/v1/events?type=agui.*").await;
    assert_eq!(page["events"][0]["data"]["snapshot"]["secret"], 1, "{page}");
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    server.shutdown().await;
}
