//! A Socket.IO client that costs little: it reads into a buffer that all clients of its thread share, and parses no JSON.

use std::sync::Mutex;

use super::{
    arguments::Transport,
    polling::Polling,
    reading::{Receive, Shared, Times},
    socket::Socket,
    target::Target,
};

/// One connection.
pub(super) enum Client {
    Socket(Box<Socket>),
    Polling(Polling),
}

impl Client {
    /// Opens a connection to the server's namespace, as the client of this number.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn open(
        target: &Target,
        nth: usize,
        auth: &str,
    ) -> Result<(Self, Times), String> {
        Ok(match target.transport {
            Transport::Websocket => {
                let (socket, times) = Socket::open(target, nth, auth).await?;
                (Self::Socket(Box::new(socket)), times)
            }
            Transport::Polling => {
                let (polling, times) = Polling::open(target, nth, auth).await?;
                (Self::Polling(polling), times)
            }
        })
    }

    /// Appends a packet of Socket.IO to what is written with the next [`turn`](Self::turn).
    pub(super) fn queue(&mut self, packet: &[u8]) {
        match self {
            Self::Socket(socket) => socket.queue(packet),
            Self::Polling(polling) => polling.queue(packet),
        }
    }

    /// The bytes that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        match self {
            Self::Socket(socket) => socket.unwritten(),
            Self::Polling(polling) => polling.unwritten(),
        }
    }

    /// Whether something waits to be written.
    pub(super) fn has_unwritten(&self) -> bool {
        self.unwritten() > 0
    }

    /// Writes and reads, until something was read or all is written. It may be broken off at any time.
    ///
    /// # Errors
    /// In words: the connection is over.
    pub(super) async fn turn<T>(
        &mut self,
        shared: &Mutex<Shared<T>>,
        receive: &mut impl Receive<T>,
    ) -> Result<(), String> {
        match self {
            Self::Socket(socket) => socket.turn(shared, receive).await,
            Self::Polling(polling) => polling.turn(shared, receive).await,
        }
    }
}
