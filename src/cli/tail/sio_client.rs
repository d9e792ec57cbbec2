//! A small Socket.IO client over WebSocket: one connection, from its opening to its end.
//!
//! The client answers pings. It gives up a server that is silent for longer than a ping and its answer may take.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use rustls::ClientConfig;
use serde_json::{Value, json, value::RawValue};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{Error as WsError, Message, error::ProtocolError},
};

use super::packet::Packet;
use crate::cli::{output, url};

/// The time that opening may take.
const OPENING: Duration = Duration::from_secs(10);
/// The reason for every way in which a server ends a connection.
const CLOSED: &str = "the server closed the connection";

/// The reason why there is no connection, or none any more.
#[derive(Debug, Error)]
pub(super) enum Lost {
    /// The server may come back.
    #[error("{0}")]
    Gone(String),
    /// The server does not want this client, and would not the next time either.
    #[error("{0}")]
    Refused(String),
}

/// A message for the caller.
#[derive(Debug)]
pub(super) enum Received {
    /// An event and its first argument.
    Event(String, Box<RawValue>),
    /// The answer to the request of this number.
    Ack(u64, Box<RawValue>),
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The time that the server may be silent.
    patience: Duration,
}

impl Connection {
    /// Connects to the main namespace with this `auth` payload.
    pub(super) async fn open(
        server: &Url,
        auth: &Value,
        trusted: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Lost> {
        timeout(OPENING, Self::shake_hands(server, auth, trusted))
            .await
            .unwrap_or_else(|_| Err(Lost::Gone("no answer in time".into())))
    }

    async fn shake_hands(
        server: &Url,
        auth: &Value,
        trusted: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Lost> {
        let address = url::below(server, "socket.io/");
        let address = address.as_str().replacen("http", "ws", 1) + "?EIO=4&transport=websocket";
        let trusted = trusted.map(Connector::Rustls);
        let (socket, _) = connect_async_tls_with_config(address, None, false, trusted)
            .await
            .map_err(|error| lost(&error))?;
        let mut connection = Self {
            socket,
            patience: OPENING,
        };
        let mut opened = None;
        loop {
            match connection.packet().await? {
                Packet::Open(handshake) => {
                    opened = Some(Duration::from_millis(
                        handshake
                            .ping_interval
                            .saturating_add(handshake.ping_timeout),
                    ));
                    connection.say(format!("40{auth}")).await?;
                }
                Packet::Connected => break,
                Packet::Refused(reason) => return Err(Lost::Refused(reason)),
                Packet::Close => return Err(Lost::Gone(CLOSED.into())),
                _ => {}
            }
        }
        if let Some(patience) = opened {
            connection.patience = patience.max(OPENING);
        }
        Ok(connection)
    }

    /// The next event or answer.
    pub(super) async fn next(&mut self) -> Result<Received, Lost> {
        loop {
            match self.packet().await? {
                Packet::Event { name, payload } => return Ok(Received::Event(name, payload)),
                Packet::Ack { id, payload } => return Ok(Received::Ack(id, payload)),
                Packet::Refused(reason) => return Err(Lost::Refused(reason)),
                Packet::Close => return Err(Lost::Gone(CLOSED.into())),
                _ => {}
            }
        }
    }

    /// Sends an event that asks for an answer with this number.
    pub(super) async fn ask(&mut self, id: u64, name: &str, body: Value) -> Result<(), Lost> {
        self.say(format!("42{id}{}", json!([name, body]))).await
    }

    async fn packet(&mut self) -> Result<Packet, Lost> {
        loop {
            let frame = timeout(self.patience, self.socket.next())
                .await
                .map_err(|_| Lost::Gone("the server is silent".into()))?;
            match frame {
                None | Some(Ok(Message::Close(_))) => {
                    return Err(Lost::Gone(CLOSED.into()));
                }
                Some(Err(error)) => return Err(lost(&error)),
                Some(Ok(Message::Text(text))) => {
                    match Packet::parse(&text).map_err(|error| Lost::Gone(error.to_string()))? {
                        Packet::Ping(what) => self.say(format!("3{what}")).await?,
                        packet => return Ok(packet),
                    }
                }
                // Attachments are ignored: the event has placeholders for them.
                Some(Ok(_)) => {}
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<(), Lost> {
        self.socket
            .send(Message::text(text))
            .await
            .map_err(|error| lost(&error))
    }
}

fn lost(error: &WsError) -> Lost {
    Lost::Gone(match error {
        WsError::Http(answer) => format!(
            "it answered {} instead of opening a WebSocket; is that a Stoa?",
            answer.status()
        ),
        WsError::Io(error) => output::io_reason(error),
        WsError::ConnectionClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => CLOSED.into(),
        other => output::reason(other.to_string()),
    })
}
