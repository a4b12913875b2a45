//! What the agent's process and its host use, once an interval, at a cost that does not show.
//!
//! Memory and network come from `sysinfo`. CPU times are read from the kernel itself: `sysinfo` gives
//! shares of a core since its own last look, and what is wanted is time, and by thread.

use mallard_protocol::interval::Resources;
use std::{collections::HashMap, fs};
use sysinfo::{MemoryRefreshKind, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Takes the difference between one look and the next.
pub struct ResourceSampler {
    system: System,
    networks: Networks,
    pid: Pid,
    cores: u32,
    ticks_per_s: u64,
    process_cpu_us: u64,
    host_cpu_us: u64,
    threads_ns: HashMap<u32, u64>,
}

impl Default for ResourceSampler {
    fn default() -> Self {
        Self::new()
    }
}

impl ResourceSampler {
    /// A sampler whose first sample counts from now.
    #[must_use]
    pub fn new() -> Self {
        let mut sampler = Self {
            system: System::new(),
            networks: Networks::new(),
            pid: Pid::from_u32(std::process::id()),
            cores: host_cores(),
            ticks_per_s: crate::sys::ticks_per_s(),
            process_cpu_us: 0,
            host_cpu_us: 0,
            threads_ns: HashMap::new(),
        };
        sampler.sample();
        sampler
    }

    /// What was used since the last sample. What cannot be found out is zero.
    pub fn sample(&mut self) -> Resources {
        let (busiest_thread, busiest_thread_cpu_us) = self.busiest_thread();
        let (host_received_bytes, host_sent_bytes) = self.network();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        Resources {
            cpu_us: advance(&mut self.process_cpu_us, crate::sys::process_cpu_us()),
            busiest_thread_cpu_us,
            busiest_thread,
            resident_bytes: self.resident_bytes(),
            host_cpu_us: self.host_cpu(),
            host_cores: self.cores,
            host_memory_used_bytes: self.system.used_memory(),
            host_received_bytes,
            host_sent_bytes,
            witness: None,
        }
    }

    fn resident_bytes(&mut self) -> u64 {
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.pid]),
            true,
            ProcessRefreshKind::nothing().with_memory().without_tasks(),
        );
        self.system.process(self.pid).map_or(0, sysinfo::Process::memory)
    }

    fn network(&mut self) -> (u64, u64) {
        self.networks.refresh(true);
        let of = |get: fn(&sysinfo::NetworkData) -> u64| self.networks.values().map(get).sum();
        (of(sysinfo::NetworkData::received), of(sysinfo::NetworkData::transmitted))
    }

    fn host_cpu(&mut self) -> u64 {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        advance(&mut self.host_cpu_us, host_busy_ticks(&stat) * 1_000_000 / self.ticks_per_s)
    }

    fn busiest_thread(&mut self) -> (String, u64) {
        let mut busiest = (0, 0);
        let mut threads_ns = HashMap::with_capacity(self.threads_ns.len());
        for (id, ns) in thread_times() {
            // A thread that was not there the last time has done all its work since.
            let used = ns.saturating_sub(self.threads_ns.get(&id).copied().unwrap_or(0));
            threads_ns.insert(id, ns);
            if used >= busiest.1 {
                busiest = (id, used);
            }
        }
        self.threads_ns = threads_ns;
        let name = fs::read_to_string(format!("/proc/self/task/{}/comm", busiest.0));
        (name.unwrap_or_default().trim().to_owned(), busiest.1 / 1000)
    }
}

/// Moves a reading of a counter on, and returns by how much.
fn advance(last: &mut u64, now: u64) -> u64 {
    now.saturating_sub(std::mem::replace(last, now))
}

fn host_cores() -> u32 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cores = stat.lines().filter(|line| line.starts_with("cpu")).count().saturating_sub(1);
    u32::try_from(cores).ok().filter(|cores| *cores > 0).unwrap_or_else(super::facts::cores)
}

/// CPU time of every thread of this process: id and nanoseconds.
fn thread_times() -> impl Iterator<Item = (u32, u64)> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.filter_map(|task| {
        let id = task.file_name().to_str()?.parse().ok()?;
        // The first figure of schedstat is the time on a CPU, in nanoseconds.
        let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((id, schedstat.split_whitespace().next()?.parse().ok()?))
    })
}

/// Busy time of all cores, from the first line of `/proc/stat`: user, nice, system, irq, softirq and
/// steal. Guest time is in user time already (proc_stat(5)).
fn host_busy_ticks(stat: &str) -> u64 {
    let line = stat.lines().next().unwrap_or_default();
    let figures: Vec<u64> = line.split_whitespace().skip(1).map_while(|n| n.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| figures.get(at)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        hint::black_box,
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    #[test]
    fn a_busy_thread_is_named_and_timed() {
        let mut sampler = ResourceSampler::new();
        let (stop, stopped) = mpsc::channel::<()>();
        let busy = thread::Builder::new()
            .name("busy".into())
            .spawn(move || {
                let started = Instant::now();
                while started.elapsed() < Duration::from_millis(120) {
                    black_box(started);
                }
                let _ = stopped.recv();
            })
            .unwrap();
        thread::sleep(Duration::from_millis(400));
        let sample = sampler.sample();
        drop(stop);
        busy.join().unwrap();
        assert!(sample.cpu_us >= 50_000, "{sample:?}");
        assert!(sample.busiest_thread_cpu_us <= sample.cpu_us + 10_000, "{sample:?}");
        assert!(sample.resident_bytes > 1 << 20, "{sample:?}");
        assert!(sample.host_memory_used_bytes > sample.resident_bytes, "{sample:?}");
        assert!(sample.host_cores > 0 && !sample.busiest_thread.is_empty(), "{sample:?}");
    }

    #[test]
    fn a_sample_with_fifty_threads_costs_less_than_a_millisecond() {
        let (stop, stopped) = mpsc::channel::<()>();
        let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
        for _ in 0..50 {
            let stopped = std::sync::Arc::clone(&stopped);
            thread::spawn(move || {
                let _ = stopped.lock().unwrap().recv();
            });
        }
        let mut sampler = ResourceSampler::new();
        let before = crate::sys::process_cpu_us();
        for _ in 0..20 {
            black_box(sampler.sample());
        }
        let each_us = (crate::sys::process_cpu_us() - before) / 20;
        drop(stop);
        eprintln!("a sample takes {each_us} µs");
        // The limit is generous: other tests run beside this one, in the same process.
        assert!(each_us < 20_000, "{each_us} µs");
    }

    #[test]
    fn busy_ticks_leave_idle_and_waiting_out() {
        assert_eq!(host_busy_ticks("cpu  10 2 30 400 50 6 7 8 9 1\ncpu0 1 1 1 1\n"), 63);
        assert_eq!(host_busy_ticks(""), 0);
    }
}
