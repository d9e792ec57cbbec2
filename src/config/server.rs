//! `[server]`: how the server listens, whom it lets in, and the bounds on one connection.
//!
//! Every field has a default that makes the first run on loopback work: its type names it, or the attribute above it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    networks::Networks,
    numbers::{Count, Seconds},
    origins,
};

/// `[server]`: the listener and the life of one connection.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; loopback, so that a first run is reachable by nobody else.
    #[default = "127.0.0.1"]
    pub host: String,
    /// The port, the one that existing front-ends expect; 0 lets the system choose (tests).
    #[default = 8000]
    pub port: u16,
    /// The web pages that may connect beside the server's own; `loopback` is any page of this machine, `*` any page at all.
    #[serde(deserialize_with = "origins::one_or_many")]
    #[default(vec![origins::LOOPBACK.to_owned()])]
    pub cors_allowed_origins: Vec<String>,
    /// The names by which the server is reached, beside IP addresses and loopback names. A page whose own name was
    /// pointed to this server (DNS rebinding) shows another name.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub hosts: Vec<String>,
    /// Seconds to wait for the answer to a ping before a client counts as gone.
    pub ping_timeout: Seconds<60_000>,
    /// Seconds between two pings, which also keep proxies from closing a quiet connection.
    pub ping_interval: Seconds<25_000>,
    /// Bytes of one message from a client, so that nobody can fill the memory with one frame.
    pub max_http_buffer_size: Count<1_000_000, 1024, { 1 << 30 }>,
    /// Pieces that one WebSocket message may come in: an empty one costs as much work as a full one.
    pub max_fragments: Count<4096, 16, { 1 << 20 }>,
    /// Pings and pongs that one client of a plain WebSocket may send in a second: they cost work, whatever its role.
    pub max_control_frames: Count<100, 1, { 1 << 20 }>,
    /// CONNECT packets of one WebSocket, which needs one for each namespace: each costs the server more than the
    /// client.
    pub max_connects: Count<100, 3, { 1 << 20 }>,
    /// Seconds that a client may read nothing while bytes wait for it; then it is disconnected.
    pub stall_timeout: Seconds<20_000>,
    /// Seconds that a stop may take to tell the clients and write what is due.
    pub shutdown_timeout: Seconds<10_000>,
    /// Seconds over which clients are told to connect again when the node is drained.
    pub drain_time: Seconds<30_000, 0, 86_400_000>,
    /// Whether SIGTERM drains the node first.
    pub drain_on_stop: bool,
    /// Bytes that may wait for one client before it is parked.
    pub max_client_buffer: Count<{ 1 << 20 }, { 16 << 10 }, { 1 << 30 }>,
    /// Seconds for which a client's queue may stay non-empty before the client is parked: a stream that stays below the
    /// bound in bytes would otherwise be read minutes late.
    pub max_client_delay: Seconds<5_000>,
    /// Seconds for a request's headers to arrive, against clients that send them one byte at a time.
    pub header_timeout: Seconds<10_000>,
    /// Seconds for a session to join a namespace, so that half-open sessions are short.
    pub connect_timeout: Seconds<10_000>,
    /// Seconds that a producer has to answer an `agent_action`; then the operator gets `timeout`.
    pub action_timeout: Seconds<5_000>,
    /// Times that an `agent_action` is sent again whose producer left before it answered.
    pub action_retries: Count<3, 0, 10>,
    /// Seconds before the first of these; the wait doubles with each.
    pub action_retry_delay: Seconds<500, 1, 60_000>,
    /// A folder with a built page, served at `/` instead of the demo page inside the program; empty for that one.
    pub web_root: PathBuf,
    /// Unanswered actions of one operator.
    pub max_actions_in_flight: Count<64, 1, { 1 << 16 }>,
    /// Bytes of their parameters together.
    pub max_action_bytes: Count<{ 2 << 20 }, 1024, { 1 << 30 }>,
    /// Seconds for a request's body, so that nobody holds a request open with one byte at a time.
    pub body_timeout: Seconds<30_000>,
    /// Bytes per second that a streamed body must reach, on average over `body_timeout`.
    pub body_bytes_per_second: Count<10>,
    /// Bytes that request bodies may hold together while they are read, at the API and as much again at the polling door.
    pub max_body_bytes_in_flight: Count<{ 32 << 20 }, { 256 << 10 }, { 1 << 30 }>,
    /// The same for one address, so that endless bodies hold up only their own address.
    pub max_body_bytes_per_address: Count<{ 8 << 20 }, { 256 << 10 }, { 1 << 30 }>,
    /// Seconds after which the pace of a body is checked: one that is too slow loses its space to a body that waits.
    pub body_patience: Seconds<2_000>,
    /// Compressed bodies that are unpacked at a time: each needs some 64 KiB.
    pub max_unpacking: Count<256, 1, { 1 << 16 }>,
    /// Bytes that one byte of a compressed body, or of a client's compressed messages, may become, beyond
    /// `max_http_buffer_size`: more is a bomb.
    pub max_unpack_ratio: Count<100, 10, 2_000>,
    /// Seconds that a connection is kept open for a next request, so that forgotten ones don't fill the table.
    pub idle_timeout: Seconds<75_000>,
    /// Connections at a time in all, so that memory and descriptors have a bound.
    pub max_connections: Count<50_000>,
    /// Connections at a time from one address, so that nobody takes all of them.
    pub max_connections_per_address: Count<1000>,
    /// New connections in a second, in all; further ones wait in the system's queue, so that a storm of clients that
    /// come back is served in order.
    pub connections_per_second: Count<5000>,
    /// New connections in a second from one address.
    pub connections_per_second_per_address: Count<100>,
    /// Sessions in all that have joined no namespace yet, so that a flood of handshakes has a bound.
    pub max_pending_sessions: Count<10_000>,
    /// The same from one address.
    pub max_pending_per_address: Count<500>,
    /// Addresses without limits per address: a proxy on the same machine makes all clients one address.
    #[default(Networks::loopback())]
    pub exempt_addresses: Networks,
    /// The proxies whose word on a client's address counts. If everybody's counted, clients could evade the limits.
    pub trusted_proxies: Networks,
    /// Packets in one polling POST: each costs a turn of the engine, and a body holds tens of thousands.
    pub max_packets_per_post: Count<1000>,
    /// Whether a request without an Origin is refused, where only web pages are to connect.
    pub require_origin: bool,
    /// Whether other machines may reach the server, by an address of its own or through a proxy, although it requires
    /// no token.
    pub allow_insecure: bool,
}

impl Server {
    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

/// Host and port of a text that names both; `None` if it names only a host.
pub fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    // The colons of an IPv6 address don't begin a port, unless it stands in brackets.
    let is_host = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (is_host && is_port).then_some((host, port))
}
