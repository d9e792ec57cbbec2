//! The result of a run: as a table for people, as JSON for machines.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{crowd::Connected, process::Usage, run::Faults, tally::Latencies};
use crate::cli::{failure::Failure, output};

/// A result that grows.
#[derive(Debug)]
pub(super) struct Report {
    is_json: bool,
    json: Map<String, Value>,
    /// The names and the values of the table.
    rows: Vec<(String, String)>,
    /// Sentences about what went wrong.
    faults: Vec<String>,
}

impl Report {
    pub(super) fn new(scenario: &str, server: &str, is_json: bool) -> Self {
        let mut report = Self {
            is_json,
            json: Map::new(),
            rows: Vec::new(),
            faults: Vec::new(),
        };
        report.key("scenario", scenario);
        report.key("url", server);
        report.row("scenario", format!("{scenario} at {server}"));
        report
    }

    /// Adds a key to the JSON.
    pub(super) fn key(&mut self, key: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.json.insert(key.to_owned(), value);
    }

    /// Adds a line to the table.
    pub(super) fn row(&mut self, name: &str, value: String) {
        self.rows.push((name.to_owned(), value));
    }

    /// Adds a count to both.
    pub(super) fn count(&mut self, key: &str, name: &str, value: u64) {
        self.key(key, value);
        self.row(name, grouped(value as f64));
    }

    /// Adds a number per second to both.
    pub(super) fn rate(&mut self, key: &str, name: &str, value: f64) {
        self.key(key, value);
        self.row(
            name,
            if value < 100.0 {
                format!("{value:.1}")
            } else {
                grouped(value)
            },
        );
    }

    /// Adds latencies to both; in ms.
    pub(super) fn latencies(&mut self, key: &str, name: &str, latencies: &Latencies) {
        self.key(key, latencies);
        let parts = super::tally::PERCENTILES.map(|(name, percentile)| {
            let name = if name == "p999" { "p99.9" } else { name };
            format!("{name} {}", ms(latencies.at(percentile)))
        });
        let value = if latencies.count() == 0 {
            "none".to_owned()
        } else {
            format!("{}  max {} ms", parts.join("  "), ms(latencies.max()))
        };
        self.row(name, value);
    }

    pub(super) fn connected(&mut self, connected: &Connected) {
        self.key(
            "connect",
            json!({
                "clients": connected.clients,
                "seconds": connected.time.as_secs_f64(),
                "per_second": connected.per_second(),
                "tcp_ms": connected.tcp,
                "handshake_ms": connected.handshake,
                "connect_ms": connected.connect,
            }),
        );
    }

    /// Adds the processor time and the memory of the server.
    pub(super) fn server(&mut self, before: Option<Usage>, after: Option<Usage>, deliveries: u64) {
        let (Some(before), Some(after)) = (before, after) else {
            return;
        };
        let cpu = (after.cpu_seconds - before.cpu_seconds).max(0.0);
        let mut server = json!({ "cpu_seconds": cpu, "rss_bytes": after.rss_bytes });
        let mut said = format!(
            "{cpu:.2} s of processor time, {:.1} MiB",
            mib(after.rss_bytes)
        );
        if deliveries > 0 {
            let each = cpu * 1e6 / deliveries as f64;
            server["cpu_us_per_delivery"] = json!(each);
            said.push_str(&format!(", {each:.2} µs a delivery"));
        }
        self.key("server", server);
        self.row("server", said);
    }

    /// Adds what was lost, doubled or out of order; each is a fault.
    pub(super) fn sequence(&mut self, faults: Faults) {
        for (key, name, value, words) in [
            ("lost", "lost", faults.lost, "were lost"),
            ("doubled", "doubled", faults.doubled, "came twice"),
            (
                "out_of_order",
                "out of order",
                faults.out_of_order,
                "came after a later one",
            ),
        ] {
            self.count(key, name, value);
            if value > 0 {
                self.fault(format!("{value} deliveries {words}"));
            }
        }
    }

    /// Notes that something went wrong.
    pub(super) fn fault(&mut self, sentence: String) {
        self.faults.push(sentence);
    }

    /// Prints the result.
    ///
    /// # Errors
    /// Something went wrong in the run, or stdout can't be written.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.key("ok", self.faults.is_empty());
        self.key("faults", self.faults.clone());
        let text = if self.is_json {
            Value::from(self.json).to_string()
        } else {
            let width = self.rows.iter().map(|(name, _)| name.chars().count()).max();
            let width = width.unwrap_or_default();
            let lines = self
                .rows
                .iter()
                .map(|(name, value)| format!("{name:<width$}  {value}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        output::print(&text).map_err(Failure::because)?;
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Failure::Because(self.faults.join("; ")))
        }
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Milliseconds with three digits that say something.
pub(super) fn ms(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => grouped(large),
    }
}

pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1_000.0, "1,000"),
            (1_234_567.4, "1,234,567"),
        ] {
            assert_eq!(grouped(value), text);
        }
        assert_eq!(
            [ms(0.123), ms(12.34), ms(1_234.0)],
            ["0.12", "12.3", "1,234"]
        );
    }
}
