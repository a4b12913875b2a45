//! What an event sink is: whoever hears of a run while it goes on, beside the journal.

use super::events::TimedEvent;

/// Takes every event of a run, one after the other, as soon as it is in the journal.
///
/// A sink returns at once, since the case waits for it, and keeps its troubles to itself: no run ends
/// because a terminal was closed or nobody fetches its figures.
pub trait EventSink: std::fmt::Debug {
    /// Takes the next event.
    fn take(&mut self, event: &TimedEvent);
}
