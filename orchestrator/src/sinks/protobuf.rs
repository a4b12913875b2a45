//! As much of protocol buffers as two formats need: fields are written, none is read.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// `uint32`, `uint64`, an enum.
    pub(super) fn uint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        varint(&mut self.0, value);
    }

    /// `sint32`, `sint64`.
    pub(super) fn sint(&mut self, field: u32, value: i64) {
        self.uint(field, zigzag(value));
    }

    /// `fixed64`, `sfixed64`.
    pub(super) fn fixed(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.fixed(field, value.to_bits());
    }

    pub(super) fn string(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A message inside.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inside = Self::default();
        write(&mut inside);
        self.bytes(field, &inside.0);
    }

    /// `repeated uint64`, packed.
    pub(super) fn uints(&mut self, field: u32, values: impl IntoIterator<Item = u64>) {
        let mut packed = Vec::new();
        values.into_iter().for_each(|value| varint(&mut packed, value));
        self.bytes(field, &packed);
    }

    /// `repeated sint64`, packed.
    pub(super) fn sints(&mut self, field: u32, values: impl IntoIterator<Item = i64>) {
        self.uints(field, values.into_iter().map(zigzag));
    }

    /// Appends a whole message after its length, as streams of messages have it.
    pub(super) fn delimited(&mut self, message: &Self) {
        varint(&mut self.0, message.0.len() as u64);
        self.0.extend_from_slice(&message.0);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, BYTES);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn tag(&mut self, field: u32, kind: u32) {
        varint(&mut self.0, u64::from(field << 3 | kind));
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Small numbers of both signs become small numbers: 0, -1, 1, -2 become 0, 1, 2, 3.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_the_specification_shows_them() {
        let mut message = Message::default();
        message.uint(1, 150);
        message.string(2, "testing");
        message.message(3, |inside| inside.uint(1, 150));
        message.uints(6, [3, 270, 86_942]);
        message.sint(1, -2);
        let bytes = message.into_bytes();
        let expected = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x32\x06\x03\x8e\x02\x9e\xa7\x05\x08\x03";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn signs_fold_into_small_numbers() {
        let folded = [0, -1, 1, -2, i64::MAX, i64::MIN].map(zigzag);
        assert_eq!(folded, [0, 1, 2, 3, u64::MAX - 1, u64::MAX]);
    }
}
