//! Publishing while the file can't be written, and hanging up.

use std::time::Duration;

use rusqlite::Connection;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "writer-queue",
    what: "another program holds the file for 6 s; 560 posts of 0.9 MB meanwhile, which hang up after a second",
    run: |target| Box::pin(run(target)),
    waits: true,
    ..Attack::NONE
};

const HELD: Duration = Duration::from_secs(6);
const POSTS: usize = 560;
const HANG_UP: Duration = Duration::from_secs(1);
/// Events in one post, each nearly as long as one may be.
const EVENTS: usize = 15;
/// Posts begun at the same time.
const AT_ONCE: usize = 100;

async fn run(target: Target) {
    let path = target.journal.clone();
    let holding = std::thread::spawn(move || {
        let connection = Connection::open(path).expect("it opens");
        connection.busy_timeout(HELD).expect("it is set");
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .expect("it is free for a moment");
        std::thread::sleep(HELD);
        connection.execute_batch("ROLLBACK").ok();
    });
    let text = "x".repeat(60_000);
    let event = format!(r#"{{"type":"note.x","data":{{"text":"{text}"}}}}"#);
    let body = format!("[{}]", vec![event; EVENTS].join(","));
    let client = Target::client();
    for first in (0..target.scaled(POSTS)).step_by(AT_ONCE) {
        let posts: Vec<_> = (first..(first + AT_ONCE).min(target.scaled(POSTS)))
            .map(|_| {
                let (target, client, body) = (target.clone(), client.clone(), body.clone());
                tokio::spawn(async move {
                    tokio::time::timeout(HANG_UP, target.publish(&client, body))
                        .await
                        .ok();
                })
            })
            .collect();
        for post in posts {
            post.await.expect("no panic");
        }
    }
    tokio::task::spawn_blocking(move || holding.join())
        .await
        .expect("no panic")
        .expect("no panic");
}
