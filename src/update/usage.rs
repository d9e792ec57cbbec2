//! Tokens and costs of model calls: the numbers as producers say them, and their sums.
//!
//! Sums are whole numbers (a cost counts in billionths of a dollar), so they are the same in whichever order they are made.

use serde_json::Value;

use super::model_call::{is_total, model_name, model_status};
use crate::event::{Event, Object};

/// The most tokens of one call; what says more is left out of the sums.
const MAX_TOKENS: f64 = 1e12;
/// The most that one call costs, in dollars.
const MAX_COST: f64 = 1e6;
/// The largest of all other numbers of a call.
const MAX_NUMBER: f64 = 1e15;
/// Parts of a dollar in which costs are counted.
const NANO: f64 = 1e9;
/// Characters of a model's name, as sums are kept by it.
const MAX_NAME: usize = 128;

/// The spellings of each number, the contract's own first.
const INPUT: [&str; 2] = ["input_tokens", "prompt_tokens"];
const OUTPUT: [&str; 2] = ["output_tokens", "completion_tokens"];
const CACHED: [&str; 1] = ["cached_tokens"];
const REASONING: [&str; 1] = ["reasoning_tokens"];
const COST: [&str; 1] = ["cost_usd"];

/// A number as it was said.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Nothing,
    Number(f64),
    /// The figure is negative, no number at all, or more than a call may have.
    Refused,
}

/// Reads a number, which may be written as text.
fn number(value: Option<&Value>, most: f64) -> Said {
    let said = match value {
        None | Some(Value::Null) => return Said::Nothing,
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match said {
        Some(number) if (0.0..=most).contains(&number) => Said::Number(number),
        _ => Said::Refused,
    }
}

/// A number of the data under one of these keys, or in its object `usage`.
fn find(data: &Object, keys: &[&str], most: f64) -> Said {
    let usage = data.get("usage").and_then(Value::as_object);
    let places = [Some(data), usage];
    let mut found = places
        .iter()
        .flatten()
        .flat_map(|place| keys.iter().map(move |key| number(place.get(*key), most)))
        .filter(|said| *said != Said::Nothing);
    found.next().unwrap_or(Said::Nothing)
}

/// A number of a call as its update shows it: none if it can't be one.
pub(super) fn shown(data: &Object, key: &str) -> Option<Value> {
    let own = [key];
    let (keys, most): (&[&str], f64) = match key {
        "input_tokens" => (&INPUT, MAX_TOKENS),
        "output_tokens" => (&OUTPUT, MAX_TOKENS),
        "cached_tokens" => (&CACHED, MAX_TOKENS),
        "reasoning_tokens" => (&REASONING, MAX_TOKENS),
        "cost_usd" => (&COST, MAX_COST),
        _ => (&own, MAX_NUMBER),
    };
    match find(data, keys, most) {
        Said::Number(number) => Some(plain(number)),
        Said::Nothing | Said::Refused => None,
    }
}

/// A number as JSON: without a fraction where it has none.
fn plain(number: f64) -> Value {
    match number.fract() == 0.0 {
        // Far below the largest whole number, and not negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        true => Value::from(number as u64),
        false => Value::from(number),
    }
}

/// Sums of tokens, costs and calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums([u64; 6]);

/// The names of the sums, but for the cost.
const NAMES: [(usize, &str); 5] = [
    (0, "input_tokens"),
    (1, "output_tokens"),
    (2, "cached_tokens"),
    (3, "reasoning_tokens"),
    (5, "calls"),
];
const COST_AT: usize = 4;
const CALLS_AT: usize = 5;

impl Sums {
    /// The sums of one call, and how many of its numbers were left out.
    fn of(data: &Object) -> (Self, u64) {
        let (mut sums, mut refused) = (Self::default(), 0);
        sums.0[CALLS_AT] = 1;
        let parts: [(usize, &[&str], f64, f64); 5] = [
            (0, &INPUT, MAX_TOKENS, 1.0),
            (1, &OUTPUT, MAX_TOKENS, 1.0),
            (2, &CACHED, MAX_TOKENS, 1.0),
            (3, &REASONING, MAX_TOKENS, 1.0),
            (COST_AT, &COST, MAX_COST, NANO),
        ];
        for (at, keys, most, factor) in parts {
            match find(data, keys, most) {
                // At most 1e15, and not negative.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                Said::Number(number) => sums.0[at] = (number * factor).round() as u64,
                Said::Refused => refused += 1,
                Said::Nothing => {}
            }
        }
        (sums, refused)
    }

    /// Adds others. Sums stop at the largest number.
    pub(crate) fn add(&mut self, others: &Self) {
        for (sum, other) in self.0.iter_mut().zip(others.0) {
            *sum = sum.saturating_add(other);
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The sums as they are kept.
    pub(crate) fn written(&self) -> Value {
        self.0.to_vec().into()
    }

    /// Reads what [`Sums::written`] wrote; what is no number counts as none.
    pub(crate) fn read(value: &Value) -> Self {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let at = |at: usize| list.get(at).and_then(Value::as_u64).unwrap_or_default();
        Self(std::array::from_fn(at))
    }

    /// The fields that clients read. Cached and reasoning tokens are there if there are any.
    pub(crate) fn fields(&self) -> Object {
        let mut fields = Object::new();
        for (at, name) in NAMES {
            if self.0[at] > 0 || !matches!(at, 2 | 3) {
                fields.insert(name.into(), self.0[at].into());
            }
        }
        // Costs are far below 2^53 billionths, unless somebody makes them up.
        #[allow(clippy::cast_precision_loss)]
        let cost = self.0[COST_AT] as f64 / NANO;
        fields.insert("cost_usd".into(), plain(cost));
        fields
    }
}

/// The usage that an event tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The sums of its call.
    pub(crate) sums: Sums,
    /// The model; none if it names none.
    pub(crate) model: Option<String>,
    /// Whether it sums up calls that may have been told one by one: it is kept beside the sums.
    pub(crate) is_total: bool,
    /// Numbers that were left out.
    pub(crate) refused: u64,
}

/// The usage that an event tells of: each end of a model call is one call.
pub(crate) fn usage(event: &Event) -> Option<Usage> {
    if !matches!(model_status(&event.name)?, "completed" | "failed") {
        return None;
    }
    let (sums, refused) = Sums::of(&event.data);
    let model = model_name(&event.data);
    Some(Usage {
        sums,
        model: model.map(|name| name.chars().take(MAX_NAME).collect()),
        is_total: is_total(&event.data),
        refused,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(data: &Value) -> (Object, u64) {
        let (sums, refused) = Sums::of(data.as_object().unwrap());
        assert_eq!(Sums::read(&sums.written()), sums);
        (sums.fields(), refused)
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let cases = [
            (
                json!({ "input_tokens": 10, "output_tokens": "5", "cost_usd": " 0.002 " }),
                json!([10, 5, 0.002]),
                0,
            ),
            (
                json!({ "prompt_tokens": 7.0, "usage": { "completion_tokens": 2, "cost_usd": 1 } }),
                json!([7, 2, 1]),
                0,
            ),
            (
                json!({ "input_tokens": -1, "output_tokens": "NaN", "cost_usd": "1e7" }),
                json!([0, 0, 0]),
                3,
            ),
            (
                json!({ "input_tokens": 2e12, "output_tokens": "inf", "cost_usd": true }),
                json!([0, 0, 0]),
                3,
            ),
            (
                json!({ "input_tokens": null, "output_tokens": 1e12, "cost_usd": 0.000_000_001 }),
                json!([0, 1_000_000_000_000_u64, 1e-9]),
                0,
            ),
        ];
        for (data, expected, left_out) in cases {
            let (fields, refused) = of(&data);
            let found = json!([
                fields["input_tokens"],
                fields["output_tokens"],
                fields["cost_usd"]
            ]);
            assert_eq!((&found, refused), (&expected, left_out), "{data}");
            assert_eq!(fields["calls"], 1);
        }
    }

    #[test]
    fn tenths_add_up_to_a_whole() {
        let tenth = json!({ "cost_usd": 0.1 });
        let (tenth, _) = Sums::of(tenth.as_object().unwrap());
        let mut sums = Sums::default();
        (0..10).for_each(|_| sums.add(&tenth));
        assert_eq!(sums.fields()["cost_usd"], 1);
        let mut most = Sums([u64::MAX; 6]);
        most.add(&tenth);
        assert_eq!(most, Sums([u64::MAX; 6]));
    }
}
