//! `ExportTraceServiceRequest` in protobuf, read field by field and without a tree: a few bytes can say a million empty spans.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::encoding::{WireType, decode_key, decode_varint};
use serde_json::{Map, Value};

use super::{
    attributes::Attributes,
    budget::{self, Budget, Cut, Exceeded, ReadLimits},
    hex,
    span::{Request, Span, Unreadable},
    table,
};

/// The value of a field.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

type Read<T> = Result<T, Unreadable>;

fn broken(what: impl std::fmt::Display) -> Unreadable {
    Unreadable(what.to_string())
}

/// Visits the fields of a message.
fn fields<'b>(mut bytes: &'b [u8], mut each: impl FnMut(u32, Field<'b>) -> Read<()>) -> Read<()> {
    while !bytes.is_empty() {
        let (tag, wire) = decode_key(&mut bytes).map_err(broken)?;
        match wire {
            WireType::Varint => {
                let number = decode_varint(&mut bytes).map_err(broken)?;
                each(tag, Field::Number(number))?;
            }
            WireType::SixtyFourBit => {
                let (number, rest) = bytes.split_first_chunk().ok_or_else(short)?;
                bytes = rest;
                each(tag, Field::Number(u64::from_le_bytes(*number)))?;
            }
            WireType::ThirtyTwoBit => {
                let (number, rest) = bytes.split_first_chunk().ok_or_else(short)?;
                bytes = rest;
                each(tag, Field::Number(u32::from_le_bytes(*number).into()))?;
            }
            WireType::LengthDelimited => {
                let len = decode_varint(&mut bytes).map_err(broken)?;
                let len = usize::try_from(len).ok().filter(|len| *len <= bytes.len());
                let (inner, rest) = bytes.split_at(len.ok_or_else(short)?);
                bytes = rest;
                each(tag, Field::Bytes(inner))?;
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err(broken("it has a group, which no version of OTLP has"));
            }
        }
    }
    Ok(())
}

fn short() -> Unreadable {
    broken("it ends in the middle of a field")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads a request.
pub(super) fn read(body: &[u8], limits: &ReadLimits) -> Read<Request> {
    let mut request = Request::default();
    fields(body, |tag, field| match (tag, field) {
        (1, Field::Bytes(inner)) => resource_spans(inner, limits, &mut request),
        _ => Ok(()),
    })?;
    request.spans.sort_by_key(|span| (span.start, span.id));
    Ok(request)
}

fn resource_spans(bytes: &[u8], limits: &ReadLimits, request: &mut Request) -> Read<()> {
    let mut resource = Attributes::default();
    let cut = &mut request.cut;
    // The resource may stand behind its spans.
    fields(bytes, |tag, field| match (tag, field) {
        (1, Field::Bytes(inner)) => {
            let mut count = 0;
            fields(inner, |tag, field| match (tag, field) {
                (1, Field::Bytes(pair)) => attribute(pair, &mut count, limits, &mut resource, cut),
                _ => Ok(()),
            })
        }
        _ => Ok(()),
    })?;
    let resource = Arc::new(resource);
    fields(bytes, |tag, field| match (tag, field) {
        (2, Field::Bytes(scope)) => fields(scope, |tag, field| match (tag, field) {
            (2, Field::Bytes(inner)) if request.spans.len() < limits.spans => {
                let span = span(inner, &resource, limits, &mut request.cut)?;
                match span {
                    Some(span) => request.spans.push(span),
                    None => request.nameless += 1,
                }
                Ok(())
            }
            (2, Field::Bytes(_)) => {
                request.cut.spans += 1;
                Ok(())
            }
            _ => Ok(()),
        }),
        _ => Ok(()),
    })
}

fn span(
    bytes: &[u8],
    resource: &Arc<Attributes>,
    limits: &ReadLimits,
    cut: &mut Cut,
) -> Read<Option<Span>> {
    let mut span = Span {
        resource: resource.clone(),
        ..Span::default()
    };
    let mut count = 0;
    fields(bytes, |tag, field| {
        match (tag, field) {
            (1, Field::Bytes(id)) => span.trace = hex::trace(id).unwrap_or_default(),
            (2, Field::Bytes(id)) => span.id = hex::span(id).unwrap_or_default(),
            (4, Field::Bytes(id)) => span.parent = hex::span(id),
            (5, Field::Bytes(name)) => span.name = text(name),
            (7, Field::Number(nanos)) => span.start = nanos,
            (8, Field::Number(nanos)) => span.end = nanos,
            (9, Field::Bytes(pair)) => {
                return attribute(pair, &mut count, limits, &mut span.attributes, cut);
            }
            (11, Field::Bytes(event)) => {
                if let Some(exception) = exception(event, limits)? {
                    span.exception = Some(exception);
                }
            }
            (13, Field::Bytes(link)) => {
                let own = span.trace;
                fields(link, |tag, field| {
                    if let (1, Field::Bytes(id)) = (tag, field) {
                        span.linked = hex::trace(id).filter(|id| *id != own).or(span.linked);
                    }
                    Ok(())
                })?;
            }
            (15, Field::Bytes(status)) => fields(status, |tag, field| {
                match (tag, field) {
                    (2, Field::Bytes(message)) => span.message = text(message),
                    (3, Field::Number(code)) => span.failed = code == 2,
                    _ => {}
                }
                Ok(())
            })?,
            (16, Field::Number(flags)) => span.flags = u32::try_from(flags).unwrap_or(0),
            _ => {}
        }
        Ok(())
    })?;
    span.end = span.end.max(span.start);
    Ok((span.trace != 0 && span.id != 0).then_some(span))
}

/// The type and message that an event of a span tells, if it is an exception.
fn exception(bytes: &[u8], limits: &ReadLimits) -> Read<Option<(String, String)>> {
    let (mut is_exception, mut found) = (false, Attributes::default());
    let (mut count, mut cut) = (0, Cut::default());
    fields(bytes, |tag, field| match (tag, field) {
        (2, Field::Bytes(name)) => {
            is_exception = name == b"exception";
            Ok(())
        }
        (3, Field::Bytes(pair)) => attribute(pair, &mut count, limits, &mut found, &mut cut),
        _ => Ok(()),
    })?;
    Ok(is_exception.then(|| table::exception(&found)))
}

/// Keeps an attribute that the table knows.
fn attribute(
    pair: &[u8],
    count: &mut usize,
    limits: &ReadLimits,
    into: &mut Attributes,
    cut: &mut Cut,
) -> Read<()> {
    *count += 1;
    if *count > limits.attributes {
        cut.attributes += 1;
        return Ok(());
    }
    let (mut key, mut value) = (None, &[][..]);
    fields(pair, |tag, field| {
        match (tag, field) {
            (1, Field::Bytes(name)) => {
                key = std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| table::known(name, limits.texts));
            }
            (2, Field::Bytes(inner)) => value = inner,
            _ => {}
        }
        Ok(())
    })?;
    if let Some(key) = key {
        let value = any_value(value, 1, &mut Budget::of(limits))?;
        match value.and_then(|value| budget::inside(key, value, limits)) {
            Ok(value) => into.put(key, value),
            Err(exceeded) => cut.count(exceeded),
        }
    }
    Ok(())
}

/// The value of an attribute, unless it is more than the limits allow.
fn any_value(bytes: &[u8], depth: usize, budget: &mut Budget) -> Read<Result<Value, Exceeded>> {
    if let Err(exceeded) = budget.value(depth) {
        return Ok(Err(exceeded));
    }
    let (mut value, mut too_much) = (Value::Null, None);
    fields(bytes, |tag, field| {
        value = match (tag, field) {
            (1, Field::Bytes(inner)) => text(inner).into(),
            (2, Field::Number(bit)) => (bit != 0).into(),
            (3, Field::Number(number)) => number.cast_signed().into(),
            (4, Field::Number(bits)) => f64::from_bits(bits).into(),
            (5 | 6, Field::Bytes(inner)) => match inside(tag, inner, depth, budget)? {
                Ok(inside) => inside,
                Err(exceeded) => {
                    too_much = Some(exceeded);
                    Value::Null
                }
            },
            (7, Field::Bytes(inner)) => STANDARD.encode(inner).into(),
            _ => return Ok(()),
        };
        Ok(())
    })?;
    Ok(too_much.map_or(Ok(value), Err))
}

/// The values of a list (5), or of a list of pairs (6).
fn inside(
    tag: u32,
    bytes: &[u8],
    depth: usize,
    budget: &mut Budget,
) -> Read<Result<Value, Exceeded>> {
    let (mut list, mut pairs, mut too_much) = (Vec::new(), Map::new(), None);
    fields(bytes, |inner, field| {
        let (1, Field::Bytes(item), None) = (inner, field, too_much) else {
            return Ok(());
        };
        let (mut key, mut value) = (None, item);
        if tag == 6 {
            value = &[];
            fields(item, |tag, field| {
                match (tag, field) {
                    (1, Field::Bytes(name)) => key = Some(text(name)),
                    (2, Field::Bytes(inner)) => value = inner,
                    _ => {}
                }
                Ok(())
            })?;
        }
        match (any_value(value, depth + 1, budget)?, key) {
            (Ok(value), Some(key)) => drop(pairs.insert(key, value)),
            (Ok(value), None) => list.push(value),
            (Err(exceeded), _) => too_much = Some(exceeded),
        }
        Ok(())
    })?;
    Ok(match too_much {
        Some(exceeded) => Err(exceeded),
        None if tag == 6 => Ok(Value::Object(pairs)),
        None => Ok(Value::Array(list)),
    })
}
