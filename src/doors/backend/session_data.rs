//! The data that an application keeps with a client, bounded for each client and for all together.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::value::RawValue;

use super::metrics::BackendMetrics;
use crate::error::Error;

/// The bounds of all session data.
#[derive(Debug)]
pub(crate) struct SessionBounds {
    of_one: usize,
    of_all: usize,
    held: AtomicUsize,
    metrics: BackendMetrics,
}

impl SessionBounds {
    pub(crate) fn new(of_one: usize, of_all: usize, metrics: BackendMetrics) -> Arc<Self> {
        Arc::new(Self {
            of_one,
            of_all,
            held: AtomicUsize::new(0),
            metrics,
        })
    }

    fn change(&self, before: usize, after: usize) -> Result<(), Error> {
        let refuse = |message: String| {
            self.metrics.sessions_refused.inc();
            Err(Error::new("too_large", message))
        };
        if after > self.of_one {
            return refuse(format!(
                "the session data has {after} bytes, {} are allowed ([backend] max_session_bytes)",
                self.of_one
            ));
        }
        let held = self.held.fetch_add(after, Ordering::Relaxed) + after - before;
        if held > self.of_all && after > before {
            self.held.fetch_sub(after, Ordering::Relaxed);
            return refuse(format!(
                "the session data of all clients would have {held} bytes, {} are allowed ([backend] max_sessions_bytes)",
                self.of_all
            ));
        }
        self.held.fetch_sub(before, Ordering::Relaxed);
        let grown =
            i64::try_from(after).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX);
        self.metrics.session_bytes.inc_by(grown);
        Ok(())
    }
}

/// The session data of one client; it ends with the client.
#[derive(Debug)]
pub(crate) struct SessionData {
    bounds: Arc<SessionBounds>,
    /// The data as JSON; none before there is some.
    json: Mutex<Option<Arc<RawValue>>>,
}

impl SessionData {
    pub(crate) fn new(bounds: Arc<SessionBounds>) -> Self {
        Self {
            bounds,
            json: Mutex::default(),
        }
    }

    /// The data as JSON.
    pub(crate) fn get(&self) -> Option<Arc<RawValue>> {
        self.json
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the data; `null` removes it.
    ///
    /// # Errors
    /// `too_large`, `bad_request`.
    pub(crate) fn set(&self, data: &RawValue) -> Result<(), Error> {
        match data.get().as_bytes().first() {
            Some(b'n') => self.replace(None),
            Some(b'{') => self.replace(Some(data.to_owned().into())),
            _ => Err(Error::bad_request(
                "session must be an object, or null for none",
            )),
        }
    }

    fn replace(&self, json: Option<Arc<RawValue>>) -> Result<(), Error> {
        let len = |json: &Option<Arc<RawValue>>| json.as_ref().map_or(0, |json| json.get().len());
        let mut held = self.json.lock().unwrap_or_else(PoisonError::into_inner);
        self.bounds.change(len(&held), len(&json))?;
        *held = json;
        Ok(())
    }
}

impl Drop for SessionData {
    fn drop(&mut self) {
        self.replace(None).ok();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn raw(value: &serde_json::Value) -> Box<RawValue> {
        to_raw_value(value).unwrap()
    }

    #[test]
    fn data_is_bounded_for_one_and_for_all_and_ends_with_its_client() {
        let bounds = SessionBounds::new(20, 30, BackendMetrics::default());
        let [one, two] = [(); 2].map(|()| SessionData::new(bounds.clone()));
        one.set(&raw(&json!({ "user": "anna" }))).unwrap();
        assert_eq!(one.get().unwrap().get(), r#"{"user":"anna"}"#);
        assert_eq!(
            one.set(&raw(&json!({ "user": "someone else" })))
                .unwrap_err()
                .code,
            "too_large"
        );
        assert_eq!(one.set(&raw(&json!([1]))).unwrap_err().code, "bad_request");
        assert_eq!(
            one.get().unwrap().get(),
            r#"{"user":"anna"}"#,
            "the old data stays"
        );
        two.set(&raw(&json!({ "user": "anna" }))).unwrap();
        two.set(&raw(&json!({ "user": "bert1" }))).unwrap_err();
        drop(one);
        two.set(&raw(&json!({ "user": "bert1" }))).unwrap();
        two.set(&raw(&json!(null))).unwrap();
        assert!(two.get().is_none());
        assert_eq!(bounds.held.load(Ordering::Relaxed), 0);
    }
}
