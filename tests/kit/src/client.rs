//! A Socket.IO client over a raw WebSocket, which shows every packet as it is.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::PATIENCE;

/// One client on one namespace.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    namespace: &'static str,
    next_ack: u64,
    /// Events that came while something else was waited for.
    pub events: Vec<(String, Value)>,
    acks: Vec<(u64, Value)>,
    /// The `sid` of the CONNECT answer: the public id.
    pub sid: String,
    /// The secret of the session, if it has one.
    pub pid: Option<String>,
    /// The transport's session id.
    pub transport: String,
    /// Every other packet, as text.
    pub other: Vec<String>,
}

impl Client {
    /// Connects to `/` and waits for `connection_established`.
    pub async fn connect(address: SocketAddr, auth: Value) -> (Self, Value) {
        let mut client = Self::open(address, "/", auth).await.expect("connects");
        let established = client.event("connection_established").await;
        (client, established)
    }

    /// Connects to a namespace; the CONNECT_ERROR's message if it is refused. Where the namespace
    /// greets, the greeting is here and kept: an event that is published from now on comes as an
    /// update, and is not part of the first snapshot.
    pub async fn open(
        address: SocketAddr,
        namespace: &'static str,
        auth: Value,
    ) -> Result<Self, String> {
        Self::open_from(address, namespace, auth, None).await
    }

    /// The same as a page of this origin does it.
    pub async fn open_from(
        address: SocketAddr,
        namespace: &'static str,
        auth: Value,
        origin: Option<&str>,
    ) -> Result<Self, String> {
        let header = origin.map(|origin| ("origin", origin));
        Self::open_with(address, namespace, auth, header).await
    }

    /// The same with one more header.
    pub async fn open_with(
        address: SocketAddr,
        namespace: &'static str,
        auth: Value,
        header: Option<(&'static str, &str)>,
    ) -> Result<Self, String> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().expect("an address");
        if let Some((name, value)) = header {
            let value = value.parse().expect("a header's value");
            request.headers_mut().insert(name, value);
        }
        let (socket, _) = connect_async(request).await.expect("the WebSocket opens");
        let mut client = Self {
            socket,
            namespace,
            next_ack: 0,
            events: Vec::new(),
            acks: Vec::new(),
            sid: String::new(),
            pid: None,
            transport: String::new(),
            other: Vec::new(),
        };
        let open = client.text().await.expect("open packet");
        let body = open.strip_prefix('0').expect("an OPEN packet");
        let transport = json_text(body)["sid"].take();
        client.transport = transport.as_str().unwrap_or_default().to_owned();
        client
            .send_text(&format!("40{}{auth}", client.prefix()))
            .await;
        loop {
            let text = client.text().await.expect("an answer to CONNECT");
            if let Some(body) = text.strip_prefix(&format!("40{}", client.prefix())) {
                let body = json_text(body);
                client.sid = body["sid"].as_str().unwrap_or_default().to_owned();
                client.pid = body["pid"].as_str().map(str::to_owned);
                client.greeted().await;
                return Ok(client);
            }
            if let Some(body) = text.strip_prefix(&format!("44{}", client.prefix())) {
                return Err(json_text(body)["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned());
            }
            client.sort(text);
        }
    }

    /// Waits for the namespace's greeting and keeps it; a connection that ends has none.
    async fn greeted(&mut self) {
        let greeting = match self.namespace {
            "/" | "/admin" => "connection_established",
            "/conversations" => "connected",
            _ => return,
        };
        while !self.events.iter().any(|(name, _)| name == greeting) {
            let Some(text) = self.text().await else {
                return;
            };
            self.sort(text);
        }
    }

    fn prefix(&self) -> String {
        if self.namespace == "/" {
            String::new()
        } else {
            format!("{},", self.namespace)
        }
    }

    /// Sends an event without asking for an answer.
    pub async fn emit(&mut self, event: &str, argument: Value) {
        let text = format!("42{}{}", self.prefix(), json!([event, argument]));
        self.send_text(&text).await;
    }

    /// Sends an event and waits for its acknowledgement.
    pub async fn call(&mut self, event: &str, argument: Value) -> Value {
        let ack = self.call_later(event, argument).await;
        self.ack(ack).await
    }

    /// The same while the server may die: `None` when the connection ends before the answer.
    pub async fn try_call(&mut self, event: &str, argument: Value) -> Option<Value> {
        let ack = self.next_ack;
        self.next_ack += 1;
        let text = format!("42{}{ack}{}", self.prefix(), json!([event, argument]));
        self.socket.send(Message::text(text)).await.ok()?;
        self.try_ack(ack).await
    }

    /// Waits for an acknowledgement while the connection may end: `None` when it does before.
    pub async fn try_ack(&mut self, ack: u64) -> Option<Value> {
        loop {
            if let Some(at) = self.acks.iter().position(|(id, _)| *id == ack) {
                return Some(self.acks.remove(at).1);
            }
            let text = self.text().await?;
            self.sort(text);
        }
    }

    /// Sends an event that asks for an acknowledgement, without waiting for it.
    pub async fn call_later(&mut self, event: &str, argument: Value) -> u64 {
        let ack = self.next_ack;
        self.next_ack += 1;
        let text = format!("42{}{ack}{}", self.prefix(), json!([event, argument]));
        self.send_text(&text).await;
        ack
    }

    /// Waits for an acknowledgement.
    pub async fn ack(&mut self, ack: u64) -> Value {
        let answer = self.try_ack(ack).await;
        answer.unwrap_or_else(|| panic!("closed before ack {ack}"))
    }

    /// Waits for the next event of this name; others are kept.
    pub async fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true).await
    }

    /// Waits for the next event of this name that fits.
    pub async fn event_where(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|(n, v)| n == name && fits(v)) {
                return self.events.remove(at).1;
            }
            let text = self
                .text()
                .await
                .unwrap_or_else(|| panic!("closed before {name}; got {:?}", self.names()));
            self.sort(text);
        }
    }

    /// The next event, whatever it is; `None` when the connection ends.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if !self.events.is_empty() {
                return Some(self.events.remove(0));
            }
            let text = self.text().await?;
            self.sort(text);
        }
    }

    /// Everything that came up to now: asks for a pong, which comes behind it.
    pub async fn so_far(&mut self) -> Vec<(String, Value)> {
        self.call("ping", json!(null)).await;
        self.events.retain(|(name, _)| name != "pong");
        std::mem::take(&mut self.events)
    }

    /// The names of the events not yet taken.
    pub fn names(&self) -> Vec<&str> {
        self.events.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn sort(&mut self, text: String) {
        if let Some(body) = text.strip_prefix(&format!("42{}", self.prefix())) {
            // A server's event that asks for an acknowledgement has a number before it.
            let mut array = json_text(body.trim_start_matches(|c: char| c.is_ascii_digit()));
            let argument = array.get_mut(1).map_or(Value::Null, Value::take);
            self.events
                .push((array[0].as_str().unwrap_or_default().to_owned(), argument));
        } else if let Some(body) = text.strip_prefix(&format!("43{}", self.prefix())) {
            let at = body.find('[').expect("an ack has arguments");
            let mut array = json_text(&body[at..]);
            let argument = array.get_mut(0).map_or(Value::Null, Value::take);
            self.acks
                .push((body[..at].parse().expect("ack id"), argument));
        } else {
            self.other.push(text);
        }
    }

    /// The next text packet, pings answered; `None` when the connection ends.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .unwrap_or_else(|_| {
                    panic!("nothing came for {PATIENCE:?}; kept: {:?}", self.names())
                })?;
            match message {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send_text("3").await,
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next binary frame; texts before it are lost.
    pub async fn binary(&mut self) -> Vec<u8> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next());
            match next.await.expect("a frame comes").expect("not closed") {
                Ok(Message::Binary(bytes)) => return bytes.to_vec(),
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send_text("3").await,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends a packet as it is.
    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sends");
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.socket
            .send(Message::binary(bytes))
            .await
            .expect("sends");
    }

    /// Closes the connection properly.
    pub async fn close(mut self) {
        self.socket.close(None).await.ok();
    }
}

fn json_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}
