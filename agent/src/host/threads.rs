//! How many threads there may be: by the kernel, the user's limit, and the control group.

use std::{fs, path::Path};

/// Most threads of all that is limited together with this process; `None` where nothing says.
pub(super) fn limit() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    // The user's limit does not bind root.
    let own = (crate::sys::effective_user() != 0)
        .then(|| of_user(&fs::read_to_string("/proc/self/limits").unwrap_or_default()))
        .flatten();
    let kernel = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    kernel.into_iter().filter_map(number).chain(own).chain(of_groups(&groups)).min()
}

/// `Max processes             62914                62914                processes`: the first is the one
/// that holds.
fn of_user(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max processes"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The tightest `pids.max` of the control groups that the process is in: its own and all above.
fn of_groups(groups: &str) -> Option<u64> {
    // Version 2 has one line, `0::/user.slice/…`; version 1 has one for `pids`.
    let own = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => Some(("/sys/fs/cgroup", path)),
            _ if controllers.split(',').any(|one| one == "pids") => {
                Some(("/sys/fs/cgroup/pids", path))
            }
            _ => None,
        }
    });
    let (root, path) = own?;
    let number = |group: &Path| {
        let file = Path::new(root).join(group.strip_prefix("/").unwrap_or(group)).join("pids.max");
        fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
    };
    Path::new(path).ancestors().filter_map(number).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_limit_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max processes             1024                 62914                processes\n";
        assert_eq!(of_user(limits), Some(1_024));
        assert_eq!(of_user("Max processes    unlimited    unlimited    processes\n"), None);
    }

    #[test]
    fn this_machine_has_a_limit() {
        assert!(limit().is_some_and(|most| most > 10));
    }
}
