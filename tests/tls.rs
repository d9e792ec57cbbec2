//! Encryption by the server itself: HTTP and WebSockets, a renewed certificate, and those who only begin.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use kit::{PATIENCE, config, server_with};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use stoa::{
    config::{Config, DoorPort},
    server::Running,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// A certificate for `localhost` that vouches for itself, with this name in it.
fn pair(name: &str) -> (String, String, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = params.self_signed(&key).unwrap();
    (cert.pem(), key.serialize_pem(), cert.der().clone())
}

/// The product of `openssl req -x509`: a certificate of a CA, which it shows as a server's.
fn ca_pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let cert = params.self_signed(&key).unwrap();
    (cert.pem(), key.serialize_pem())
}

/// Writes a pair as a renewal does: each file at once, one after the other.
fn write(folder: &Path, cert: &str, key: &str) {
    for (name, text) in [("key.pem", key), ("cert.pem", cert)] {
        let new = folder.join(format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, folder.join(name)).unwrap();
    }
}

async fn server(folder: &TempDir) -> Running {
    server_of(folder, |_| {}).await
}

async fn server_of(folder: &TempDir, change: impl FnOnce(&mut Config)) -> Running {
    let (cert_file, key_file) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    server_with(|c| {
        c.tls.cert_file = cert_file;
        c.tls.key_file = key_file;
        c.tls.reload_interval.set(0.1).unwrap();
        change(c);
    })
    .await
}

/// An encrypted connection to a server that shows one of these certificates.
async fn encrypted(
    address: SocketAddr,
    trusted: &[&CertificateDer<'static>],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for cert in trusted {
        roots.add((*cert).clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

async fn socket(stream: TlsStream<TcpStream>) -> Socket {
    let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    assert!(text(&mut socket).await.starts_with('0'));
    socket
        .send(Message::text("40{\"role\":\"producer\"}"))
        .await
        .unwrap();
    until(&mut socket, "connection_established").await;
    socket
}

async fn text(socket: &mut Socket) -> String {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await;
    message
        .expect("something comes")
        .unwrap()
        .unwrap()
        .to_string()
}

/// Reads until something comes that holds this.
async fn until(socket: &mut Socket, wanted: &str) -> String {
    loop {
        let text = text(socket).await;
        if text.contains(wanted) {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_sockets_are_served_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, der) = pair("one");
    write(folder.path(), &cert, &key);
    let server = server(&folder).await;
    let address = server.address();
    let mut stream = encrypted(address, &[&der]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let answer = get(&mut stream, "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=31536000"),
        "{answer}"
    );
    let mut socket = socket(encrypted(address, &[&der]).await.unwrap()).await;
    // More than any buffer on the way holds, in order.
    const EVENTS: usize = 400;
    for n in 0..EVENTS {
        let event = json!({ "type": "decision.logged", "priority": "critical", "data": { "what": "x".repeat(3_000), "n": n } });
        let packet = format!("42{n}{}", json!(["publish", event]));
        socket.send(Message::text(packet)).await.unwrap();
    }
    let mut seen = 0;
    while seen < EVENTS {
        let update = until(&mut socket, &"x".repeat(3_000)).await;
        assert!(
            update.contains(&format!("\"n\":{seen}")),
            "{}",
            &update[..200.min(update.len())]
        );
        seen += 1;
    }
    socket.close(None).await.unwrap();
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart_and_a_broken_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let ((cert, key, first), (next_cert, next_key, second)) = (pair("one"), pair("two"));
    write(folder.path(), &cert, &key);
    let server = server(&folder).await;
    let address = server.address();
    let mut old = socket(encrypted(address, &[&first]).await.unwrap()).await;
    // Half of a renewal, then nonsense: the old pair stays.
    write(folder.path(), &next_cert, &key);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(encrypted(address, &[&first]).await.is_ok());
    write(folder.path(), "no certificate", "no key");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(encrypted(address, &[&first]).await.is_ok());
    assert!(
        encrypted(address, &[&second]).await.is_err(),
        "it was never whole"
    );
    write(folder.path(), &next_cert, &next_key);
    let started = Instant::now();
    while encrypted(address, &[&second]).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "the new one is not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        encrypted(address, &[&first]).await.is_err(),
        "the old one is no longer served"
    );
    old.send(Message::text("427[\"ping\",{}]")).await.unwrap();
    until(&mut old, "437").await;
    let text = server.metrics().text();
    let counted = |outcome: &str| {
        let name =
            format!("stoa_files_reloaded_total{{files=\"certificate\",outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&*name));
        line.expect("it is counted").parse::<u32>().unwrap()
    };
    // Two were written; a look may have fallen between the two files of one, too.
    assert!(counted("refused") >= 2, "{text}");
    assert_eq!(counted("taken"), 1, "{text}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_begins_or_does_not_encrypt_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, der) = pair("one");
    write(folder.path(), &cert, &key);
    let server = server_of(&folder, |c| {
        // As long as those need who do encrypt, on a busy machine.
        c.tls.handshake_timeout.set(4.0).unwrap();
        c.server.stall_timeout.set(2.0).unwrap();
    })
    .await;
    let address = server.address();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut nothing = Vec::new();
    for stream in [&mut plain, &mut silent] {
        let ending = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut nothing));
        ending.await.expect("it is let go").ok();
        assert!(!nothing.starts_with(b"HTTP"), "no answer by plain HTTP");
    }
    let metrics = get(&mut encrypted(address, &[&der]).await.unwrap(), "/metrics").await;
    for reason in ["handshake", "handshake_timeout"] {
        let line = format!("stoa_requests_refused_total{{door=\"tls\",code=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    // One that takes nothing is let go by an encrypted connection, too.
    let mut stuck = socket(encrypted(address, &[&der]).await.unwrap()).await;
    let started = Instant::now();
    let killed = "stoa_connections_killed_total{reason=\"stalled\"} 1";
    loop {
        let lines: String = (0..200)
            .map(|n| {
                json!({ "type": "decision.logged", "data": { "what": "x".repeat(15_000), "n": n } })
                    .to_string()
                    + "\n"
            })
            .collect();
        let mut stream = encrypted(address, &[&der]).await.unwrap();
        let head = format!(
            "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            lines.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(lines.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        let metrics = get(&mut encrypted(address, &[&der]).await.unwrap(), "/metrics").await;
        if metrics.contains(killed) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{metrics}");
    }
    while let Some(Ok(_)) = stuck.next().await {}
    server.shutdown().await;
}

#[tokio::test]
async fn what_can_t_be_served_stops_the_start_in_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let ((cert, key, _), (_, other, _)) = (pair("one"), pair("two"));
    let mut config = config();
    config.tls.cert_file = folder.path().join("cert.pem");
    config.tls.key_file = folder.path().join("key.pem");
    let refused = async |config: &stoa::config::Config| {
        let error = stoa::server::start(config).await.map(drop).unwrap_err();
        let error = error.to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    };
    assert!(refused(&config).await.contains("cert.pem: can't be read"));
    write(folder.path(), "nonsense", &key);
    assert!(
        refused(&config)
            .await
            .contains("no certificate in PEM form")
    );
    write(folder.path(), &cert, "nonsense");
    assert!(
        refused(&config)
            .await
            .contains("no private key in PEM form")
    );
    write(folder.path(), &cert, &other);
    assert!(refused(&config).await.contains("can't be used together"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_speak_tls_and_trust_whom_the_system_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = pair("own");
    write(folder.path(), &cert, &key);
    let server = server(&folder).await;
    let url = format!("https://localhost:{}", server.address().port());
    std::fs::write(folder.path().join("other.pem"), pair("other").0).unwrap();
    let lines = folder.path().join("events.jsonl");
    std::fs::write(
        &lines,
        "{\"type\":\"decision.logged\",\"id\":\"d1\",\"data\":{\"what\":\"encrypt\"}}\n",
    )
    .unwrap();
    let stoa = |trusted: bool| {
        let mut command = tokio::process::Command::from(kit::process::stoa());
        let file = if trusted { "cert.pem" } else { "other.pem" };
        command
            .env("SSL_CERT_FILE", folder.path().join(file))
            .env_remove("SSL_CERT_DIR");
        command.kill_on_drop(true);
        command
    };
    let mut tail = stoa(true)
        .args(["tail", "--json", "--types", "decision_event", "--url", &url])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = BufReader::new(tail.stdout.take().unwrap()).lines();
    let publish = async |trusted: bool| {
        let run = stoa(trusted)
            .args(["publish", "--url", &url])
            .arg(&lines)
            .output();
        let output = tokio::time::timeout(PATIENCE, run)
            .await
            .expect("in time")
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (done, told) = publish(true).await;
    assert!(done, "{told}");
    // Events from before the tail came are not shown: new ones are published until it is there.
    let shown = async {
        for n in 2.. {
            let line = format!(
                "{{\"type\":\"decision.logged\",\"id\":\"d{n}\",\"data\":{{\"what\":\"encrypt\"}}}}\n"
            );
            std::fs::write(&lines, line).unwrap();
            assert!(publish(true).await.0);
            let line = tokio::time::timeout(Duration::from_millis(200), seen.next_line()).await;
            if let Ok(line) = line {
                return line.unwrap().expect("a line");
            }
        }
        unreachable!("there is always another number")
    };
    let shown = tokio::time::timeout(PATIENCE, shown)
        .await
        .expect("in time");
    assert!(shown.contains("encrypt"), "{shown}");
    let (done, told) = publish(false).await;
    assert!(!done && told.contains("certificate"), "{told}");
    server.shutdown().await;
}

/// Runs a command of the program to its end; whether it succeeded, and what it said.
async fn run(args: &[&str], env: &[(&str, &Path)]) -> (bool, String) {
    let mut command = tokio::process::Command::from(kit::process::stoa());
    command
        .args(args)
        .env_remove("SSL_CERT_DIR")
        .kill_on_drop(true);
    command.envs(env.iter().copied());
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("in time").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_take_the_certificate_that_they_are_named_and_say_what_hinders_them() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = ca_pair();
    write(folder.path(), &cert, &key);
    let server = server(&folder).await;
    let port = server.address().port();
    let url = format!("https://localhost:{port}");
    let (lines, cert) = (folder.path().join("events"), folder.path().join("cert.pem"));
    std::fs::write(&lines, "{\"type\":\"a.b\"}\n").unwrap();
    let (lines, ca) = (lines.to_str().unwrap(), cert.to_str().unwrap());
    let trusted = [("SSL_CERT_FILE", cert.as_path())];
    let publish = async |url: &str, ca: &[&str]| {
        run(&[&["publish", "--url", url, lines], ca].concat(), &trusted).await
    };
    let (done, told) = publish(&url, &[]).await;
    assert!(
        !done && told.contains("--ca FILE") && !told.contains("CaUsed"),
        "{told}"
    );
    let (done, told) = publish(&url, &["--ca", ca]).await;
    assert!(done, "{told}");
    let mut tail = tokio::process::Command::from(kit::process::stoa());
    tail.args(["tail", "--url", &url, "--ca", ca])
        .kill_on_drop(true);
    let mut tail = tail.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(tail.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, told.next_line()).await;
    let line = line.expect("in time").unwrap().expect("a line");
    assert!(line.contains("watching"), "{line}");
    // Another name than the one in the certificate, another certificate, and no certificate at all.
    let (done, told) = publish(&format!("https://127.0.0.1:{port}"), &["--ca", ca]).await;
    assert!(!done && told.contains("another name"), "{told}");
    let other = folder.path().join("other.pem");
    std::fs::write(&other, ca_pair().0).unwrap();
    let (done, told) = publish(&url, &["--ca", other.to_str().unwrap()]).await;
    assert!(!done && told.contains("certificate"), "{told}");
    let (done, told) = publish(&url, &["--ca", lines]).await;
    assert!(
        !done && told.contains("no certificate in PEM form"),
        "{told}"
    );
    // One that encrypts is not spoken to in the clear, nor the other way.
    let clear = format!("http://localhost:{port}");
    let (done, told) = publish(&clear, &[]).await;
    assert!(!done && told.contains("try https://"), "{told}");
    let (done, told) = run(&["tail", "--url", &clear], &trusted).await;
    assert!(!done && told.contains("try https://"), "{told}");
    server.shutdown().await;
    let server = server_with(|_| {}).await;
    let url = format!("https://localhost:{}", server.address().port());
    for args in [
        vec!["publish", "--url", &url, lines],
        vec!["tail", "--url", &url],
    ] {
        let (done, told) = run(&args, &trusted).await;
        assert!(!done && told.contains("try http://"), "{told}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_visualizations_own_port_is_encrypted_too() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, der) = pair("one");
    write(folder.path(), &cert, &key);
    let server = server_of(&folder, |config| {
        config.doors.visualization_port = DoorPort::Auto;
    })
    .await;
    let address = server.visualization_address().unwrap();
    let stream = encrypted(address, &[&der]).await.unwrap();
    let (mut socket, _) = client_async("wss://localhost/", stream).await.unwrap();
    let update = json!({ "type": "node_update", "target_id": "n", "changes": {} });
    socket
        .send(Message::text(update.to_string()))
        .await
        .unwrap();
    assert!(text(&mut socket).await.contains("accepted"));
    let plain = tokio_tungstenite::connect_async(format!("ws://{address}/")).await;
    assert!(plain.is_err(), "nothing is served in the clear");
    server.shutdown().await;
}
