//! A model test of the hub: random scripts run against a real hub, and a naive reference says which updates each client
//! must get.
//!
//! The hub has a real journal (in memory, or in a file), a real intake, and the queues of server-sent events as
//! outlets; only the network is missing. The test checks these promises of `docs/protocol.md`:
//!
//! - **Each update comes once.** A client gets what it may see, what its rooms get and what its filter lets through, at
//!   the time when it is sent; of what it missed, by what it wants when it is sent that. Nothing else comes.
//! - **A cursor names what a client has.** A client that comes back with one gets all updates that were unsent up to
//!   there, and no others, also when it was parked, when the hub was restarted between, or when the cursor is an old
//!   one.
//! - **What is coalesced is not lost.** An update says how many events are in it; each of these is one that the client had
//!   not got, all are of one key, and what only one of them said is there. Texts are joined in order.
//! - **Each thing keeps its order.** Updates of a thing come in the order of its events, and no fact of it is said
//!   again after a newer one.
//! - **A snapshot is followed by exactly what came after it.** It says the newest of each fact up to its place; later
//!   events come, earlier ones don't.
//! - **`resumed` tells the truth**: how many updates came, and `complete` unless the journal let go of some.

mod client;
mod events;
mod fixed;
mod place;
mod reading;
mod received;
mod reference;
mod script;
mod setup;
mod state;
mod truth;
mod wants;
mod world;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use script::{Script, script};
use world::World;

/// Rounds in all; `STOA_MODEL_ROUNDS` says another number.
const ROUNDS: u32 = 104;
/// Rounds that run at the same time: most of a round is waiting for a moment to pass.
const AT_ONCE: u32 = 8;
const STEPS: usize = 40;

fn run(script: &Script) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let mut world = World::new(script.settings.clone()).await?;
        for (at, step) in script.steps.iter().enumerate() {
            let done = world.step(step).await;
            done.map_err(|why| format!("at step {at}: {why}\n{}", world.log()))?;
        }
        let done = world.finish().await;
        done.map_err(|why| format!("at the end: {why}\n{}", world.log()))
    })
}

#[test]
fn everybody_gets_what_it_is_owed_once_and_in_order() {
    let rounds = std::env::var("STOA_MODEL_ROUNDS").ok();
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let config = Config {
        cases: rounds.div_ceil(AT_ONCE),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let rounds = || {
        let mut runner = TestRunner::new(config.clone());
        let outcome = runner.run(&script(STEPS), |script| {
            run(&script).map_err(TestCaseError::fail)
        });
        outcome.map_err(|failure| failure.to_string())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(rounds)).collect();
        for thread in threads {
            if let Err(failure) = thread.join().unwrap() {
                panic!("{failure}");
            }
        }
    });
}
