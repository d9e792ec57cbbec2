//! The doors for clients that speak JSON over a plain WebSocket, as the spy goes through them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};

use super::world::ROOMS;

/// One door, as it is opened.
struct Door {
    path: &'static str,
    /// Whether it is refused.
    is_forbidden: bool,
    /// The key by which rooms are asked for; none where the path names them.
    asks: Option<&'static str>,
}

const fn open_door(path: &'static str) -> Door {
    Door {
        path,
        is_forbidden: false,
        asks: None,
    }
}

const fn shut_door(path: &'static str) -> Door {
    Door {
        is_forbidden: true,
        ..open_door(path)
    }
}

/// The doors through which the events of the spy's own project come.
pub const OWN: usize = 2;

const DOORS: [Door; 6] = [
    Door {
        asks: Some("room_id"),
        ..open_door("/api/v1/ws")
    },
    open_door("/api/stream/projects/alpha"),
    // A run of the same name in the spy's own project: there is none.
    open_door("/api/stream/projects/alpha/workflows/runs/exec-vicbob"),
    open_door("/api/stream/projects/alpha/agent-runs/run-vicbob"),
    shut_door("/api/stream/projects/vicproject"),
    shut_door("/api/stream/projects/vicproject/ingest/job-vicbob"),
];

/// The names of rooms that the paths ask for.
pub const ASKED: [&str; 2] = ["execution:alpha/exec-vicbob", "run:alpha/run-vicbob"];

/// Opens one of the doors; its text grows as it comes. Every other time it goes on from a cursor.
pub async fn open(
    address: SocketAddr,
    n: usize,
    token: &str,
    cursor: &str,
) -> Option<Arc<Mutex<String>>> {
    let door = &DOORS[n % DOORS.len()];
    let mut url = format!("ws://{address}{}?token={token}", door.path);
    if (n / DOORS.len()) % 2 == 1 {
        url.push_str(&format!("&cursor={cursor}"));
    }
    let mut socket = match connect_async(url).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(refused)) if door.is_forbidden => {
            assert_eq!(refused.status(), 403);
            return None;
        }
        Err(error) => panic!("{}: {error}", door.path),
    };
    assert!(!door.is_forbidden, "{}", door.path);
    for room in ROOMS.iter().filter(|_| door.asks.is_some()) {
        let asks = door.asks.unwrap_or_default();
        let subscribe = json!({ "type": "subscribe", asks: room }).to_string();
        socket.send(Message::text(subscribe)).await.expect("sends");
    }
    let text = Arc::new(Mutex::new(String::new()));
    let grows = text.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(more) = message {
                let mut text = grows.lock().unwrap();
                text.push_str(&more);
                text.push('\n');
            }
        }
    });
    Some(text)
}
