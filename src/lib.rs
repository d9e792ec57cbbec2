//! Stoa: a Socket.IO-compatible realtime server for multi-agent systems.

pub mod event;
pub mod journal;
pub mod pace;
pub mod update;
