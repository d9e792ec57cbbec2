//! The limits on reading a request, and the count of what they left out.

use serde_json::Value;

use super::table;
use crate::event::lenient;

/// The limits on reading a request.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Spans of one request.
    pub spans: usize,
    /// Attributes of one span that are looked at.
    pub attributes: usize,
    /// Nesting of one attribute.
    pub depth: usize,
    /// Values in one attribute.
    pub values: usize,
    /// Whether texts are read at all.
    pub texts: bool,
}

/// The count of things that the limits left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Spans beyond those of one request.
    pub spans: usize,
    /// Attributes beyond those of one span.
    pub attributes: usize,
    /// Attributes that are nested too deep.
    pub depth: usize,
    /// Attributes with too many values.
    pub values: usize,
}

/// Checks the values in a text that is JSON, which is read later.
pub(super) fn inside(key: &str, value: Value, limits: &ReadLimits) -> Result<Value, Exceeded> {
    let is_too_much = value.as_str().is_some_and(|text| {
        let may_be = text.len() / 2 > limits.values && table::is_json(key);
        // Empty lists and objects are counted twice.
        may_be && lenient::count_values(text.as_bytes()) > 2 * limits.values + 1
    });
    if is_too_much {
        return Err(Exceeded::Values);
    }
    Ok(value)
}

/// The part of the limits that one attribute has left.
#[derive(Debug)]
pub(super) struct Budget {
    depth: usize,
    values: usize,
}

/// The limit that an attribute exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Depth,
    Values,
}

impl Budget {
    pub(super) fn of(limits: &ReadLimits) -> Self {
        Self {
            depth: limits.depth,
            values: limits.values,
        }
    }

    /// Counts one value at this depth.
    pub(super) fn value(&mut self, depth: usize) -> Result<(), Exceeded> {
        if depth > self.depth {
            return Err(Exceeded::Depth);
        }
        self.values = self.values.checked_sub(1).ok_or(Exceeded::Values)?;
        Ok(())
    }
}

impl Cut {
    pub(super) fn count(&mut self, exceeded: Exceeded) {
        match exceeded {
            Exceeded::Depth => self.depth += 1,
            Exceeded::Values => self.values += 1,
        }
    }
}
