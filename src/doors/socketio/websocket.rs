//! A session that begins with a WebSocket, from its OPEN packet to its end.
//!
//! The engine could serve it, too, but holds much for each session that is idle: a queue with room for 32 packets, three
//! tasks and a second WebSocket's buffers, 20 KiB in all. Here it is one task that reads. All that is sent takes the
//! lane; the screen has read each packet already, so only five kinds of them are left.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use serde_json::{Value, json};
use socketioxide::socket::{DisconnectReason, Sid};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    admission::{Admission, Admitted, Requested},
    application::left,
    client::Client,
    context::DoorContext,
    engine::{
        ClientPacket, Counted, ExpressLane, Frame, Message, NoEngine, Source, Speech, packets,
    },
    inbox::Inbound,
};
use crate::{channel::PerNamespace, error::Error, net::frame};

/// The client's protocol and transport.
const SPEECH: Speech = Speech {
    is_first_protocol: false,
    is_polling: false,
};
/// A ping of Engine.IO.
const PING: &[u8] = b"\x81\x012";
/// The packet that closes a session.
const CLOSE: &[u8] = b"\x81\x011";
/// The opcodes of a close frame and a WebSocket's pong, with the bit of a whole message.
const CLOSE_FRAME: u8 = 0x88;
const PONG_FRAME: u8 = 0x8a;
/// The code in the answer to a close frame whose code may not be sent (RFC 6455, section 7.4).
const PROTOCOL_ERROR: u16 = 1002;

/// A session of one WebSocket.
pub(super) struct Session {
    /// The id of the transport.
    sid: Sid,
    context: Arc<DoorContext>,
    lane: Arc<ExpressLane>,
    source: Source,
    requested: Arc<Requested>,
    /// The client on each namespace that it has joined.
    clients: PerNamespace<Option<Arc<Client>>>,
    /// Slots that the session holds while it lives.
    counted: Counted,
    /// The time by which the client must have joined a namespace; none once it has.
    deadline: Option<Instant>,
    /// The time of the next ping.
    next_ping: Instant,
}

/// The next thing to do.
enum Next {
    Message(Message),
    /// A time has come.
    Due,
    /// The client is gone, or the lane was killed.
    Lost,
}

impl Session {
    pub(super) fn new(
        sid: Sid,
        context: Arc<DoorContext>,
        lane: Arc<ExpressLane>,
        source: Source,
        requested: Requested,
        counted: Counted,
    ) -> Box<Self> {
        let now = Instant::now();
        Box::new(Self {
            sid,
            deadline: Some(now + context.options.connect_timeout),
            next_ping: now + context.options.ping.0,
            context,
            lane,
            source,
            requested: Arc::new(requested),
            clients: PerNamespace::default(),
            counted,
        })
    }

    /// Opens the session and serves it to its end. Only `live` is a task's state, so that this is small.
    pub(super) fn run(self: Box<Self>) -> impl Future<Output = ()> {
        self.open();
        self.live()
    }

    /// Serves a session to its end that began with polling, with the clients that are on namespaces already.
    pub(super) fn go_on(
        mut self: Box<Self>,
        clients: PerNamespace<Option<Arc<Client>>>,
    ) -> impl Future<Output = ()> {
        self.clients = clients;
        self.deadline = None;
        let now = Instant::now();
        // The engine's first ping came with its first packet, and a client that has waited for longer gets one now.
        let rest = self.context.options.ping.0.checked_sub(self.lane.age());
        self.next_ping = rest.map_or(now, |rest| now + rest);
        self.live()
    }

    async fn live(mut self: Box<Self>) {
        let reason = self.serve().await;
        for client in self
            .clients
            .iter_mut()
            .filter_map(|(_, client)| client.take())
        {
            left(&client, reason);
        }
        self.lane.close();
    }

    /// Sends the OPEN packet.
    fn open(&self) {
        let options = &self.context.options;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let open = json!({
            "sid": self.sid,
            "upgrades": [],
            "pingInterval": millis(options.ping.0),
            "pingTimeout": millis(options.ping.1),
            "maxPayload": options.max_payload,
        });
        self.send(&format!("0{open}"));
    }

    async fn serve(&mut self) -> DisconnectReason {
        let mut due = pin!(sleep_until(self.due()));
        loop {
            let next = poll_fn(|cx| match self.source.poll_message(cx, &self.lane) {
                Poll::Ready(Some(message)) => Poll::Ready(Next::Message(message)),
                Poll::Ready(None) => Poll::Ready(Next::Lost),
                Poll::Pending => due.as_mut().poll(cx).map(|()| Next::Due),
            });
            let went_on = match next.await {
                Next::Lost => Err(DisconnectReason::TransportError),
                Next::Due => self.on_time(due.as_mut()),
                Next::Message(message) => self.take(message, due.as_mut()).await,
            };
            if let Err(reason) = went_on {
                return reason;
            }
        }
    }

    /// The next time at which something is to be done.
    fn due(&self) -> Instant {
        match self.deadline {
            Some(deadline) => deadline.min(self.next_ping),
            None => self.next_ping,
        }
    }

    /// Does what is due.
    fn on_time(&mut self, due: Pin<&mut Sleep>) -> Result<(), DisconnectReason> {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.close();
            return Err(DisconnectReason::TransportClose);
        }
        if self.next_ping <= now {
            self.next_ping = now + self.context.options.ping.0;
            self.lane.engine_bytes(PING);
            self.lane.pinged();
        }
        due.reset(self.due());
        Ok(())
    }

    /// Takes a message of the client.
    async fn take(
        &mut self,
        message: Message,
        mut due: Pin<&mut Sleep>,
    ) -> Result<(), DisconnectReason> {
        let is_connect = message.is_connect();
        let passed = self.lane.screen(message, SPEECH).map_err(|kill| {
            self.lane.kill(kill);
            DisconnectReason::TransportError
        })?;
        for packet in packets(passed) {
            match packet {
                ClientPacket::Connect { namespace, auth } => {
                    // Boxed, since a session is seldom at this point and must be small at all others.
                    Box::pin(self.join(namespace, auth, due.as_mut())).await?;
                }
                ClientPacket::Disconnect(namespace) => {
                    if let Some(client) = self.clients.find(namespace).and_then(Option::take) {
                        left(&client, DisconnectReason::ClientNSDisconnect);
                    }
                }
                ClientPacket::Event {
                    namespace,
                    text,
                    attachments,
                    ack,
                } => {
                    if let Some(Some(client)) = self.clients.get(namespace) {
                        client.receive(Inbound::new(text, attachments, ack));
                    }
                }
                ClientPacket::Ping(payload) => self.send_frame(PONG_FRAME, &payload),
                ClientPacket::CloseFrame(code) => {
                    let code = code.map(|code| {
                        if may_be_sent(code) {
                            code
                        } else {
                            PROTOCOL_ERROR
                        }
                    });
                    let code = code.map(u16::to_be_bytes);
                    self.send_frame(CLOSE_FRAME, code.as_ref().map_or(&[], |code| &code[..]));
                    return Err(DisconnectReason::TransportClose);
                }
                ClientPacket::Close => {
                    self.send_frame(CLOSE_FRAME, &[]);
                    return Err(DisconnectReason::TransportClose);
                }
            }
        }
        if is_connect {
            self.source.decided();
        }
        Ok(())
    }

    /// Lets the client onto a namespace. Its further packets are read afterwards.
    async fn join(
        &mut self,
        path: String,
        auth: String,
        mut due: Pin<&mut Sleep>,
    ) -> Result<(), DisconnectReason> {
        let Some(namespace) = self.context.namespace(&path) else {
            self.send(&format!(
                "44{path},{}",
                json!({ "message": "Invalid namespace" })
            ));
            return Ok(());
        };
        // One that is on it already gets no second answer.
        let stays = |client: &Arc<Client>| !client.gone.load(Ordering::Acquire);
        if matches!(self.clients.get(namespace), Some(Some(client)) if stays(client)) {
            return Ok(());
        }
        let admission = Admission {
            context: self.context.clone(),
            namespace,
        };
        let (sid, requested, lane) = (self.sid, self.requested.clone(), self.lane.clone());
        let mut let_in = pin!(async {
            let auth = read(&auth)?;
            admission.let_in(sid, &requested, lane, &auth).await
        });
        // The client is read no further than to notice its end: its answers to pings are not missed then.
        self.lane.inbox_full();
        let admitted = loop {
            tokio::select! {
                biased;
                admitted = &mut let_in => break Some(admitted),
                () = self.lane.over() => return Err(DisconnectReason::TransportError),
                () = poll_fn(|cx| self.source.poll_gone(cx, &self.lane)) => break None,
                () = due.as_mut() => self.on_time(due.as_mut())?,
            }
        };
        self.lane.inbox_has_room();
        // A client that is gone is not let in; the end is read next.
        let Some(admitted) = admitted else {
            return Ok(());
        };
        match admitted {
            Ok(admitted) => self.joined(&admission, admitted, due),
            Err(refusal) => {
                let refusal = Frame::connect_error(namespace, &refusal.body());
                self.lane.engine_bytes(refusal.bytes());
                self.lane.flush();
            }
        }
        Ok(())
    }

    /// Tells the client that it is on a namespace.
    fn joined(&mut self, admission: &Admission, admitted: Admitted, due: Pin<&mut Sleep>) {
        let namespace = admission.namespace;
        if let Some(answer) = self.lane.connected(namespace) {
            self.send(&answer);
        }
        admission.enter(&admitted, NoEngine::shared());
        // Nothing of the engine's is before its frames.
        self.lane.marked(namespace);
        *self.clients.of(namespace) = Some(admitted.client);
        self.counted.pending = None;
        self.deadline = None;
        due.reset(self.due());
    }

    /// Ends the session in the words of both protocols.
    fn close(&self) {
        self.lane.engine_bytes(CLOSE);
        self.send_frame(CLOSE_FRAME, &[]);
    }

    /// Sends a packet.
    fn send(&self, packet: &str) {
        self.lane.engine_bytes(&frame::text(packet));
        self.lane.flush();
    }

    /// Sends a frame of WebSocket's own.
    fn send_frame(&self, opcode: u8, payload: &[u8]) {
        let mut bytes = frame::header(opcode, payload.len());
        bytes.extend_from_slice(payload);
        self.lane.engine_bytes(&bytes);
        self.lane.flush();
    }
}

/// Reads the `auth` of a CONNECT packet.
fn read(auth: &str) -> Result<Value, Error> {
    match auth.trim() {
        "" => Ok(Value::Null),
        // A payload that isn't JSON is refused like one of a wrong shape.
        auth => serde_json::from_str(auth).map_err(|_| Error::bad_request("auth is not JSON")),
    }
}

/// Whether an endpoint may send a close frame with this code.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
