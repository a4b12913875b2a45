//! Keys that are taken from a field of a JSON value.
//!
//! The planner tries them on what it can see of a payload, and the agent takes them from every value.

use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// Appends a field of a JSON object: a text without its quotes, a number as it is written.
///
/// # Errors
/// The value is no object, or has no text or number there.
pub fn push(value: &[u8], name: &str, into: &mut Vec<u8>) -> Result<(), String> {
    let missing = || format!("a value has no text or number in `{name}`, which its key comes from");
    let fields: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(value).map_err(|_| missing())?;
    let found = fields.get(name).ok_or_else(missing)?.get();
    if found.starts_with('"') {
        let text: String = serde_json::from_str(found).map_err(|_| missing())?;
        into.extend_from_slice(text.as_bytes());
    } else if found.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        into.extend_from_slice(found.as_bytes());
    } else {
        return Err(missing());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str, name: &str) -> Result<String, String> {
        let mut arena = Vec::new();
        push(value.as_bytes(), name, &mut arena)?;
        Ok(String::from_utf8(arena).unwrap())
    }

    #[test]
    fn a_key_is_what_the_field_says() {
        let value = r#"{"user": "a \"quoted\" one", "n": 17, "deep": {"n": 18}, "none": null}"#;
        assert_eq!(key(value, "user").unwrap(), "a \"quoted\" one");
        assert_eq!(key(value, "n").unwrap(), "17");
        for name in ["deep", "none", "absent"] {
            assert!(key(value, name).unwrap_err().contains(name));
        }
        assert!(key("no json", "user").is_err());
    }
}
