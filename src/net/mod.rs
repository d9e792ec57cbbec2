//! Bytes in and out: the listener and its limits, TLS, HTTP connections and request bodies; frames of WebSockets and their
//! compression.

mod address;
mod body;
mod body_limits;
mod connection;
mod date;
pub mod deflate;
pub mod frame;
mod in_flight;
mod listener;
mod packed;
mod presence;
mod quota;
mod space;
pub(crate) mod stream;
mod timeouts;
mod tls;
mod turn_away;

pub use address::{ClientAddress, Proxies, Secure, forwarded_for};
pub use body::{NextPart, Steady, read_body};
pub use body_limits::{BodyLimits, PackedLimits};
pub use connection::{PeerAddress, PeerClosed};
pub use date::read_the_clock;
pub use listener::{Prepared, Server, SetupError};
pub use packed::{PACKINGS, Packing, UnknownPacking, unpack};
pub use presence::ConnectionSlot;
pub use quota::{Arrival, Live, Quota, QuotaExceeded, QuotaLimits, Rate, Slot};
pub use space::{FREE_BYTES, Place, Space};
pub use stream::Socket;
pub use timeouts::Timeouts;
pub use tls::{Certificates, TlsError};
