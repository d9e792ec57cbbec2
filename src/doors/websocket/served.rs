//! A client of one of these doors, from its handshake to its end.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Extensions, Request};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    context::Context, ending::Ending, fault, opening::Opening, session::Session,
    socket::ClientSocket,
};
use crate::{
    access::{
        Identity,
        authz::{Origin, SessionGuard},
    },
    channel::Namespace,
    config::Role,
    delivery::WireMessage,
    doors::{batching::Manner, handshake::Handshake, peer, queue::ObserverQueue},
    error::Error,
    net::{ConnectionSlot, Live, Socket},
    observe::{ConnectionKind, CountedConnection},
};

/// Bytes that are written before the client's messages have their turn.
const WRITE_TURN: usize = 64 * 1_024;
/// The time that an ended client has to take the reason.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The meaning of a door's messages.
pub(super) trait Protocol: Send + Sync + 'static {
    /// Handles one message of a client; its answers go through the session. Messages are handled one after the other.
    fn receive(&self, session: &Session, text: &str) -> impl Future<Output = ()> + Send;

    /// The manner of its clients' queues.
    fn manner(&self, _context: &Context) -> Manner {
        Manner::default()
    }

    /// Whether a message asks to be in rooms: screens may send several of these as they open.
    fn joins(&self, _text: &str) -> bool {
        false
    }

    /// Whether a message in bytes is read as the text that it is; otherwise it ends the connection.
    const READS_BYTES: bool = false;
}

/// A client that was identified, before its handshake is answered.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) who: Identity,
    pub(super) address: IpAddr,
}

/// Identifies the client of a request at a door, and counts a refusal. Without a token the client has `role`.
///
/// # Errors
/// As the authenticator's; `rate_limited`.
pub(super) async fn identify(
    context: &Context,
    door: &'static str,
    extensions: &Extensions,
    role: Role,
) -> Result<Visitor, Error> {
    let authenticator = &context.authenticator;
    let count = |refusal: &Error| context.metrics.turned_away(door, refusal);
    let (who, address) = peer::identify(authenticator, extensions, role)
        .await
        .inspect_err(count)?;
    authenticator
        .request(&who, address, true)
        .inspect_err(count)?;
    Ok(Visitor { who, address })
}

/// Answers the handshake, and serves the client in a task of its own.
pub(super) fn serve(
    context: Context,
    door: &'static str,
    mut request: Request<Body>,
    visitor: Visitor,
    opening: impl FnOnce(&Arc<str>, &Identity) -> Opening + Send + 'static,
    protocol: impl Protocol,
) -> Response {
    let answered = Handshake::read(&mut request).and_then(|mut handshake| {
        let compression = handshake.agree(request.headers(), context.options.compression.as_ref());
        Ok((handshake.accept()?, compression))
    });
    let ((response, on_upgrade), compression) = match answered {
        Ok(answered) => answered,
        Err((status, message)) => {
            context.metrics.turned_away(door, "bad_request");
            let mut response = Error::bad_request(message).into_response();
            *response.status_mut() = status;
            return response;
        }
    };
    let requested = Instant::now().into_std();
    let presence = request.extensions_mut().remove::<ConnectionSlot>();
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        let Some((socket, early)) = Socket::upgraded(upgraded) else {
            return;
        };
        let (max, stall) = (context.options.max_message, context.options.stall);
        let socket = ClientSocket::new(socket, early, max, stall, compression);
        let socket = Box::new(socket.await);
        let client = Arriving {
            context,
            door,
            visitor,
            requested,
            _presence: presence,
        };
        let joined = Box::pin(client.join(socket, opening, protocol)).await;
        if let Some((connected, socket)) = joined {
            connected.run(socket).await;
        }
    });
    response
}

/// A client whose WebSocket is open and that is no member yet.
struct Arriving {
    context: Context,
    door: &'static str,
    visitor: Visitor,
    /// The time of the handshake.
    requested: std::time::Instant,
    /// The slot among the connections that its address has open behind a proxy.
    _presence: Option<ConnectionSlot>,
}

impl Arriving {
    /// Makes the client a member; `None` for one that is refused, and told so.
    async fn join<P: Protocol>(
        self,
        mut socket: Box<ClientSocket>,
        opening: impl FnOnce(&Arc<str>, &Identity) -> Opening,
        protocol: P,
    ) -> Option<(Box<Connected<P>>, Box<ClientSocket>)> {
        let Visitor { who, address } = self.visitor;
        let context = self.context;
        let id: Arc<str> = crate::event::mint_id().to_string().into();
        let opening = opening(&id, &who);
        let queue = ObserverQueue::with_manner(
            opening.wire,
            context.options.max_bytes,
            context.metrics.sockets.clone(),
            protocol.manner(&context),
        );
        let ending = Ending::new(queue.clone());
        let origin = Origin {
            client_id: id.clone(),
            transport: "websocket",
            namespace: Namespace::Root.path(),
            address,
        };
        let (request, reply) = opening.into_join(self.requested, &id, &who, &queue);
        let joined = async {
            let membership = context.hub.join(request, reply).await?;
            let listed = context.authenticator.begin(&origin, &who, &ending)?;
            Ok::<_, Error>((membership, listed))
        };
        let (membership, listed) = match joined.await {
            Ok(joined) => joined,
            Err(refusal) => {
                context.metrics.turned_away(self.door, &refusal);
                let frame = CloseFrame {
                    code: CloseCode::Policy,
                    reason: refusal.code.into(),
                };
                socket.close(frame, LAST_WORD).await;
                return None;
            }
        };
        context.metrics.usage.came_by(self.door);
        let meter = context.authenticator.meter(&who, address);
        let live = context.options.quota.live(address);
        let counted = context.metrics.client_begins(ConnectionKind {
            transport: "websocket",
            door: self.door,
            role: who.role.as_str(),
        });
        let session = Session {
            door: self.door,
            id,
            who,
            address,
            meter,
            queue,
            membership,
            context,
        };
        let connected = Connected {
            session,
            ending,
            protocol,
            heard: Instant::now(),
            listed,
            _live: live,
            _counted: counted,
        };
        Some((Box::new(connected), socket))
    }
}

/// A client that is a member of the hub. Boxed, and with it all that is seldom done: so its task is as small as what an
/// idle client needs.
struct Connected<P> {
    session: Session,
    ending: Arc<Ending>,
    protocol: P,
    /// The time at which the client was last heard of.
    heard: Instant,
    /// Leaves the list of sessions with the connection.
    listed: SessionGuard,
    /// Lets its address connect more often.
    _live: Live,
    /// Counts the connection.
    _counted: CountedConnection,
}

/// The reason why the loop of a connection ended.
enum End {
    /// The connection is lost, or the client closed it.
    Gone,
    /// The server closes it, with this frame.
    Close(CloseFrame),
}

impl<P: Protocol> Connected<P> {
    async fn run(mut self: Box<Self>, mut socket: Box<ClientSocket>) {
        let end = self.exchange(&mut socket).await;
        if let End::Close(_) = end {
            self.listed.goodbye();
        }
        // The hub forgets the client before the last words are sent.
        let Self { session, .. } = *self;
        drop(session);
        if let End::Close(frame) = end {
            Box::pin(socket.close(frame, LAST_WORD)).await;
        }
    }

    /// Messages in and out until the end.
    async fn exchange(&mut self, socket: &mut ClientSocket) -> End {
        let (interval, timeout) = self.session.context.options.ping;
        let mut pings = tokio::time::interval_at(Instant::now() + interval, interval);
        let queue = self.session.queue.clone();
        let ending = self.ending.clone();
        loop {
            tokio::select! {
                first = queue.next() => match first {
                    None => return End::Close(self.ending.close()),
                    Some(first) => {
                        let written = write_turn(socket, &queue, first);
                        if let Err(error) = unless_ended(&ending, written).await {
                            return self.failed(&error);
                        }
                    }
                },
                message = socket.next() => match message {
                    None => return End::Gone,
                    Some(Err(error)) => return self.failed(&error),
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        match self.handle(socket, message).await {
                            Ok(None) => {}
                            Ok(Some(end)) => return end,
                            Err(error) => return self.failed(&error),
                        }
                    }
                },
                _ = pings.tick() => {
                    if self.heard.elapsed() > interval + timeout {
                        self.session.context.metrics.killed("ping_timeout");
                        return End::Gone;
                    }
                    if let Err(error) = unless_ended(&ending, socket.ping()).await {
                        return self.failed(&error);
                    }
                }
            }
        }
    }

    /// Handles a message while the client is sent what waits for it: the answer may come after that.
    async fn handle(
        &self,
        socket: &mut ClientSocket,
        message: Message,
    ) -> tungstenite::Result<Option<End>> {
        let (queue, ending) = (&self.session.queue, &self.ending);
        let answers_ping = matches!(message, Message::Ping(_));
        let mut work = Box::pin(self.receive(message));
        let end = loop {
            tokio::select! {
                biased;
                end = &mut work => break end,
                () = ended(ending) => return Ok(None),
                first = queue.next() => match first {
                    None => return Ok(Some(End::Close(ending.close()))),
                    Some(first) => {
                        unless_ended(ending, write_turn(socket, queue, first)).await?;
                    }
                },
            }
        };
        if answers_ping {
            // The library collects an answer for each ping: a client that reads none is not read either.
            unless_ended(ending, socket.flush()).await?;
        }
        Ok(end)
    }

    async fn receive(&self, message: Message) -> Option<End> {
        match message {
            Message::Text(text) => {
                self.read(Ok(&text)).await;
                None
            }
            Message::Binary(bytes) if P::READS_BYTES => {
                let text = std::str::from_utf8(&bytes);
                let text = text.map_err(|_| Error::bad_request("messages are JSON in UTF-8"));
                self.read(text).await;
                None
            }
            Message::Binary(_) => {
                self.session
                    .context
                    .metrics
                    .refused(self.session.door, "bad_request");
                Some(End::Close(CloseFrame {
                    code: CloseCode::Unsupported,
                    reason: "messages are JSON as text".into(),
                }))
            }
            Message::Close(_) => {
                self.listed.goodbye();
                Some(End::Gone)
            }
            Message::Ping(_) => {
                // A ping costs an answer as a message does.
                if let Err(refusal) = self.session.spend(false) {
                    self.session.refuse(&refusal, None);
                }
                None
            }
            Message::Pong(_) | Message::Frame(_) => None,
        }
    }

    /// Handles one message, if the client's budget has room for it.
    async fn read(&self, text: Result<&str, Error>) {
        self.listed.touch();
        let joins = text.as_ref().is_ok_and(|text| self.protocol.joins(text));
        match self.session.spend(joins).and(text) {
            Ok(text) => self.protocol.receive(&self.session, text).await,
            Err(refusal) => self.session.refuse(&refusal, None),
        }
    }

    /// The end of a connection that failed: the client's faults are counted, and told by the close code.
    fn failed(&self, error: &tungstenite::Error) -> End {
        tracing::debug!(%error, client = %self.session.id, "connection failed");
        let Some((reason, frame)) = fault::of(error) else {
            return End::Gone;
        };
        self.session.context.metrics.killed(reason);
        frame.map_or(End::Gone, End::Close)
    }
}

/// Whether the `type` of a message in JSON is this one.
pub(super) fn is_of_type(text: &str, wanted: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed<'t> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'t, str>,
    }
    text.contains(wanted)
        && serde_json::from_str::<Typed<'_>>(text).is_ok_and(|message| message.kind == wanted)
}

/// Waits for a write, but no longer than for the last word once the connection is ended: the client may read slowly.
async fn unless_ended(
    ending: &Ending,
    write: impl Future<Output = tungstenite::Result<()>>,
) -> tungstenite::Result<()> {
    tokio::select! {
        written = write => written,
        () = ended(ending) => Ok(()),
    }
}

/// Returns when the list of sessions has ended the connection.
async fn ended(ending: &Ending) {
    while !ending.is_ended() {
        ending.ended.notified().await;
    }
    // The last word is written like any other message, if the client takes it in time.
    tokio::time::sleep(LAST_WORD).await;
}

/// Writes a message and those behind it, up to a turn's worth.
async fn write_turn(
    socket: &mut ClientSocket,
    queue: &ObserverQueue,
    first: Arc<WireMessage>,
) -> tungstenite::Result<()> {
    let mut written = first.bytes.len();
    socket.feed(&first).await?;
    while written < WRITE_TURN
        && let Some(more) = queue.pop_now()
    {
        written += more.bytes.len();
        socket.feed(&more).await?;
    }
    socket.flush().await?;
    queue.written();
    Ok(())
}
