//! An engine as it is found: what `stoa check` says of it, encrypted connections, and users with no more rights than they need.

use std::process::{Command, Stdio};

use kit::{
    get, post, process,
    process::{Process, free_port},
    redis::{Redis, engines},
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

/// `stoa check` for a node with this engine.
fn check(url: &str) -> Command {
    let mut command = process::stoa();
    command
        .arg("check")
        .env("STOA_JOURNAL__KIND", "redis")
        .env("STOA_JOURNAL__URL", url);
    command
}

/// Whether a command succeeds, and what it says.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tries_each_kind_of_engine_and_leaves_nothing_there() {
    for program in engines() {
        let engine = Redis::of(&program, &[]).await;
        let (can, told) = said(&mut check(&engine.url()));
        assert!(can, "{told}");
        let holds = "answers: it takes events, and keeps nothing yet of the deployment \"stoa\"";
        assert!(told.contains(holds), "{told}");
        assert!(told.contains("appendonly no"), "{told}");
        assert!(!told.contains("maxmemory-policy"), "{told}");
        assert!(engine.info("keyspace").await.lines().count() <= 1);

        engine
            .command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
            .await;
        engine
            .command(&["CONFIG", "SET", "appendonly", "yes"])
            .await;
        engine
            .command(&["CONFIG", "SET", "maxmemory", "100mb"])
            .await;
        let (can, told) = said(&mut check(&engine.url()));
        assert!(
            can && told.contains("maxmemory-policy allkeys-lru"),
            "{told}"
        );
        assert!(!told.contains("appendonly no"), "{told}");
        assert!(
            told.contains("maxmemory 104857600, and [journal] max_bytes is 2147483648"),
            "{told}"
        );

        let mut alone = check(&engine.url());
        alone
            .env("STOA_JOURNAL__ACKS", "replica")
            .env("STOA_JOURNAL__TIMEOUT", "1");
        let (can, told) = said(&mut alone);
        assert!(!can && told.contains("[journal] acks"), "{told}");
        engine.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
        let (can, told) = said(&mut check(&engine.url()));
        assert!(!can && told.contains("is a replica"), "{told}");
    }
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    let (can, told) = said(&mut check(&nobody));
    assert!(!can && told.contains("refused"), "{told}");
}

/// Checks an engine, and starts a node that keeps an event there.
async fn serves(url: &str, trusted: &str) {
    let (can, told) = said(check(url).env("SSL_CERT_FILE", trusted));
    assert!(can, "{told}");
    let mut serve = process::serve_in_memory();
    serve
        .env("STOA_JOURNAL__KIND", "redis")
        .env("STOA_JOURNAL__URL", url)
        .env("SSL_CERT_FILE", trusted)
        .stderr(Stdio::null());
    let node = Process::listening(&mut serve);
    let event = json!({ "type": "task.created", "data": { "task_id": "t1" } });
    let (status, answer) = post(node.address, &event).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let (_, ready) = get(node.address, "/readyz").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    assert_eq!(ready["parts"]["cluster"]["status"], "ok", "{ready}");
    assert!(node.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_needs_no_more_rights_than_the_docs_name() {
    let page = include_str!("../../docs/cluster.md");
    let user = page.lines().find(|line| line.starts_with("user stoa on "));
    let rule: Vec<&str> = user
        .expect("the line in docs/cluster.md")
        .split(' ')
        .collect();
    for program in engines() {
        let engine = Redis::of(&program, &[]).await;
        let set: Vec<&str> = ["ACL", "SETUSER"]
            .iter()
            .chain(&rule[1..])
            .copied()
            .collect();
        engine.command(&set).await;
        let port = engine.port();
        serves(&format!("redis://stoa:password@127.0.0.1:{port}"), "").await;
        let (can, told) = said(&mut check(&format!("redis://stoa:nothis@127.0.0.1:{port}")));
        assert!(!can && !told.contains("nothis"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_engine_is_used_when_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let pair = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, names.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let port = free_port().to_string();
    let settings = [
        ["--tls-port", &port],
        ["--tls-cert-file", &cert],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &cert],
        ["--tls-auth-clients", "no"],
    ];
    let Some(_engine) = Redis::with(settings.as_flattened()).await else {
        return;
    };
    let url = format!("rediss://localhost:{port}");
    serves(&url, &cert).await;
    let (can, told) = said(&mut check(&url));
    assert!(!can && told.contains("certificate"), "{told}");
}
