//! The doors for clients that speak JSON over a plain WebSocket, each in the shapes of the system that it serves.

mod compression;
mod guide;
mod own_port;
mod pipeline;
mod pipeline_actions;
mod pipeline_admin;
mod session;
mod streams;
mod streams_state;
mod visual_batches;
mod visualization;
