//! Options for tests.

use std::time::Duration;

use super::{Acks, RedisOptions};
use crate::journal::{HeldBytes, Retention};

/// Options for a journal on an engine, as a node of a deployment.
pub(in crate::journal) fn options(url: &str, retention: Retention) -> RedisOptions {
    RedisOptions {
        url: url.into(),
        sentinels: Vec::new(),
        deployment: "test".into(),
        node: uuid::Uuid::new_v4().to_string(),
        acks: Acks::Primary,
        timeout: Duration::from_secs(5),
        retention,
        sessions_age: Duration::from_secs(3_600),
        held: HeldBytes::default(),
    }
}
