//! The stream of one body.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde_json::Value;

use super::threads::{Broken, Kept, Key};
use crate::{
    doors::http::{api::Api, caller::Caller},
    error::Error,
    intake::{self, Raw, too_large},
    translate::{Language, StreamContext, Translator},
};

/// The stream of one body. Its state is remembered when it is dropped.
pub(crate) struct Session<'a> {
    api: &'a Api,
    key: Key,
    translator: Translator,
    /// The state before the body.
    before: Option<Translator>,
    /// A hash of the body's first message.
    first: u64,
    /// Whether the body was answered.
    is_answered: bool,
    /// Whether messages of other languages are events of their own.
    is_plain: bool,
}

impl<'a> Session<'a> {
    /// The stream of a body that begins with this message.
    pub(crate) fn open(
        api: &'a Api,
        caller: &Caller,
        language: Language,
        context: StreamContext,
        first: Option<&Bytes>,
    ) -> Self {
        let key = Key::new(
            intake::flow(&caller.who, caller.address),
            language,
            &context,
        );
        let mut hasher = DefaultHasher::new();
        first.hash(&mut hasher);
        let first = hasher.finish();
        let kept = api.threads.get(&key);
        let (before, broken) = kept.map_or((None, None), |kept| (kept.state, kept.broken));
        let went_on = broken.filter(|broken| broken.first != first);
        let state = went_on
            .map(|broken| broken.state)
            .or_else(|| before.clone());
        let new = || Translator::new(language, context, api.threads.limits());
        let mut translator = state.unwrap_or_else(new);
        translator.begin_body();
        Self {
            api,
            key,
            translator,
            before,
            first,
            is_answered: false,
            is_plain: false,
        }
    }

    /// The same at the plain door: messages of other languages are events of their own.
    pub(crate) fn among_plain(mut self) -> Self {
        self.is_plain = true;
        self
    }

    /// The events of the message on this line.
    pub(crate) fn read(&mut self, text: &Bytes, line: usize) -> Vec<Raw> {
        let metrics = &self.api.metrics.translations;
        let language = self.translator.language();
        let max = self.api.intake.limits().max_event;
        if text.len() > max {
            return self.refused(too_large(max), line);
        }
        let message = match self.api.intake.read(text) {
            Ok((message, _)) => message,
            Err(refusal) => return self.refused(refusal, line),
        };
        if self.is_plain
            && !message
                .as_object()
                .is_some_and(|object| language.speaks(object))
        {
            return vec![Raw::Text(text.clone())];
        }
        match self.translator.read(message) {
            Ok(translation) => {
                metrics.message(language.family(), translation.treatment.name());
                let lost = self.translator.take_forgotten();
                metrics.forgotten("open", lost.open);
                metrics.forgotten("joined", lost.pieces);
                let events = translation.events.into_iter();
                events
                    .map(|event| Raw::Json(Value::Object(event), None))
                    .collect()
            }
            Err(refusal) => self.refused(refusal, line),
        }
    }

    /// A message that could not be read.
    pub(super) fn refuse(&self, refused: Raw) -> Vec<Raw> {
        let family = self.translator.language().family();
        self.api.metrics.translations.message(family, "refused");
        vec![refused]
    }

    fn refused(&self, mut refusal: Error, line: usize) -> Vec<Raw> {
        refusal.message = format!("line {line}: {}", refusal.message);
        self.refuse(Raw::Bad(refusal))
    }

    /// The events that follow from the end of the stream.
    pub(super) fn end(&mut self) -> Vec<Raw> {
        let events = self.translator.end().into_iter();
        events
            .map(|event| Raw::Json(Value::Object(event), None))
            .collect()
    }

    /// The body was answered: the next one goes on here.
    pub(crate) fn close(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let state = self.translator.clone();
        let kept = match self.is_answered {
            true if state.is_empty() => {
                self.api.threads.remove(&self.key);
                return;
            }
            true => Kept {
                state: Some(state),
                broken: None,
            },
            false => Kept {
                state: self.before.take(),
                broken: Some(Broken {
                    first: self.first,
                    state,
                }),
            },
        };
        self.api.threads.put(self.key.clone(), kept);
    }
}
