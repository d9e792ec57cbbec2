//! The stream of one body.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde_json::Value;

use super::threads::{Kept, Key, Mark, Newest};
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
    /// The mark by which the body is known when it is sent again.
    mark: Mark,
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
        let key = key(caller, language, &context);
        let kept = api.threads.get(&key).unwrap_or_default();
        Self::begin(api, key, (language, context), kept, first_mark(first))
    }

    /// The same of a body that may have a number.
    ///
    /// # Errors
    /// A later body of its thread has come.
    pub(super) fn go_on(
        api: &'a Api,
        caller: &Caller,
        language: Language,
        (context, number): (StreamContext, Option<u64>),
        first: Option<&Bytes>,
    ) -> Result<Self, Error> {
        let key = key(caller, language, &context);
        let kept = api.threads.get(&key).unwrap_or_default();
        if let (Some(number), Some(newest)) = (number, kept.number())
            && number < newest
        {
            return Err(Error::bad_request(format!(
                "body {number} of the thread comes after body {newest}: number bodies upwards, and send one after the other"
            )));
        }
        let mark = number.map_or_else(|| first_mark(first), Mark::Number);
        Ok(Self::begin(api, key, (language, context), kept, mark))
    }

    fn begin(
        api: &'a Api,
        key: Key,
        (language, context): (Language, StreamContext),
        kept: Kept,
        mark: Mark,
    ) -> Self {
        let (before, went_on) = kept.before(mark);
        let new = || Translator::new(language, context, api.threads.limits());
        let mut translator = went_on.or_else(|| before.clone()).unwrap_or_else(new);
        translator.begin_body(mark.number());
        Self {
            api,
            key,
            translator,
            before,
            mark,
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
        let before = self.before.take();
        let kept = match (self.is_answered, self.mark) {
            (true, Mark::First(_)) if state.is_empty() => {
                self.api.threads.remove(&self.key);
                return;
            }
            (true, Mark::First(_)) => Kept {
                state: Some(state),
                newest: None,
            },
            (true, Mark::Number(number)) => Kept {
                state: Some(state),
                newest: Some(Newest::Answered { number, before }),
            },
            (false, mark) => Kept {
                state: before,
                newest: Some(Newest::Broken { mark, state }),
            },
        };
        self.api.threads.put(self.key.clone(), kept);
    }
}

fn key(caller: &Caller, language: Language, context: &StreamContext) -> Key {
    let producer = intake::flow(&caller.who, caller.address);
    Key::new(producer, language, context)
}

/// The mark of a body without a number: a hash of its first message.
fn first_mark(first: Option<&Bytes>) -> Mark {
    let mut hasher = DefaultHasher::new();
    first.hash(&mut hasher);
    Mark::First(hasher.finish())
}
