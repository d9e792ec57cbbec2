//! Filters cost little, whatever their patterns: a name is read once for each, and what costs more is refused with a sentence.

use kit::{Client, PATIENCE, counted, post, server};
use serde_json::json;

/// A hundred patterns that a matcher which goes back would try for ever: all begin alike, and none fits.
fn hostile() -> Vec<String> {
    (0..100)
        .map(|n| format!("*a?a*a?a*{}*{n}c", "a".repeat(100)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_that_would_cost_too_much_are_refused_with_a_sentence() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    let long: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    for (filters, says) in [
        (json!({ "types": ["a?b?c?d?e?f?g?h?i?"] }), "wildcards"),
        (json!({ "exclude": ["*a??????????c"] }), "wildcards"),
        (
            json!({ "types": ["task.{done,failed}"] }),
            "no wildcards here",
        ),
        (json!({ "types": ["task.[a-z]*"] }), "no wildcards here"),
        (
            json!({ "types": long, "exclude": long }),
            "bytes in all their lists",
        ),
    ] {
        let answer = client
            .call(
                "subscribe",
                json!({ "rooms": ["task:t1"], "filters": filters }),
            )
            .await;
        assert_eq!(answer["error"]["code"], "bad_request", "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_patterns_mean_what_few_mean_live_and_again() {
    let server = server().await;
    let address = server.address();
    let mut types: Vec<String> = (0..80).map(|n| format!("none{n}*?.*")).collect();
    types.extend(["deploy_*".into(), "*.b?ild.*".into()]);
    let filters = json!({ "types": types, "exclude": ["deploy.s*", "x*y*z1", "x*y*z2", "x*y*z3"] });
    let (mut many, hello) = Client::connect(address, json!({ "filters": filters })).await;
    let events = [
        ("deploy.done", true),
        ("deploy.started", false),
        ("my.build.ended", true),
        ("my.bild.ended", false),
        ("other.thing", false),
        ("deploy:done", true),
    ];
    for _ in 0..3 {
        for (name, _) in events {
            assert_eq!(post(address, &json!({ "type": name })).await.0, 202);
        }
    }
    let wanted: Vec<&str> = events
        .iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(name, _)| *name)
        .collect();
    let wanted = [&wanted[..], &wanted[..], &wanted[..]].concat();
    for name in &wanted {
        assert_eq!(many.event("generic_update").await["source_type"], *name);
    }
    assert!(
        many.so_far()
            .await
            .iter()
            .all(|(name, _)| name != "generic_update")
    );
    let auth = json!({ "filters": filters, "cursor": hello["cursor"] });
    let (mut again, _) = Client::connect(address, auth).await;
    for name in &wanted {
        assert_eq!(again.event("generic_update").await["source_type"], *name);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_patterns_and_names_leave_others_alone() {
    let server = server().await;
    let address = server.address();
    let mut watchers = Vec::new();
    for n in 0..10 {
        let mut types = hostile();
        types.truncate(90);
        types.push(format!("wanted{n}.*"));
        let (client, _) = Client::connect(address, json!({ "filters": { "types": types } })).await;
        watchers.push(client);
    }
    // Every name is another one, so that nothing that was found before helps.
    let events: Vec<_> = (0..500)
        .map(|n| json!({ "type": format!("{}{n}.b", "a".repeat(120)) }))
        .collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!(
        (status, &answer["accepted"]),
        (202, &json!(500)),
        "{answer}"
    );
    for (n, watcher) in watchers.iter_mut().enumerate() {
        let name = format!("wanted{n}.x");
        assert_eq!(post(address, &json!({ "type": name })).await.0, 202);
        assert_eq!(watcher.event("generic_update").await["source_type"], name);
    }
    server.shutdown().await;
}

/// The bytes that filters hold, as the metrics say, as soon as they fit.
async fn held(address: std::net::SocketAddr, fits: impl Fn(usize) -> bool) -> usize {
    let looking = async {
        loop {
            let held = counted(address, "stoa_filter_bytes").await as usize;
            if fits(held) {
                return held;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.expect("it comes to what it should be")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_filters_hold_is_counted_once_for_all_that_are_equal_and_given_back() {
    let server = server().await;
    let address = server.address();
    let (mut plain, _) = Client::connect(address, json!({})).await;
    held(address, |held| held == 0).await;
    let runs: Vec<String> = (0..100).map(|n| format!("{n:0>100}")).collect();
    let filters = json!({ "runs": runs });
    let (first, _) = Client::connect(address, json!({ "filters": filters })).await;
    let one = held(address, |held| (10_000..20_000).contains(&held)).await;
    let (second, _) = Client::connect(address, json!({ "filters": filters })).await;
    // Patterns are kept ready to be used, and with many of them what they said of names.
    let types: Vec<String> = (0..10).map(|n| format!("a{n}*")).collect();
    let patterns = json!({ "filters": { "types": types } });
    plain.call("subscribe", patterns).await;
    let both = held(address, |held| held > one + 1_000).await;
    assert!(both < one + 10_000, "the equal one costs nothing: {both}");
    // Seneca's page: names that are longer than any there is are not kept.
    let mut page = Client::open(address, "/conversations", json!({}))
        .await
        .unwrap();
    let kinds: serde_json::Map<_, _> = (0..50)
        .map(|n| (format!("{n}{}", "x".repeat(1_000)), json!(true)))
        .chain([("blocker".to_owned(), json!(false))])
        .collect();
    let filters = json!({ "filters": { "agentId": "y".repeat(5_000), "types": kinds } });
    page.call("subscribe", filters).await;
    let all = held(address, |held| held > both).await;
    assert!(all < both + 100, "{all}");
    for client in [first, second, plain, page] {
        client.close().await;
    }
    held(address, |held| held == 0).await;
    server.shutdown().await;
}

/// Progress of one task, with a priority of the producer's own.
fn progress(name: &str, priority: &str, fact: &str) -> serde_json::Value {
    json!({ "type": name, "priority": priority, "data": { "task_id": "t1", fact: 1 } })
}

/// The second and the third wait in a window, and become one update.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_urgent_is_not_lost_where_it_is_united_with_what_is_not() {
    let server = server().await;
    let address = server.address();
    let filters = json!({ "filters": { "min_priority": "high" } });
    let (mut client, _) = Client::connect(address, filters).await;
    let events = json!([
        progress("task.progress", "normal", "first"),
        progress("task.progress", "high", "urgent"),
        progress("task.progress", "low", "later"),
    ]);
    let (status, answer) = post(address, &events).await;
    assert_eq!(status, 202, "{answer}");
    let update = client.event("progress_update").await;
    assert_eq!(update["data"]["urgent"], 1, "{update}");
    assert_eq!(update["priority"], "high", "{update}");
    server.shutdown().await;
}

/// Both names give the same update of the same task.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_by_its_name_is_not_lost_beside_another_name() {
    let server = server().await;
    let address = server.address();
    let filters = json!({ "filters": { "types": "task.progress" } });
    let (mut client, _) = Client::connect(address, filters).await;
    let events = json!([
        progress("task.progress", "normal", "first"),
        progress("task.progress", "normal", "named"),
        progress("progress.update", "normal", "other"),
    ]);
    let (status, answer) = post(address, &events).await;
    assert_eq!(status, 202, "{answer}");
    loop {
        let update = client.event("progress_update").await;
        assert_eq!(update["source_type"], "task.progress", "{update}");
        if update["data"]["named"] == 1 {
            break;
        }
    }
    server.shutdown().await;
}
