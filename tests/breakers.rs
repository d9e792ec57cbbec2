//! Circuit breakers, over the wire: a provider of keys that fails and recovers, a disk that is full and is not.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{Router, extract::State, response::Response, routing::get as route};
use kit::{
    Client,
    disk::on_small_disk,
    get,
    guarded::{admin, guarded, observer, request},
    metrics::sum,
    not_checked, post,
    process::Process,
    wait_for,
};
use serde_json::{Value, json};
use stoa::config::Config;
use tokio::{net::TcpListener, sync::watch};

/// A published key of nobody in this test.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"one","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

/// A token that no key in this test has signed: `{"alg":"ES256","kid":"other"}`, `{}`.
const UNKNOWN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6Im90aGVyIn0.e30.AAAA";

/// An identity provider that answers with this status; with none it takes requests and is silent.
struct Provider {
    address: SocketAddr,
    status: watch::Sender<Option<u16>>,
}

impl Provider {
    async fn new() -> Self {
        async fn answer(State(status): State<Arc<watch::Sender<Option<u16>>>>) -> Response {
            let mut status = status.subscribe();
            let status = status.wait_for(Option::is_some).await.expect("it lives");
            let status = status.expect("a status");
            let answer = Response::builder().status(status);
            answer.body(KEYS.into()).expect("an answer")
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let (status, _) = watch::channel(Some(500));
        let router = Router::new()
            .route("/keys", route(answer))
            .with_state(Arc::new(status.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, status }
    }

    fn settings(&self, config: &mut Config, open_for: f64) {
        config.authentication.jwks_url = format!("http://{}/keys", self.address);
        config.authentication.jwks_cooldown.set(0.1).unwrap();
        config.authentication.jwks_refresh.set(1.0).unwrap();
        config.breakers.failures.set(3).unwrap();
        config.breakers.open_for.set(open_for).unwrap();
    }
}

/// A server as it is looked at from outside, with a token if it asks for one.
struct Seen {
    address: SocketAddr,
    token: Option<String>,
}

impl Seen {
    fn openly(address: SocketAddr) -> Self {
        let token = None;
        Self { address, token }
    }

    async fn metrics(&self) -> String {
        let request = kit::http_client().get(format!("http://{}/metrics", self.address));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request
            .send()
            .await
            .expect("answers")
            .text()
            .await
            .expect("text")
    }

    /// Whether a breaker is in this state, as `/readyz` and `/metrics` show it.
    async fn is_in(&self, part: &str, state: &str) -> bool {
        let (_, ready) = get(self.address, "/readyz").await;
        let metrics = self.metrics().await;
        let shown = |of| {
            sum(
                &metrics,
                &format!("stoa_breaker_state{{part=\"{part}\",state=\"{of}\"}}"),
            )
        };
        let states = ["closed", "half_open", "open"].map(shown);
        assert_eq!(states.iter().sum::<u64>(), 1, "it is in one state");
        ready["parts"]["breakers"]["parts"][part] == state && shown(state) == 1
    }

    async fn comes_to(&self, part: &str, state: &str) {
        let what = format!("{part} to be {state}");
        wait_for(&what, async || self.is_in(part, state).await).await;
    }

    async fn count(&self, counter: &str, part: &str) -> u64 {
        let start = format!("stoa_breaker_{counter}_total{{part=\"{part}\"}}");
        sum(&self.metrics().await, &start)
    }
}

/// The figures of a breaker in `/api/v1/performance`, with the worst state of all.
async fn performance(address: SocketAddr, part: &str) -> (Value, Value) {
    let (_, mut now) = get(address, "/api/v1/performance").await;
    let breakers = now["circuit_breakers"].as_array().expect("breakers");
    let own = breakers.iter().find(|breaker| breaker["name"] == part);
    let own = own.expect("the breaker").clone();
    (now["circuit_breaker_state"].take(), own)
}

/// The codes of the issues of `/api/v1/health`, with its score.
async fn issues(address: SocketAddr) -> (u64, Vec<String>) {
    let (_, health) = get(address, "/api/v1/health").await;
    let issues = health["issue_details"].as_array().expect("issues").iter();
    let codes = issues.map(|issue| issue["code"].as_str().expect("a code").to_owned());
    let sentences = health["issues"].as_array().expect("sentences");
    assert!(
        sentences
            .iter()
            .all(|s| s.as_str().is_some_and(|s| s.contains("; "))),
        "{health}"
    );
    (
        health["health_score"].as_u64().expect("a score"),
        codes.collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_left_alone_and_found_well_by_a_probe() {
    let provider = Provider::new().await;
    let server = kit::server_with(|config| provider.settings(config, 0.5)).await;
    let address = server.address();
    let seen = Seen::openly(address);
    seen.comes_to("jwks", "open").await;
    assert_eq!(seen.count("opened", "jwks").await, 1);
    // Not ready is who can't serve: clients with other keys come in all the same.
    assert_eq!(get(address, "/readyz").await.0, 200);
    // Operators see what is wrong, and how bad it is.
    let (score, codes) = issues(address).await;
    assert!(score <= 70, "{score}");
    assert_eq!(codes[0], "keys_missing");
    assert!(codes[1].starts_with("breaker_"), "{codes:?}");
    let (worst, breaker) = performance(address, "jwks").await;
    assert_eq!(worst, breaker["state"], "{breaker}");
    assert_eq!(breaker["opened"], 1, "{breaker}");
    assert!(breaker["last_error"].is_string(), "{breaker}");

    // From now on its answers stay out: the probe is under way for as long as it takes.
    provider.status.send_replace(None);
    seen.comes_to("jwks", "half_open").await;
    assert!(seen.count("probes", "jwks").await >= 1);
    provider.status.send_replace(Some(503));
    seen.comes_to("jwks", "open").await;
    provider.status.send_replace(None);
    seen.comes_to("jwks", "half_open").await;
    provider.status.send_replace(Some(200));
    seen.comes_to("jwks", "closed").await;
    assert_eq!(seen.count("opened", "jwks").await, 1);
    let (_, ready) = get(address, "/readyz").await;
    assert_eq!(ready["parts"]["breakers"]["status"], "closed", "{ready}");
    assert_eq!(performance(address, "jwks").await.0, "closed");
    assert_eq!(issues(address).await, (100, vec![]));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_ask_no_provider_behind_an_open_breaker_until_an_admin_closes_it() {
    let provider = Provider::new().await;
    let server = guarded(|config| {
        provider.settings(config, 3600.0);
        config.authentication.jwks_refresh.set(3600.0).unwrap();
    })
    .await;
    let address = server.address();
    let seen = Seen {
        address,
        token: Some(admin()),
    };
    let ask = async || {
        request("GET", address, "/api/v1/state", UNKNOWN, None)
            .await
            .0
    };
    wait_for("the breaker to open", async || {
        ask().await;
        seen.is_in("jwks", "open").await
    })
    .await;
    let (failures, refused) = (
        seen.count("failures", "jwks").await,
        seen.count("refused", "jwks").await,
    );
    assert_eq!(failures, 3);
    wait_for("refusals", async || {
        ask().await;
        seen.count("refused", "jwks").await >= refused + 3
    })
    .await;
    assert_eq!(seen.count("failures", "jwks").await, failures);

    let path = "/api/v1/admin/breakers";
    let (status, listed) = request("GET", address, path, &admin(), None).await;
    let jwks = &listed["breakers"][0];
    assert_eq!((status, &jwks["name"]), (200, &json!("jwks")), "{listed}");
    assert_eq!(
        (&jwks["state"], &jwks["failures"]),
        (&json!("open"), &json!(3))
    );
    assert!(jwks["retry_in_ms"].as_u64().expect("a time") > 3_000_000);
    assert!(
        jwks["last_error"]
            .as_str()
            .expect("a reason")
            .contains("500")
    );

    provider.status.send_replace(Some(200));
    let close = format!("{path}/close");
    let part = json!({ "part": "jwks" });
    let eve = observer("eve", &[]);
    let (status, _) = request("POST", address, &close, &eve, Some(&part)).await;
    assert_eq!(status, 403, "only an admin closes it");
    let none = json!({ "part": "fridge" });
    let (status, answer) = request("POST", address, &close, &admin(), Some(&none)).await;
    assert_eq!(status, 404, "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("jwks")
    );

    let auth = json!({ "token": admin() });
    let mut operator = Client::open(address, "/admin", auth)
        .await
        .expect("comes in");
    let answer = operator.call("close_breaker", part.clone()).await;
    assert_eq!(answer["closed"], true, "{answer}");
    wait_for("the keys", async || {
        ask().await;
        let (_, ready) = get(address, "/readyz").await;
        ready["parts"]["keys"]["keys"] == 1
    })
    .await;
    let answer = operator.call("list_breakers", Value::Null).await;
    assert_eq!(answer["breakers"][0]["state"], "closed", "{answer}");
    let (_, answer) = request("POST", address, &close, &admin(), Some(&part)).await;
    assert_eq!(answer["closed"], false, "it is closed already: {answer}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_opens_the_breaker_and_room_on_it_closes_it() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(mut command) = on_small_disk(folder.path()) else {
        not_checked("a full disk: this user may not mount a file system, not even for itself");
        return;
    };
    let log = tempfile::NamedTempFile::new().expect("a log");
    let stoa = Process::logged(&mut command, log.path());
    // The disk, as the server sees it.
    let disk = format!("/proc/{}/root{}", stoa.id(), folder.path().display());
    let ballast = Path::new(&disk).join("ballast");
    let address = stoa.address;
    let seen = Seen::openly(address);
    let event = |n: u64| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x".repeat(2_000), "n": n } });
    assert!(seen.is_in("journal", "closed").await);
    std::fs::write(&ballast, vec![0; 4 << 20]).expect_err("the disk is small");
    let mut accepted = Vec::new();
    let mut n = 0;
    wait_for("the disk to be full and the breaker to open", async || {
        n += 1;
        match post(address, &event(n)).await {
            (202, _) => accepted.push(n),
            (status, answer) => assert_eq!(
                (status, &answer["error"]["code"]),
                (503, &json!("unavailable"))
            ),
        }
        seen.is_in("journal", "open").await
    })
    .await;
    // The server's own probe comes between now and then, so not each of these is refused by the breaker.
    wait_for("a refusal", async || {
        n += 1;
        let (status, answer) = post(address, &event(n)).await;
        assert_eq!(status, 503, "{answer}");
        let said = answer["error"]["message"].as_str().expect("a sentence");
        said.contains("full") && said.contains("failures in a row")
    })
    .await;
    assert!(seen.count("refused", "journal").await >= 1);
    assert_eq!(get(address, "/readyz").await.0, 503);
    let (score, codes) = issues(address).await;
    assert!(score < 40, "{score} {codes:?}");
    assert_eq!(codes[0], "journal_trouble");
    let opened = seen.count("opened", "journal").await;
    assert!(seen.count("failures", "journal").await >= 5);

    std::fs::remove_file(&ballast).expect("removes");
    seen.comes_to("journal", "closed").await;
    assert!(seen.count("probes", "journal").await >= 1);
    n += 1;
    assert_eq!(post(address, &event(n)).await.0, 202, "room again");
    accepted.push(n);
    assert_eq!(seen.count("opened", "journal").await, opened);
    let said = |words: &str| stoa.lines(words).len() as u64;
    assert_eq!(said("the circuit breaker opened"), opened);
    assert_eq!(said("the circuit breaker closed"), opened);
    // Acknowledged events are there, and no refused ones.
    let (_, history) = get(address, "/api/v1/events?limit=1000").await;
    let kept = history["events"].as_array().expect("events").iter();
    let kept: Vec<u64> = kept.map(|e| e["data"]["n"].as_u64().unwrap()).collect();
    assert_eq!(kept, accepted);
    stoa.kill();
}
