//! An application's own service: a real HTTP server that takes calls, keeps them, and answers as a test wants.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use http::HeaderMap;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::until;

/// The secret that the server and the service share.
pub const SECRET: &str = "the-secret-that-stoa-and-the-application-share";

/// One call, as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The body as it is signed.
    pub bytes: Bytes,
    /// The body as JSON.
    pub body: Value,
}

impl Call {
    /// Whether it is of this type.
    pub fn is(&self, kind: &str) -> bool {
        self.body["type"] == kind
    }
}

type Kept = Arc<Mutex<Vec<Call>>>;

/// A service that runs until it is dropped.
#[derive(Debug)]
pub struct Application {
    /// The address to post calls to.
    pub url: String,
    /// The address that it listens on.
    pub address: SocketAddr,
    calls: Kept,
    serving: JoinHandle<()>,
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Application {
    /// Starts a service that answers each call by a function of the call's body.
    pub async fn start(answer: impl Fn(&Value) -> Value + Clone + Send + Sync + 'static) -> Self {
        Self::serve(move |call| {
            let answer = answer(&call);
            async move { axum::Json(answer).into_response() }
        })
        .await
    }

    /// Starts a service that answers each call by an asynchronous function.
    pub async fn serve<F, A>(answer: F) -> Self
    where
        F: Fn(Value) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::serve_on(listener, answer).await
    }

    /// The same on a port that is there already.
    pub async fn serve_on<F, A>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(Value) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        let address = listener.local_addr().expect("an address");
        let calls = Kept::default();
        let take = move |State(kept): State<Kept>, headers: HeaderMap, bytes: Bytes| {
            let body: Value = serde_json::from_slice(&bytes).expect("a call is JSON");
            let call = Call {
                headers,
                bytes,
                body: body.clone(),
            };
            kept.lock().expect("no panic").push(call);
            answer(body)
        };
        let router = Router::new()
            .route("/stoa", post(take))
            .with_state(calls.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            url: format!("http://{address}/stoa"),
            address,
            calls,
            serving,
        }
    }

    /// The calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic").clone()
    }

    /// Waits for a call that fits.
    pub async fn call_where(&self, what: &str, fits: impl Fn(&Call) -> bool) -> Call {
        until(what, async || {
            self.calls().into_iter().find(|call| fits(call))
        })
        .await
    }
}
