//! What the machine is.

use mallard_protocol::message::HostFacts;
use std::{fs, num::NonZero, thread};

/// Facts about this host, with the clock as it is now. What cannot be found out stays empty.
#[must_use]
pub fn facts() -> HostFacts {
    HostFacts {
        hostname: line("/proc/sys/kernel/hostname"),
        boot_id: boot_id(&line("/proc/sys/kernel/random/boot_id"), &timens_offsets()),
        architecture: std::env::consts::ARCH.into(),
        kernel: line("/proc/sys/kernel/osrelease"),
        os: os_name(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        cpu: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        cores: cores(),
        memory_bytes: memory_bytes(),
        pid: std::process::id(),
        clock_us: crate::sys::monotonic_us(),
        librdkafka: librdkafka_version(),
    }
}

/// Version of librdkafka, `2.12.1`.
#[must_use]
pub fn librdkafka_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}

/// Cores that this process may use: its CPU affinity, and its container's quota where there is one.
pub(super) fn cores() -> u32 {
    thread::available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX)
}

fn memory_bytes() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    system.total_memory()
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn timens_offsets() -> String {
    fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default()
}

/// The kernel's boot id stands for "shares my CLOCK_MONOTONIC". A time namespace shifts that clock, so
/// its shift becomes part of the id.
fn boot_id(boot_id: &str, timens_offsets: &str) -> String {
    let shift = timens_offsets
        .lines()
        .filter_map(|line| line.strip_prefix("monotonic"))
        .map(|shift| shift.split_whitespace().collect::<Vec<_>>().join("."))
        .find(|shift| shift != "0.0");
    shift.map_or_else(|| boot_id.to_owned(), |shift| format!("{boot_id}+{shift}"))
}

fn os_name(os_release: &str) -> String {
    let value = |key| os_release.lines().find_map(|line| line.strip_prefix(key));
    let name = value("PRETTY_NAME=").or_else(|| value("NAME=")).unwrap_or_default();
    name.trim_matches('"').to_owned()
}

fn cpu_model(cpuinfo: &str) -> String {
    let value = |key| cpuinfo.lines().find(|line| line.starts_with(key))?.split_once(": ");
    // x86 names the model; ARM boards name the board's, or only numbers.
    let model = ["model name", "Model", "Hardware"].into_iter().find_map(value);
    model.map(|(_, model)| model.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_facts() {
        let facts = facts();
        assert!(!facts.hostname.is_empty() && facts.boot_id.len() >= 36, "{facts:?}");
        assert!(facts.cores > 0 && facts.memory_bytes > 1 << 20 && facts.clock_us > 0);
        assert_eq!(facts.pid, std::process::id());
        assert!(facts.librdkafka.starts_with("2."), "{}", facts.librdkafka);
    }

    #[test]
    fn a_time_namespace_is_another_clock() {
        let offsets = |shift| format!("monotonic  {shift}\nboottime            0         0\n");
        assert_eq!(boot_id("abc", &offsets("         0         0")), "abc");
        assert_eq!(boot_id("abc", &offsets("     -3600         5")), "abc+-3600.5");
        assert_eq!(boot_id("abc", ""), "abc");
    }

    #[test]
    fn names_come_out_of_system_files() {
        assert_eq!(os_name("NAME=\"X\"\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
        assert_eq!(os_name("NAME=Alpine\n"), "Alpine");
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Zen 9\n"), "Zen 9");
        assert_eq!(cpu_model(""), "");
    }
}
