//! The link, over a real engine.

mod trouble;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kit::{redis::Redis, until};
use serde_json::{json, value::RawValue};

use super::{Cluster, ClusterMetrics, ClusterOptions, Silence, written};
use crate::error::Error;

fn options(url: &str, node: &str) -> ClusterOptions {
    ClusterOptions {
        url: url.to_owned(),
        sentinels: Vec::new(),
        deployment: "stoa".into(),
        node: node.into(),
        address: "127.0.0.1:1".into(),
        timeout: Duration::from_secs(2),
        queue_bytes: 1 << 20,
        max_message: 64 << 10,
        node_timeout: Duration::from_millis(1_500),
        max_nodes: 4,
        answer_within: Duration::from_secs(2),
    }
}

/// A node, and what it hears.
struct Node {
    link: Cluster,
    heard: Arc<Mutex<Vec<String>>>,
    pulse: tokio::task::JoinHandle<()>,
}

impl Node {
    async fn start(options: ClusterOptions) -> Self {
        let name = options.node.clone();
        let link = Cluster::new(options, ClusterMetrics::default()).expect("an address");
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = heard.clone();
        link.on_told("word", move |from, body| {
            hears
                .lock()
                .unwrap()
                .push(format!("{}: {}", from.name, body.get()));
        });
        link.on_asked("name", move |from, body: Box<RawValue>| {
            let name = name.clone();
            async move {
                match body.get() {
                    "\"refuse\"" => Err(Error::new("not_found", "there is none")),
                    "\"sleep\"" => std::future::pending().await,
                    _ => written(&json!([name, from.name])),
                }
            }
        });
        link.start().await.expect("threads");
        let pulse = tokio::spawn(link.pulse());
        Self { link, heard, pulse }
    }

    fn others(&self) -> Vec<String> {
        let nodes = self.link.nodes();
        nodes
            .iter()
            .skip(1)
            .map(|node| node.name.to_string())
            .collect()
    }

    /// Ends as a process that is killed does: without a word.
    fn kill(self) {
        self.pulse.abort();
        let shared = &self.link.0.as_ref().unwrap().shared;
        shared
            .stop
            .store(true, std::sync::atomic::Ordering::Release);
        shared.queue.close();
    }

    async fn hears(&self, words: &[&str]) {
        until("the words to be heard", async || {
            (*self.heard.lock().unwrap() == words).then_some(())
        })
        .await;
    }
}

async fn sees(node: &Node, others: &[&str]) {
    until("the others to be known", async || {
        (node.others() == others).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_find_each_other_tell_and_ask() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = Node::start(options(&url, "one")).await;
    one.link.tell("word", &"nobody").unwrap();
    let two = Node::start(options(&url, "two")).await;
    // A node that starts knows those that are there, and they know it.
    assert_eq!(two.others(), ["one"]);
    sees(&one, &["two"]).await;
    let elsewhere = ClusterOptions {
        deployment: "other".into(),
        ..options(&url, "three")
    };
    let elsewhere = Node::start(elsewhere).await;
    for n in 0..1_000 {
        one.link.tell("word", &n).unwrap();
    }
    let words: Vec<String> = (0..1_000).map(|n| format!("one: {n}")).collect();
    two.hears(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    assert!(one.heard.lock().unwrap().is_empty() && elsewhere.others().is_empty());

    let said = one
        .link
        .ask("two", "name", &(), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(said.get(), "[\"two\",\"one\"]");
    let refused = one.link.ask("two", "name", &"refuse", None).await.unwrap();
    assert_eq!(refused.unwrap_err().code, "not_found");
    let nobody = one.link.ask("four", "name", &(), None).await;
    assert_eq!(nobody.err(), Some(Silence::Gone));
    let soon = Duration::from_millis(20);
    let late = one.link.ask("two", "name", &"sleep", Some(soon)).await;
    assert_eq!(late.err(), Some(Silence::Late(soon)));
    let four = Node::start(options(&url, "four")).await;
    let answers = two.link.ask_all("name", &()).await.unwrap();
    let mut names: Vec<&str> = answers.given.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    assert_eq!((names, answers.silent.len()), (vec!["four", "one"], 0));

    let long = "x".repeat(64 << 10);
    assert_eq!(one.link.tell("word", &long).unwrap_err().code, "too_large");
    four.link.stop().await;
    until("its goodbye", async || {
        let gone = |node: &Node| !node.others().contains(&"four".to_owned());
        (gone(&one) && gone(&two)).then_some(())
    })
    .await;
    for node in [one, two, elsewhere] {
        node.link.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_gone_and_one_that_starts_again_takes_its_place() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = Node::start(options(&url, "one")).await;
    let two = Node::start(options(&url, "two")).await;
    let three = Node::start(options(&url, "three")).await;
    sees(&one, &["three", "two"]).await;
    let boot = |name: &str| {
        let nodes = one.link.nodes();
        let node = nodes.iter().find(|node| &*node.name == name);
        node.map(|node| node.boot.clone())
    };
    let before = boot("two");
    two.kill();
    let two = Node::start(options(&url, "two")).await;
    until("the new start", async || {
        (boot("two").is_some() && boot("two") != before).then_some(())
    })
    .await;
    assert_eq!(one.others(), ["three", "two"]);
    // A question to a node that dies is not waited for without end, and neither is the node.
    let patient = Some(Duration::from_secs(60));
    let asking = one.link.clone();
    let asked = tokio::spawn(async move { asking.ask("three", "name", &"sleep", patient).await });
    three.kill();
    assert_eq!(asked.await.unwrap().err(), Some(Silence::Gone));
    sees(&one, &["two"]).await;
    // Two nodes of one name are told.
    let same = Node::start(options(&url, "two")).await;
    until("the namesake", async || two.link.trouble()).await;
    assert!(same.link.trouble().is_some() && one.link.trouble().is_none());
    for node in [one, two, same] {
        node.link.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_dropped_and_invented_nodes_are_bounded() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let one = Node::start(options(&engine.url(), "one")).await;
    // A node of another version may say more of itself.
    let body = json!({ "since": 0, "version": "1", "address": "", "shares": {} });
    let channel = "stoa:{stoa}:n";
    for n in 0..10 {
        let from = json!({ "node": format!("n{n}"), "boot": format!("b{n}") });
        let frame = json!({ "v": 1, "from": from, "kind": "here", "body": body });
        engine
            .command(&["PUBLISH", channel, &frame.to_string()])
            .await;
    }
    let from = json!({ "node": "n", "boot": "b" });
    for odd in [
        "",
        "{}",
        "[1]",
        "{\"v\":1,\"from\":",
        &json!({ "v": 2, "from": from, "kind": "word", "body": 1 }).to_string(),
        &json!({ "v": 1, "from": from, "kind": "nothing", "body": 1 }).to_string(),
        &json!({ "v": 1, "from": from, "kind": "answer", "answer": 7, "body": 1 }).to_string(),
        &json!({ "v": 1, "from": from, "kind": "here", "body": [] }).to_string(),
        &json!({ "v": 1, "from": from, "kind": "word", "body": "x".repeat(70_000) }).to_string(),
    ] {
        engine.command(&["PUBLISH", channel, odd]).await;
    }
    let word = json!({ "v": 1, "from": from, "kind": "word", "body": 7 });
    engine
        .command(&["PUBLISH", channel, &word.to_string()])
        .await;
    one.hears(&["n: 7"]).await;
    assert_eq!(one.others().len(), 4);
    let mut registry = prometheus_client::registry::Registry::default();
    one.link
        .0
        .as_ref()
        .unwrap()
        .shared
        .metrics
        .register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for (reason, count) in [
        ("nodes", 6),
        ("malformed", 5),
        ("version", 1),
        ("unknown", 1),
        ("unasked", 1),
        ("too_large", 1),
    ] {
        let line = format!("cluster_dropped_total{{reason=\"{reason}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    one.link.stop().await;
}
