//! Who tells a person what happens.

use crate::model::events::RunEvent;
use std::io::Write;

/// Somebody who shows events to people.
pub trait Narrator: std::fmt::Debug {
    /// Shows an event.
    fn tell(&mut self, event: &RunEvent, out: &mut dyn Write) -> std::io::Result<()>;
}
