//! A client that speaks JSON over a plain WebSocket, as the clients of the other doors do.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use super::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct DoorClient {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The code and the words of the close frame, once it has come.
    pub closed: Option<(u16, String)>,
}

impl DoorClient {
    /// Connects to a path with its query. `Err` is the status of a refusal.
    pub async fn open(address: SocketAddr, path: &str) -> Result<Self, u16> {
        Self::open_with(address, path, &[]).await
    }

    /// The same with more headers.
    pub async fn open_with(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("ws://{address}{path}");
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((stream, _)) => Ok(Self {
                stream,
                closed: None,
            }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("could not connect: {error}"),
        }
    }

    /// Sends a JSON text.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        let sent = self.stream.send(Message::Text(text.into())).await;
        sent.expect("the connection is open");
    }

    /// Sends any message.
    pub async fn send_message(&mut self, message: Message) -> tungstenite::Result<()> {
        self.stream.send(message).await
    }

    /// The next JSON message; none at the end, which `closed` tells.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            match message.expect("something comes") {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(frame))) => {
                    self.closed = frame.map(|f| (f.code.into(), f.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message that has this type; others are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.expect("the connection lasts");
            if message["type"] == kind {
                return message;
            }
        }
    }
}
