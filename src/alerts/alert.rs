//! An alert, and what is said of it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{access::authz::Audience, event::Object, timestamp::Timestamp};

/// The severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong any more.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something failed.
    Error,
    /// Clients or producers feel it now.
    Critical,
}

/// The thing that an alert is about: a limit, a part, or a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Subject {
    /// `server`, `limit`, `breaker`, or the kind of a run.
    pub kind: &'static str,
    /// The name, or the id.
    pub id: Arc<str>,
}

/// Something that operators must know.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// A word of a fixed set.
    pub code: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// The thing that it is about.
    pub subject: Subject,
    /// The fact, in one sentence.
    pub message: String,
    /// The act that helps, in one sentence.
    pub action: String,
    /// The figure.
    pub value: Option<f64>,
    /// The limit that it is held against.
    pub limit: Option<f64>,
    /// Those who may see the run; none for the server itself, whose figures all operators see.
    pub audience: Option<Arc<Audience>>,
}

/// Whether an alert holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It holds.
    Firing,
    /// It is over.
    Resolved,
}

impl Status {
    /// The name of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// The message about an alert at one time.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The alert.
    pub alert: Arc<Alert>,
    /// The producer whose event says so; none for a figure.
    pub producer: Option<Arc<str>>,
    /// Names this alert from its beginning to its end.
    pub id: Arc<str>,
    /// Whether it holds.
    pub status: Status,
    /// Its beginning.
    pub since: Timestamp,
    /// The time of this notice.
    pub at: Timestamp,
    /// The times that it was told before.
    pub repeated: u32,
    /// Those who may see what ends it, where that is another event than the one that began it.
    pub audience: Option<Arc<Audience>>,
}

impl Notice {
    /// Its severity now.
    pub fn severity(&self) -> Severity {
        match self.status {
            Status::Firing => self.alert.severity,
            Status::Resolved => Severity::Info,
        }
    }

    /// The fact, in one sentence.
    pub fn message(&self) -> String {
        match self.status {
            Status::Firing => self.alert.message.clone(),
            Status::Resolved => format!("it is over: {}", self.alert.message),
        }
    }

    /// The fields of the alert, as `health_update` and the webhook have them.
    pub fn fields(&self) -> Value {
        let alert = &self.alert;
        json!({
            "id": self.id,
            "code": alert.code,
            "status": self.status,
            "severity": self.severity(),
            "message": self.message(),
            "action": alert.action,
            "subject": alert.subject,
            "project_id": alert.audience.as_ref().and_then(|audience| audience.project()),
            "value": alert.value,
            "limit": alert.limit,
            "since": self.since,
            "at": self.at,
            "repeated": self.repeated,
        })
    }

    /// The `health_update` that operators are sent.
    pub fn health_update(&self) -> Object {
        let severity = self.severity();
        let is_critical = severity == Severity::Critical;
        let (message, alert) = (self.message(), self.fields());
        let body = json!({
            "type": "health_update",
            "id": format!("alert-{}-{}-{}", self.id, self.status.as_str(), self.repeated),
            "timestamp": self.at,
            "source_type": "alert",
            "priority": if is_critical { "critical" } else { "high" },
            "animation": if is_critical { "alert" } else { "none" },
            "hint": {
                "target": { "kind": self.alert.subject.kind, "id": self.alert.subject.id },
                "duration_ms": 0, "intensity": 0,
            },
            "severity": severity,
            "status": self.status,
            "message": message,
            "data": { "severity": severity, "message": message, "status": self.status, "alert": alert },
            "alert": alert,
        });
        match body {
            Value::Object(body) => body,
            _ => Object::new(),
        }
    }
}
