//! `server_stats`: sums of the whole server, every two seconds.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};

use crate::{
    access::authz::Permissions, doors::socketio::context::DoorContext, event::Object,
    hub::Question, timestamp::Timestamp,
};

/// The door of Socket.IO, as connections are counted by.
const DOOR: &str = "socketio";

/// The sums at the last time.
#[derive(Debug)]
pub(super) struct Figures {
    server_id: String,
    hostname: String,
    started: Instant,
    /// Bytes in and out, connections that began, and ends by reason.
    before: Option<Sums>,
}

#[derive(Debug, Default, Clone)]
struct Sums {
    bytes_in: u64,
    bytes_out: u64,
    packets_in: u64,
    packets_out: u64,
    began: u64,
    ended: u64,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            server_id: crate::event::mint_id().to_string(),
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map(|name| name.trim().to_owned())
                .unwrap_or_else(|_| "stoa".into()),
            started: Instant::now(),
            before: None,
        }
    }

    /// The figures now, with what happened since the last time.
    pub(super) async fn take(&mut self, context: &Arc<DoorContext>) -> Value {
        let live = context.metrics.live.live();
        let sessions = live.iter().filter(|(kind, _)| kind.door == DOOR);
        let clients: u64 = sessions.clone().map(|(_, count)| count).sum();
        let polling = sessions.filter(|(kind, _)| kind.transport == "polling");
        let polling: u64 = polling.map(|(_, count)| count).sum();
        let permissions = Permissions::everything();
        let stats = context.hub.question(Question::Stats { permissions }).await;
        let stats = stats.unwrap_or_default();
        json!({
            "serverId": self.server_id,
            "hostname": self.hostname,
            "pid": std::process::id(),
            "uptime": self.started.elapsed().as_secs_f64(),
            "clientsCount": clients,
            "pollingClientsCount": polling,
            "aggregatedEvents": self.happened(context),
            "namespaces": namespaces(&stats),
        })
    }

    fn happened(&mut self, context: &Arc<DoorContext>) -> Vec<Value> {
        let (bytes_in, bytes_out) = context.metrics.sockets.bytes();
        let (began, ended) = context.metrics.live.came_and_went();
        let now = Sums {
            bytes_in,
            bytes_out,
            packets_in: context.metrics.usage.messages(),
            packets_out: context.metrics.delivered(),
            began,
            ended,
        };
        let before = self.before.replace(now.clone()).unwrap_or(now.clone());
        let second = Timestamp::now().as_micros() / 1_000_000 * 1_000;
        let sums = [
            ("rawConnection", now.began, before.began),
            ("rawDisconnection", now.ended, before.ended),
            ("packetsIn", now.packets_in, before.packets_in),
            ("packetsOut", now.packets_out, before.packets_out),
            ("bytesIn", now.bytes_in, before.bytes_in),
            ("bytesOut", now.bytes_out, before.bytes_out),
        ];
        let some = sums.into_iter().filter(|(_, now, before)| now > before);
        some.map(|(kind, now, before)| {
            json!({ "timestamp": second, "type": kind, "count": now - before })
        })
        .collect()
    }
}

fn namespaces(stats: &Object) -> Vec<Value> {
    let by_namespace = stats.get("connections_by_namespace");
    let by_namespace = by_namespace.and_then(Value::as_object);
    let each = by_namespace.into_iter().flatten();
    each.map(|(name, count)| json!({ "name": name, "socketsCount": count }))
        .collect()
}
