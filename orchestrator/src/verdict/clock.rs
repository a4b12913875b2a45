//! From the run's clock to the time of day.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// Knows when 0 on the run's clock was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock(Option<Timestamp>);

impl Clock {
    pub(super) fn new(load_started_at: Option<&str>) -> Self {
        Self(load_started_at.and_then(|text| text.parse().ok()))
    }

    /// `14:03:00–14:04:00 UTC`; with the date where the load is older than a day; on the load's own
    /// clock where the start is not known.
    pub(super) fn stretch(self, start_us: u64, end_us: u64) -> String {
        let (Some(start), Some(end)) = (self.moment(start_us), self.moment(end_us)) else {
            return format!("{}–{} of the load", elapsed(start_us), elapsed(end_us));
        };
        let zoned = |at: Timestamp| at.to_zoned(TimeZone::UTC);
        let (start, end) = (zoned(start), zoned(end));
        let first = self.0.map(zoned).is_none_or(|first| first.date() == start.date());
        let date = if first { String::new() } else { start.strftime("%Y-%m-%d ").to_string() };
        format!("{date}{}–{} UTC", start.strftime("%H:%M:%S"), end.strftime("%H:%M:%S"))
    }

    fn moment(self, at_us: u64) -> Option<Timestamp> {
        let span = i64::try_from(at_us).ok()?.microseconds();
        self.0?.checked_add(span).ok()
    }
}

/// `0:03:00`.
fn elapsed(us: u64) -> String {
    let s = us / 1_000_000;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_told_by_the_time_of_day() {
        let clock = Clock::new(Some("2026-03-01T23:58:00Z"));
        assert_eq!(clock.stretch(0, 60_000_000), "23:58:00–23:59:00 UTC");
        assert_eq!(clock.stretch(120_000_000, 180_000_000), "2026-03-02 00:00:00–00:01:00 UTC");
        assert_eq!(
            Clock::new(None).stretch(60_000_000, 120_000_000),
            "0:01:00–0:02:00 of the load"
        );
    }
}
