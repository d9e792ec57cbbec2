//! A request from its head to the end of its answer, and what lasts as long.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};

use super::{presence::ConnectionSlot, timeouts::ConnectionTimeouts};

/// A request from its head to the end of its answer.
pub(super) struct InFlight(Arc<ConnectionTimeouts>);

impl InFlight {
    /// Begins with the head.
    pub(super) fn begin(traffic: Arc<ConnectionTimeouts>) -> Self {
        traffic.request_began();
        Self(traffic)
    }

    /// Lasts from here on for as long as the answer's body.
    pub(super) fn cover(self, response: Response, presence: Option<ConnectionSlot>) -> Response {
        response.map(|body| {
            Body::new(Covered {
                body,
                _until: (self, presence),
            })
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// An answer's body with what lasts as long as it.
struct Covered {
    /// The answer.
    body: Body,
    /// Counted as under way until the answer is out.
    _until: (InFlight, Option<ConnectionSlot>),
}

impl HttpBody for Covered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
