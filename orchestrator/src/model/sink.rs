//! What an event sink is: whoever hears of a run while it goes on, beside the journal.

use super::{events::TimedEvent, figures::IntervalFigures};
use async_trait::async_trait;

/// Takes every event of a run, one after the other, as soon as it is in the journal, and the figures of every
/// interval, as soon as they are in the archive.
///
/// A sink returns at once, since the case waits for it, and its warnings are never the run's: no run ends
/// because a terminal was closed or nobody fetches its figures.
#[async_trait(?Send)]
pub trait EventSink: std::fmt::Debug {
    /// Takes the next event.
    fn take(&mut self, event: &TimedEvent);

    /// Takes an interval. A case begins with an empty one, which names its producers and consumers. Where a run is
    /// taken over, the intervals that are archived come once more, from the first on.
    fn figures(&mut self, _interval: IntervalFigures<'_>) {}

    /// What went wrong, or well again, since this was last asked: it is noted in the journal.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Waits until what was taken is with whom it is for, for as long as the sink's own bound says. The run is over
    /// and everything is archived.
    async fn end(&mut self) {}
}
