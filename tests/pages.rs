//! Updates that only Seneca's and Marcus' own pages get: text that is harmless where they put it into HTML, and figures
//! about the whole stream.

use std::net::SocketAddr;

use kit::{Client, PATIENCE, get, polling::Polling, post, server, server_with, until_folded};
use serde_json::{Value, json};
use stoa::config::{Recipients, RuleConfig};

const EVIL: &str = "<img src=x onerror=alert(1)>";

/// Events whose every text would be an element in a page that puts it into HTML.
fn evil_events() -> Value {
    json!([
        { "type": "project_created", "id": "e1", "project_id": "p1", "source": EVIL,
          "data": { "project_id": "p1", "project_name": EVIL, "name": EVIL, "description": EVIL } },
        { "type": "mcp_request", "id": "e2", "project_id": "p1", "source": EVIL,
          "data": { "flow_id": "f1", "project_id": "p1", "project_name": EVIL, "message": EVIL } },
        { "type": "task_progress", "id": "e3", "project_id": "p1",
          "data": { "agent_id": "agent_1", "task_id": "t1", "progress": 40, "message": EVIL, EVIL: [EVIL] } },
        { "event": "worker_communication", "id": "e4", "logger": "worker", "conversation_type": "worker_to_pm",
          "worker_id": "agent_1", "message": EVIL, "metadata": { "note": EVIL } },
        { "event": "pm_decision", "id": "e5", "logger": "marcus", "decision": EVIL, "rationale": EVIL,
          "confidence_score": 0.5 },
        { "event": "pm_thinking", "id": "e6", "logger": "marcus", "thought": EVIL },
        { "type": "custom.last", "id": "e7", "data": { "text": EVIL } },
    ])
}

/// Waits for the update of the last event, and gives everything that came up to it.
async fn until_last(client: &mut Client) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    loop {
        let (name, body) = client.next().await.expect("the connection lives");
        let last = body.to_string().contains("\"e7\"");
        all.push((name, body));
        if last {
            return all;
        }
    }
}

fn count(text: &str, of: &str) -> usize {
    text.matches(of).count()
}

/// The text as it goes out: a word joiner behind each `<`, so that no tag begins there.
const JOINED: &str = "<\u{2060}img";

/// The figures about the whole stream.
const AGGREGATES: [&str; 4] = [
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "dashboard_update",
];

async fn stream_until_last(address: SocketAddr, cursor: &str) -> String {
    let url = format!("http://{address}/api/v1/stream?cursor={cursor}");
    let mut response = kit::http_client().get(url).send().await.expect("answers");
    let mut text = String::new();
    while !text.contains("\"e7\"") {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await;
        let bytes = chunk.expect("in time").expect("reads").expect("goes on");
        text.push_str(std::str::from_utf8(&bytes).expect("whole text"));
    }
    text
}

/// A page of Seneca's on `/`: it connects like everybody, and then says what it wants.
async fn page(address: SocketAddr, auth: Value) -> Client {
    let (mut page, _) = Client::connect(address, auth).await;
    for topic in [
        "conversations",
        "pipeline_flow",
        "health_updates",
        "metrics",
    ] {
        page.emit(&format!("subscribe_{topic}"), json!({})).await;
        page.event("subscription_confirmed").await;
    }
    page
}

/// The words said through each door, up to the last event.
type Doors = Vec<(&'static str, String)>;

/// All that clients are sent that are no pages.
async fn seen_by_others(
    address: SocketAddr,
    live: &mut Client,
    batched: &mut Client,
    start: &str,
) -> Doors {
    let mut doors = vec![
        ("live", json!(until_last(live).await).to_string()),
        ("batch", json!(until_last(batched).await).to_string()),
    ];
    let (mut resumed, _) = Client::connect(address, json!({ "cursor": start })).await;
    doors.push(("replay", json!(until_last(&mut resumed).await).to_string()));
    doors.push(("stream", stream_until_last(address, start).await));
    doors
}

/// All that the pages are sent, and what they ask for.
async fn seen_by_pages(
    address: SocketAddr,
    live: &mut Client,
    batched: &mut Client,
    conversations: &mut Client,
) -> Doors {
    let seen = until_last(live).await;
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "project_update",
        "conversation_event",
        "decision_event",
        "progress_update",
        "generic_update",
    ] {
        assert!(names.contains(&name), "{name} is missing among {names:?}");
    }
    let mut doors = vec![("live", json!(seen).to_string())];
    // Told once a second: before the last event or after it, and when there was none yet.
    let of_them = |body: &Value| count(&body.to_string(), JOINED) > 0;
    let told = seen
        .into_iter()
        .find(|(name, body)| name == "active_flows_update" && of_them(body));
    let flows = match told {
        Some((_, flows)) => flows,
        None => live.event_where("active_flows_update", of_them).await,
    };
    doors.push(("aggregates", flows.to_string()));
    doors.push(("batch", json!(until_last(batched).await).to_string()));
    let line = |v: &Value| v.to_string().contains("img");
    let line = conversations.event_where("conversation", line).await;
    doors.push(("conversations", line.to_string()));
    let thought = conversations.event("marcus_thinking").await;
    doors.push(("thinking", thought.to_string()));
    for path in [
        "/api/conversations/recent",
        "/api/pipeline/monitor/dashboard",
    ] {
        let (status, body) = get(address, path).await;
        assert_eq!(status, 200);
        doors.push((path, body.to_string()));
    }
    doors
}

/// Every door shows the texts, harmless or as they were said.
fn look(doors: &Doors, harmless: bool) {
    for (door, text) in doors {
        let (true_ones, made) = (count(text, "<img"), count(text, "\u{2060}"));
        let right = if harmless {
            true_ones == 0 && count(text, JOINED) > 0
        } else {
            true_ones > 0 && made == 0
        };
        assert!(right, "{door}: {text}");
    }
}

async fn everything_that_is_sent(sanitize: Recipients) -> (Doors, Doors) {
    let server = server_with(|config| {
        config.content_filtering.sanitize_content = sanitize;
    })
    .await;
    let address = server.address();
    // Aggregates are gathered for the pages, whoever else gets them too.
    let filters = json!({ "exclude": AGGREGATES });
    let other = json!({ "filters": filters });
    let (mut live, hello) = Client::connect(address, other.clone()).await;
    let start = hello["cursor"].as_str().unwrap().to_owned();
    let (mut batched, _) =
        Client::connect(address, json!({ "batch": true, "filters": filters })).await;
    let mut page_live = page(address, json!({})).await;
    let mut page_batched = page(address, json!({ "batch": true })).await;
    let mut conversations = Client::open(address, "/conversations", json!({}))
        .await
        .expect("connects");
    conversations
        .call("subscribe", json!({ "filters": {} }))
        .await;
    let (status, answer) = post(address, &evil_events()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(7)), "{answer}");
    let pages = seen_by_pages(
        address,
        &mut page_live,
        &mut page_batched,
        &mut conversations,
    )
    .await;
    let others = seen_by_others(address, &mut live, &mut batched, &start).await;
    // The journal and the state say what was said, to pages as well.
    let (_, history) = get(address, "/api/v1/events").await;
    let (_, state) = get(address, "/api/v1/state").await;
    let asked = page_live.call("get_state", json!({})).await;
    let kept = [history, state, asked].map(|kept| ("kept", kept.to_string()));
    look(&kept.to_vec(), false);
    server.shutdown().await;
    (pages, others)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_get_harmless_text_and_everybody_else_what_was_said() {
    let (pages, others) = everything_that_is_sent(Recipients::default()).await;
    look(&pages, true);
    look(&others, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_on_for_all_text_is_harmless_by_every_door() {
    let (pages, others) = everything_that_is_sent(Recipients::Everybody).await;
    look(&pages, true);
    look(&others, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_off_nothing_is_changed() {
    let server = server_with(|config| {
        config.content_filtering.sanitize_content = Recipients::Nobody;
    })
    .await;
    let mut client = page(server.address(), json!({})).await;
    post(server.address(), &evil_events()).await;
    let seen = json!(until_last(&mut client).await).to_string();
    assert!(
        count(&seen, "<img") > 0 && count(&seen, "\u{2060}") == 0,
        "{seen}"
    );
    server.shutdown().await;
}

/// Marcus' pipeline page shows these as soon as they come, before it has said what it wants.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_pages_know_is_harmless_before_they_say_a_word() {
    let server = server_with(|config| {
        config.transform.rules = vec![RuleConfig {
            matches: "pipeline.*".into(),
            emit: "pipeline_event".into(),
            ..RuleConfig::default()
        }];
    })
    .await;
    let address = server.address();
    let (mut client, hello) = Client::connect(address, json!({})).await;
    post(
        address,
        &json!([
            { "type": "mcp_request", "data": { "flow_id": "f1", "project_name": EVIL } },
            { "type": "pipeline.stage", "id": "e7", "data": { "stage": EVIL } },
        ]),
    )
    .await;
    let (mut resumed, _) = Client::connect(address, json!({ "cursor": hello["cursor"] })).await;
    for client in [&mut client, &mut resumed] {
        let update = client.event("pipeline_event").await;
        assert!(update.to_string().contains(JOINED), "{update}");
    }
    let flows = |body: &Value| body["flows"].as_array().is_some_and(|f| !f.is_empty());
    client.emit("subscribe_pipeline_flow", json!({})).await;
    let update = client.event_where("active_flows_update", flows).await;
    assert!(!update.to_string().contains("<img"), "{update}");
    server.shutdown().await;
}

/// One that asks for a flow is a page too, and stays one.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_known_by_any_of_its_subscriptions_and_stays_known() {
    let server = server().await;
    let address = server.address();
    for (subscription, argument) in [
        ("subscribe_metrics", json!({})),
        ("subscribe_flow", json!({ "flow_id": "f1" })),
        ("unsubscribe_flow", json!({ "flow_id": "f1" })),
    ] {
        let (mut client, _) = Client::connect(address, json!({})).await;
        client.emit(subscription, argument).await;
        client.event("subscription_confirmed").await;
        post(
            address,
            &json!({ "type": "custom.last", "data": { "text": EVIL } }),
        )
        .await;
        let update = client.event("generic_update").await;
        assert!(update.to_string().contains(JOINED), "{update}");
    }
    server.shutdown().await;
}

/// The names of the aggregates that a client is sent up to the last event, but for the summary that comes with the greeting.
async fn aggregates_of(client: &mut Client) -> Vec<String> {
    let mut names: Vec<String> = until_last(client)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| AGGREGATES.contains(&name.as_str()))
        .collect();
    if let Some(first) = names.iter().position(|name| name == "conversation_summary") {
        names.remove(first);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Publishes, waits until the aggregates were told, and publishes the last event.
async fn until_told(address: SocketAddr) {
    let mut conversations = Client::open(address, "/conversations", json!({}))
        .await
        .expect("connects");
    // The greeting: after it the agents are told with the aggregates.
    conversations.event("agents_update").await;
    post(
        address,
        &json!({ "type": "task_assigned", "data": { "agent_id": "agent_1", "task_id": "t1" } }),
    )
    .await;
    // The agents are told with the same breath.
    let known = |body: &Value| body["agents"].as_array().is_some_and(|a| !a.is_empty());
    conversations.event_where("agents_update", known).await;
    post(address, &json!({ "type": "custom.last", "id": "e7" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_go_to_whom_the_configuration_says() {
    for (aggregates, broadcast, to_pages, to_others) in [
        (Recipients::Everybody, false, true, true),
        (Recipients::Pages, true, true, true),
        (Recipients::default(), false, true, false),
        (Recipients::Nobody, false, false, false),
        (Recipients::Nobody, true, false, false),
    ] {
        let server = server_with(|config| {
            config.seneca.aggregates = aggregates;
            config.seneca.broadcast = broadcast;
        })
        .await;
        let address = server.address();
        let (mut other, _) = Client::connect(address, json!({})).await;
        let auth = json!({ "filters": { "types": ["system_metrics", "generic_update"] } });
        let (mut asking, _) = Client::connect(address, auth).await;
        let mut page = page(address, json!({})).await;
        until_told(address).await;
        let told = aggregates_of(&mut other).await;
        assert_eq!(!told.is_empty(), to_others, "{aggregates:?}: {told:?}");
        let told = aggregates_of(&mut asking).await;
        assert_eq!(
            told == ["system_metrics"],
            to_pages,
            "{aggregates:?}: {told:?}"
        );
        let mut told = aggregates_of(&mut page).await;
        // The answer to its subscription.
        told.retain(|name| to_pages || name != "active_flows_update");
        assert_eq!(!told.is_empty(), to_pages, "{aggregates:?}: {told:?}");
        server.shutdown().await;
    }
}

/// Seneca's pipeline dashboard leaves all to its library: it begins with polling, and says and asks nothing. Whoever says
/// or asks something is no such page.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_says_nothing_is_known_by_that() {
    let server = server().await;
    let address = server.address();
    let silent = Polling::join(address, 4).await;
    let old = Polling::join(address, 3).await;
    let named = Polling::join_with(address, 4, r#"{"name":"watcher"}"#).await;
    let busy = Polling::join(address, 4).await;
    busy.send(r#"42["join_room","project:p1"]"#).await;
    busy.wait_for("room_joined").await;
    until_told(address).await;
    for (client, is_told) in [(silent, true), (old, true), (named, false), (busy, false)] {
        client.wait_for(r#""id":"e7""#).await;
        let heard = client.heard();
        assert_eq!(heard.contains("dashboard_update"), is_told, "{heard}");
    }
    server.shutdown().await;
}

/// A page that subscribes where only pages get them is sent them at once, not with the next change.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_does_not_wait_for_its_first_figures() {
    let server = server().await;
    let address = server.address();
    let (_, answer) = post(
        address,
        &json!({ "type": "task_assigned", "data": { "agent_id": "agent_1", "task_id": "t1" } }),
    )
    .await;
    until_folded(address, &answer["cursor"]).await;
    let (mut client, _) = Client::connect(address, json!({})).await;
    client.emit("subscribe_pipeline_flow", json!({})).await;
    for name in AGGREGATES {
        client.event(name).await;
    }
    server.shutdown().await;
}
