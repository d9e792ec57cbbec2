//! Checks of values beyond their kind.

use super::{
    Config, DoorPort,
    authentication::weak_secret,
    invalid::Invalid,
    origins::{wrong_host, wrong_origin},
    server::split_port,
};
use crate::config::JournalKind;

impl Config {
    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        self.shares()
            .or_else(|| self.certificate())
            .or_else(|| self.names())
            .or_else(|| self.ports())
            .or_else(|| self.sampling())
            .or_else(|| self.authentication.invalid())
            .or_else(|| self.alerts.invalid())
            .or_else(|| self.bus.invalid())
            .or_else(|| self.admin_ui.invalid())
            .or_else(|| self.backend.invalid())
            .or_else(|| self.weak_secret())
    }

    fn shares(&self) -> Option<Invalid> {
        let share = self.pace.level_shares.into_iter();
        let wrong = share
            .into_iter()
            .find(|share| !(1..=1_000).contains(share))?;
        Some(Invalid::new(
            "pace",
            "level_shares",
            format!(
                "has {wrong}: each must be from 1 to 1000, or updates of that priority would never go"
            ),
        ))
    }

    fn certificate(&self) -> Option<Invalid> {
        let empty = |path: &std::path::Path| path.as_os_str().is_empty();
        let missing = match (empty(&self.tls.cert_file), empty(&self.tls.key_file)) {
            (true, false) => "cert_file",
            (false, true) => "key_file",
            _ => return None,
        };
        Some(Invalid::new(
            "tls",
            missing,
            "is missing: name both the certificate and its key, or none of them".into(),
        ))
    }

    fn sampling(&self) -> Option<Invalid> {
        let ratio = self.traces.sample_ratio;
        let wrong = !(0.0..=1.0).contains(&ratio);
        wrong.then(|| {
            let message = format!("is {ratio}: it must be from 0 (no trace) to 1 (every trace)");
            Invalid::new("traces", "sample_ratio", message)
        })
    }

    fn ports(&self) -> Option<Invalid> {
        let port = self.server.port;
        (port != 0 && self.doors.visualization_port == DoorPort::At(port)).then(|| {
            Invalid::new(
                "doors",
                "visualization_port",
                format!("is {port}, which is [server] port: choose another, or 0 for none"),
            )
        })
    }

    fn names(&self) -> Option<Invalid> {
        let room = &self.rooms.default_room;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
        if room.is_empty() || room.len() > 128 || !room.bytes().all(plain) {
            return Some(Invalid {
                entry: None,
                section: "rooms",
                key: "default_room",
                message: format!("is {room:?}: 1 to 128 of A-Z a-z 0-9 _ . : -"),
            });
        }
        if let Some(message) = self.namespaces.wrong() {
            return Some(Invalid::new("namespaces", "declared", message));
        }
        if !(self.demo.speed > 0.0 && self.demo.speed <= 1000.0) {
            return Some(Invalid {
                entry: None,
                section: "demo",
                key: "speed",
                message: format!(
                    "is {}: it must be more than 0 and at most 1000",
                    self.demo.speed
                ),
            });
        }
        let path = &self.journal.path;
        // SQLite gives these names another meaning than a file's.
        let is_no_file =
            |name: &str| name.is_empty() || name == ":memory:" || name.starts_with("file:");
        if self.journal.kind == JournalKind::Sqlite && path.to_str().is_some_and(is_no_file) {
            return Some(Invalid::new(
                "journal",
                "path",
                format!(
                    "is {path:?}, which names no file: name one, or keep events in memory with [journal] kind = \"memory\""
                ),
            ));
        }
        if let Some(invalid) = self.journal.invalid_engine() {
            return Some(invalid);
        }
        let server = &self.server;
        if let Some((host, port)) = split_port(&server.host) {
            let message = format!(
                "is {:?}: the port goes into a key of its own: host = {host:?} and port = {port}",
                server.host
            );
            return Some(Invalid::new("server", "host", message));
        }
        let origin = server.cors_allowed_origins.iter().find_map(wrong_origin);
        let host = || server.hosts.iter().find_map(wrong_host);
        origin
            .map(|message| Invalid::new("server", "cors_allowed_origins", message))
            .or_else(|| host().map(|message| Invalid::new("server", "hosts", message)))
    }
}

impl Config {
    fn weak_secret(&self) -> Option<Invalid> {
        let weak = weak_secret(self.authentication.secret.as_bytes());
        let weak = weak.filter(|_| !self.server.is_loopback())?;
        Some(Invalid::new("authentication", "secret", weak))
    }
}
