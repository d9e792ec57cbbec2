//! One thing that is not as it should be.

use serde::Serialize;

/// The severity of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look at it.
    Warning,
    /// Clients or producers feel it now.
    Critical,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Issue {
    /// A word of a fixed set.
    pub code: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// The fact, in one sentence.
    pub message: String,
    /// The act that helps, in one sentence.
    pub action: String,
    /// The figure.
    pub value: Option<f64>,
    /// The limit that it is held against.
    pub limit: Option<f64>,
    /// The points that it costs.
    pub points: u8,
}

/// An issue without its figures.
pub(super) fn issue(
    code: &'static str,
    points: u8,
    message: impl Into<String>,
    action: impl Into<String>,
) -> Issue {
    Issue {
        code,
        severity: match points {
            20.. => Severity::Critical,
            _ => Severity::Warning,
        },
        message: message.into(),
        action: action.into(),
        value: None,
        limit: None,
        points,
    }
}

impl Issue {
    /// The same with its figure, and the limit that it is held against.
    pub(super) fn of(mut self, value: f64, limit: f64) -> Self {
        self.value = Some(value);
        self.limit = Some(limit);
        self
    }
}
