//! Tokens, sessions, revocation, bans and budgets, over the wire.

mod actions;
mod acts;
mod admin;
mod budgets;
mod doors;
mod keys;
mod late;
mod methods;
mod revocations;
mod rooms;
mod sessions;
mod strikes;

use std::net::SocketAddr;

use kit::Client;
use serde_json::Value;

async fn refused(address: SocketAddr, auth: Value) -> String {
    let Err(message) = Client::open(address, "/", auth).await else {
        panic!("it was let in");
    };
    message.split_once(':').expect("a code").0.to_owned()
}

/// All that comes until the server closes.
async fn to_the_end(client: &mut Client) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while let Some(event) = client.next().await {
        all.push(event);
    }
    all
}
