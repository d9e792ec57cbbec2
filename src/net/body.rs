//! Request bodies, with bounds on their size and on the time they take.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{
    packed::PackedLimits,
    space::{FREE, Place, Space},
};
use crate::error::Refusal;

/// What a body may be.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// The largest that is read whole.
    pub max: usize,
    /// Time for one that is read whole; the longest pause of one that is streamed.
    pub timeout: Duration,
    /// What a streamed one has to keep up, on average over `timeout`.
    pub bytes_per_second: usize,
    /// The bytes that all of them may hold together.
    pub space: Space,
    /// Of those that are compressed.
    pub packed: PackedLimits,
}

/// Reads a body whole. One that is not small waits for its place before the rest of it is read, and has it until it is
/// dropped.
///
/// # Errors
/// It is too large, which is known before it is read where its length is told; it takes too long; it ends early; there is no
/// place for it.
pub async fn read_body(body: Body, limits: &BodyLimits) -> Result<Bytes, Refusal> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > limits.max {
        return Err(too_large(limits.max));
    }
    let late = || {
        Refusal::new(
            "timeout",
            format!(
                "the body was not there within {:?} ([server] body_timeout)",
                limits.timeout
            ),
        )
    };
    let (mut read, mut place) = (BytesMut::new(), None::<Place>);
    let mut stream = body.into_data_stream();
    let mut deadline = Instant::now() + limits.timeout;
    while let Some(chunk) = tokio::time::timeout_at(deadline, stream.next())
        .await
        .map_err(|_| late())?
    {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if read.len() + chunk.len() > limits.max {
            return Err(too_large(limits.max));
        }
        if place.is_none() && read.len() + chunk.len() > FREE {
            let whole = if told > 0 { told } else { limits.max };
            let asked = Instant::now();
            place = Some(limits.space.take(whole).await?);
            // That was not the client's fault.
            deadline += asked.elapsed();
            read.reserve(whole - read.len().min(whole));
        }
        read.extend_from_slice(&chunk);
    }
    let read = read.freeze();
    Ok(match place {
        Some(place) => place.of(read),
        None => read,
    })
}

fn too_large(max: usize) -> Refusal {
    Refusal::new(
        "too_large",
        format!(
            "the body is larger than {max} bytes ([server] max_http_buffer_size; of a compressed one what is in it counts); send application/x-ndjson for more"
        ),
    )
}

/// A body breaks off where its sender leaves; one that is unpacked says itself what is wrong.
fn broken(error: &axum::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        cause = error.source();
    }
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
            Ok(Some(chunk)) => chunk.map_err(|error| broken(&error))?,
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

    fn limits() -> BodyLimits {
        BodyLimits {
            max: 100,
            timeout: Duration::from_secs(30),
            bytes_per_second: 10,
            space: Space::new(1_000),
            packed: PackedLimits::new(100, 10),
        }
    }

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
        let mut steady = Steady::new(body, limits());
        let mut size = 0;
        while let Some(chunk) = steady.next().await? {
            size += chunk.len();
        }
        Ok(size)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_read_whole_is_small_and_quick() {
        let second = Duration::from_secs(1);
        let limits = limits();
        let read = |body| read_body(body, &limits);
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
    #[tokio::test(start_paused = true)]
    async fn bodies_together_hold_no_more_than_their_space_and_small_ones_never_wait() {
        let limits = BodyLimits {
            max: 100_000,
            space: Space::new(250_000),
            ..limits()
        };
        let body = || Body::from(vec![0; 100_000]);
        let first = read_body(body(), &limits).await.unwrap();
        let second = read_body(body(), &limits).await.unwrap();
        assert_eq!(limits.space.left(), 50_000);
        let code = |refused: Result<Bytes, Refusal>| refused.unwrap_err().code;
        assert_eq!(code(read_body(body(), &limits).await), "overloaded");
        // Of unknown length: it may be as long as any.
        let unknown = dripping(2, 10_000, Duration::ZERO);
        assert_eq!(code(read_body(unknown, &limits).await), "overloaded");
        let small = read_body(Body::from(vec![0; FREE]), &limits).await;
        assert_eq!(small.unwrap().len(), FREE);
        let waiting = read_body(body(), &limits);
        // A part of it is enough to keep its place.
        let part = second.slice(10..20);
        drop(second);
        assert_eq!(limits.space.left(), 50_000);
        let (third, ()) = futures_util::future::join(waiting, async { drop(part) }).await;
        assert_eq!(third.unwrap().len(), 100_000);
        drop(first);
        assert_eq!(limits.space.left(), 250_000);
    }
}
