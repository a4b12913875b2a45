//! Payloads from Avro's binary encoding of our schema.

use super::{DecodeError, Decoded, DecodedSample, Text};
use std::borrow::Cow;

/// Samples for which room is made before any was read: a count from the wire is not to be believed.
const BELIEVED_SAMPLES: usize = 64;

/// Reads a payload.
pub(super) fn read(bytes: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut payload = Decoded {
        device_id: reader.text()?,
        user_id: reader.text()?,
        timestamp: reader.text()?,
        app_version: reader.text()?,
        timezone: None,
        samples: Vec::new(),
    };
    loop {
        let count = reader.block()?;
        if count == 0 {
            break;
        }
        payload.samples.reserve(count.min(BELIEVED_SAMPLES));
        for _ in 0..count {
            payload.samples.push(reader.sample()?);
        }
    }
    if reader.at < bytes.len() { Err(reader.wrong("bytes after the payload")) } else { Ok(payload) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &'static str) -> DecodeError {
        DecodeError::Avro { what, at: self.at }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.wrong("the end"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A long: zigzag, then seven bits a byte, the lowest first.
    fn long(&mut self) -> Result<i64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(self.wrong("a number without an end"))
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| self.wrong("a negative length"))
    }

    /// The number of items in the next block of an array or a map. A negative one is followed by the
    /// block's size in bytes.
    fn block(&mut self) -> Result<usize, DecodeError> {
        let count = self.long()?;
        if count < 0 {
            self.length()?;
        }
        usize::try_from(count.unsigned_abs()).map_err(|_| self.wrong("a block without an end"))
    }

    fn string(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("a string that is not UTF-8"))
    }

    /// A text; an empty one says that there is none.
    fn text(&mut self) -> Result<Option<Text<'a>>, DecodeError> {
        Ok(Some(self.string()?).filter(|text| !text.is_empty()).map(Cow::Borrowed))
    }

    fn sample(&mut self) -> Result<DecodedSample<'a>, DecodeError> {
        Ok(DecodedSample {
            id: self.text()?,
            data_type: self.text()?,
            value: self.value()?,
            unit: self.text()?,
            start_date: self.text()?,
            end_date: self.text()?,
            source_bundle: self.text()?,
            metadata: Some(self.metadata()?),
            is_synced: Some(self.take(1)?[0] != 0),
            created_at: self.text()?,
        })
    }

    fn value(&mut self) -> Result<Option<f64>, DecodeError> {
        match self.long()? {
            0 => Ok(None),
            1 => {
                let bytes = self.take(8)?.try_into().map_err(|_| self.wrong("the end"))?;
                // What JSON cannot say is no value here either.
                Ok(Some(f64::from_le_bytes(bytes)).filter(|value| value.is_finite()))
            }
            _ => Err(self.wrong("a union's branch that there is not")),
        }
    }

    /// A map of strings, as JSON text.
    fn metadata(&mut self) -> Result<Text<'a>, DecodeError> {
        let mut map = serde_json::Map::new();
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let (key, value) = (self.string()?, self.string()?);
                map.insert(key.to_owned(), value.into());
            }
        }
        Ok(if map.is_empty() {
            Cow::Borrowed("{}")
        } else {
            Cow::Owned(serde_json::Value::Object(map).to_string())
        })
    }
}
