//! A small server of Socket.IO with faults that a sound one does not have.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The update at which the fault happens: long after the probes.
const AT: u64 = 1_000_000_050;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Loses,
    Doubles,
    Reorders,
    /// Everything waits that long at one update.
    Stalls(Duration),
    /// Each update takes that long.
    Slow(Duration),
    /// The observers' connections end at one update.
    Closes,
}

/// Starts the server; it ends with the test.
pub(crate) async fn server(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (updates, _) = broadcast::channel(10_000);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream, updates.clone(), fault));
        }
    });
    address
}

async fn serve(stream: TcpStream, updates: broadcast::Sender<String>, fault: Fault) {
    let mut socket = accept_async(stream).await.expect("a WebSocket");
    let open = r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":60000}"#;
    socket.send(Message::text(open)).await.expect("sends");
    let mut mine = updates.subscribe();
    let (mut held, mut publishes) = (None, false);
    let pace = match fault {
        Fault::Slow(time) => time,
        _ => Duration::from_nanos(1),
    };
    let mut pace = tokio::time::interval(pace);
    loop {
        tokio::select! {
            frame = socket.next() => {
                let Some(Ok(Message::Text(text))) = frame else { return };
                if text.starts_with("40") {
                    socket.send(Message::text(r#"40{"sid":"y"}"#)).await.expect("sends");
                } else if let Some(packet) = text.strip_prefix(r#"42["publish","#) {
                    publishes = true;
                    if let Fault::Stalls(time) = fault && packet.contains(&AT.to_string()) {
                        tokio::time::sleep(time).await;
                    }
                    pace.tick().await;
                    updates.send(format!(r#"42["decision_event",{packet}"#)).ok();
                }
            }
            update = mine.recv() => {
                let update = update.expect("nobody is that slow");
                let hit = update.contains(&AT.to_string());
                let mut now = Vec::new();
                match fault {
                    Fault::Loses if hit => {}
                    Fault::Doubles if hit => now.extend([update.clone(), update]),
                    Fault::Reorders if hit => held = Some(update),
                    Fault::Closes if hit && !publishes => return,
                    _ => {
                        now.push(update);
                        now.extend(held.take());
                    }
                }
                for update in now {
                    if socket.send(Message::text(update)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
