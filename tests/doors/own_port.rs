//! The workflow visualization on a port of its own: `[doors] visualization_port`.

use std::net::SocketAddr;

use kit::{
    config, counted_in,
    door::DoorClient,
    get,
    guarded::{guarded, producer},
    server_with,
};
use serde_json::json;
use stoa::{
    config::{Config, DoorPort},
    server::Running,
};

fn with_port(config: &mut Config) {
    config.doors.visualization_port = DoorPort::Auto;
}

fn own(server: &Running) -> SocketAddr {
    server.visualization_address().expect("a port of its own")
}

#[tokio::test]
async fn whatever_the_path_it_is_the_visualization_and_the_same_one_as_elsewhere() {
    let server = server_with(with_port).await;
    let mut watcher = DoorClient::open(own(&server), "/any/path?types=visual_update")
        .await
        .unwrap();
    watcher.send(&json!({})).await;
    assert_eq!(watcher.next().await.unwrap()["status"], "error");
    for (address, path, target) in [
        (own(&server), "", "by_its_own_port"),
        (own(&server), "/ws/visualization", "by_both"),
        (server.address(), "/ws/visualization", "by_the_servers_port"),
    ] {
        let mut client = DoorClient::open(address, path).await.unwrap();
        let update = json!({ "type": "node_update", "target_id": target, "changes": {} });
        client.send(&update).await;
        assert_eq!(client.next().await.unwrap()["status"], "accepted");
        assert_eq!(watcher.next().await.unwrap()["target_id"], target);
    }
    let (status, body) = get(own(&server), "/api/v1/state").await;
    assert_eq!(status, 400);
    assert!(body.to_string().contains("handshake"), "{body}");
    let without = server_with(|_| {}).await;
    assert_eq!(without.visualization_address(), None);
}

#[tokio::test]
async fn the_rules_of_the_server_hold_there() {
    let server = guarded(with_port).await;
    let address = own(&server);
    for path in ["", "/healthz", "/?token=nonsense"] {
        assert_eq!(
            DoorClient::open(address, path).await.unwrap_err(),
            401,
            "{path}"
        );
    }
    let path = format!("/?token={}", producer());
    // A page is let in nowhere by the path that it names.
    for path in [&path, "/", "/index.html", "/healthz"] {
        let foreign = [("Origin", "https://evil.example")];
        assert_eq!(
            DoorClient::open_with(address, path, &foreign)
                .await
                .unwrap_err(),
            403,
            "{path}"
        );
    }
    let host = [("Host", "evil.example")];
    assert_eq!(
        DoorClient::open_with(address, &path, &host)
            .await
            .unwrap_err(),
        403
    );
    let mut client = DoorClient::open(address, &path).await.unwrap();
    client
        .send(&json!({ "type": "node_update", "target_id": "n", "changes": {} }))
        .await;
    assert_eq!(client.next().await.unwrap()["status"], "accepted");
    let unauthorized = "stoa_requests_refused_total{door=\"visualization\",code=\"unauthorized\"}";
    assert_eq!(counted_in(&server, unauthorized), 3);
}

#[tokio::test]
async fn connections_of_both_ports_are_counted_together() {
    let server = server_with(|config| {
        with_port(config);
        config.server.max_connections.set(2).unwrap();
    })
    .await;
    let _one = DoorClient::open(own(&server), "/").await.unwrap();
    let _two = DoorClient::open(server.address(), "/ws/visualization")
        .await
        .unwrap();
    assert_eq!(DoorClient::open(own(&server), "/").await.unwrap_err(), 503);
}

#[tokio::test]
async fn it_goes_down_with_the_server() {
    let server = server_with(with_port).await;
    let address = own(&server);
    let mut client = DoorClient::open(address, "/").await.unwrap();
    client.send(&json!({})).await;
    client.next().await.unwrap();
    let down = tokio::spawn(server.shutdown());
    client.until("system_notification").await;
    assert!(client.next().await.is_none());
    assert_eq!(client.closed.unwrap().0, 1001);
    down.await.unwrap();
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_and_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config();
    config.doors.visualization_port = DoorPort::At(taken.local_addr().unwrap().port());
    let error = stoa::server::start(&config).await.unwrap_err().to_string();
    assert!(error.contains("[doors] visualization_port"), "{error}");
}
