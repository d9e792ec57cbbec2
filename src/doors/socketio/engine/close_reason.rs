//! The reasons why the server ends a connection.

use strum::{FromRepr, IntoStaticStr};

use crate::error::Error;

/// The reason why a lane was killed. The names are the `reason` labels of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRepr, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "snake_case")]
pub enum CloseReason {
    /// The client went on asking for more while twice `max_client_buffer` waited for it.
    SlowClient = 1,
    /// The client took nothing for `stall_timeout`.
    Stalled,
    /// The server goes down.
    Shutdown,
    /// The token has expired.
    Expired,
    /// The token was revoked.
    Revoked,
    /// The user, address or token was banned.
    Banned,
    /// An admin closed the connection.
    Disconnected,
    /// The client began a message longer than `max_http_buffer_size`.
    TooLarge,
    /// The client sent a message in more than `max_fragments` pieces.
    #[strum(serialize = "too_many_fragments")]
    Fragments,
    /// The client sent an attachment before it had joined a namespace.
    BeforeConnect,
    /// The client sent more CONNECT packets than `max_connects`.
    #[strum(serialize = "too_many_connects")]
    Connects,
    /// The client sent frames that WebSocket doesn't know, or that only an extension could mean something by.
    Protocol,
    /// The client sent a text that is not UTF-8.
    #[strum(serialize = "not_utf8")]
    Encoding,
    /// The client answered no ping, although it took all that was sent, or nothing waited.
    #[strum(serialize = "ping_timeout")]
    Silent,
    /// The client sent a compressed message that can't be inflated.
    #[strum(serialize = "malformed_compression")]
    MalformedCompression,
    /// The client's compressed messages became more than `max_unpack_ratio` times their bytes.
    UnpackRatio,
    /// The client has come by another connection.
    Replaced,
    /// The client is to connect again, perhaps with another node.
    Moved,
}

impl CloseReason {
    /// The label.
    pub fn reason(self) -> &'static str {
        self.into()
    }

    /// The close frame that tells the client its fault; `None` where it has none, or can't be told any more.
    pub(super) fn last_word(self) -> Option<&'static [u8]> {
        match self {
            Self::SlowClient | Self::Stalled | Self::Silent | Self::Shutdown => None,
            Self::Replaced | Self::Moved => None,
            Self::Expired | Self::Revoked | Self::Banned | Self::Disconnected => None,
            // RFC 6455, 7.4.1: message too big, policy violation, protocol error, data that is not what it says.
            Self::TooLarge | Self::UnpackRatio => Some(b"\x88\x02\x03\xf1"),
            Self::Fragments | Self::BeforeConnect | Self::Connects => Some(b"\x88\x02\x03\xf0"),
            Self::Protocol => Some(b"\x88\x02\x03\xea"),
            Self::Encoding | Self::MalformedCompression => Some(b"\x88\x02\x03\xef"),
        }
    }

    /// The same in words, sent ahead of the close frame: client libraries show an event, and hardly ever the code.
    /// `None` where the client was told already, or takes nothing.
    pub(super) fn words(self) -> Option<Error> {
        let (code, message) = match self {
            Self::SlowClient | Self::Stalled | Self::Silent | Self::Shutdown => return None,
            Self::Replaced | Self::Moved => return None,
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
                "a frame is not as WebSocket wants it (RFC 6455): masked, whole, without extensions that were not agreed on",
            ),
            Self::Encoding => ("bad_request", "a text was no UTF-8"),
            Self::MalformedCompression => (
                "bad_request",
                "a compressed message can't be inflated: send each by itself (client_no_context_takeover), deflated and whole",
            ),
            Self::UnpackRatio => (
                "too_large",
                "compressed messages became more than [server] max_unpack_ratio times their bytes; send them uncompressed",
            ),
        };
        Some(Error::new(code, message))
    }
}
