//! The budgets of clients, and the treatment of those that exceed them.

use crate::guard::{refused, to_the_end};
use kit::guarded::{grant, guarded, observer, producer, request, token};
use kit::{Client, get, post, server_with, wait_for};
use serde_json::{Value, json};
use stoa::config::{Role, Switch};

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_sends_too_much_is_told_and_then_kept_out() {
    let server = guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        // Slow to fill up again, and the ban long enough to be looked at, on a busy machine too.
        config.rate_limiting.messages_per_minute.set(1).unwrap();
        config.rate_limiting.burst_limit.set(5).unwrap();
        config.rate_limiting.opening_messages = 0;
        config.rate_limiting.strikes.set(20).unwrap();
        config.rate_limiting.ban_duration.set(5.0).unwrap();
    })
    .await;
    let address = server.address();
    // It has no user, so its token is all that it can be kept out by.
    let nobody = json!({ "token": token(&grant(Role::Observer)) });
    let (mut producer, _) = Client::connect(address, json!({ "token": producer() })).await;
    let (mut noisy, _) = Client::connect(address, nobody.clone()).await;
    let mut codes = Vec::new();
    for _ in 0..10 {
        let answer = noisy.call("get_state", json!({})).await;
        codes.push(answer["error"]["code"].as_str().unwrap_or("ok").to_owned());
    }
    assert_eq!(codes[..5], ["ok"; 5], "{codes:?}");
    assert!(codes[7..].iter().all(|c| c == "rate_limited"), "{codes:?}");
    // A producer isn't counted by these.
    for _ in 0..30 {
        assert_eq!(producer.call("get_state", json!({})).await["status"], "ok");
    }
    for _ in 0..20 {
        noisy.emit("get_state", json!({})).await;
    }
    let last = to_the_end(&mut noisy).await;
    assert_eq!(last.last().expect("a last word").1["code"], "banned");
    assert_eq!(refused(address, nobody.clone()).await, "banned");
    let text = server.metrics().text();
    assert!(text.contains("stoa_clients_banned_total 1"), "{text}");
    assert!(text.contains("code=\"rate_limited\""), "{text}");
    wait_for("the ban's end", async || {
        Client::open(address, "/", nobody.clone()).await.is_ok()
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_are_a_users_and_not_only_a_connections() {
    let server = guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        config.rate_limiting.messages_per_minute.set(1).unwrap();
        config.rate_limiting.burst_limit.set(4).unwrap();
        config.rate_limiting.opening_messages = 0;
        config.rate_limiting.burst_connections.set(1).unwrap();
        config.rate_limiting.producer_events_per_second = 10;
    })
    .await;
    let address = server.address();
    let mut ok = 0;
    for _ in 0..4 {
        let (mut one, _) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
        for _ in 0..3 {
            ok += usize::from(one.call("get_state", json!({})).await["status"] == "ok");
        }
    }
    assert_eq!(ok, 4, "twelve messages on four connections");
    let (status, answer) =
        request("GET", address, "/api/v1/state", &observer("ann", &[]), None).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (429, &json!("rate_limited"))
    );
    let (mut bob, _) = Client::connect(address, json!({ "token": observer("bob", &[]) })).await;
    assert_eq!(bob.call("get_state", json!({})).await["status"], "ok");
    // Producers have a budget of their own: none of a call's events is taken that is too large for it.
    let events: Vec<Value> = (0..8)
        .map(|n| json!({ "type": "agent.registered", "data": { "agent_id": n.to_string() } }))
        .collect();
    let token = producer();
    let publish = async || {
        request(
            "POST",
            address,
            "/api/v1/events",
            &token,
            Some(&json!(events)),
        )
        .await
    };
    assert_eq!(publish().await.0, 202);
    // More at once than a busy machine takes seconds for.
    let calls = futures_util::future::join_all((0..20).map(|_| publish())).await;
    let (_, answer) = calls.iter().find(|(status, _)| *status == 429).unwrap();
    assert_eq!(answer["error"]["code"], "rate_limited", "{answer}");
    wait_for("the next second", async || publish().await.0 == 202).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_says_when_to_come_again_or_with_what() {
    let server = guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        config.rate_limiting.messages_per_minute.set(1).unwrap();
        config.rate_limiting.burst_limit.set(1).unwrap();
    })
    .await;
    let url = format!("http://{}/api/v1/state", server.address());
    let ask = async |token: &str| {
        let asked = kit::http_client().get(&url).bearer_auth(token);
        let response = asked.send().await.expect("an answer");
        let header = |name| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        (
            response.status().as_u16(),
            header("retry-after"),
            header("www-authenticate"),
        )
    };
    let ann = observer("ann", &[]);
    assert_eq!(ask(&ann).await, (200, None, None));
    let (status, wait, _) = ask(&ann).await;
    let wait: u64 = wait.expect("a Retry-After").parse().expect("seconds");
    assert_eq!(status, 429);
    assert!((2..=60).contains(&wait), "one message a minute: {wait}");
    assert_eq!(
        ask("nonsense").await,
        (401, None, Some("Bearer".to_owned()))
    );
    server.shutdown().await;
}

/// To read is work whoever asks: it counts for the address, and what is published doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn reads_count_for_their_address_whatever_the_role() {
    const READS: u32 = 6;
    let limits = |config: &mut stoa::config::Config| {
        config.rate_limiting.enabled = Switch::On;
        // Programs of this machine are not counted by their address otherwise.
        config.server.exempt_addresses = stoa::config::Networks::default();
        config
            .rate_limiting
            .address_messages_per_minute
            .set(1)
            .unwrap();
        config
            .rate_limiting
            .address_burst_limit
            .set(READS as u64)
            .unwrap();
    };
    let paths = [
        "/api/v1/events",
        "/api/v1/state",
        "/api/v1/ws/stats",
        "/api/conversations/recent",
    ];
    let event = json!({ "type": "note.x", "data": {} });
    // A producer, whose own budget has no bound.
    let server = guarded(limits).await;
    let (address, token) = (server.address(), producer());
    for n in 0..READS {
        let path = ["/api/v1/events", "/api/v1/state"][n as usize % 2];
        assert_eq!(request("GET", address, path, &token, None).await.0, 200);
    }
    for path in ["/api/v1/events", "/api/v1/state"] {
        let (status, answer) = request("GET", address, path, &token, None).await;
        let code = &answer["error"]["code"];
        assert_eq!((status, code), (429, &json!("rate_limited")), "{path}");
    }
    for _ in 0..2 * READS {
        let publish = request("POST", address, "/api/v1/events", &token, Some(&event));
        assert_eq!(publish.await.0, 202);
    }
    let refused = "stoa_requests_refused_total{door=\"http\",code=\"rate_limited\"} 2";
    let text = server.metrics().text();
    assert!(text.contains(refused), "{text}");
    server.shutdown().await;
    // Somebody of whom nothing is asked.
    let server = server_with(limits).await;
    let address = server.address();
    for n in 0..READS {
        let path = paths[n as usize % paths.len()];
        assert_eq!(get(address, path).await.0, 200, "{path}");
    }
    for path in paths {
        let (status, answer) = get(address, path).await;
        let code = &answer["error"]["code"];
        assert_eq!((status, code), (429, &json!("rate_limited")), "{path}");
    }
    for _ in 0..2 * READS {
        assert_eq!(post(address, &event).await.0, 202);
    }
    server.shutdown().await;
}

/// The README's page, and one of another system: all that it says right after it connected, with limits as they come.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_says_as_it_connects_is_beside_its_budget() {
    let server = guarded(|config| config.rate_limiting.enabled = Switch::On).await;
    let address = server.address();
    let mut tabs = Vec::new();
    for tab in 0..3 {
        let auth = json!({ "token": observer("ann", &["p1"]) });
        let (mut client, _) = Client::connect(address, auth).await;
        for room in 0..15 {
            let room = format!("task:{tab}-{room}");
            client
                .call_later("join_room", json!({ "room": room }))
                .await;
        }
        let last = client.call("get_state", json!({})).await;
        assert_eq!(last["status"], "ok", "tab {tab}: {last}");
        let refused = client.events.iter().filter(|(name, _)| name == "error");
        assert_eq!(refused.count(), 0);
        tabs.push(client);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_burst_grows_with_its_connections_up_to_a_bound() {
    let burst = async |connections: usize| {
        let server = guarded(|config| {
            config.rate_limiting.enabled = Switch::On;
            config.rate_limiting.messages_per_minute.set(1).unwrap();
            config.rate_limiting.burst_limit.set(4).unwrap();
            config.rate_limiting.opening_messages = 0;
            config.rate_limiting.burst_connections.set(2).unwrap();
        })
        .await;
        let mut tabs = Vec::new();
        for _ in 0..connections {
            let auth = json!({ "token": observer("ann", &[]) });
            tabs.push(Client::connect(server.address(), auth).await.0);
        }
        let mut ok = 0;
        for tab in &mut tabs {
            for _ in 0..5 {
                ok += usize::from(tab.call("ping", json!({})).await["status"] == "ok");
            }
        }
        server.shutdown().await;
        ok
    };
    assert_eq!(burst(1).await, 4);
    assert_eq!(burst(2).await, 8);
    assert_eq!(burst(3).await, 8);
}
