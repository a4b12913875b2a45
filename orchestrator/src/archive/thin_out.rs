//! Resources of a long run in fewer rows.
//!
//! A row an agent and second is a gigabyte a day with a hundred agents. Rows are written as they come
//! for as long as `latency.hlog` is ([`hlog::step_us`]); later ones are joined over the same steps:
//! shares and rates as means over time, the busiest thread and memory as their highest.

use super::hlog;
use crate::model::result::ResourceRow;
use std::collections::BTreeMap;

/// Rows that wait for their step to be over, by agent.
#[derive(Debug, Default)]
pub(super) struct ThinOut {
    open: BTreeMap<String, ResourceRow>,
}

impl ThinOut {
    /// Takes an interval's rows and returns those that are complete.
    pub(super) fn add(&mut self, rows: &[ResourceRow]) -> Vec<ResourceRow> {
        let mut complete = Vec::new();
        for row in rows {
            let step = hlog::step_us(row.start_us);
            if step == 0 {
                complete.push(row.clone());
                continue;
            }
            match self.open.get_mut(&row.agent) {
                Some(open) if open.start_us / step == row.start_us / step => join(open, row),
                _ => complete.extend(self.open.insert(row.agent.clone(), row.clone())),
            }
        }
        complete
    }

    /// The rows that are still being joined.
    pub(super) fn take(&mut self) -> Vec<ResourceRow> {
        std::mem::take(&mut self.open).into_values().collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths of intervals are small")]
fn join(sum: &mut ResourceRow, next: &ResourceRow) {
    let before = (sum.end_us - sum.start_us) as f64;
    let length = next.end_us.saturating_sub(next.start_us) as f64;
    let whole = (before + length).max(1.0);
    let mean = |a: f64, b: f64| (a * before + b * length) / whole;
    sum.cpu_cores = mean(sum.cpu_cores, next.cpu_cores);
    sum.host_cpu = mean(sum.host_cpu, next.host_cpu);
    sum.host_received_bytes_per_s =
        mean(sum.host_received_bytes_per_s, next.host_received_bytes_per_s);
    sum.host_sent_bytes_per_s = mean(sum.host_sent_bytes_per_s, next.host_sent_bytes_per_s);
    sum.busiest_thread_cpu = sum.busiest_thread_cpu.max(next.busiest_thread_cpu);
    sum.resident_bytes = sum.resident_bytes.max(next.resident_bytes);
    sum.host_memory_used_bytes = sum.host_memory_used_bytes.max(next.host_memory_used_bytes);
    sum.end_us = next.end_us;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: u64, agent: &str, cpu_cores: f64) -> ResourceRow {
        let (start_us, end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
        let agent = agent.to_owned();
        ResourceRow {
            start_us,
            end_us,
            agent,
            cpu_cores,
            resident_bytes: second,
            ..Default::default()
        }
    }

    #[test]
    fn rows_of_the_first_hours_pass_and_later_ones_are_joined_by_agent() {
        let mut thin_out = ThinOut::default();
        assert_eq!(thin_out.add(&[row(1, "a", 1.0), row(1, "b", 2.0)]).len(), 2);
        let first = 7_200;
        for second in first..first + 10 {
            let odd = f64::from(u8::from(second % 2 == 1));
            assert!(thin_out.add(&[row(second, "a", odd), row(second, "b", 1.0)]).is_empty());
        }
        let joined = thin_out.add(&[row(first + 10, "a", 9.0)]);
        assert_eq!(joined.len(), 1);
        assert_eq!((joined[0].start_us, joined[0].end_us), (7_200_000_000, 7_210_000_000));
        assert!((joined[0].cpu_cores - 0.5).abs() < 1e-9);
        assert_eq!(joined[0].resident_bytes, first + 9);
        assert_eq!(thin_out.take().len(), 2);
    }
}
