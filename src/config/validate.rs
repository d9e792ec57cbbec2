//! What a value must be beyond its kind.

use super::Config;
use crate::update::MAX_WINDOW_MS;

/// A key whose value can't be.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) message: String,
}

/// A year: longer makes no sense, and timers must be able to hold it.
const LONGEST: f64 = 366.0 * 86_400.0;

impl Config {
    /// The first key whose value can't be.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        self.durations()
            .or_else(|| self.milliseconds())
            .or_else(|| self.counts())
            .or_else(|| self.names())
            .or_else(|| self.not_yet())
    }

    fn durations(&self) -> Option<Invalid> {
        let s = &self.server;
        let seconds = [
            ("server", "ping_timeout", s.ping_timeout),
            ("server", "ping_interval", s.ping_interval),
            ("server", "stall_timeout", s.stall_timeout),
            ("server", "max_client_delay", s.max_client_delay),
            ("server", "shutdown_timeout", s.shutdown_timeout),
            ("server", "header_timeout", s.header_timeout),
            ("server", "connect_timeout", s.connect_timeout),
            ("server", "action_timeout", s.action_timeout),
            (
                "rooms",
                "room_cleanup_interval",
                self.rooms.room_cleanup_interval,
            ),
            (
                "performance",
                "heartbeat_interval",
                self.performance.heartbeat_interval,
            ),
            (
                "authentication",
                "session_timeout",
                self.authentication.session_timeout,
            ),
            (
                "rate_limiting",
                "ban_duration",
                self.rate_limiting.ban_duration,
            ),
            ("journal", "max_age", self.journal.max_age),
        ];
        let wrong = seconds
            .into_iter()
            .find(|(_, _, value)| !(*value > 0.0 && *value <= LONGEST));
        wrong.map(|(section, key, value)| Invalid {
            section,
            key,
            message: format!(
                "is {value}: it is a number of seconds, more than 0 and at most a year"
            ),
        })
    }

    fn milliseconds(&self) -> Option<Invalid> {
        let milliseconds = [
            ("transform", "throttle_ms", self.transform.throttle_ms),
            (
                "transform",
                "text_throttle_ms",
                self.transform.text_throttle_ms,
            ),
            ("pace", "flush_interval_ms", self.pace.flush_interval_ms),
        ];
        let wrong = milliseconds
            .into_iter()
            .find(|(_, _, ms)| *ms > MAX_WINDOW_MS);
        wrong.map(|(section, key, value)| Invalid {
            section,
            key,
            message: format!(
                "is {value}: it is a number of milliseconds, at most {MAX_WINDOW_MS} (a day)"
            ),
        })
    }

    fn counts(&self) -> Option<Invalid> {
        let counts = [
            (
                "server",
                "max_http_buffer_size",
                self.server.max_http_buffer_size,
                1024,
                1 << 30,
            ),
            (
                "server",
                "max_client_buffer",
                self.server.max_client_buffer,
                16 * 1024,
                1 << 30,
            ),
            (
                "rooms",
                "max_room_size",
                self.rooms.max_room_size,
                1,
                1 << 24,
            ),
            (
                "rooms",
                "max_rooms_per_client",
                self.rooms.max_rooms_per_client,
                1,
                1 << 20,
            ),
            (
                "performance",
                "message_queue_size",
                self.performance.message_queue_size,
                16,
                1 << 20,
            ),
            (
                "performance",
                "max_publish_batch",
                self.performance.max_publish_batch,
                1,
                100_000,
            ),
            (
                "performance",
                "max_lag",
                self.performance.max_lag,
                1,
                1 << 24,
            ),
            (
                "performance",
                "flush_max",
                self.performance.flush_max,
                1,
                50_000,
            ),
            (
                "performance",
                "max_entities",
                self.performance.max_entities,
                16,
                1 << 24,
            ),
            (
                "content_filtering",
                "max_message_size",
                self.content_filtering.max_message_size,
                256,
                1 << 30,
            ),
            (
                "content_filtering",
                "max_depth",
                self.content_filtering.max_depth,
                4,
                100,
            ),
            ("journal", "max_events", self.journal.max_events, 1, 1 << 32),
        ];
        let wrong = counts
            .into_iter()
            .find(|(_, _, value, least, most)| value < least || value > most);
        wrong.map(|(section, key, value, least, most)| Invalid {
            section,
            key,
            message: format!("is {value}: it must be from {least} to {most}"),
        })
    }

    fn names(&self) -> Option<Invalid> {
        let room = &self.rooms.default_room;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
        if room.is_empty() || room.len() > 128 || !room.bytes().all(plain) {
            return Some(Invalid {
                section: "rooms",
                key: "default_room",
                message: format!("is {room:?}: 1 to 128 of A-Z a-z 0-9 _ . : -"),
            });
        }
        if !(self.demo.speed > 0.0 && self.demo.speed <= 1000.0) {
            return Some(Invalid {
                section: "demo",
                key: "speed",
                message: format!(
                    "is {}: it must be more than 0 and at most 1000",
                    self.demo.speed
                ),
            });
        }
        let origin = self
            .server
            .cors_allowed_origins
            .iter()
            .find(|o| *o != "*" && !is_origin(o))?;
        Some(Invalid {
            section: "server",
            key: "cors_allowed_origins",
            message: format!(
                "has {origin:?}: write \"*\" or scheme and host, like \"https://app.example\""
            ),
        })
    }

    fn not_yet(&self) -> Option<Invalid> {
        let later = |section, key| Invalid {
            section,
            key,
            message: "is not available in this version; leave it false".into(),
        };
        if self.authentication.required {
            return Some(later("authentication", "required"));
        }
        self.rate_limiting
            .enabled
            .then(|| later("rate_limiting", "enabled"))
    }
}

/// Scheme and host with perhaps a port, nothing behind it: what browsers send as `Origin`.
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        !scheme.is_empty()
            && !host.is_empty()
            && !host.contains(['/', '*', ' ', '?', '#'])
            && http::HeaderValue::from_str(text).is_ok()
    })
}
