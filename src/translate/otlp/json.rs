//! `ExportTraceServiceRequest` in JSON: ids in hex, numbers of 64 bits as text or as numbers, unknown keys passed over. Lists are
//! read item by item, so that nothing is kept but what the limits allow.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{
    attributes::Attributes,
    budget::{self, Budget, Cut, Exceeded, ReadLimits},
    hex,
    span::{Request, Span, Unreadable},
    table,
};
use crate::event::lenient;

type Read<T> = Result<T, Unreadable>;

/// The values in JSON that one value of an attribute takes at most: its object, its list, and itself.
const NESTED: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export<'b> {
    #[serde(borrow, default)]
    resource_spans: Option<&'b RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'b> {
    #[serde(borrow, default)]
    resource: Option<Resource<'b>>,
    #[serde(borrow, default)]
    scope_spans: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Resource<'b> {
    #[serde(borrow, default)]
    attributes: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct ScopeSpans<'b> {
    #[serde(borrow, default)]
    spans: Option<&'b RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanText<'b> {
    #[serde(borrow, default)]
    trace_id: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    span_id: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    parent_span_id: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    flags: Option<&'b RawValue>,
    #[serde(borrow, default)]
    name: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    start_time_unix_nano: Option<&'b RawValue>,
    #[serde(borrow, default)]
    end_time_unix_nano: Option<&'b RawValue>,
    #[serde(borrow, default)]
    attributes: Option<&'b RawValue>,
    #[serde(borrow, default)]
    events: Option<&'b RawValue>,
    #[serde(borrow, default)]
    links: Option<&'b RawValue>,
    #[serde(borrow, default)]
    status: Option<Status<'b>>,
}

#[derive(Deserialize)]
struct Status<'b> {
    #[serde(borrow, default)]
    message: Option<Cow<'b, str>>,
    #[serde(default)]
    code: Value,
}

#[derive(Deserialize)]
struct SpanEvent<'b> {
    #[serde(borrow, default)]
    name: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    attributes: Option<&'b RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link<'b> {
    #[serde(borrow, default)]
    trace_id: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct Pair<'b> {
    #[serde(borrow, default)]
    key: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    value: Option<&'b RawValue>,
}

fn parse<'b, T: Deserialize<'b>>(raw: &'b RawValue) -> Read<T> {
    serde_json::from_str(raw.get()).map_err(|error| Unreadable(error.to_string()))
}

/// Does something with the items of a list, the first so many of them; counts all.
struct Items<F> {
    most: usize,
    each: F,
}

impl<'b, F: FnMut(&'b RawValue) -> Read<()>> Visitor<'b> for Items<F> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'b>>(mut self, mut items: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while count < self.most {
            let Some(item) = items.next_element::<&'b RawValue>()? else {
                return Ok(count);
            };
            count += 1;
            (self.each)(item).map_err(|error| A::Error::custom(error.0))?;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

impl<'b, F: FnMut(&'b RawValue) -> Read<()>> DeserializeSeed<'b> for Items<F> {
    type Value = usize;

    fn deserialize<D: Deserializer<'b>>(self, list: D) -> Result<usize, D::Error> {
        list.deserialize_any(self)
    }
}

/// Reads the first `most` items of a list; the number of those beyond.
fn each<'b>(
    list: Option<&'b RawValue>,
    most: usize,
    each: impl FnMut(&'b RawValue) -> Read<()>,
) -> Read<usize> {
    let Some(list) = list else { return Ok(0) };
    let items = Items { most, each };
    let mut text = serde_json::Deserializer::from_str(list.get());
    let count = items.deserialize(&mut text);
    let count = count.map_err(|error| Unreadable(error.to_string()))?;
    Ok(count.saturating_sub(most))
}

/// Reads a request.
pub(super) fn read(body: &[u8], limits: &ReadLimits) -> Read<Request> {
    let export: Export<'_> =
        serde_json::from_slice(body).map_err(|error| Unreadable(error.to_string()))?;
    let mut request = Request::default();
    each(export.resource_spans, usize::MAX, |raw| {
        resource_spans(parse(raw)?, limits, &mut request)
    })?;
    request.spans.sort_by_key(|span| (span.start, span.id));
    Ok(request)
}

fn resource_spans(from: ResourceSpans<'_>, limits: &ReadLimits, request: &mut Request) -> Read<()> {
    let mut resource = Attributes::default();
    let said = from.resource.and_then(|resource| resource.attributes);
    attributes(said, limits, &mut resource, &mut request.cut)?;
    let resource = Arc::new(resource);
    each(from.scope_spans, usize::MAX, |raw| {
        let scope: ScopeSpans<'_> = parse(raw)?;
        let room = limits.spans.saturating_sub(request.spans.len());
        let beyond = each(scope.spans, room, |raw| {
            let read = parse(raw).and_then(|from| span(from, &resource, limits, &mut request.cut));
            match read {
                Ok(Some(span)) => request.spans.push(span),
                Ok(None) => request.nameless += 1,
                Err(odd) => {
                    request.odd += 1;
                    request.fault.get_or_insert(odd.0);
                }
            }
            Ok(())
        })?;
        request.cut.spans += beyond;
        Ok(())
    })
    .map(drop)
}

fn span(
    from: SpanText<'_>,
    resource: &Arc<Attributes>,
    limits: &ReadLimits,
    cut: &mut Cut,
) -> Read<Option<Span>> {
    let trace = from.trace_id.as_deref().and_then(hex::trace_of);
    let id = from.span_id.as_deref().and_then(hex::span_of);
    let (Some(trace), Some(id)) = (trace, id) else {
        return Ok(None);
    };
    let start = from.start_time_unix_nano.map_or(0, number);
    let status = from.status;
    let code = status.as_ref().map_or(&Value::Null, |status| &status.code);
    let mut span = Span {
        trace,
        id,
        parent: from.parent_span_id.as_deref().and_then(hex::span_of),
        name: from.name.unwrap_or_default().into_owned(),
        start,
        end: from.end_time_unix_nano.map_or(0, number).max(start),
        flags: from.flags.map_or(0, number) as u32,
        failed: *code == 2 || *code == "STATUS_CODE_ERROR",
        message: status
            .and_then(|status| status.message)
            .unwrap_or_default()
            .into_owned(),
        resource: resource.clone(),
        ..Span::default()
    };
    attributes(from.attributes, limits, &mut span.attributes, cut)?;
    each(from.events, usize::MAX, |raw| {
        let event: SpanEvent<'_> = parse(raw)?;
        if event.name.as_deref() == Some("exception") {
            let mut found = Attributes::default();
            attributes(event.attributes, limits, &mut found, &mut Cut::default())?;
            span.exception = Some(table::exception(&found));
        }
        Ok(())
    })?;
    each(from.links, usize::MAX, |raw| {
        let link: Link<'_> = parse(raw)?;
        let other = link.trace_id.as_deref().and_then(hex::trace_of);
        span.linked = other.filter(|id| *id != trace).or(span.linked);
        Ok(())
    })?;
    Ok(Some(span))
}

/// A number that may be written as text.
fn number(raw: &RawValue) -> u64 {
    let text = raw.get().trim_matches('"');
    let whole = text.parse::<u64>().ok();
    whole.unwrap_or_else(|| text.parse::<f64>().map_or(0, |number| number as u64))
}

/// Keeps the attributes that the table knows.
fn attributes(
    list: Option<&RawValue>,
    limits: &ReadLimits,
    into: &mut Attributes,
    cut: &mut Cut,
) -> Read<()> {
    let beyond = each(list, limits.attributes, |raw| {
        let pair: Pair<'_> = parse(raw)?;
        let key = pair.key.as_deref();
        let key = key.and_then(|key| table::known(key, limits.texts));
        if let (Some(key), Some(raw)) = (key, pair.value) {
            match value(raw, limits).and_then(|value| budget::inside(key, value, limits)) {
                Ok(value) => into.put(key, value),
                Err(exceeded) => cut.count(exceeded),
            }
        }
        Ok(())
    })?;
    cut.attributes += beyond;
    Ok(())
}

/// The value of an attribute, unless it is more than the limits allow.
fn value(raw: &RawValue, limits: &ReadLimits) -> Result<Value, Exceeded> {
    let text = raw.get();
    let most = limits.values.saturating_mul(NESTED);
    if text.len() / 2 > most && lenient::count_values(text.as_bytes()) > most {
        return Err(Exceeded::Values);
    }
    // The text is JSON already: only its nesting can be too much for the reader.
    let value = serde_json::from_str(text).map_err(|_| Exceeded::Depth)?;
    any_value(value, 1, &mut Budget::of(limits))
}

fn any_value(value: Value, depth: usize, budget: &mut Budget) -> Result<Value, Exceeded> {
    budget.value(depth)?;
    let Value::Object(fields) = value else {
        return Ok(Value::Null);
    };
    let Some((kind, value)) = fields.into_iter().find(|(key, _)| key.ends_with("Value")) else {
        return Ok(Value::Null);
    };
    let list = |value: Value| match value {
        Value::Object(mut inner) => match inner.remove("values") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    Ok(match (kind.as_str(), value) {
        ("intValue", Value::String(text)) => text.parse::<i64>().map_or(Value::Null, Value::from),
        ("doubleValue", Value::String(text)) => {
            text.parse::<f64>().map_or(Value::Null, Value::from)
        }
        ("arrayValue", value) => {
            let items = list(value).into_iter();
            let items = items.map(|item| any_value(item, depth + 1, budget));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        ("kvlistValue", value) => {
            let mut pairs = Map::new();
            for pair in list(value) {
                if let Value::Object(mut pair) = pair
                    && let Some(Value::String(key)) = pair.remove("key")
                {
                    let value = pair.remove("value").unwrap_or_default();
                    pairs.insert(key, any_value(value, depth + 1, budget)?);
                }
            }
            Value::Object(pairs)
        }
        (_, value) => value,
    })
}
