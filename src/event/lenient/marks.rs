//! Byte order marks before a text.

/// Windows' editors and shells begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text behind its byte order marks, and how many these are: files that were joined have more than one.
pub(super) fn without_marks(mut text: &[u8]) -> (&[u8], usize) {
    let mut marks = 0;
    while let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
        marks += 1;
        text = rest;
    }
    (text, marks)
}
