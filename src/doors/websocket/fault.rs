//! The faults that end a connection, as they are counted and told.

use std::{borrow::Cow, error::Error, io};

use tokio_tungstenite::tungstenite::{
    self,
    error::{CapacityError, ProtocolError},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::fragments::TooManyFragments;
use crate::net::deflate::InflationError;

/// The reason for which a connection is counted as ended, and the close frame if the client can still be told; `None`
/// for a connection that was lost or that the client closed.
pub(super) fn of(error: &tungstenite::Error) -> Option<(&'static str, Option<CloseFrame>)> {
    let (reason, code, words): (_, _, Cow<'static, str>) = match error {
        tungstenite::Error::Io(error) => {
            if let Some(fault) = cause::<TooManyFragments>(error) {
                let frame = CloseFrame {
                    code: CloseCode::Policy,
                    reason: fault.to_string().into(),
                };
                return Some(("too_many_fragments", Some(frame)));
            }
            let Some(cause) = cause::<InflationError>(error) else {
                let is_stalled = error.kind() == io::ErrorKind::TimedOut;
                return is_stalled.then_some(("stalled", None));
            };
            let (reason, code) = match cause {
                InflationError::TooLarge => ("too_large", CloseCode::Size),
                InflationError::Ratio => ("unpack_ratio", CloseCode::Size),
                InflationError::Malformed => ("malformed_compression", CloseCode::Invalid),
                InflationError::Interrupted => ("protocol", CloseCode::Protocol),
            };
            (reason, code, cause.to_string().into())
        }
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => (
            "too_large",
            CloseCode::Size,
            "longer than [server] max_http_buffer_size".into(),
        ),
        tungstenite::Error::Utf8(_) => {
            ("not_utf8", CloseCode::Invalid, "a text is no UTF-8".into())
        }
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        tungstenite::Error::Protocol(_) => (
            "protocol",
            CloseCode::Protocol,
            "not as WebSocket wants it (RFC 6455)".into(),
        ),
        _ => return None,
    };
    let frame = CloseFrame {
        code,
        reason: words.as_ref().into(),
    };
    Some((reason, Some(frame)))
}

/// The fault of what the client sent, if it is one of this kind that ended the stream.
fn cause<E: Error + Copy + 'static>(error: &io::Error) -> Option<E> {
    error.get_ref()?.downcast_ref().copied()
}
