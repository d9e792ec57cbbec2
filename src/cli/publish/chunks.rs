//! Events of a file or a pipe, gathered into parts that fit into one request.
//!
//! Memory stays bounded whatever is read: one part, and one line that did not fit into it.

use std::{io, time::Duration};

use tokio::{
    io::AsyncBufRead,
    time::{Instant, timeout_at},
};

use super::{lines::Line, values::Values};

/// The most lines of one request.
pub(super) const MAX_LINES: usize = 200;
/// The most bytes of one request, unless it is a single line.
pub(super) const MAX_BYTES: usize = 512 * 1024;
/// The time that a line waits for others: a pipe that trickles is published as it comes.
const GATHER_TIME: Duration = Duration::from_millis(50);

/// The lines of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The lines, as NDJSON.
    pub body: Vec<u8>,
    /// The line number of each event in `body`.
    pub numbers: Vec<u64>,
    /// Lines too long to be sent.
    pub too_long: Vec<u64>,
    /// Bytes of the input read so far.
    pub read: u64,
}

impl Chunk {
    fn has_room(&self, line: &Line) -> bool {
        let length = line.text.as_ref().map_or(0, Vec::len);
        self.body.is_empty() || self.body.len() + length < MAX_BYTES
    }

    fn push(&mut self, line: Line) {
        self.read = line.end;
        let Some(text) = line.text else {
            self.too_long.push(line.number);
            return;
        };
        self.numbers.push(line.number);
        self.body.extend_from_slice(&text);
        self.body.push(b'\n');
    }

    fn lines(&self) -> usize {
        self.numbers.len() + self.too_long.len()
    }
}

/// Gathers lines.
#[derive(Debug)]
pub(super) struct Chunks<R> {
    values: Values<R>,
    /// The line that did not fit into the last part.
    held: Option<Line>,
    /// A failure to read, told after the lines before it.
    failed: Option<io::Error>,
}

impl<R: AsyncBufRead + Unpin> Chunks<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            values: Values::new(reader),
            held: None,
            failed: None,
        }
    }

    /// The next part, of at most `max` lines; `None` at the end.
    pub(super) async fn next(&mut self, max: usize) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let first = match self.held.take() {
            Some(line) => line,
            None => match self.values.next().await? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        let mut chunk = Chunk::default();
        chunk.push(first);
        let deadline = Instant::now() + GATHER_TIME;
        while chunk.lines() < max {
            match timeout_at(deadline, self.values.next()).await {
                Ok(Ok(Some(line))) if chunk.has_room(&line) => chunk.push(line),
                Ok(Ok(Some(line))) => {
                    self.held = Some(line);
                    break;
                }
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Ok(Ok(None)) | Err(_) => break,
            }
        }
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, BufReader};

    use super::*;
    use crate::cli::publish::lines::MAX_LINE;

    async fn all(input: &[u8], max: usize) -> Vec<Chunk> {
        // A small buffer, so that lines are cut anywhere.
        let mut chunks = Chunks::new(BufReader::with_capacity(7, input));
        let mut out = Vec::new();
        while let Some(chunk) = chunks.next(max).await.expect("reads") {
            out.push(chunk);
        }
        out
    }

    fn numbers(chunks: &[Chunk]) -> Vec<Vec<u64>> {
        chunks.iter().map(|c| c.numbers.clone()).collect()
    }

    #[tokio::test]
    async fn blank_lines_are_counted_but_not_sent() {
        let chunks = all(b"\xef\xbb\xbf{\"a\":1}\n\n  \r\n{\"b\":2}\r\n{\"c\":3}", 2).await;
        assert_eq!(numbers(&chunks), [vec![1, 4], vec![5]]);
        assert_eq!(chunks[0].body, b"{\"a\":1}\n{\"b\":2}\r\n");
        assert_eq!(chunks[1].body, b"{\"c\":3}\n");
        assert_eq!(chunks[1].read, 32);
        assert!(all(b"", 2).await.is_empty());
        assert!(all(b"\n\n", 2).await.is_empty());
    }

    #[tokio::test]
    async fn a_part_is_bounded_in_bytes_and_a_long_line_goes_alone() {
        let mut input = Vec::new();
        for length in [10, MAX_BYTES + 5, 10, MAX_BYTES - 20, 30] {
            input.extend(std::iter::repeat_n(b'x', length));
            input.push(b'\n');
        }
        let chunks = all(&input, 200).await;
        assert_eq!(numbers(&chunks), [vec![1], vec![2], vec![3, 4], vec![5]]);
        assert!(chunks[2].body.len() <= MAX_BYTES);
    }

    #[tokio::test]
    async fn a_line_beyond_all_measure_is_named_and_skipped() {
        let mut input = b"{}\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', MAX_LINE + 1));
        input.extend_from_slice(b"\n{}\n");
        let chunks = all(&input, 200).await;
        assert_eq!(numbers(&chunks), [[1, 3]]);
        assert_eq!(chunks[0].too_long, [2]);
    }

    #[tokio::test]
    async fn a_line_of_a_pipe_does_not_wait_for_the_next() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut chunks = Chunks::new(BufReader::new(reader));
        writer
            .write_all(b"{\"a\":1}\n{\"b\"")
            .await
            .expect("writes");
        let first = chunks.next(200).await.expect("reads").expect("a part");
        assert_eq!(first.numbers, [1]);
        writer.write_all(b":2}\n").await.expect("writes");
        let second = chunks.next(200).await.expect("reads").expect("a part");
        assert_eq!(
            (second.numbers, second.body),
            (vec![2], b"{\"b\":2}\n".to_vec())
        );
    }
}
