//! The data that an application keeps with a client, bounded for each client and for all together.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, value::RawValue};

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
    pub(crate) fn set(&self, data: &Value) -> Result<(), Error> {
        let json: Option<Arc<RawValue>> = match data {
            Value::Null => None,
            Value::Object(_) => {
                let json = serde_json::value::to_raw_value(data)
                    .map_err(|error| Error::bad_request(error.to_string()))?;
                Some(json.into())
            }
            _ => {
                return Err(Error::bad_request(
                    "session must be an object, or null for none",
                ));
            }
        };
        let len = |json: &Option<Arc<RawValue>>| json.as_ref().map_or(0, |json| json.get().len());
        let mut held = self.json.lock().unwrap_or_else(PoisonError::into_inner);
        self.bounds.change(len(&held), len(&json))?;
        *held = json;
        Ok(())
    }
}

impl Drop for SessionData {
    fn drop(&mut self) {
        self.set(&Value::Null).ok();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_bounded_for_one_and_for_all_and_ends_with_its_client() {
        let bounds = SessionBounds::new(20, 30, BackendMetrics::default());
        let [one, two] = [(); 2].map(|()| SessionData::new(bounds.clone()));
        one.set(&json!({ "user": "anna" })).unwrap();
        assert_eq!(one.get().unwrap().get(), r#"{"user":"anna"}"#);
        assert_eq!(
            one.set(&json!({ "user": "someone else" }))
                .unwrap_err()
                .code,
            "too_large"
        );
        assert_eq!(one.set(&json!([1])).unwrap_err().code, "bad_request");
        assert_eq!(
            one.get().unwrap().get(),
            r#"{"user":"anna"}"#,
            "the old data stays"
        );
        two.set(&json!({ "user": "anna" })).unwrap();
        two.set(&json!({ "user": "bert1" })).unwrap_err();
        drop(one);
        two.set(&json!({ "user": "bert1" })).unwrap();
        two.set(&Value::Null).unwrap();
        assert!(two.get().is_none());
        assert_eq!(bounds.held.load(Ordering::Relaxed), 0);
    }
}
