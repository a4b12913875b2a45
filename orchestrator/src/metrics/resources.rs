//! What an agent and its host used, over a stretch of time.

use super::{slope::LeastSquares, witness_tally::WitnessTally};
use mallard_protocol::interval::Resources;

/// Intervals shorter than this, cut by a phase boundary, do not enter the largest CPU shares: the
/// kernel counts CPU time in ticks of up to 10 ms, which is a fifth of an interval of 50 ms.
pub const SHORTEST_FOR_MAXIMA_US: u64 = 500_000;

/// Share of one core above which a thread counts as saturated in an interval. A thread that never waits
/// shows 0.97 to 1.0, ticks of the kernel's accounting taken off.
pub const SATURATED_THREAD_SHARE: f64 = 0.95;

/// Share of all of a host's cores above which the host counts as busy in an interval: whatever runs
/// there, broker or neighbour, then waits for a CPU, and so does the agent.
pub const BUSY_HOST_SHARE: f64 = 0.95;

/// A slope of resident memory is of no use over less than this, in microseconds: an allocator takes
/// memory in steps of a megabyte, and one such step in ten seconds would read as 360 MiB an hour.
pub const MEMORY_SLOPE_SPAN_US: u64 = 300_000_000;

/// One agent's resources over a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceTally {
    /// Time covered, in microseconds.
    pub time_us: u64,
    /// CPU time of the process, in microseconds.
    pub cpu_us: u64,
    /// Most cores used in an interval.
    pub cpu_cores_max: f64,
    /// Largest share of a core that the busiest thread used in an interval.
    pub thread_cpu_max: f64,
    /// Name of that thread.
    pub busiest_thread: String,
    /// Intervals long enough for a CPU share.
    pub intervals: u64,
    /// Of these, those in which a thread was saturated, or the process used every core of its host.
    pub saturated_intervals: u64,
    /// Of these, those in which the whole host was busy, whoever made it so.
    pub busy_host_intervals: u64,
    /// Time in which full queues held its producers up while a thread or the host had no CPU to spare, in
    /// microseconds.
    pub held_up_busy_us: u64,
    /// The same while there was CPU to spare: what held them up was not the agent.
    pub held_up_idle_us: u64,
    /// Resident memory when the load started: at the end of the agent's first interval.
    pub memory_start_bytes: Option<u64>,
    /// Largest resident memory.
    pub memory_peak_bytes: Option<u64>,
    /// The latest resident memory with its time.
    pub memory_end: Option<(u64, u64)>,
    /// Resident memory over time.
    pub memory_over_time: LeastSquares,
    /// Largest share of the host's CPU, 0 to 1.
    pub host_cpu_max: f64,
    /// Most memory in use on the host.
    pub host_memory_peak_bytes: u64,
    /// What the agent saw of its brokers and of the way to them.
    pub witness: WitnessTally,
}

impl ResourceTally {
    /// Adds an interval.
    pub fn record(&mut self, start_us: u64, end_us: u64, used: &Resources) {
        let length_us = end_us.saturating_sub(start_us);
        self.time_us += length_us;
        self.cpu_us += used.cpu_us;
        self.memory_peak_bytes = self.memory_peak_bytes.max(Some(used.resident_bytes));
        if self.memory_end.is_none_or(|(_, at)| at <= end_us) {
            self.memory_end = Some((used.resident_bytes, end_us));
        }
        self.memory_over_time.record(end_us, real(used.resident_bytes));
        self.host_memory_peak_bytes = self.host_memory_peak_bytes.max(used.host_memory_used_bytes);
        if let Some(seen) = &used.witness {
            self.witness.record(seen);
        }
        if length_us >= SHORTEST_FOR_MAXIMA_US {
            self.record_shares(real(length_us), used);
        }
    }

    fn record_shares(&mut self, length_us: f64, used: &Resources) {
        let shares = Shares::of(length_us, used);
        self.intervals += 1;
        self.cpu_cores_max = self.cpu_cores_max.max(shares.cores);
        self.host_cpu_max = self.host_cpu_max.max(shares.host);
        self.busy_host_intervals += u64::from(shares.is_host_busy());
        if shares.thread > self.thread_cpu_max {
            self.thread_cpu_max = shares.thread;
            self.busiest_thread.clone_from(&used.busiest_thread);
        }
        self.saturated_intervals += u64::from(shares.is_saturated());
    }

    /// Adds the time of an interval in which full queues held the agent's producers up.
    pub fn record_held_up(&mut self, length_us: u64, used: &Resources, held_up_us: u64) {
        if length_us < SHORTEST_FOR_MAXIMA_US {
            return;
        }
        let shares = Shares::of(real(length_us), used);
        if shares.is_saturated() || shares.is_host_busy() {
            self.held_up_busy_us += held_up_us;
        } else {
            self.held_up_idle_us += held_up_us;
        }
    }

    /// Whether what held its producers up was, for most of the time, neither the agent nor its host.
    #[must_use]
    pub fn waited_for_others(&self) -> bool {
        self.held_up_idle_us > self.held_up_busy_us
    }

    /// Mean CPU of the process in cores.
    #[must_use]
    pub fn cpu_cores_mean(&self) -> Option<f64> {
        (self.time_us > 0).then(|| real(self.cpu_us) / real(self.time_us))
    }
}

/// What was used of what there is, in an interval.
struct Shares {
    /// Cores that the process used.
    cores: f64,
    /// Share of a core that its busiest thread used.
    thread: f64,
    /// Share of the host's cores that were in use.
    host: f64,
    host_cores: f64,
}

impl Shares {
    fn of(length_us: f64, used: &Resources) -> Self {
        let host_cores = f64::from(used.host_cores.max(1));
        Self {
            cores: real(used.cpu_us) / length_us,
            thread: real(used.busiest_thread_cpu_us) / length_us,
            host: real(used.host_cpu_us) / length_us / host_cores,
            host_cores,
        }
    }

    fn is_saturated(&self) -> bool {
        let all_cores = self.cores >= self.host_cores * SATURATED_THREAD_SHARE;
        self.thread >= SATURATED_THREAD_SHARE || all_cores
    }

    fn is_host_busy(&self) -> bool {
        self.host >= BUSY_HOST_SHARE
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares need no more than 53 bits")]
fn real(value: u64) -> f64 {
    value as f64
}
