//! Medians, spreads, and ratios made within a round.

use crate::sample::Sample;

/// The middle of several rounds and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Median; the mean of the two middle ones where their number is even.
    pub(crate) median: f64,
    /// Smallest.
    pub(crate) min: f64,
    /// Largest.
    pub(crate) max: f64,
}

/// The spread of values, or `None` where there are none.
pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let (below, above) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    Some(Spread { median: f64::midpoint(below, above), min, max })
}

/// All samples of one tool, by round.
pub(crate) fn of<'a>(rounds: &'a [Vec<Sample>], tool: &str) -> Vec<&'a Sample> {
    rounds.iter().flat_map(|round| round.iter().filter(|sample| sample.tool == tool)).collect()
}

/// Spread over rounds of what one tool did divided by what the other did in the same round.
pub(crate) fn ratio(
    rounds: &[Vec<Sample>],
    (above, below): (&str, &str),
    figure: impl Fn(&Sample) -> f64,
) -> Option<Spread> {
    let of_tool = |round: &[Sample], tool: &str| round.iter().find(|s| s.tool == tool).map(&figure);
    spread(rounds.iter().filter_map(|round| Some(of_tool(round, above)? / of_tool(round, below)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tool: &'static str, rate_per_s: f64) -> Sample {
        Sample {
            tool,
            records: 1,
            rate_per_s,
            value_bytes: 100,
            cpu_s: 1.0,
            cpu_records: 1,
            broker_cpu_s: 0.0,
            latencies: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(spread([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(spread([]), None);
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        // The machine was half as fast in the second round; neither tool is.
        let rounds =
            [vec![sample("a", 20.0), sample("b", 10.0)], vec![sample("b", 5.0), sample("a", 10.0)]];
        let ratio = ratio(&rounds, ("a", "b"), |s| s.rate_per_s);
        assert_eq!(ratio, Some(Spread { median: 2.0, min: 2.0, max: 2.0 }));
    }
}
