//! What making a record from a template may take. Planning tries a template under the same limits as
//! agents render it, so that one which is refused is refused before anything is touched.

/// Most steps (minijinja's instructions) for one record. A record of a megabyte made of thousands of
/// fields takes some hundred thousand; a loop in a loop takes more than any rate leaves time for.
pub const STEPS_LIMIT: u64 = 5_000_000;

/// Longest record of a template, in bytes: as of any other payload, far above `message.max.bytes` of any
/// sensible cluster.
pub const BYTES_LIMIT: usize = 64 << 20;

/// Why a template is refused that takes too many steps.
pub const TOO_MANY_STEPS: &str =
    "a record takes more than 5000000 steps: a loop in it goes on for too long";

/// Why a template is refused whose record gets too long.
pub const TOO_LONG: &str = "a record gets longer than 64 MiB";

/// Takes what a template renders, up to [`BYTES_LIMIT`] in all.
#[derive(Debug)]
pub struct Limited<'a> {
    into: &'a mut Vec<u8>,
    room: usize,
}

impl<'a> Limited<'a> {
    /// Appends to these bytes.
    pub fn new(into: &'a mut Vec<u8>) -> Self {
        Self { into, room: BYTES_LIMIT }
    }
}

impl std::io::Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(room) = self.room.checked_sub(bytes.len()) else {
            return Err(std::io::Error::other(TOO_LONG));
        };
        self.room = room;
        self.into.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_record_ends_at_the_limit() {
        let mut bytes = Vec::new();
        let mut limited = Limited::new(&mut bytes);
        let half = vec![b'x'; BYTES_LIMIT / 2];
        assert!(limited.write_all(&half).is_ok() && limited.write_all(&half).is_ok());
        assert_eq!(limited.write_all(b"x").unwrap_err().to_string(), TOO_LONG);
        assert_eq!(bytes.len(), BYTES_LIMIT);
    }
}
