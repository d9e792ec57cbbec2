//! A client that is a member of the hub: messages in and out, until the end of its connection.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    control::ControlFrames,
    ending::{Ending, MOVING_TIMEOUT},
    fault,
    protocol::{Handled, Protocol},
    session::Session,
    socket::ClientSocket,
};
use crate::{
    access::authz::SessionGuard, delivery::WireMessage, doors::queue::ObserverQueue, error::Error,
    net::Live, observe::CountedConnection,
};

/// Bytes that are written before the client's messages have their turn.
const WRITE_TURN: usize = 64 * 1_024;
/// Messages of a client after which other tasks have their turn.
const TURN: usize = 64;
/// The time that an ended client has to take the reason.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);

/// A client that is a member of the hub. Boxed, and with it all that is seldom done: so its task is as small as what an
/// idle client needs.
pub(super) struct Connected<P> {
    session: Session,
    ending: Arc<Ending>,
    protocol: P,
    /// The time at which the client was last heard of.
    heard: Instant,
    stay: Stay,
    /// Its pings and pongs.
    control: ControlFrames,
    /// Messages in a row that were there at once.
    turn: usize,
}

/// The places that a client holds for as long as it is connected.
pub(super) struct Stay {
    /// Leaves the list of sessions with the connection.
    pub(super) listed: SessionGuard,
    /// Lets its address connect more often.
    pub(super) _live: Live,
    /// Counts the connection.
    pub(super) _counted: CountedConnection,
}

/// The reason why the loop of a connection ended.
enum End {
    /// The connection is lost, or the client closed it.
    Gone,
    /// The server closes it, with this frame.
    Close(CloseFrame),
}

impl<P: Protocol> Connected<P> {
    /// A client that has just come.
    pub(super) fn new(session: Session, ending: Arc<Ending>, protocol: P, stay: Stay) -> Self {
        let max = session.context.options.bounds.control_frames;
        let now = Instant::now();
        Self {
            session,
            ending,
            protocol,
            heard: now,
            stay,
            control: ControlFrames::new(max, now.into_std()),
            turn: 0,
        }
    }

    /// Serves the client until its end.
    pub(super) async fn run(mut self: Box<Self>, mut socket: Box<ClientSocket>) {
        let end = self.exchange(&mut socket).await;
        if let End::Close(_) = end {
            self.stay.listed.goodbye();
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
                        if matches!(message, Message::Ping(_) | Message::Pong(_))
                            && !self.control.take(self.heard.into_std())
                        {
                            return self.floods();
                        }
                        self.turn += 1;
                        if self.turn.is_multiple_of(TURN) {
                            // All that one read brought is there at once: others have their turn in between.
                            tokio::task::yield_now().await;
                        }
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
                    None => {
                        if ending.is_moving() {
                            // The client is answered before it goes.
                            timeout(MOVING_TIMEOUT, &mut work).await.ok();
                            if let Some(first) = queue.pop_now() {
                                unless_ended(ending, write_turn(socket, queue, first)).await?;
                            }
                        }
                        return Ok(Some(End::Close(ending.close())));
                    }
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
                self.stay.listed.goodbye();
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
        self.stay.listed.touch();
        let joins = text.as_ref().is_ok_and(|text| self.protocol.joins(text));
        let handled = match self.session.spend(joins).and(text) {
            Ok(text) => self.protocol.receive(&self.session, text).await,
            Err(refusal) => Err(refusal),
        };
        match handled {
            Ok(Handled::Done) => self.session.context.metrics.attempts.succeed(1),
            Ok(Handled::Counted) => {}
            Err(refusal) => self.session.refuse(&refusal, None),
        }
    }

    /// The end of a client that sends more pings and pongs than it may.
    fn floods(&self) -> End {
        self.session
            .context
            .metrics
            .killed("too_many_control_frames");
        End::Close(CloseFrame {
            code: CloseCode::Policy,
            reason: "more pings and pongs in a second than [server] max_control_frames; send fewer"
                .into(),
        })
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
