//! Attacks over the wire against the real server: the attacker is refused, whoever behaves is served all the while.
//! `docs/security.md` lists them with their outcomes.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../common/mod.rs"]
mod common;

mod connections;
mod http;
mod origins;
mod sessions;
mod wire;
