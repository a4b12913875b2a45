//! Nouns by their number.

use super::units;

/// A noun of which there are so many: `topic`, `topics`.
#[must_use]
pub fn noun(number: usize, singular: &str) -> String {
    if number == 1 { singular.to_owned() } else { format!("{singular}s") }
}

/// A number in full and its noun: `1 record`, `2,000 records`.
#[must_use]
pub fn counted(number: u64, singular: &str) -> String {
    format!("{} {singular}{}", units::count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{counted, noun};

    #[test]
    fn one_is_alone_and_none_are_many() {
        assert_eq!([noun(1, "topic"), noun(2, "topic")], ["topic", "topics"]);
        assert_eq!([counted(0, "record"), counted(1, "record")], ["0 records", "1 record"]);
        assert_eq!(counted(2_000, "record"), "2,000 records");
    }
}
