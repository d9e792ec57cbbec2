//! The body of a rule's updates: fields beside Stoa's own, or a shape that is the application's alone.

use super::{
    rule_error::{RuleError, wrong},
    template::Template,
    writer::{COMMON, Writer},
};
use crate::{
    config::RuleConfig,
    event::{Event, Object},
};

/// The body of a rule's updates.
#[derive(Debug)]
pub(super) struct RuleBody {
    /// Whether the fields that every update has stand in it too.
    envelope: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// An object of these fields, with those of an object from the event below them.
    Fields {
        spread: Option<Template>,
        fields: Vec<(String, Template)>,
    },
    /// Any value.
    Payload(Template),
}

impl RuleBody {
    /// Reads `fields`, `spread`, `payload` and `envelope`.
    pub(super) fn compile(config: &RuleConfig) -> Result<Self, RuleError> {
        let wrong = |key, message: String| wrong(config, key, message);
        let template =
            |key, text: &str| Template::parse(text).map_err(|message| wrong(key, message));
        let has_fields = !config.fields.is_empty() || config.spread.is_some();
        if config.payload.is_some() {
            if has_fields {
                let message = "is the whole update: leave out fields and spread, or the payload";
                return Err(wrong("payload", message.into()));
            }
            if config.envelope == Some(true) {
                let message = "has no room for the fields that every update has: leave out envelope, or use spread";
                return Err(wrong("payload", message.into()));
            }
        }
        let envelope = config.envelope.unwrap_or(config.payload.is_none());
        if !envelope && config.animation.is_some() {
            let message = "is written with the fields that every update has, and envelope = false or payload leaves these out: leave it out";
            return Err(wrong("animation", message.into()));
        }
        let content = match (&config.payload, has_fields) {
            (Some(payload), _) => Content::Payload(template("payload", payload)?),
            (None, false) if envelope => Content::Fields {
                spread: None,
                fields: vec![("data".into(), Template::data())],
            },
            (None, false) => Content::Payload(Template::data()),
            (None, true) => {
                let spread = config.spread.as_deref().map(|text| {
                    let spread = template("spread", text)?;
                    match spread.may_be_object() {
                        true => Ok(spread),
                        false => Err(wrong("spread", format!("{text:?} is no place of an object: write one like \"{{data}}\" or \"{{data.run}}\""))),
                    }
                });
                let fields = config.fields.iter().map(|(name, text)| {
                    if envelope && COMMON.contains(&name.as_str()) {
                        let message = format!("{name} is written on every update; choose another name, or set envelope = false");
                        return Err(wrong("fields", message));
                    }
                    Ok((name.clone(), template("fields", text)?))
                });
                Content::Fields {
                    spread: spread.transpose()?,
                    fields: fields.collect::<Result<_, _>>()?,
                }
            }
        };
        Ok(Self { envelope, content })
    }

    /// Whether the fields that every update has stand in it too.
    pub(super) fn has_envelope(&self) -> bool {
        self.envelope
    }

    /// Writes the fields into an update that is begun.
    pub(super) fn write(&self, event: &Event, data: &Object, out: &mut Writer) {
        let Content::Fields { spread, fields } = &self.content else {
            return;
        };
        if let Some(below) = spread.as_ref().map(|spread| spread.value(event, data))
            && let Some(below) = below.as_object()
        {
            let own = fields.iter().map(|(name, _)| name.as_str());
            let common = COMMON.into_iter().filter(|_| self.envelope);
            out.spread(below, &common.chain(own).collect::<Vec<_>>());
        }
        for (name, template) in fields {
            out.field(name, &template.value(event, data));
        }
    }

    /// The whole update, where nothing else stands in it.
    pub(super) fn alone(&self, event: &Event, data: &Object) -> String {
        match &self.content {
            Content::Payload(payload) => {
                let value = payload.value(event, data);
                // JSON of JSON: writing it can't fail.
                serde_json::to_string(&value).unwrap_or_else(|_| "null".into())
            }
            Content::Fields { .. } => {
                let mut out = Writer::default();
                self.write(event, data, &mut out);
                out.finish()
            }
        }
    }
}
