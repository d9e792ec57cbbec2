//! The offers of permessage-deflate that a client makes, and the answer to them (RFC 7692, 7.1).

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use strum::IntoStaticStr;

/// The extension's name.
const NAME: &str = "permessage-deflate";
/// The window of the compression, as a power of two. All clients share one compressed form, so none has a smaller one.
const WINDOW_BITS: u8 = 15;
/// The windows that there are.
const WINDOWS: std::ops::RangeInclusive<u8> = 8..=15;

/// The reason why no offer was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Declined {
    /// The client demands a window that is smaller than the one that all share.
    Window,
    /// The offer has parameters that are unknown, doubled or without sense.
    Parameters,
    /// The header is not as RFC 6455 wants it.
    Malformed,
}

/// The parameters of an offer that matter for the answer.
#[derive(Debug, Default)]
struct Offer {
    /// Whether the window of the server was named: then the answer must name it, too.
    names_window: bool,
}

/// The answer to what a client offers, for `Sec-WebSocket-Extensions`: the first offer that can be taken. `None` when
/// this extension is not offered.
///
/// # Errors
/// It is offered, and in no way that can be taken. The client goes on without.
pub fn agree(headers: &HeaderMap) -> Result<Option<HeaderValue>, Declined> {
    let mut declined = None;
    for line in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let line = line.to_str().map_err(|_| Declined::Malformed)?;
        for element in split(line, b',') {
            let mut parts = split(element, b';');
            match parts.next().unwrap_or_default() {
                "" if element.is_empty() => continue,
                name if !is_token(name) => return Err(Declined::Malformed),
                name if !name.eq_ignore_ascii_case(NAME) => continue,
                _ => {}
            }
            match read(parts) {
                Ok(offer) => return Ok(Some(answer(&offer))),
                // The first reason is that of the offer that the client likes best.
                Err(why) => declined = declined.or(Some(why)),
            }
        }
    }
    declined.map_or(Ok(None), Err)
}

fn answer(offer: &Offer) -> HeaderValue {
    HeaderValue::from_static(match offer.names_window {
        false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        true => {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"
        }
    })
}

fn read<'o>(parameters: impl Iterator<Item = &'o str>) -> Result<Offer, Declined> {
    let mut offer = Offer::default();
    let mut seen = Vec::new();
    let mut small = false;
    for parameter in parameters {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start())?)),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return Err(Declined::Parameters);
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            // The client's window may be of any size: the server's is the largest.
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(bits)) => {
                window(bits)?;
            }
            ("server_max_window_bits", Some(bits)) => {
                offer.names_window = true;
                small = window(bits)? < WINDOW_BITS;
            }
            _ => return Err(Declined::Parameters),
        }
    }
    if small {
        Err(Declined::Window)
    } else {
        Ok(offer)
    }
}

/// A window's size: a number without leading zeros.
fn window(bits: &str) -> Result<u8, Declined> {
    let is_plain = !bits.starts_with(['0', '+']);
    let bits = bits.parse().ok().filter(|bits| WINDOWS.contains(bits));
    bits.filter(|_| is_plain).ok_or(Declined::Parameters)
}

/// A parameter's value, which may stand in quotes. What it would have to escape is in no value of this extension.
fn unquoted(value: &str) -> Result<&str, Declined> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or(Declined::Malformed)?,
        None => value,
    };
    is_token(inner).then_some(inner).ok_or(Declined::Parameters)
}

/// The parts of a text between these separators, outside of quotes, without white space around them.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let ends = byte == separator && !quoted;
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && quoted && !escaped;
            ends
        });
        let part = match end {
            Some(end) => {
                rest = Some(&text[end + 1..]);
                &text[..end]
            }
            None => {
                rest = None;
                text
            }
        };
        Some(part.trim_matches([' ', '\t']))
    })
}

/// Whether a text is a token of HTTP.
fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}
