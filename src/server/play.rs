//! The demo team at work.

use std::sync::Arc;

use crate::{
    access::authz::Permissions,
    demo,
    intake::{Intake, Producer, Raw},
    journal::FlowId,
};

/// Publishes the demo team's events as a producer would.
pub(super) async fn play(seed: u64, speed: f64, intake: Arc<Intake>) {
    let verified = "".into();
    let producer = Producer {
        name: "demo",
        door: "demo",
        permissions: &Permissions::everything(),
        within: None,
        verified: &verified,
        trace: None,
        flow: FlowId::default(),
        connection: None,
    };
    let mut team = demo::team(seed, speed);
    loop {
        let (wait, event) = team.next_event();
        tokio::time::sleep(wait).await;
        if let Err(refusal) = intake.publish(vec![Raw::Json(event, None)], producer).await {
            tracing::warn!(%refusal, "the demo could not publish");
        }
    }
}
