//! What is waited for around the load, in words.

use super::{questions::Asked, shared::Shared};

impl Shared {
    /// What of end offsets and clocks is not there, and whose.
    pub(super) fn offsets_and_clocks(&self) -> String {
        let readers = self.questions.asked_agents(|asked| {
            matches!(asked, Asked::StartOffsets | Asked::EndOffsets | Asked::LastOffsets)
        });
        let mut unknown = self.living();
        unknown.retain(|agent| {
            let clock = self.clock_of(*agent);
            clock.is_some_and(|clock| !self.clocks.are_known([clock.as_str()]))
        });
        let mut missing = Vec::new();
        if !readers.is_empty() {
            missing.push(format!("end offsets, which {} reads", self.names_of(readers)));
        }
        if !unknown.is_empty() {
            missing.push(format!("enough probes of the clocks of {}", self.names_of(unknown)));
        }
        missing.join(", and ")
    }
}
