//! Row 24. A token is shown in every way that there is, and at every door to which it is shown in vain; nothing that the
//! server says then, at its most talkative, holds any part of it.

mod doors;
mod live;

use std::{
    collections::HashSet,
    fs::{File, read, write},
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::tempdir;

use doors::{every_mistake, every_request, every_socket};
use live::{administer, authenticate};

use kit::{
    Client,
    guarded::{SECRET, request},
    process::{Process, free_port},
    until,
};

/// So many characters of a token in a row are a part of it, and are nowhere by chance.
const PART: usize = 12;

/// All that must stay hidden.
struct Secrets {
    /// Somebody who may see the statistics and do what admins do.
    admin: String,
    /// Somebody who watches.
    watcher: String,
    /// The same, later.
    fresher: String,
    /// One that will be revoked.
    doomed: String,
    /// Well signed and over.
    old: String,
    /// Signed with another secret.
    forged: String,
    /// Longer than the server reads.
    endless: String,
    /// A producer's.
    key: String,
}

impl Secrets {
    fn make(key: String) -> Self {
        let admin = token(&["--role", "admin", "--user", "root"]);
        let other = token(&["--role", "admin", "--user", "mallory"]);
        let (claims, _) = other.rsplit_once('.').expect("a signature");
        let (_, signature) = admin.rsplit_once('.').expect("a signature");
        Self {
            forged: format!("{claims}.{signature}"),
            endless: format!("{}{admin}", "QUJD".repeat(3_000)),
            watcher: token(&["--user", "ann"]),
            fresher: token(&["--user", "ann", "--ttl", "2h"]),
            doomed: token(&["--user", "eve"]),
            old: token(&["--user", "bob", "--ttl", "1s"]),
            admin,
            key,
        }
    }

    fn all(&self) -> [&str; 9] {
        [
            &self.admin,
            &self.watcher,
            &self.fresher,
            &self.doomed,
            &self.old,
            &self.forged,
            &self.endless,
            &self.key,
            SECRET,
        ]
    }

    /// The first part of any of them that is in a text, with what stands before it.
    fn in_text(&self, text: &str) -> Option<String> {
        const AROUND: usize = 200;
        let parts: HashSet<&[u8]> = self
            .all()
            .iter()
            .flat_map(|secret| secret.as_bytes().windows(PART))
            .collect();
        let found = text
            .as_bytes()
            .windows(PART)
            .position(|w| parts.contains(w))?;
        let around = &text.as_bytes()[found.saturating_sub(AROUND)..found + PART];
        Some(String::from_utf8_lossy(around).into_owned())
    }
}

fn stoa() -> Command {
    let mut command = kit::process::stoa();
    command.env("STOA_AUTHENTICATION__SECRET", SECRET);
    command
}

/// The output of `stoa token`: the token or the key, and the instructions for a key.
fn printed(args: &[&str]) -> (String, String) {
    let output = stoa().arg("token").args(args).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).expect("text").trim().to_owned();
    (text(output.stdout), text(output.stderr))
}

fn token(args: &[&str]) -> String {
    printed(args).0
}

/// The id of a token.
fn jti(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["jti"].as_str().expect("a jti").to_owned()
}

/// A server of which every word is kept.
async fn talkative(folder: &Path, format: &str, settings: &str) -> Process {
    let (port, config) = (free_port(), folder.join("config.toml"));
    write(&config, settings).expect("writes");
    let log = |name| Stdio::from(File::create(folder.join(name)).expect("the log"));
    let mut command = stoa();
    command
        .args(["serve", "--port", &port.to_string(), "--config"])
        .arg(config)
        .env("STOA_AUTHENTICATION__REQUIRED", "true")
        .env("STOA_LOG__LEVEL", "trace")
        .env("STOA_LOG__FORMAT", format)
        .env(
            "STOA_SERVER__CORS_ALLOWED_ORIGINS",
            "[\"https://a.example\"]",
        )
        .env("RUST_BACKTRACE", "full")
        .stdout(log("stdout"))
        .stderr(log("stderr"));
    Process::ready(&mut command, port).await
}

async fn nothing_tells(format: &str) {
    let folder = tempdir().unwrap();
    let (key, lines) = printed(&["--api-key", "--name", "backend"]);
    let settings = format!(
        "{lines}\n[rate_limiting]\nenabled = false\n[journal]\npath = \"{}\"\n",
        folder.path().join("stoa.db").display()
    );
    let server = talkative(folder.path(), format, &settings).await;
    let address = server.address;
    let secrets = Secrets::make(key);
    until("the old token is over", async || {
        let (status, answer) = request("GET", address, "/api/v1/state", &secrets.old, None).await;
        (status == 401 && answer["error"]["code"] == "token_expired").then_some(())
    })
    .await;
    let mut heard = String::new();
    // Somebody is there with each of the good ones while the lists are asked for.
    let (_watcher, hello) = Client::connect(address, json!({ "token": secrets.watcher })).await;
    let (_producer, _) = Client::connect(address, json!({ "token": secrets.key })).await;
    for (token, in_vain) in [
        (&secrets.watcher, false),
        (&secrets.admin, false),
        (&secrets.key, false),
        (&secrets.old, true),
        (&secrets.forged, true),
        (&secrets.endless, true),
    ] {
        heard += &every_socket(address, token, in_vain).await;
        let (answers, asked, refused) = every_request(address, token).await;
        assert_eq!(refused, if in_vain { asked } else { 0 }, "{answers}");
        heard += &answers;
        heard += &every_mistake(address, token).await;
    }
    heard += &authenticate(address, &secrets).await;
    heard += &administer(address, &secrets).await;
    for needed in [
        "client_id",
        "token_id",
        "stoa_requests_refused_total",
        "token_expired",
    ] {
        assert!(heard.contains(needed), "{needed} was never heard of");
    }
    assert!(
        heard.contains(hello["client_id"].as_str().unwrap()),
        "it is in the list"
    );
    assert_eq!(secrets.in_text(&heard), None, "told to a client");
    drop(server);
    for name in ["stdout", "stderr", "stoa.db", "stoa.db-wal"] {
        let said = read(folder.path().join(name)).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(secrets.in_text(&said), None, "in {name}");
        if name == "stdout" {
            for needed in ["DEBUG", "an admin acted", "revoke"] {
                assert!(said.contains(needed), "it is talkative: {said}");
            }
            // A token that was revoked by its text is named by its id, in the line that says who did it.
            let id = jti(&secrets.doomed);
            let line = |l: &&str| l.contains("an admin acted") && l.contains(&id);
            assert!(said.lines().any(|l| line(&l)), "{id} is in no line");
        }
    }
    // The net has no holes of that size: one part of one token is found.
    let part = &secrets.watcher[60..60 + PART];
    assert!(
        secrets
            .in_text(&format!("a line\nand {part} in another"))
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_token_is_in_a_log_for_machines_a_list_or_a_metric() {
    nothing_tells("json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_token_is_in_a_log_for_people_a_list_or_a_metric() {
    nothing_tells("text").await;
}
