//! Observers that change their minds all the time: what a filter costs that is read, kept and let go of again.

use std::fmt::Write;

use super::{Attack, Target};
use kit::socket::Socket;

pub(crate) const ATTACK: Attack = Attack {
    name: "filter-churn",
    what: "8 observers that subscribe with 100 new patterns of 110 characters each, 1,500 times, as fast as they are read",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const CLIENTS: usize = 8;
const FILTERS: usize = 1_500;
const PATTERNS: usize = 100;

async fn run(target: Target) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(change(target.clone(), client)))
        .collect();
    for client in clients {
        client.await.expect("it is not cut off");
    }
}

/// Sends one filter after the other, and waits for the answer to the last: they are handled in turn.
async fn change(target: Target, client: usize) {
    let auth = r#"{"filters":{"types":["nothing.*"]}}"#;
    let connected = Socket::connect(target.address, auth, None).await;
    let mut socket = connected.expect("it connects");
    let middle = "a".repeat(80);
    for n in 0..target.scaled(FILTERS) {
        let mut text = String::from(r#"42["subscribe",{"filters":{"types":["#);
        for pattern in 0..PATTERNS {
            let comma = if pattern == 0 { "" } else { "," };
            write!(
                text,
                r#"{comma}"*a?a*a?a*{middle}*{client}x{n}x{pattern}c""#
            )
            .expect("it fits");
        }
        text += "]}}]";
        socket.send(&text).await.expect("it is read");
    }
    let room = format!("task:churn-{client}");
    let last = format!(r#"42["subscribe",{{"rooms":["{room}"],"filters":{{}}}}]"#);
    socket.send(&last).await.expect("it is read");
    let mut answered = false;
    while !answered {
        let read = socket.read(|packet| {
            answered |= packet.starts_with(br#"["subscription""#);
        });
        read.await.expect("the connection holds");
    }
}
