//! Keys in files: which are taken at all, and what becomes of a changed one while the server runs.

use std::{net::SocketAddr, path::Path};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kit::{
    Client, config,
    guarded::{guarded, now, request},
    process::{Process, serve_in_memory},
    wait_for,
};
use rcgen::KeyPair;
use serde_json::{Value, json};

const OLD: &str = "the secret that was in the file first";
const NEW: &str = "the secret that took its place, later";

/// Writes a file as one that is in use should be: whole, in one step.
fn write(file: &Path, text: &str) {
    let beside = file.with_extension("beside");
    std::fs::write(&beside, text).expect("writes");
    std::fs::rename(beside, file).expect("moves");
}

fn token(key: &EncodingKey, algorithm: Algorithm) -> String {
    let claims = json!({ "sub": "ann", "exp": now() + 600 });
    encode(&Header::new(algorithm), &claims, key).expect("signs")
}

fn by_secret(secret: &str) -> String {
    token(
        &EncodingKey::from_secret(secret.as_bytes()),
        Algorithm::HS256,
    )
}

fn by_pair(pair: &KeyPair) -> String {
    let pem = pair.serialize_pem();
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).expect("a private key");
    token(&key, Algorithm::ES256)
}

async fn opens(address: SocketAddr, token: &str) -> bool {
    let (status, _) = request("GET", address, "/api/v1/state", token, None).await;
    assert!(status == 200 || status == 401, "{status}");
    status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_believed_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, public) = (folder.path().join("secret"), folder.path().join("pem"));
    let pairs = [(), ()].map(|()| KeyPair::generate().expect("a pair"));
    write(&secret, OLD);
    write(&public, &pairs[0].public_key_pem());
    let server = guarded(|config| {
        config.authentication.secret = "".into();
        config.authentication.secret_file = secret.clone();
        config.authentication.public_key_file = public.clone();
        config.authentication.reload_interval.set(0.1).unwrap();
    })
    .await;
    let address = server.address();
    let tokens = [OLD, NEW].map(by_secret);
    let signed = pairs.each_ref().map(by_pair);
    assert!(opens(address, &tokens[0]).await && opens(address, &signed[0]).await);
    assert!(!opens(address, &tokens[1]).await && !opens(address, &signed[1]).await);
    let (mut live, _) = Client::connect(address, json!({ "token": tokens[0] })).await;

    write(&secret, &format!("{NEW}\n"));
    wait_for("the new secret", async || opens(address, &tokens[1]).await).await;
    assert!(!opens(address, &tokens[0]).await, "the old one is over");
    assert!(opens(address, &signed[0]).await, "the other file's stays");
    write(&public, &pairs[1].public_key_pem());
    wait_for("the new pair", async || opens(address, &signed[1]).await).await;
    assert!(!opens(address, &signed[0]).await);
    assert_eq!(live.call("ping", Value::Null).await["status"], "ok");

    let counted = async |file: &str, outcome: &str, times: u32| {
        let line = format!(
            "stoa_files_reloaded_total{{files=\"{file}\",outcome=\"{outcome}\"}} {times}\n"
        );
        wait_for(&line, async || server.metrics().text().contains(&line)).await;
    };
    counted("secret_file", "taken", 1).await;
    counted("public_key_file", "taken", 1).await;
    for (times, bad) in [(1, ""), (2, "short")] {
        write(&secret, bad);
        counted("secret_file", "refused", times).await;
        assert!(opens(address, &tokens[1]).await && opens(address, &signed[1]).await);
    }
    // A bad file keeps no good change of the other one from being believed.
    write(&public, &pairs[0].public_key_pem());
    counted("public_key_file", "taken", 2).await;
    assert!(opens(address, &signed[0]).await && opens(address, &tokens[1]).await);
    for (times, bad) in [(1, "no key"), (2, &*pairs[0].serialize_pem())] {
        write(&public, bad);
        counted("public_key_file", "refused", times).await;
        assert!(opens(address, &tokens[1]).await && opens(address, &signed[0]).await);
    }
    std::fs::remove_file(&secret).expect("removes");
    counted("secret_file", "refused", 3).await;
    assert!(
        opens(address, &tokens[1]).await,
        "a file that is gone is no key that is gone"
    );
    write(&secret, OLD);
    wait_for("the first one again", async || {
        opens(address, &tokens[0]).await
    })
    .await;
    server.shutdown().await;
}

#[test]
fn a_short_secret_in_a_file_is_held_to_the_same_rule_as_one_in_the_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    let short = "thirty-one bytes, one too few!!";
    assert_eq!(short.len(), 31);
    write(&file, &format!("{short}\n"));
    let mut config = config();
    config.authentication.required = true;
    config.server.hosts = vec!["stoa.example".into()];
    config.authentication.start_secret = "".into();
    let by_file = |config: &mut stoa::config::Config| {
        config.authentication.secret = "".into();
        config.authentication.secret_file.clone_from(&file);
    };
    let by_value = |config: &mut stoa::config::Config| {
        config.authentication.secret = short.into();
        config.authentication.secret_file = "".into();
    };
    for set in [&by_file as &dyn Fn(&mut stoa::config::Config), &by_value] {
        set(&mut config);
        // A server that only this machine can reach takes it, and warns of it.
        config.server.host = "127.0.0.1".into();
        stoa::server::check(&config).expect("taken here");
        let warnings = stoa::server::warnings(&config);
        let about = warnings.iter().filter(|w| w.contains("31 bytes")).count();
        assert_eq!(about, 1, "{warnings:?}");
        // As `stoa serve --host` says it, after the settings were read.
        config.server.host = "0.0.0.0".into();
        let error = stoa::server::check(&config)
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("31 bytes") && error.contains("at least 32"),
            "{error}"
        );
        assert!(!error.contains(short), "{error}");
    }
    by_file(&mut config);
    let error = stoa::server::check(&config)
        .expect_err("refused")
        .to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    write(&file, "thirty-two bytes, as few as it may");
    stoa::server::check(&config).expect("long enough");
    let mut warnings = stoa::server::warnings(&config);
    warnings.retain(|warning| warning.contains("secret"));
    assert_eq!(warnings, Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_sighup_is_heard_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    write(&file, OLD);
    let server = Process::listening(
        serve_in_memory()
            .current_dir(folder.path())
            .env("STOA_AUTHENTICATION__REQUIRED", "true")
            .env("STOA_AUTHENTICATION__SECRET_FILE", &file)
            .env("STOA_AUTHENTICATION__RELOAD_INTERVAL", "86400"),
    );
    let address = server.address;
    let tokens = [OLD, NEW].map(by_secret);
    assert!(opens(address, &tokens[0]).await);
    write(&file, NEW);
    server.signal("HUP");
    wait_for("the new secret", async || opens(address, &tokens[1]).await).await;
    assert!(!opens(address, &tokens[0]).await);
}

/// Some editors begin a file with a mark that nobody sees.
#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_no_part_of_a_secret() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let text = format!("\u{feff}{}\r\n", kit::guarded::SECRET);
    std::fs::write(file.path(), text).expect("writes");
    let server = guarded(|config| {
        config.authentication.secret = "".into();
        config.authentication.secret_file = file.path().into();
    })
    .await;
    let auth = serde_json::json!({ "token": kit::guarded::producer() });
    kit::Client::connect(server.address(), auth).await;
    server.shutdown().await;
}
