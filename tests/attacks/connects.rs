//! CONNECT: to namespaces that there are not, and again and again to one that there is.

use tempfile::tempdir;

use crate::{
    common::server_with,
    process::{Process, free_port},
    wire::{Raw, assert_served, counter, text, until_connections},
};

/// Row 18. Twenty thousand namespaces that nobody made are refused, and leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_namespaces_leaves_nothing() {
    let folder = tempdir().unwrap();
    let server = Process::start(
        env!("CARGO_BIN_EXE_stoa"),
        &folder.path().join("stoa.db"),
        free_port(),
        &[("STOA_SERVER__CONNECT_TIMEOUT", "1.0".into())],
    )
    .await;
    let address = server.address;
    assert_served(address).await;
    let before = server.memory("VmRSS").expect("/proc");
    let filler = "n".repeat(500);
    for round in 0..4 {
        let mut raw = Raw::open(address).await;
        let names: Vec<u8> = (0..5_000)
            .flat_map(|n| text(&format!("40/{filler}{round}-{n},")))
            .collect();
        raw.push(&names).await;
        // Told so at least once, and as it joined none, its session ends.
        let refusal = raw.wait_for("44/").await;
        assert!(refusal.contains("Invalid namespace"), "{refusal}");
        raw.end_answering(true).await;
    }
    // 20,000 names alone would be 10 MB, and namespaces made of them several times that.
    let grown = server.memory("VmRSS").expect("/proc").saturating_sub(before);
    assert!(grown < 8 * 1_024, "{grown} KiB more");
    assert_served(address).await;
}

/// Row 19. Of a thousand CONNECTs to one namespace one counts: one greeting, one snapshot, one connection.
#[tokio::test(flavor = "multi_thread")]
async fn connecting_again_and_again_is_connecting_once() {
    let server = server_with(|_| {}).await;
    let address = server.address();
    assert_served(address).await;
    let mut raw = Raw::open(address).await;
    raw.push(&text("40{\"snapshot\":true}").repeat(1_000)).await;
    raw.send(&text("427[\"ping\"]")).await.unwrap();
    let (mut greetings, mut snapshots, mut connected) = (0, 0, 0);
    loop {
        let text = raw.text().await.expect("it stays");
        greetings += u32::from(text.starts_with("42[\"connection_established\""));
        snapshots += u32::from(text.starts_with("42[\"snapshot\""));
        connected += u32::from(text.starts_with("40"));
        if text.starts_with("437[") {
            break;
        }
    }
    assert_eq!((greetings, snapshots, connected), (1, 1, 1));
    assert_eq!(counter(address, "stoa_connections{namespace=\"/\"}").await, 1);
    drop(raw);
    until_connections(address, 0).await;
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 19. Coming and going without end: every coming has its going, what it asks for is bounded like any answer, and
/// whoever reads none of it is ended.
#[tokio::test(flavor = "multi_thread")]
async fn connecting_and_disconnecting_without_end_adds_up_to_nothing() {
    let server = server_with(|c| {
        c.server.max_client_buffer = 64 * 1_024;
        c.server.stall_timeout = 1.0;
    })
    .await;
    let address = server.address();
    // Something for a snapshot to hold.
    let agents: Vec<_> = (0..200)
        .map(|n| serde_json::json!({ "type": "agent.registered", "data": { "agent_id": format!("a{n}") } }))
        .collect();
    crate::common::post(address, &serde_json::json!(agents)).await;
    let turn = [text("40{\"snapshot\":true}"), text("41")].concat();
    let mut reads = Raw::open(address).await;
    reads.push(&turn.repeat(500)).await;
    let mut does_not = Raw::open(address).await;
    let unread = turn.repeat(500);
    // It may be ended while it still sends.
    does_not.send(&unread).await.ok();
    assert_served(address).await;
    drop(reads);
    until_connections(address, 0).await;
    drop(does_not);
    assert_served(address).await;
    server.shutdown().await;
}
