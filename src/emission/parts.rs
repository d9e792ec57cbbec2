//! Emissions of parts that a door has read already.

use bytes::Bytes;

use super::{Emission, EmissionLimits, read};
use crate::error::Error;

/// The parts of an emission, as another wire format has them.
#[derive(Debug)]
pub struct Parts<'p> {
    /// The namespace's path.
    pub namespace: &'p str,
    /// The name of the event.
    pub event: String,
    /// The JSON text of the list of arguments.
    pub args: &'p str,
    /// The bytes that placeholders in the arguments stand for.
    pub attachments: Vec<Bytes>,
    /// The rooms; none for everyone.
    pub rooms: Vec<String>,
    /// The rooms and clients that are left out.
    pub except: Vec<String>,
    /// Whether it goes only to clients for whom little waits.
    pub volatile: bool,
    /// Whether it is kept.
    pub keep: bool,
    /// The id by which a repetition is known.
    pub id: Option<String>,
}

impl Emission {
    /// Checks parts as [`Emission::read`] does.
    ///
    /// # Errors
    /// As [`Emission::read`].
    pub fn of_parts(parts: Parts<'_>, limits: &EmissionLimits) -> Result<Self, Error> {
        let mut emission = Self {
            namespace: read::namespace(parts.namespace)?,
            event: read::name(parts.event)?,
            args: String::new(),
            arguments: 0,
            attachments: parts.attachments,
            rooms: parts.rooms,
            except: parts.except,
            volatile: parts.volatile,
            keep: parts.keep,
            id: parts.id,
        };
        let placeholders = emission.set_args(parts.args, limits)?;
        emission.check(placeholders, limits)?;
        Ok(emission)
    }
}
