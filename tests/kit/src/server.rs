//! A real server on port 0, in this process.

use stoa::{config::Config, server::Running};

/// The secret of the start, where tests are admins of a server that asks nobody for a token.
pub const START_SECRET: &str = "the-secret-of-the-tests-start";

/// A configuration for tests: any free port, no page.
pub fn config() -> Config {
    let mut config = Config::default();
    config.server.port = 0;
    config.authentication.start_secret = START_SECRET.into();
    config.journal.kind = stoa::config::JournalKind::Memory;
    config
}

/// Starts a server.
pub async fn server() -> Running {
    server_with(|_| {}).await
}

/// Starts a server with a changed configuration.
pub async fn server_with(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = config();
    change(&mut config);
    stoa::server::start(&config)
        .await
        .expect("the server starts")
}
