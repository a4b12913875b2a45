//! What everything of a run carries in an engine, and what that says of the run's owner.

use std::{collections::HashMap, fs};

/// The run's id.
pub(super) const RUN: &str = "mallard.run";

/// The process that runs it: name of the machine, boot id, process id, and the process's start.
const OWNER: &str = "mallard.owner";

/// What Mallard made it for: `container-1`, `broker-2`, `network`.
pub(super) const ROLE: &str = "mallard.role";

/// The labels of one thing of a run that this process owns.
pub(super) fn of(run_id: &str, role: &str) -> HashMap<String, String> {
    let own = [(RUN, run_id.to_owned()), (OWNER, this_process()), (ROLE, role.to_owned())];
    own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It runs on this machine.
    Alive,
    /// It ran since this machine was started, and has ended.
    Dead,
    /// It is another machine's, or of an earlier boot.
    Elsewhere,
}

/// What became of the process that owns something with these labels.
pub(super) fn owner(labels: &HashMap<String, String>) -> Owner {
    let text = labels.get(OWNER).map(String::as_str).unwrap_or_default();
    let [_, boot, pid, start] = text.split(' ').collect::<Vec<_>>()[..] else {
        return Owner::Elsewhere;
    };
    if boot != crate::clock::boot_id() {
        return Owner::Elsewhere;
    }
    // A process id is given to others in time; its start distinguishes them.
    if start_of(pid).is_some_and(|now| now == start) { Owner::Alive } else { Owner::Dead }
}

fn this_process() -> String {
    let pid = std::process::id().to_string();
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let start = start_of(&pid).unwrap_or_default();
    format!("{} {} {pid} {start}", machine.trim(), crate::clock::boot_id())
}

/// When a process of this machine began, in the kernel's ticks since boot.
fn start_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; after it, the start is the twentieth field.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_owner(owner: String) -> HashMap<String, String> {
        HashMap::from([(OWNER.to_owned(), owner)])
    }

    #[test]
    fn an_owner_is_known_by_boot_process_and_start() {
        assert_eq!(owner(&of("run", "network")), Owner::Alive);
        let (boot, pid) = (crate::clock::boot_id(), std::process::id());
        assert_eq!(owner(&with_owner(format!("here {boot} {pid} 1"))), Owner::Dead);
        assert_eq!(owner(&with_owner(format!("here other-boot {pid} 1"))), Owner::Elsewhere);
        assert_eq!(owner(&HashMap::new()), Owner::Elsewhere);
    }
}
