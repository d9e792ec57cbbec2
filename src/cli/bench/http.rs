//! Heads of HTTP, as far as the load generator needs them.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

/// The time in which a part of an answer comes: a request that polls waits for longer than the server's interval of pings.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest head of an answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// The head of an answer.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The length of its body; `None` if it is not said.
    pub(super) length: Option<usize>,
    pub(super) is_chunked: bool,
    /// Whether the connection ends with the answer.
    pub(super) closes: bool,
}

/// Reads a head; what comes after it stays in `rest`.
///
/// # Errors
/// In words.
pub(super) async fn head(
    wire: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
) -> Result<Head, String> {
    loop {
        if let Some((head, length)) = parse(rest)? {
            rest.drain(..length);
            return Ok(head);
        }
        if rest.len() > MAX_HEAD_BYTES {
            return Err("the server answered with a head without an end".into());
        }
        more(wire, rest).await?;
    }
}

/// Reads what comes.
///
/// # Errors
/// In words: the connection is over, or nothing comes in time.
pub(super) async fn more(
    wire: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
) -> Result<(), String> {
    let read = timeout(PATIENCE, wire.read_buf(rest))
        .await
        .map_err(|_| "the server did not answer in time".to_owned())?;
    match read {
        Ok(0) => Err("the server closed the connection".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(crate::cli::output::io_reason(&error)),
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|error| format!("the server answered with what is no HTTP: {error}"))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        closes: response.version == Some(0),
        ..Head::default()
    };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            head.length = value.trim().parse().ok();
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.closes = value.trim().eq_ignore_ascii_case("close")
                || (head.closes && !value.trim().eq_ignore_ascii_case("keep-alive"));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.is_chunked = value.to_ascii_lowercase().contains("chunked");
        }
    }
    Ok(Some((head, length)))
}

/// The longest body of an answer.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Reads the body of an answer; what comes after it stays in `rest`.
///
/// # Errors
/// In words.
pub(super) async fn body(
    wire: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
    head: &Head,
) -> Result<Vec<u8>, String> {
    if head.is_chunked {
        return chunks(wire, rest).await;
    }
    let Some(length) = head.length else {
        if !head.closes {
            return Err("the server answered with a body of no length".into());
        }
        // It ends with the connection.
        while rest.len() < MAX_BODY_BYTES && more(wire, rest).await.is_ok() {}
        return Ok(std::mem::take(rest));
    };
    take(wire, rest, length).await
}

async fn chunks(
    wire: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let (start, length) = loop {
            match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete(size)) => break size,
                Ok(httparse::Status::Partial) => more(wire, rest).await?,
                Err(_) => return Err("the server answered with a broken body".into()),
            }
        };
        rest.drain(..start);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut chunk = take(wire, rest, length.saturating_add(2)).await?;
        if length == 0 {
            return Ok(body);
        }
        chunk.truncate(length);
        body.append(&mut chunk);
    }
}

async fn take(
    wire: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
    length: usize,
) -> Result<Vec<u8>, String> {
    if length > MAX_BODY_BYTES {
        return Err(format!("the server answered with {length} bytes"));
    }
    while rest.len() < length {
        more(wire, rest).await?;
    }
    let after = rest.split_off(length);
    Ok(std::mem::replace(rest, after))
}
