//! One way of showing a run's events on a terminal.

use crate::model::events::RunEvent;
use std::io::Write;

/// A way of showing events.
pub(super) trait View: std::fmt::Debug {
    /// Shows an event; what stays on the screen goes to `out`.
    fn show(&mut self, event: &RunEvent, out: &mut dyn Write) -> std::io::Result<()>;
}
