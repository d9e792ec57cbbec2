//! `stoa emit`: one emission to a running server.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{arguments::EmitArgs, failure::Failure, output, plain::plain, sender::Sender};

/// The emission as the server reads it.
#[derive(Serialize)]
struct Emission<'a> {
    event: &'a str,
    args: Vec<Box<RawValue>>,
    rooms: &'a [String],
    except: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    keep: bool,
    volatile: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

pub(super) async fn emit(args: EmitArgs) -> Result<(), Failure> {
    let body = body(&args).map_err(|error| Failure::Because(error.to_string()))?;
    let sender = Sender::new(
        &args.server.url,
        args.server.token,
        args.server.ca.as_deref(),
    );
    let mut sender = sender
        .map_err(Failure::Because)?
        .to(&args.server.url, "api/v1/emit");
    let receipt = sender.send(body).await;
    let receipt = receipt.map_err(|unsent| Failure::Because(unsent.reason))?;
    if let Some(rejected) = receipt.rejected.first() {
        let (code, message) = (&rejected.error.code, &rejected.error.message);
        let (code, message) = (plain(code, 64), plain(message, 300));
        return Err(Failure::Because(format!("{code}: {message}")));
    }
    let said = match receipt.duplicates {
        0 => "emitted",
        _ => "not emitted again: an emission with this id was there before",
    };
    output::print(said).map_err(Failure::because)?;
    Ok(())
}

/// The body of the request, on one line.
fn body(args: &EmitArgs) -> Result<Bytes, serde_json::Error> {
    let emission = Emission {
        event: &args.event,
        args: args
            .args
            .iter()
            .map(|text| value(text))
            .collect::<Result<_, _>>()?,
        rooms: &args.rooms,
        except: &args.except,
        namespace: args.namespace.as_deref(),
        keep: args.keep,
        volatile: args.volatile,
        id: args.id.as_deref(),
    };
    serde_json::to_vec(&emission).map(Bytes::from)
}

/// An argument: JSON as it is, anything else as text.
fn value(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    let on_one_line = text.replace(['\n', '\r'], " ");
    match serde_json::from_str::<Box<RawValue>>(&on_one_line) {
        Ok(json) => Ok(json),
        Err(_) => to_raw_value(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_json_or_text() {
        for (text, json) in [
            ("{\"a\": 1.0}", "{\"a\": 1.0}"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("\"x\"", "\"x\""),
            ("hello world", "\"hello world\""),
            ("two\nlines", "\"two\\nlines\""),
            ("[1,\n2]", "[1, 2]"),
            ("", "\"\""),
        ] {
            assert_eq!(value(text).expect("JSON").get(), json, "{text}");
        }
    }
}
