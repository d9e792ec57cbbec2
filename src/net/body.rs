//! Request bodies, with bounds on their size and on the time they take.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::refusal::Refusal;

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The largest that is read whole.
    pub max: usize,
    /// Time for one that is read whole; the longest pause of one that is streamed.
    pub timeout: Duration,
    /// What a streamed one has to keep up, on average over `timeout`.
    pub bytes_per_second: usize,
}

/// Reads a body whole.
///
/// # Errors
/// It is too large, which is known before it is read where its length is told; it takes too long; it ends early.
pub async fn read_body(body: Body, limits: BodyLimits) -> Result<Bytes, Refusal> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > limits.max {
        return Err(too_large(limits.max));
    }
    tokio::time::timeout(limits.timeout, whole(body, limits.max))
        .await
        .unwrap_or_else(|_| {
            Err(Refusal::new(
                "timeout",
                format!(
                    "the body was not there within {:?} ([server] body_timeout)",
                    limits.timeout
                ),
            ))
        })
}

async fn whole(body: Body, max: usize) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ended_early())?;
        if read.len() + chunk.len() > max {
            return Err(too_large(max));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

fn too_large(max: usize) -> Refusal {
    Refusal::new(
        "too_large",
        format!(
            "the body is larger than {max} bytes ([server] max_http_buffer_size); send application/x-ndjson for more"
        ),
    )
}

fn ended_early() -> Refusal {
    Refusal::bad_request("the body ended early")
}

/// A body that is read as it comes, for as long as it comes at a pace. Only the time spent waiting for the client
/// counts: what the server takes to handle a part is not the client's fault.
#[derive(Debug)]
pub struct Steady {
    /// What the client sends.
    stream: BodyDataStream,
    /// How much, and how slowly it may come.
    limits: BodyLimits,
    /// Waited so long since the pace was last looked at.
    waited: Duration,
    /// Read so much since then.
    read: usize,
}

impl Steady {
    /// Reads this one.
    pub fn new(body: Body, limits: BodyLimits) -> Self {
        Self {
            stream: body.into_data_stream(),
            limits,
            waited: Duration::ZERO,
            read: 0,
        }
    }

    /// The next part; none at the end.
    ///
    /// # Errors
    /// It pauses or drips, or ends early.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let asked = Instant::now();
        let next = tokio::time::timeout(self.limits.timeout, self.stream.next()).await;
        self.waited += asked.elapsed();
        let chunk = match next {
            Err(_) => return Err(self.too_slow("the body paused for too long")),
            Ok(None) => return Ok(None),
            Ok(Some(chunk)) => chunk.map_err(|_| ended_early())?,
        };
        self.read += chunk.len();
        if self.waited >= self.limits.timeout {
            let least = self.waited.as_secs_f64() * self.limits.bytes_per_second as f64;
            if (self.read as f64) < least {
                return Err(self.too_slow("the body comes too slowly"));
            }
            (self.waited, self.read) = (Duration::ZERO, 0);
        }
        Ok(Some(chunk))
    }

    fn too_slow(&self, what: &str) -> Refusal {
        Refusal::new(
            "timeout",
            format!(
                "{what}: {} bytes a second over {:?} are the least ([server] body_timeout, body_bytes_per_second); \
                 what came before this part was taken",
                self.limits.bytes_per_second, self.limits.timeout
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        max: 100,
        timeout: Duration::from_secs(30),
        bytes_per_second: 10,
    };

    /// So many parts of a size, with a pause before each.
    fn dripping(parts: usize, size: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(0, move |n| async move {
            if n == parts {
                return None;
            }
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(vec![b'x'; size]), n + 1))
        }))
    }

    async fn stream_all(body: Body) -> Result<usize, Refusal> {
        let mut steady = Steady::new(body, LIMITS);
        let mut size = 0;
        while let Some(chunk) = steady.next().await? {
            size += chunk.len();
        }
        Ok(size)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_read_whole_is_small_and_quick() {
        let second = Duration::from_secs(1);
        let read = |body| read_body(body, LIMITS);
        assert_eq!(read(dripping(10, 10, second)).await.unwrap().len(), 100);
        let code = |refused: Result<Bytes, Refusal>| refused.unwrap_err().code;
        assert_eq!(code(read(dripping(11, 10, second)).await), "too_large");
        assert_eq!(code(read(Body::from(vec![0; 101])).await), "too_large");
        assert_eq!(code(read(dripping(40, 1, second)).await), "timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_be_long_but_not_slow() {
        let second = Duration::from_secs(1);
        let long = stream_all(dripping(1_000, 20, second)).await;
        assert_eq!(long.unwrap(), 20_000);
        let started = Instant::now();
        let drip = stream_all(dripping(1_000, 1, second)).await;
        assert_eq!(drip.unwrap_err().code, "timeout");
        assert!(started.elapsed() <= 32 * second);
        let pause = stream_all(dripping(2, 1_000, 31 * second)).await;
        assert_eq!(pause.unwrap_err().code, "timeout");
    }
}
