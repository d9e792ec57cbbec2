//! Text that is small and costs a hundred times as much once it is parsed.

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "small-text",
    what: "1,000 events of 35 KB, each with 4,980 maps of one key; then a kill and a start on the same journal",
    run: |target| Box::pin(run(target)),
    restarts: true,
    ..Attack::NONE
};

const EVENTS: usize = 1_000;
const MAPS: usize = 4_980;
/// Calls at the same time.
const AT_ONCE: usize = 4;

async fn run(target: Target) {
    let maps = vec![r#"{"":0}"#; MAPS].join(",");
    let body = format!(r#"{{"type":"note.x","data":{{"l":[{maps}]}}}}"#);
    let each = target.scaled(EVENTS) / AT_ONCE;
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (target, body) = (target.clone(), body.clone());
            tokio::spawn(async move {
                let client = Target::client();
                for _ in 0..each {
                    target.publish(&client, body.clone()).await;
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
}
