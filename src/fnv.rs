//! FNV-1a of 64 bits: a number for some bytes that is the same in every process and version, because journals and ids keep it.
//! A producer that makes two texts collide harms only its own.

use std::io::{self, Write};

/// The number of no bytes at all.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A number in the making: of all bytes that are written into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    /// The same as if bytes with this number had been written.
    pub(crate) fn from(number: u64) -> Self {
        Self(number)
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    /// The number of all bytes so far.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self(EMPTY)
    }
}

impl Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes.iter().copied());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of these bytes.
pub(crate) fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let mut hash = Fnv::default();
    hash.add(bytes);
    hash.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the authors of FNV publish.
    #[test]
    fn it_is_the_hash_of_that_name() {
        for (text, number) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(fnv(text.bytes()), number, "{text}");
        }
        let mut parts = Fnv::from(fnv("foo".bytes()));
        parts.write_all(b"bar").unwrap_or_default();
        assert_eq!(parts.number(), fnv("foobar".bytes()));
    }
}
