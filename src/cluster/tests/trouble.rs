//! The link in trouble: connections that end, are silent, or carry no messages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use kit::{PATIENCE, redis::Redis, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{ClusterOptions, Node, options, sees};

/// While the engine is away no node is taken for dead, and afterwards all hear each other again.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_made_again() {
    let Some(mut engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = Node::start(options(&url, "one")).await;
    let two = Node::start(options(&url, "two")).await;
    sees(&one, &["two"]).await;
    engine.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    until("a word to come", async || {
        one.link.tell("word", &1).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        (!two.heard.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    engine.kill();
    until("both to notice", async || {
        (one.link.trouble().is_some() && two.link.trouble().is_some()).then_some(())
    })
    .await;
    // Nobody is waited for.
    let answers = one.link.ask_all("name", &()).await.unwrap();
    assert_eq!((answers.given.len(), answers.silent.len()), (0, 1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (one.others(), two.others()),
        (vec!["two".into()], vec!["one".into()])
    );
    engine.again().await;
    until("an answer", async || {
        one.link.ask("two", "name", &(), None).await.ok()?.ok()
    })
    .await;
    assert!(one.link.trouble().is_none());
    for node in [one, two] {
        node.link.stop().await;
    }
}

/// A way to an engine.
struct Way {
    url: String,
    /// Connections of an earlier age than this carry nothing any more, and don't end.
    age: Arc<AtomicUsize>,
    /// Whether no message of a channel comes, while all else does.
    is_deaf: Arc<AtomicBool>,
}

async fn way_to(port: u16) -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (age, is_deaf) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
    let (now, deaf) = (age.clone(), is_deaf.clone());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let own = now.load(Ordering::Acquire);
            let (near, far) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near.0, far.1), (far.0, near.1)] {
                let (now, deaf) = (now.clone(), deaf.clone());
                tokio::spawn(async move {
                    let mut bytes = vec![0; 8_192];
                    while let Ok(read @ 1..) = from.read(&mut bytes).await {
                        let is_message = has(&bytes[..read], b"$7\r\nmessage\r\n");
                        let is_unheard = is_message && deaf.load(Ordering::Acquire);
                        if now.load(Ordering::Acquire) == own && !is_unheard {
                            to.write_all(&bytes[..read]).await.ok();
                        }
                    }
                    // The other direction goes on as long as it is.
                    std::future::pending::<()>().await;
                });
            }
        }
    });
    Way { url, age, is_deaf }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|bytes| bytes == part)
}

/// A number that the engine keeps of a command.
async fn counted(engine: &Redis, command: &str, of: &str) -> u64 {
    let all = engine.info("commandstats").await;
    let mut lines = all.lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let mut numbers = line.unwrap_or_default().split(',');
    let number = numbers.find_map(|number| number.strip_prefix(&format!("{of}=")));
    number.map_or(0, |number| number.parse().unwrap())
}

async fn until_well(node: &Node) {
    until("no trouble", async || {
        node.link.trouble().is_none().then_some(())
    })
    .await;
}

/// An engine that can be reached is not enough: messages have to go.
#[tokio::test(flavor = "multi_thread")]
async fn refused_messages_are_trouble_until_one_goes() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let two = Node::start(options(&engine.url(), "two")).await;
    let user = ["ACL", "SETUSER", "node", "on", ">word", "~*", "&*", "+@all"];
    engine.command(&[&user[..], &["-publish"]].concat()).await;
    let url = format!("redis://node:word@127.0.0.1:{}", engine.port());
    let one = ClusterOptions {
        timeout: Duration::from_millis(500),
        ..options(&url, "one")
    };
    let one = Node::start(one).await;
    until("some refusals", async || {
        assert!(one.link.trouble().is_some());
        let refusals = counted(&engine, "publish", "rejected_calls").await;
        (refusals >= 6).then_some(())
    })
    .await;
    engine.command(&user).await;
    sees(&two, &["one"]).await;
    until_well(&one).await;
    for node in [one, two] {
        node.link.stop().await;
    }
}

/// A channel that is listened to is not enough: messages have to come. Meanwhile nobody is taken for dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_hear_itself_is_in_trouble_until_it_does() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = way_to(engine.port()).await;
    let one = Node::start(options(&way.url, "one")).await;
    let two = Node::start(options(&engine.url(), "two")).await;
    sees(&one, &["two"]).await;
    way.is_deaf.store(true, Ordering::Release);
    until("it to be noticed", async || one.link.trouble()).await;
    let before = counted(&engine, "subscribe", "calls").await;
    until("further tries", async || {
        assert!(one.link.trouble().is_some());
        let tries = counted(&engine, "subscribe", "calls").await - before;
        (tries >= 3).then_some(())
    })
    .await;
    assert_eq!(one.others(), ["two"]);
    way.is_deaf.store(false, Ordering::Release);
    until_well(&one).await;
    assert_eq!(one.others(), ["two"]);
    for node in [one, two] {
        node.link.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_gone_however_often_the_connection_is_lost() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = Node::start(options(&url, "one")).await;
    let two = Node::start(options(&url, "two")).await;
    sees(&one, &["two"]).await;
    two.kill();
    until("it to be gone", async || {
        let before = counted(&engine, "subscribe", "calls").await;
        engine.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        until("one to hear itself again", async || {
            let is_again = counted(&engine, "subscribe", "calls").await > before;
            (is_again && one.link.trouble().is_none()).then_some(())
        })
        .await;
        one.others().is_empty().then_some(())
    })
    .await;
    one.link.stop().await;
}

/// Connections that neither carry anything nor end are noticed, since a node hears itself.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_made_again() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let way = way_to(engine.port()).await;
    let one = Node::start(options(&way.url, "one")).await;
    let two = Node::start(options(&engine.url(), "two")).await;
    sees(&one, &["two"]).await;
    way.age.fetch_add(1, Ordering::AcqRel);
    until("the silence to be noticed", async || one.link.trouble()).await;
    until("an answer", async || {
        one.link.ask("two", "name", &(), None).await.ok()?.ok()
    })
    .await;
    assert_eq!(one.others(), ["two"]);
    sees(&two, &["one"]).await;
    for node in [one, two] {
        node.link.stop().await;
    }
}

/// A thread of the link that panics is noticed, so that the server does not go on without it.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_thread_is_noticed() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let url = engine.url();
    let one = Node::start(options(&url, "one")).await;
    let two = Node::start(options(&url, "two")).await;
    sees(&one, &["two"]).await;
    two.link.on_told("panic", |_, _| panic!("a handler failed"));
    assert_eq!(two.link.ended().now_or_never(), None);
    one.link.tell("panic", &()).unwrap();
    tokio::time::timeout(PATIENCE, two.link.ended())
        .await
        .expect("it is noticed");
    assert_eq!(one.link.ended().now_or_never(), None);
    for node in [one, two] {
        node.link.stop().await;
    }
}
