//! The log: one line for each thing that happened, to stdout, as text for people or as JSON for machines.
//!
//! Errors that end the process are not logged; they are one line on stderr, which is the command line's business.
//! A log that can't be written (nobody reads stdout any more) never stops the server.

use std::{
    io::{self, IsTerminal},
    str::FromStr,
};

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::{marks::is_unfit_for_lines, traces::Export};
use crate::config::LogFormat;

/// The reason why `[log] level` can't be used.
#[derive(Debug, Error)]
#[error(
    "[log] level: {directive:?} is not {expected}; use a level or target=level, with commas between them, as in \"info,stoa::hub=debug\""
)]
pub struct LogError {
    directive: String,
    expected: &'static str,
}

/// Starts logging for the whole process, and the export of spans where there is one; a log that is there already stays.
///
/// # Errors
///
/// `level` is not a list of directives.
pub fn init(level: &str, format: LogFormat, export: Option<&Export>) -> Result<(), LogError> {
    let lines = fmt::layer()
        .with_writer(|| Lines(io::stdout()))
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => {
            let colours = io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            lines.with_ansi(colours).boxed()
        }
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    let spans = export.map(Export::layer);
    let log = Registry::default().with(lines.with_filter(filter(level)?));
    // This fails only if there is a log already: a program that embeds the server has its own.
    log.with(spans).try_init().ok();
    Ok(())
}

/// The writer of lines, one with each call. Lines may quote texts of clients, so characters that are unfit for a line
/// are written as their number, as in JSON. Only the escape character is left to the formats, which colour what is theirs and
/// escape it where it comes from clients.
struct Lines<W>(W);

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match escaped(line) {
            None => self.0.write(line),
            Some(escaped) => self.0.write_all(escaped.as_bytes()).map(|()| line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with unfit characters escaped; `None` where there are none.
fn escaped(line: &[u8]) -> Option<String> {
    const ESCAPE: char = '\u{1b}';
    let is_unfit = |c: char| c != ESCAPE && is_unfit_for_lines(c);
    let (line, end) = match line.strip_suffix(b"\n") {
        Some(line) => (line, "\n"),
        None => (line, ""),
    };
    let is_plain = |byte: &u8| matches!(byte, 0x1b | 0x20..=0x7e);
    if line.iter().all(is_plain) {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    text.contains(is_unfit).then(|| {
        let mut escaped = text.chars().fold(String::new(), |mut out, c| {
            if is_unfit(c) {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                out.push(c);
            }
            out
        });
        escaped.push_str(end);
        escaped
    })
}

/// Checks whether [`init`] would accept `level`.
///
/// # Errors
/// As [`init`].
pub fn check(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let wrong = |directive: &str, expected| LogError {
        directive: directive.trim().to_owned(),
        expected,
    };
    // Spans and their fields have a syntax of their own, which only the filter's parser can read.
    if !level.contains('[') {
        for directive in level.split(',').filter(|d| !d.trim().is_empty()) {
            let name = directive
                .rsplit_once('=')
                .map_or(directive, |(_, level)| level);
            // A bare word that is no level would name a target and silence everything else: it is a misspelt level.
            LevelFilter::from_str(name.trim())
                .map_err(|_| wrong(directive, "a level (off, error, warn, info, debug, trace)"))?;
        }
    }
    EnvFilter::builder()
        .with_default_directive(LevelFilter::ERROR.into())
        .parse(tidy(level))
        .map_err(|_| wrong(level, "a list of directives"))
}

/// The list without the spaces that people write after commas, which the filter's parser refuses.
fn tidy(level: &str) -> String {
    if level.contains('[') {
        return level.trim().to_owned();
    }
    level
        .split(',')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfit_for_lines_is_written_as_its_number() {
        let escape = |text: &str| escaped(text.as_bytes());
        assert_eq!(escape("\u{1b}[31mred\n"), None);
        assert_eq!(escape("größer 漢字 🦀\n"), None);
        let forged = "INFO refused message=no\n2026-01-01T00:00:00Z INFO all is well\r\n";
        let line = "INFO refused message=no\\u000a2026-01-01T00:00:00Z INFO all is well\\u000d\n";
        assert_eq!(escape(forged).as_deref(), Some(line));
        let odd = "{\"a\":\"ö\u{9b}31m\u{2028}b\u{202e}\"}\n";
        let line = r#"{"a":"ö\u009b31m\u2028b\u202e"}"#;
        assert_eq!(escape(odd).as_deref(), Some(format!("{line}\n").as_str()));
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["a"], "ö\u{9b}31m\u{2028}b\u{202e}");
    }

    #[test]
    fn levels_and_targets_are_taken() {
        for level in [
            "info",
            "INFO",
            "warn,stoa::hub=debug",
            "off",
            "info, stoa=trace",
            "stoa[span{a=1}]=debug",
            "",
        ] {
            assert!(check(level).is_ok(), "{level}");
        }
    }

    #[test]
    fn a_wrong_directive_is_one_line_that_names_the_key() {
        for level in ["infoo", "info,stoa=loud", "warn,stoa", "[=", "=[x"] {
            let error = check(level).expect_err(level).to_string();
            assert!(
                error.contains("[log] level") && error.lines().count() == 1,
                "{error}"
            );
        }
        assert!(
            check("info,stoa=loud")
                .expect_err("wrong")
                .to_string()
                .contains("\"stoa=loud\"")
        );
    }
}
