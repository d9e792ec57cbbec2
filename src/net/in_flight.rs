//! Tracks a request from its head to the last byte of its response, and holds the connection's slot for that time.

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

/// A request in flight, from its head to the end of its response.
pub(super) struct InFlight(Arc<ConnectionTimeouts>);

impl InFlight {
    /// Begins with the head.
    pub(super) fn begin(traffic: Arc<ConnectionTimeouts>) -> Self {
        traffic.request_began();
        Self(traffic)
    }

    /// Extends the time to the end of the response's body.
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

/// A response's body with everything that lives as long as it.
struct Covered {
    body: Body,
    /// Dropped with the body: the request then counts as answered.
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
