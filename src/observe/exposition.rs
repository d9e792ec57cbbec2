//! The two text forms of the metrics: OpenMetrics, and the older one of Prometheus, which people and most tools read.
//!
//! The older form names a counter in full (`…_total`) in the lines about it too, and has no units and no end mark.

use std::collections::HashSet;

/// The media type of OpenMetrics.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of Prometheus' text.
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether a request's `Accept` names OpenMetrics.
pub fn wants_open_metrics(accept: &str) -> bool {
    accept.contains("application/openmetrics-text")
}

/// OpenMetrics text as Prometheus text.
pub fn prometheus(open_metrics: &str) -> String {
    let typed = |line: &'_ str| {
        line.strip_prefix("# TYPE ")?
            .strip_suffix(" counter")
            .map(str::to_owned)
    };
    let counters: HashSet<String> = open_metrics.lines().filter_map(typed).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(about), Some(name), Some(rest)) if counters.contains(name) => {
                text.extend(["# ", about, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_their_whole_name_and_there_is_no_end_mark() {
        let open = "# HELP a Some of it.\n# TYPE a counter\na_total{x=\"y\"} 3\n# HELP b Seconds.\n# TYPE b histogram\n# UNIT b seconds\nb_sum 1.5\n# EOF\n";
        let plain = "# HELP a_total Some of it.\n# TYPE a_total counter\na_total{x=\"y\"} 3\n# HELP b Seconds.\n# TYPE b histogram\nb_sum 1.5\n";
        assert_eq!(prometheus(open), plain);
    }

    #[test]
    fn who_asks_for_open_metrics_gets_it() {
        assert!(wants_open_metrics(
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1"
        ));
        assert!(!wants_open_metrics("text/plain;version=0.0.4"));
        assert!(!wants_open_metrics("*/*"));
    }
}
