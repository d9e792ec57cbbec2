//! Byte order marks before a text.

/// The mark with which Windows' editors and shells begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text after its byte order marks, and their number: joined files have more than one.
pub(super) fn without_marks(mut text: &[u8]) -> (&[u8], usize) {
    let mut marks = 0;
    while let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
        marks += 1;
        text = rest;
    }
    (text, marks)
}
