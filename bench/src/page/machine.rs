//! Where it was measured.

use std::fs;

/// What matters of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    load: String,
}

impl Machine {
    /// Looks at this machine; its load is that from before the bench.
    pub(crate) fn look() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cpu: model.map_or("unknown CPU", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// All of it, and what everybody ran on.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} cores of {}, load {} before the start; one Apache Kafka broker on the same machine, its log in \
             memory, six partitions, acks=1 where nothing else is said, no compression, linger 5 ms.",
            self.cores, self.cpu, self.load
        )
    }
}
