//! `stoa drain`, and a stop that drains first, with the real binary.

use std::{net::SocketAddr, process::Output};

use kit::{Client, START_SECRET, get, process, process::Process};
use serde_json::json;

async fn drain(address: SocketAddr, arguments: &'static [&'static str]) -> Output {
    let command = async move {
        let mut command = process::stoa();
        command
            .args(["drain", "--url", &address.to_string()])
            .args(arguments)
            .env("STOA_TOKEN", START_SECRET);
        command.output().expect("runs")
    };
    tokio::spawn(command).await.expect("no panic")
}

fn lines(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_waits_until_the_clients_are_gone_or_the_server_is() {
    let mut server = Process::with_keys(&[]);
    let address = server.address;
    let (mut client, _) = Client::connect(address, json!({})).await;
    let shown = drain(address, &["--status"]).await;
    assert_eq!(lines(&shown), "serving: 1 client is connected\n");
    let done = drain(address, &["--wait", "--time", "1s"]).await;
    assert!(done.status.success(), "{done:?}");
    assert!(
        lines(&done).ends_with("drained: 0 clients are connected\n"),
        "{done:?}"
    );
    assert!(
        String::from_utf8_lossy(&done.stderr).contains("no other node"),
        "{done:?}"
    );
    while client.next().await.is_some() {}
    let done = drain(address, &["--end"]).await;
    assert_eq!(lines(&done), "it takes clients again\n");
    let (mut client, _) = Client::connect(address, json!({})).await;
    let done = drain(address, &["--stop"]).await;
    assert!(lines(&done).ends_with("stopped\n"), "{done:?}");
    while client.next().await.is_some() {}
    assert!(server.ended().await.success());
    let done = drain(address, &["--status"]).await;
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("nothing listens there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_missing() {
    let server = Process::with_keys(&[]);
    let address = server.address;
    let command = process::stoa()
        .args(["drain", "--url", &address.to_string()])
        .env_remove("STOA_TOKEN")
        .output()
        .expect("runs");
    assert_eq!(command.status.code(), Some(1));
    let said = String::from_utf8_lossy(&command.stderr).into_owned();
    assert!(
        said.contains("401") && said.contains("STOA_TOKEN"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_may_drain_first() {
    // Alone, it tells all at once; a time of its own would be spread.
    let mut server = Process::with_keys(&[("DRAIN_ON_STOP", "true")]);
    let address = server.address;
    let (mut client, _) = Client::connect(address, json!({})).await;
    assert_eq!(get(address, "/readyz").await.0, 200);
    server.signal("TERM");
    while let Some((name, _)) = client.next().await {
        assert_ne!(
            name, "system_notification",
            "it was moved before the server went down"
        );
    }
    assert!(server.ended().await.success());
}
