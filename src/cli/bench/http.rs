//! Heads of HTTP, as far as the load generator needs them.

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use super::target::OPENING;

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
    let read = timeout(OPENING, wire.read_buf(rest))
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
        ..Head::default()
    };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            head.length = value.trim().parse().ok();
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.is_chunked = value.to_ascii_lowercase().contains("chunked");
        }
    }
    Ok(Some((head, length)))
}
