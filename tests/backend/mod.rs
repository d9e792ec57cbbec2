//! An application's own service behind the server: client events that Stoa does not know, connects and disconnects, and
//! what the service wants done. The service is a real HTTP server, and all of it goes over the wire.

mod connects;
mod cost;
mod crowd;
mod events;
mod faults;
mod leaving;
mod load;
mod operations;
mod written;

use kit::{
    Client,
    application::{Application, SECRET},
    server_with,
};
use serde_json::{Value, json};
use stoa::{config::Config, server::Running};

/// A server whose service is at this address.
pub(crate) async fn server_of(url: &str, change: impl FnOnce(&mut Config)) -> Running {
    server_with(|config| {
        config.backend.url = url.into();
        config.backend.secret = SECRET.into();
        change(config);
    })
    .await
}

/// A server, and a service that answers events like this and lets everybody in.
pub(crate) async fn served(
    answer: impl Fn(&Value) -> Value + Clone + Send + Sync + 'static,
) -> (Running, Application) {
    let application = Application::start(move |call| match call["type"].as_str() {
        Some("event") => answer(call),
        _ => json!({}),
    })
    .await;
    (server_of(&application.url, |_| {}).await, application)
}

pub(crate) async fn client(server: &Running) -> Client {
    Client::connect(server.address(), json!({})).await.0
}

/// Sends a packet that asks for an answer with the id 7000, and returns the answer as it comes.
pub(crate) async fn answer_to(client: &mut Client, event: &str) -> String {
    client.send_text(&format!("427000{event}")).await;
    loop {
        let text = client.text().await.expect("an answer");
        if text.starts_with("437000") || text.starts_with("46") {
            return text;
        }
    }
}

pub(crate) fn calls(server: &Running, kind: &str, outcome: &str) -> u64 {
    let start = format!("stoa_backend_calls_total{{kind=\"{kind}\",outcome=\"{outcome}\"}}");
    kit::counted_in(server, &start)
}
