//! `[server]`: how the server listens, whom it lets in, and the bounds on one connection.
//!
//! Every field has a default that makes the first run on loopback work. Durations are plain numbers in the unit that
//! the comment names, as the file has them; the methods give them as durations.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    networks::Networks,
    numbers::{Count, MOST, durations, positive},
    origins,
};

/// `[server]`: the listener and the life of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; loopback, so that a first run is reachable by nobody else.
    pub host: String,
    /// The port, the one that existing front-ends expect; 0 lets the system choose (tests).
    pub port: u16,
    /// The web pages that may connect beside the server's own; `loopback` is any page of this machine, `*` any page at all.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub cors_allowed_origins: Vec<String>,
    /// The names by which the server is reached, beside IP addresses and loopback names: a page whose own name was made
    /// to point to this server (DNS rebinding) shows another one.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub hosts: Vec<String>,
    /// Seconds to wait for the answer to a ping before a client counts as gone.
    #[serde(deserialize_with = "positive")]
    pub ping_timeout: f64,
    /// Seconds between two pings, which also keep proxies from closing a quiet connection.
    #[serde(deserialize_with = "positive")]
    pub ping_interval: f64,
    /// Bytes of one message from a client, so that nobody can fill the memory with one frame.
    #[serde(deserialize_with = "Count::<1024, { 1 << 30 }>::read")]
    pub max_http_buffer_size: usize,
    /// Pieces that one WebSocket message may come in: an empty one costs as much work as a full one.
    #[serde(deserialize_with = "Count::<16, { 1 << 20 }>::read")]
    pub max_fragments: usize,
    /// CONNECT packets of one WebSocket, which needs one for each namespace: each costs more than it does the client.
    #[serde(deserialize_with = "Count::<3, { 1 << 20 }>::read")]
    pub max_connects: usize,
    /// Seconds that a client may read nothing while bytes wait for it; then it is disconnected.
    #[serde(deserialize_with = "positive")]
    pub stall_timeout: f64,
    /// Seconds that a stop may take to tell the clients and write what is due.
    #[serde(deserialize_with = "positive")]
    pub shutdown_timeout: f64,
    /// Bytes that may wait for one client before it counts as too slow.
    #[serde(deserialize_with = "Count::<{ 16 * 1024 }, { 1 << 30 }>::read")]
    pub max_client_buffer: usize,
    /// Seconds for which something may wait for a client without end before it counts as too slow: a stream that stays
    /// below the bound in bytes would otherwise be read minutes late.
    #[serde(deserialize_with = "positive")]
    pub max_client_delay: f64,
    /// Seconds for a request's headers to arrive, against clients that send them one byte at a time.
    #[serde(deserialize_with = "positive")]
    pub header_timeout: f64,
    /// Seconds for a session to join a namespace, so that half-open sessions cost nothing for long.
    #[serde(deserialize_with = "positive")]
    pub connect_timeout: f64,
    /// Seconds that a producer has to answer an `agent_action`; then the operator is told `timeout`.
    #[serde(deserialize_with = "positive")]
    pub action_timeout: f64,
    /// A folder with a built page, served at `/` instead of the demo page inside the program; empty for that one.
    pub web_root: PathBuf,
    /// Actions that one operator may have asked for and that are not answered yet.
    #[serde(deserialize_with = "Count::<1, { 1 << 16 }>::read")]
    pub max_actions_in_flight: usize,
    /// Bytes of their parameters together.
    #[serde(deserialize_with = "Count::<1024, { 1 << 30 }>::read")]
    pub max_action_bytes: usize,
    /// Seconds for a request's body, so that nobody holds a request open with one byte at a time.
    #[serde(deserialize_with = "positive")]
    pub body_timeout: f64,
    /// Bytes in a second that a streamed body has to keep up, on average over `body_timeout`: a drip is no stream.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub body_bytes_per_second: usize,
    /// Bytes that request bodies may hold together while they are read, at the API and as much again at the polling door.
    #[serde(deserialize_with = "Count::<{ 256 * 1024 }, { 1 << 30 }>::read")]
    pub max_body_bytes_in_flight: usize,
    /// The same of one address: whose bodies never end holds up itself.
    #[serde(deserialize_with = "Count::<{ 256 * 1024 }, { 1 << 30 }>::read")]
    pub max_body_bytes_per_address: usize,
    /// Seconds after which a body that is held and comes too slowly to be there in time gives its place to one that waits.
    #[serde(deserialize_with = "positive")]
    pub body_patience: f64,
    /// Compressed bodies that are unpacked at a time: each holds some 64 KiB for that.
    #[serde(deserialize_with = "Count::<1, { 1 << 16 }>::read")]
    pub max_unpacking: usize,
    /// Bytes that one byte of a compressed body may become, beside `max_http_buffer_size`: more is a bomb.
    #[serde(deserialize_with = "Count::<10, 2_000>::read")]
    pub max_unpack_ratio: usize,
    /// Seconds that a connection is kept open for a next request, so that forgotten ones don't fill the table.
    #[serde(deserialize_with = "positive")]
    pub idle_timeout: f64,
    /// Connections at a time in all, so that memory and descriptors have a bound.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub max_connections: usize,
    /// Connections at a time from one address, so that nobody takes all of them.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub max_connections_per_address: usize,
    /// New connections in a second in all; the excess waits with the system, so that a storm of clients that come back is served in order.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub connections_per_second: usize,
    /// New connections in a second from one address.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub connections_per_second_per_address: usize,
    /// Sessions in all that have joined no namespace yet, so that a flood of handshakes has a bound.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub max_pending_sessions: usize,
    /// The same from one address.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub max_pending_per_address: usize,
    /// Addresses that are not held to the limits per address: a proxy on the same machine makes all clients one address.
    pub exempt_addresses: Networks,
    /// The proxies whose word on a client's address is taken; nobody else's is, or limits would be for the asking.
    pub trusted_proxies: Networks,
    /// Packets in one polling POST: each costs a turn of the engine, and a body holds tens of thousands.
    #[serde(deserialize_with = "Count::<1, MOST>::read")]
    pub max_packets_per_post: usize,
    /// Whether a request without an Origin is turned away, where only web pages are to connect.
    pub require_origin: bool,
    /// Whether the server may be reachable from other machines, by an address of its own or through a proxy, although it
    /// asks nobody for a token.
    pub allow_insecure: bool,
}

durations!(Server {
    ping_timeout,
    ping_interval,
    stall_timeout,
    max_client_delay,
    shutdown_timeout,
    header_timeout,
    connect_timeout,
    action_timeout,
    body_timeout,
    body_patience,
    idle_timeout,
});

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8000,
            cors_allowed_origins: vec![origins::LOOPBACK.to_owned()],
            hosts: Vec::new(),
            ping_timeout: 60.0,
            ping_interval: 25.0,
            max_http_buffer_size: 1_000_000,
            max_fragments: 4_096,
            max_connects: 100,
            stall_timeout: 20.0,
            shutdown_timeout: 10.0,
            max_client_buffer: 1_048_576,
            max_client_delay: 5.0,
            header_timeout: 10.0,
            connect_timeout: 10.0,
            action_timeout: 5.0,
            max_actions_in_flight: 64,
            max_action_bytes: 2_097_152,
            web_root: PathBuf::new(),
            body_timeout: 30.0,
            body_bytes_per_second: 10,
            max_body_bytes_in_flight: 33_554_432,
            max_body_bytes_per_address: 8_388_608,
            body_patience: 2.0,
            max_unpacking: 256,
            max_unpack_ratio: 100,
            idle_timeout: 75.0,
            max_connections: 50_000,
            max_connections_per_address: 1_000,
            connections_per_second: 5_000,
            connections_per_second_per_address: 100,
            max_pending_sessions: 10_000,
            max_pending_per_address: 500,
            exempt_addresses: Networks::loopback(),
            trusted_proxies: Networks::default(),
            max_packets_per_post: 1_000,
            require_origin: false,
            allow_insecure: false,
        }
    }
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

/// Host and port of a text that names both; none of one that names only a host.
pub fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    // The colons of an IPv6 address are its own, unless it stands in brackets.
    let is_host = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (is_host && is_port).then_some((host, port))
}
