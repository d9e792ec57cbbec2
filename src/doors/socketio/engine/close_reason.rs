//! Why the server ends a connection.

use strum::{FromRepr, IntoStaticStr};

use crate::error::Error;

/// Why a lane was killed. The names are the `reason` labels of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRepr, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "snake_case")]
pub enum CloseReason {
    /// It went on asking for more while twice `max_client_buffer` waited for it.
    SlowClient = 1,
    /// It took nothing for `stall_timeout`.
    Stalled,
    /// The server goes down.
    Shutdown,
    /// Its token is over.
    Expired,
    /// Its token was revoked.
    Revoked,
    /// It is kept out.
    Banned,
    /// An admin closed it.
    Disconnected,
    /// It began a message longer than `max_http_buffer_size`.
    TooLarge,
    /// It sent a message in more than `max_fragments` pieces.
    #[strum(serialize = "too_many_fragments")]
    Fragments,
    /// It sent an attachment before it was let onto any namespace.
    BeforeConnect,
    /// It sent more CONNECT packets than `max_connects`.
    #[strum(serialize = "too_many_connects")]
    Connects,
    /// It sent frames that WebSocket doesn't know, or that only an extension could mean something by.
    Protocol,
    /// It sent a text that is no UTF-8.
    #[strum(serialize = "not_utf8")]
    Encoding,
    /// It took what was sent, or nothing waited, and it answered no ping.
    #[strum(serialize = "ping_timeout")]
    Silent,
}

impl CloseReason {
    /// The label.
    pub fn reason(self) -> &'static str {
        self.into()
    }

    /// The close frame that says it to the client: for what the client did wrong and can still be told of.
    pub(super) fn last_word(self) -> Option<&'static [u8]> {
        match self {
            Self::SlowClient | Self::Stalled | Self::Silent | Self::Shutdown => None,
            Self::Expired | Self::Revoked | Self::Banned | Self::Disconnected => None,
            // The codes of RFC 6455, 7.4.1: message too big, policy violation, protocol error, no UTF-8.
            Self::TooLarge => Some(b"\x88\x02\x03\xf1"),
            Self::Fragments | Self::BeforeConnect | Self::Connects => Some(b"\x88\x02\x03\xf0"),
            Self::Protocol => Some(b"\x88\x02\x03\xea"),
            Self::Encoding => Some(b"\x88\x02\x03\xef"),
        }
    }

    /// The same in words, ahead of the code: client libraries show an event, and hardly ever the code. None where the
    /// client was told already, or takes nothing.
    pub(super) fn words(self) -> Option<Error> {
        let (code, message) = match self {
            Self::SlowClient | Self::Stalled | Self::Silent | Self::Shutdown => return None,
            Self::Expired | Self::Revoked | Self::Banned | Self::Disconnected => return None,
            Self::TooLarge => (
                "too_large",
                "a message was longer than [server] max_http_buffer_size; send less at once",
            ),
            Self::Fragments => (
                "too_large",
                "a message came in more pieces than [server] max_fragments; send it in fewer",
            ),
            Self::BeforeConnect => (
                "bad_request",
                "an attachment came before CONNECT; connect to a namespace first",
            ),
            Self::Connects => (
                "rate_limited",
                "more CONNECT packets than [server] max_connects; open another connection",
            ),
            Self::Protocol => (
                "bad_request",
                "a frame is not as WebSocket wants it (RFC 6455): masked, whole, without extensions",
            ),
            Self::Encoding => ("bad_request", "a text was no UTF-8"),
        };
        Some(Error::new(code, message))
    }
}
