//! Values of arguments, as people write them.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::{
    config::{Role, split_port},
    pattern::Pattern,
    update::UpdateShape,
};

/// A year. A longer life takes an API key, which can be taken out of the settings.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A name or an address to listen on.
pub(super) fn host(text: &str) -> Result<String, String> {
    match split_port(text) {
        Some((host, port)) => Err(format!(
            "the port goes by itself: --host {host} --port {port}"
        )),
        None => Ok(text.to_owned()),
    }
}

/// A port to listen on.
pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "a port is a whole number from 0 to 65535".into())
}

/// Events per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("events per second, a number above 0".into()),
    }
}

/// A name in which `*` stands for anything.
pub(super) fn glob(text: &str) -> Result<String, String> {
    Pattern::written(text)
        .map(|_| text.to_owned())
        .map_err(|bad| format!("it {bad}"))
}

/// A time to live: `90s`, `15m`, `1h`, `7d`, and other common forms.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    let wrong = || "a time such as 90s, 15m, 1h or 7d, from a second to a year".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let whole = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .and_then(|duration: SignedDuration| Duration::try_from(duration).ok());
    whole
        .filter(|ttl| (Duration::from_secs(1)..=LONGEST).contains(ttl))
        .ok_or_else(wrong)
}

/// The name of a shape.
pub(super) fn shape(text: &str) -> Result<UpdateShape, String> {
    text.parse().map_err(|_| "full or lean".to_owned())
}

/// A role's name.
pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "observer, producer, operator or admin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("1h", 3600),
            ("7d", 604_800),
            ("1h 30m", 5400),
            ("366d", 31_622_400),
            ("1h30m", 5400),
            ("1.5h", 5400),
            ("2w", 1_209_600),
            ("90 seconds", 90),
            ("PT1H", 3600),
            ("01:30:00", 5400),
        ] {
            assert_eq!(ttl(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "1",
            "h",
            "0s",
            "-1h",
            "367d",
            "1 fortnight",
            "999999999d",
            "500ms",
            "3600",
            "1mo",
            "1y",
            "1 day ago",
        ] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }
}
