//! One file for each shape in which producers send events.

pub(super) mod agent_update;
pub(super) mod canonical;
pub(super) mod conversation;
pub(super) mod realtime;
pub(super) mod service;
pub(super) mod visual;
