//! A column of figures for the charts, as short as JSON allows.

use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Figures; `None` is "no sample".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column(pub Vec<Option<f64>>);

impl FromIterator<Option<f64>> for Column {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Serialize for Column {
    /// Whole numbers without a point, others in four significant digits: no eye sees more on a chart.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for value in &self.0 {
            match value.filter(|value| value.is_finite()).map(rounded) {
                None => seq.serialize_element(&())?,
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "checked to be whole and small"
                )]
                Some(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                    seq.serialize_element(&(value as i64))?;
                }
                Some(value) => seq.serialize_element(&value)?,
            }
        }
        seq.end()
    }
}

/// Four significant digits; whole numbers stay what they are.
fn rounded(value: f64) -> f64 {
    if value.fract() == 0.0 {
        return value;
    }
    if value.abs() >= 1000.0 {
        return value.round();
    }
    // Through text, so that the shortest decimal comes out of it again.
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "charts need no more than 53 bits")]
#[must_use]
pub fn figure(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_samples_that_are_not_there_are_null() {
        let column: Column = [Some(5000.0), Some(4998.66), Some(0.123_456), None, Some(f64::NAN)]
            .into_iter()
            .collect();
        assert_eq!(serde_json::to_string(&column).unwrap(), "[5000,4999,0.1235,null,null]");
    }
}
