//! A client that keeps every text it gets as it came.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use kit::PATIENCE;

/// Takes little at a time, so that what it doesn't read waits on the server's side.
const RECEIVE: u32 = 4_096;

/// One connection to one namespace.
pub struct Spy {
    socket: WebSocketStream<TcpStream>,
    /// The head before each packet's body.
    prefix: String,
    next_ack: u64,
    /// All that came since it was last taken.
    pub heard: Vec<String>,
    /// The cursors that it was told, in order.
    pub cursors: Vec<String>,
}

impl Spy {
    /// Connects; the refusal's text if it is refused.
    pub async fn connect(
        address: SocketAddr,
        namespace: &str,
        auth: &Value,
    ) -> Result<Self, String> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .set_recv_buffer_size(RECEIVE)
            .expect("a small buffer");
        let stream = socket.connect(address).await.expect("connects");
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = client_async(url, stream).await.expect("a WebSocket");
        let prefix = match namespace {
            "/" => String::new(),
            other => format!("{other},"),
        };
        let mut spy = Self {
            socket,
            prefix,
            next_ack: 0,
            heard: Vec::new(),
            cursors: Vec::new(),
        };
        let connect = format!("40{}{auth}", spy.prefix);
        spy.send(connect).await;
        let (welcome, refused) = (format!("40{}", spy.prefix), format!("44{}", spy.prefix));
        loop {
            let text = spy.read().await.ok_or("closed")?;
            if text.starts_with(&refused) {
                return Err(text);
            }
            if text.starts_with(&welcome) {
                return Ok(spy);
            }
        }
    }

    pub async fn send(&mut self, text: String) {
        // One that is closed says so when it is read.
        self.socket.send(Message::text(text)).await.ok();
    }

    /// The next text; `None` at the end.
    pub async fn read(&mut self) -> Option<String> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next());
            match message.await.expect("something comes in time")? {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send("3".into()).await,
                Ok(Message::Text(text)) => {
                    let text = text.to_string();
                    self.heard.push(text.clone());
                    self.note_cursor(&text);
                    return Some(text);
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    fn note_cursor(&mut self, text: &str) {
        let body = text.strip_prefix(&format!("42{}", self.prefix));
        let packet = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
        let cursor = packet.and_then(|packet| packet[1]["cursor"].as_str().map(str::to_owned));
        self.cursors.extend(cursor);
    }

    /// Sends an event without waiting for anything.
    pub async fn emit(&mut self, event: &str, argument: &Value) -> u64 {
        let ack = self.next_ack;
        self.next_ack += 1;
        let text = format!("42{}{ack}{}", self.prefix, json!([event, argument]));
        self.send(text).await;
        ack
    }

    /// Waits for an answer; `None` when the connection ends before.
    pub async fn answer(&mut self, ack: u64) -> Option<Value> {
        let begin = format!("43{}{ack}[", self.prefix);
        loop {
            let text = self.read().await?;
            if text.starts_with(&begin) {
                let answer = serde_json::from_str::<Value>(&text[begin.len() - 1..]);
                return Some(answer.expect("JSON")[0].take());
            }
        }
    }

    /// Sends an event and waits for the answer.
    pub async fn call(&mut self, event: &str, argument: &Value) -> Option<Value> {
        let ack = self.emit(event, argument).await;
        self.answer(ack).await
    }

    /// Waits for the action of this id and answers it; what was asked.
    pub async fn perform(&mut self, action: &str, result: &Value) -> Value {
        self.until(action).await;
        let asked = self.heard.iter().find(|text| text.contains(action));
        let (id, body) = asked
            .and_then(|text| text.strip_prefix("42")?.split_once('['))
            .expect("a question");
        let answer = format!("43{id}[{result}]");
        let body: Value = serde_json::from_str(&format!("[{body}")).expect("JSON");
        self.send(answer).await;
        body[1].clone()
    }

    /// Reads to the end of the connection.
    pub async fn read_to_the_end(&mut self) {
        while self.read().await.is_some() {}
    }

    /// Reads until a text has this in it, which must come.
    pub async fn until(&mut self, wanted: &str) {
        while !self.heard.iter().any(|text| text.contains(wanted)) {
            self.read()
                .await
                .unwrap_or_else(|| panic!("closed before {wanted}"));
        }
    }

    /// The texts that came since the last call.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }
}
