//! Frames: a four-byte big-endian length, then a message in postcard's format.
//!
//! Invariant: no frame is larger than [`MAX_FRAME_BYTES`], and a length beyond it is refused before a
//! byte of it is stored, so garbage on the channel can never exhaust memory.

use serde::{Serialize, de::DeserializeOwned};

/// Largest frame in bytes. An interval of 1,000 partitions with wide histograms takes about 2 MB; the
/// largest message is a log file on its way home, which is sent in pieces far below this.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of the length prefix.
const PREFIX_BYTES: usize = 4;

/// Why a frame was refused.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length prefix claims more than [`MAX_FRAME_BYTES`].
    #[error("a frame of {bytes} bytes is beyond the limit of {MAX_FRAME_BYTES} bytes")]
    TooLarge {
        /// Bytes claimed or needed.
        bytes: usize,
    },
    /// The bytes are not a message of this build.
    #[error("a frame of {bytes} bytes is not a message of this build")]
    Malformed {
        /// Length of the frame's body in bytes.
        bytes: usize,
        /// What postcard says.
        #[source]
        source: postcard::Error,
    },
}

/// Encodes a message with its length prefix.
///
/// # Errors
/// [`FrameError::TooLarge`] if the message does not fit into a frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let frame = postcard::to_extend(message, vec![0; PREFIX_BYTES])
        .map_err(|source| FrameError::Malformed { bytes: 0, source })?;
    let bytes = frame.len() - PREFIX_BYTES;
    let length = u32::try_from(bytes)
        .ok()
        .filter(|_| bytes <= MAX_FRAME_BYTES)
        .ok_or(FrameError::TooLarge { bytes })?;
    let mut frame = frame;
    frame[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Decodes a message from a frame's body, the prefix already taken off.
///
/// # Errors
/// [`FrameError::Malformed`] if the bytes are not exactly one message.
pub fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, FrameError> {
    let malformed = |source| FrameError::Malformed { bytes: body.len(), source };
    let (message, rest) = postcard::take_from_bytes(body).map_err(malformed)?;
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(malformed(postcard::Error::DeserializeBadEncoding))
    }
}

/// Collects bytes in whatever pieces they arrive and gives back whole frames.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
}

impl Decoder {
    /// Adds bytes as read from the channel.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes have come.
    ///
    /// # Errors
    /// A frame that is too large or malformed. The channel cannot be trusted after that.
    pub fn next_message<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameError> {
        self.next_body()?.map(decode).transpose()
    }

    /// The next whole frame's body, not decoded, or `None` until more bytes have come. The first frame
    /// of a conversation is read so, because it may come from another build: see [`hello_head`].
    ///
    /// # Errors
    /// A frame that is too large. The channel cannot be trusted after that.
    pub fn next_body(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.buffer[self.taken..];
        let Some((prefix, body)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if bytes > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge { bytes });
        }
        let Some(body) = body.get(..bytes) else { return Ok(None) };
        self.taken += PREFIX_BYTES + bytes;
        Ok(Some(body))
    }
}

/// Protocol version and build id of a `Hello`, whatever build it comes from: both directions' `Hello` is
/// the first variant and begins with these two fields in every version. `None` if the bytes are not the
/// start of a `Hello`.
#[must_use]
pub fn hello_head(body: &[u8]) -> Option<(u32, String)> {
    let ((variant, protocol_version, build_id), _) =
        postcard::take_from_bytes::<(u32, u32, String)>(body).ok()?;
    (variant == 0).then_some((protocol_version, build_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_survive_any_chopping(
            messages in prop::collection::vec(".{0,40}", 0..8), chop in 1_usize..9,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| encode(m).unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut seen: Vec<String> = Vec::new();
            for piece in bytes.chunks(chop) {
                decoder.push(piece);
                while let Some(message) = decoder.next_message().unwrap() { seen.push(message); }
            }
            prop_assert_eq!(seen, messages);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_message::<String>() {}
        }
    }

    #[test]
    fn the_head_of_a_hello_is_read_whatever_follows_it() {
        #[derive(Serialize)]
        enum Later {
            Hello { version: u32, build: &'static str, new_field: Vec<u64> },
            Other,
        }
        let hello = Later::Hello { version: 9, build: "2.0.0+ff", new_field: vec![1, 2, 3] };
        let bytes = encode(&hello).unwrap();
        assert_eq!(hello_head(&bytes[PREFIX_BYTES..]), Some((9, "2.0.0+ff".into())));
        assert_eq!(hello_head(&encode(&Later::Other).unwrap()[PREFIX_BYTES..]), None);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_message::<String>(), Err(FrameError::TooLarge { .. })));
    }
}
