//! Actions that are performed by nobody.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Attack, Target};
use kit::socket::Socket;

pub(crate) const ATTACK: Attack = Attack {
    name: "actions",
    what: "an operator sends 300,000 actions as fast as it can; one performer reads all of them and answers none",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const ACTIONS: usize = 300_000;
/// The operator looks at what it is told after so many.
const BURST: usize = 100;
/// The most that is read at a time, and the longest wait for it.
const READ: usize = 1 << 20;
const LOOK: Duration = Duration::from_millis(1);

async fn run(target: Target) {
    let performing = perform(&target).await;
    let operator = r#"{"role":"operator"}"#;
    let mut operator = Socket::connect(target.address, operator, None)
        .await
        .expect("it connects");
    for n in 0..target.scaled(ACTIONS) {
        let action = format!(
            r#"42{n}["agent_action",{{"agent_id":"a1","action":"pause","params":{{"n":{n}}}}}]"#
        );
        // An attacker that is cut off for it has lost the attack.
        if operator.send(&action).await.is_err() {
            break;
        }
        if n % BURST == 0 {
            let read = operator.read_some(READ, |_| {});
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, read).await {
                break;
            }
        }
    }
    performing.abort();
}

/// Joins the room for actions of the agent, and reads.
async fn perform(target: &Target) -> JoinHandle<()> {
    let producer = r#"{"role":"producer"}"#;
    let mut socket = Socket::connect(target.address, producer, None)
        .await
        .expect("it connects");
    socket
        .send(r#"420["join_room",{"room":"agent:a1:actions"}]"#)
        .await
        .expect("it is sent");
    tokio::spawn(async move { while socket.read(|_| {}).await.is_ok() {} })
}
