//! Fifty observers of one busy stream: each gets every event exactly once, in order, or a later update that says how
//! many it stands for. `cargo bench --bench observers` does the same with a thousand, and looks at the clock.

use kit::{account, replay, script};
use std::{path::Path, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_observers_of_a_busy_stream_get_every_event_once_and_in_order() {
    let script = script::Script::load(Path::new("tests/data/marcus-events.jsonl"));
    // So compressed, a stream has something to coalesce, on a machine as well that publishes it many times slower.
    let server = kit::server_with(|c| c.transform.throttle_ms.set(1_000).unwrap()).await;
    let run = replay::run(server.address(), &script, 50, Duration::from_secs(5)).await;
    let account = account::account(&script, &run);
    assert!(account.faults.is_empty(), "{:#?}", account.faults);
    // Else half of this test tested nothing.
    assert!(account.each.1 > 0, "nothing was coalesced");
    server.shutdown().await;

    // An account that finds nothing must be one that would have.
    type Spoil = fn(&mut Vec<(u64, Duration)>);
    let spoils: [(&str, Spoil); 4] = [
        ("some are missing", |packets| drop(packets.drain(500..520))),
        ("the last are missing", |packets| packets.truncate(500)),
        ("some came twice", |packets| {
            packets.extend_from_within(500..520);
        }),
        ("the order is another", |packets| packets.reverse()),
    ];
    for (what, spoil) in spoils {
        let mut spoiled = run.clone();
        spoiled.observers.truncate(1);
        spoil(&mut spoiled.observers[0].packets);
        let account = account::account(&script, &spoiled);
        assert!(!account.faults.is_empty(), "not noticed: {what}");
    }
}
