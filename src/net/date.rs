//! The `Date` of answers, which the HTTP library writes.
//!
//! The library keeps the text for each thread, and panics if it writes the first one while the clock is before 1970.
//! Later it keeps the old text until the clock is ahead of it again. So each thread makes the library write one as it
//! starts.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::SystemTime,
};

use axum::{body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

/// Makes the HTTP library read the clock on this thread, which it does when it looks for a request; the connection here
/// is one that is over.
pub fn read_the_clock() {
    if SystemTime::now() < SystemTime::UNIX_EPOCH {
        return;
    }
    let service = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(tokio::io::empty()), service);
    let looked = pin!(connection).poll(&mut Context::from_waker(Waker::noop()));
    debug_assert!(looked.is_ready(), "nothing comes on it");
}
