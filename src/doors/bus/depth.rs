//! The nesting of JSON text, without reading it into a tree.

use super::refusal::Refusal;

/// Refuses text that is nested deeper than `max`. The text is JSON already.
pub(super) fn check(text: &str, max: usize) -> Result<(), Refusal> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max {
            return Err(Refusal::TooDeep(max));
        }
    }
    Ok(())
}
