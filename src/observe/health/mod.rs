//! The health of the server: a pure function from figures to a score, the issues behind it, and grades.
//!
//! Each issue costs points of a hundred, never fewer when its figure is worse. So a worse figure never gives a better
//! score.

mod grades;
mod issue;
mod issues;
#[cfg(test)]
mod tests;
mod vitals;

use serde_json::Value;

pub use issue::{Issue, Severity};
pub use vitals::{Keys, OpenBreaker, Vitals};

/// The judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// 0 to 100.
    pub score: u8,
    /// The issues, those that cost most first.
    pub issues: Vec<Issue>,
    /// The grades of the four figures that have them.
    pub grades: Value,
}

impl Health {
    /// The score in a word.
    pub fn status(&self) -> &'static str {
        match self.score {
            90.. => "healthy",
            70.. => "degraded",
            40.. => "unhealthy",
            _ => "critical",
        }
    }

    /// The issues as sentences: the fact, and the act that helps.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |issue: &Issue| format!("{}; {}", issue.message, issue.action);
        self.issues.iter().map(sentence).collect()
    }
}

/// Judges figures.
pub fn judge(vitals: &Vitals) -> Health {
    let mut found: Vec<Issue> = [
        issues::latency(vitals),
        issues::success(vitals),
        issues::connections(vitals),
        issues::behind(vitals),
        issues::hub_lag(vitals),
        issues::trouble(vitals),
        issues::damage(vitals),
        issues::journal_bytes(vitals),
        issues::state_bytes(vitals),
        issues::keys(vitals),
        issues::degradation(vitals),
        issues::reconnections(vitals),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.extend(issues::over_budget(vitals));
    found.extend(vitals.breakers.iter().map(issues::breaker));
    found.sort_by_key(|issue| std::cmp::Reverse(issue.points));
    let lost: u32 = found.iter().map(|issue| u32::from(issue.points)).sum();
    Health {
        score: u8::try_from(100_u32.saturating_sub(lost)).unwrap_or(0),
        issues: found,
        grades: grades::grades(vitals),
    }
}
