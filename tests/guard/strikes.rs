//! The clients that too many messages ban, and those that they don't.

use crate::guard::{refused, to_the_end};
use kit::guarded::{SECRET, admin, grant, guarded, observer, producer, request, token};
use kit::{Client, server_with};
use serde_json::{Value, json};
use stoa::config::{Config, Networks, Role, Switch};

/// Few messages are too many, and soon after that their sender is kept out.
fn strict(config: &mut Config) {
    config.rate_limiting.enabled = Switch::On;
    config.rate_limiting.messages_per_minute.set(1).unwrap();
    config.rate_limiting.burst_limit.set(2).unwrap();
    config.rate_limiting.opening_messages = 0;
    config.rate_limiting.strikes.set(3).unwrap();
    config.server.exempt_addresses = Networks::default();
}

/// Sends until the server ends it; its last word.
async fn insist(mut client: Client) -> Value {
    for _ in 0..10 {
        client.emit("get_state", json!({})).await;
    }
    to_the_end(&mut client).await.pop().expect("a last word").1
}

/// Producers, watchers and admins of an address don't leave with somebody there who sends too much.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_user_is_kept_out_and_not_its_address() {
    let server = guarded(strict).await;
    let address = server.address();
    let with = |token: String| json!({ "token": token });
    let key = || token(&grant(Role::Observer));
    let (noisy, others) = (key(), [producer(), observer("bob", &[]), key(), admin()]);
    let mut live = Vec::new();
    for other in &others {
        live.push(Client::connect(address, with(other.clone())).await.0);
    }
    let (client, _) = Client::connect(address, with(noisy.clone())).await;
    assert_eq!(insist(client).await["code"], "banned");
    assert_eq!(refused(address, with(noisy.clone())).await, "banned");
    for (client, other) in live.iter_mut().zip(&others) {
        assert_eq!(client.call("ping", json!({})).await["status"], "ok");
        Client::connect(address, with(other.clone())).await;
    }
    let event = json!({ "type": "note.x", "data": {} });
    let published = request("POST", address, "/api/v1/events", &others[0], Some(&event)).await;
    assert_eq!(published.0, 202, "{published:?}");
    // It is listed by its token, and let in again by that.
    let bans = "/api/v1/admin/bans";
    let (_, listed) = request("GET", address, bans, &admin(), None).await;
    let id = listed["bans"][0]["token_id"].as_str().expect("an id");
    let lift = format!("{bans}?token_id={id}");
    let lifted = request("DELETE", address, &lift, &admin(), None).await;
    assert_eq!(lifted, (200, json!({ "lifted": true })));
    Client::connect(address, with(noisy)).await;
    server.shutdown().await;
}

/// An admin is who could lift a ban.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_of_a_users_page_keep_no_admin_out() {
    let server = guarded(strict).await;
    let address = server.address();
    let auth = json!({ "token": admin() });
    let (mut root, _) = Client::connect(address, auth.clone()).await;
    let page = json!({ "token": observer("root", &[]) });
    let (client, _) = Client::connect(address, page.clone()).await;
    assert_eq!(insist(client).await["code"], "banned");
    assert_eq!(refused(address, page).await, "banned");
    assert_eq!(root.call("ping", json!({})).await["status"], "ok");
    Client::connect(address, auth).await;
    let lift = "/api/v1/admin/bans?user=root";
    let lifted = request("DELETE", address, lift, &admin(), None).await;
    assert_eq!(lifted, (200, json!({ "lifted": true })));
    server.shutdown().await;
}

/// A client without a token is known by its address: clients there with a token stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_kept_out_only_with_those_of_whom_nothing_else_is_known() {
    const CLIENT: (&str, &str) = ("x-forwarded-for", "192.0.2.7");
    for (exempt, is_kept_out) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        // Behind a proxy the address is the client's; this machine's own is never kept out.
        let server = server_with(|config| {
            strict(config);
            config.authentication.secret = SECRET.into();
            config.server.trusted_proxies = Networks::loopback();
            config.server.allow_insecure = true;
            config.server.exempt_addresses = exempt.parse().expect("a network");
        })
        .await;
        let address = server.address();
        let open = async |auth: Value| Client::open_with(address, "/", auth, Some(CLIENT)).await;
        let mut noisy = open(json!({})).await.expect("connects");
        let mut bob = open(json!({ "token": observer("bob", &[]) }))
            .await
            .expect("connects");
        let mut answers = Vec::new();
        while answers.len() < 10 {
            match noisy.try_call("get_state", json!({})).await {
                Some(answer) => answers.push(answer),
                None => break,
            }
        }
        assert_eq!(answers.len() < 10, is_kept_out, "{exempt}: {answers:?}");
        assert_eq!(open(json!({})).await.is_err(), is_kept_out, "{exempt}");
        assert_eq!(
            bob.call("ping", json!({})).await["status"],
            "ok",
            "{exempt}"
        );
        let again = open(json!({ "token": observer("bob", &[]) })).await;
        assert!(again.is_ok(), "{exempt}");
        server.shutdown().await;
    }
}

/// With limits as they come: a hundred rooms, one message each, as fast as they go; in two tabs.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_joins_all_the_rooms_that_it_may_be_in_as_it_connects() {
    let server = guarded(|config| config.rate_limiting.enabled = Switch::On).await;
    let address = server.address();
    // Its user's own room is one of them.
    let rooms = Config::default().rooms.max_rooms_per_client.get() - 1;
    let auth = json!({ "token": observer("ann", &["p1"]) });
    let mut tabs = Vec::new();
    for tab in 0..2 {
        let (mut client, _) = Client::connect(address, auth.clone()).await;
        let mut asked = Vec::new();
        for room in 0..rooms {
            asked.push(
                client
                    .call_later("join_room", json!(format!("task:{room}")))
                    .await,
            );
        }
        for ack in asked {
            let answer = client.ack(ack).await;
            assert_eq!(answer["status"], "ok", "tab {tab}: {answer}");
        }
        tabs.push(client);
    }
    for client in &mut tabs {
        assert_eq!(client.call("ping", json!({})).await["status"], "ok");
    }
    server.shutdown().await;
}

/// A page that reloads until its user's budget is used up joins nothing for a while, but is not kept out for asking.
#[tokio::test(flavor = "multi_thread")]
async fn joins_that_are_refused_as_a_page_connects_are_no_strikes() {
    let server = guarded(|config| {
        config.rate_limiting.enabled = Switch::On;
        config.rate_limiting.messages_per_minute.set(1).unwrap();
        config.rate_limiting.burst_limit.set(1).unwrap();
        config.rate_limiting.burst_connections.set(1).unwrap();
        // As long as a busy machine takes.
        config.rate_limiting.opening_seconds.set(600.0).unwrap();
    })
    .await;
    let address = server.address();
    let auth = json!({ "token": observer("ann", &["p1"]) });
    Client::connect(address, auth.clone()).await.0.close().await;
    let (mut client, _) = Client::connect(address, auth).await;
    let mut codes = Vec::new();
    for room in 0..100 {
        let answer = client
            .call("join_room", json!(format!("task:{room}")))
            .await;
        codes.push(answer["error"]["code"].clone());
    }
    assert!(codes.iter().all(|code| code == "rate_limited"), "{codes:?}");
    server.shutdown().await;
}
