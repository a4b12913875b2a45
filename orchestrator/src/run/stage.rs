//! What a stage of a case is.

use super::{joined::Joined, questions::Asked, shared::Shared};
use crate::{plan::AgentIndex, verdict::RunError};
use mallard_protocol::workload::ClientProperties;
use std::time::Duration;

/// The stage that follows; `None` to stay.
pub(super) type Next = Option<Box<dyn Stage>>;

/// How long an agent that is back may take from one report that it had kept to the next.
pub(super) const CATCHING_UP: Duration = Duration::from_secs(5);

/// How long agents may take to close their clients where there is nothing to flush, or nobody wants to wait.
pub(super) const CLOSING: Duration = Duration::from_secs(2);

/// A stage of a case, with the state that it alone needs: what it waits for, and what it does when that does
/// not come, when the case cannot go on, when somebody wants an end, and when a channel is back.
///
/// A stage is entered by a function of its own, which says what it has done and how long it may take. It knows
/// stages that come later and none that came before.
pub(super) trait Stage: std::fmt::Debug {
    /// Moves on as soon as what the stage waits for has come, or it does not wait any longer. A stage that waits for an
    /// answer alone moves on by [`answered`](Self::answered).
    fn advance(&mut self, _case: &mut Shared) -> Next {
        None
    }

    /// What it waits for, in words.
    fn waiting_for(&self, case: &Shared) -> String {
        format!("{} to end", case.timing.stage.words())
    }

    /// How long it may take, where the case cannot go on when that is over. Others move on by themselves.
    fn limit(&self, _case: &Shared) -> Option<Duration> {
        None
    }

    /// Ends what goes on: the case cannot, or somebody asked twice. Agents that have clients have so long to close
    /// them.
    fn break_off(&mut self, _case: &mut Shared, _within: Duration) -> Next {
        None
    }

    /// A client of an agent can do nothing more, so the case cannot go on. What came before that is measured to the
    /// end all the same: what was acknowledged and is gone is said beside why the case failed.
    fn wind_up(&mut self, case: &mut Shared) -> Next {
        let within = case.plan.deadlines.finish;
        self.break_off(case, within)
    }

    /// Somebody wants an end of a load that has begun: everything follows in order, but sooner.
    fn stop(&mut self, _case: &mut Shared) -> Next {
        None
    }

    /// Somebody asked twice: agents have a moment to close their clients, so that they leave their groups and
    /// hand in what they have measured. Logs and groups are not waited for.
    fn hurry(&mut self, case: &mut Shared) -> Next {
        self.break_off(case, CLOSING)
    }

    /// A question was answered, and the answer taken in.
    fn answered(&mut self, _case: &mut Shared, _asked: Asked) -> Next {
        None
    }

    /// A step on the way to containers began.
    fn on_step(&mut self, _text: &str) {}

    /// What runs in containers runs, or does not for these reasons.
    fn on_containers(
        &mut self,
        _case: &mut Shared,
        _outcome: Result<Vec<ClientProperties>, Vec<String>>,
    ) -> Next {
        None
    }

    /// What consumers have and read, where that is waited for.
    fn joined(&mut self) -> Option<&mut Joined> {
        None
    }

    /// How long an agent may take that was out of reach and is back.
    fn time_to_catch_up(&self, _case: &Shared) -> Duration {
        CATCHING_UP
    }

    /// Says again what this stage told an agent, over a channel that is back.
    fn repeat(&self, _case: &mut Shared, _agent: AgentIndex) {}
}

/// That a stage took too long.
pub(super) fn late(stage: &dyn Stage, case: &Shared, within: Duration) -> RunError {
    RunError::Deadline {
        step: case.timing.stage.words().to_owned(),
        progress: format!("still waiting for {}", stage.waiting_for(case)),
        within_us: crate::clock::micros(within),
    }
}
