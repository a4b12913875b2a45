//! What response times must be when a broker stands still in the middle of a steady load.
//!
//! Records are due at a constant rate *r* for *D* seconds. The broker stands still for *S* seconds and
//! then takes records in their order at its capacity *c*. A record that is due *x* seconds into the
//! standstill is served when all before it are: *S + x·r/c* seconds into it. It waits
//! *S − x·(1 − r/c)*. So waits are uniformly distributed from *S* down to 0, over a share
//! *f = S / ((1 − r/c)·D)* of all records, and all others wait next to nothing. The wait that a share
//! *p* of all records does not exceed is *S·(1 − (1 − p)/f)*.
//!
//! A fluid queue, exact up to single records; see Kleinrock, Queueing Systems 2, 2.7.

/// A steady load with a standstill in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standstill {
    /// Records due a second.
    pub(crate) rate_per_s: f64,
    /// Records a second that client and broker manage when they catch up.
    pub(crate) capacity_per_s: f64,
    /// Length of the standstill in seconds.
    pub(crate) stopped_s: f64,
    /// Length of the load in seconds.
    pub(crate) load_s: f64,
}

impl Standstill {
    /// Seconds until all records that are due have been sent again, from the start of the standstill.
    pub(crate) fn affected_s(&self) -> f64 {
        self.stopped_s / (1.0 - self.rate_per_s / self.capacity_per_s)
    }

    /// The wait in seconds that a share of all records, from 0 to 1, does not exceed.
    pub(crate) fn wait_s(&self, share: f64) -> f64 {
        let affected = self.affected_s() / self.load_s;
        (self.stopped_s * (1.0 - (1.0 - share) / affected)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_OF_TWENTY: Standstill =
        Standstill { rate_per_s: 2e4, capacity_per_s: f64::INFINITY, stopped_s: 5.0, load_s: 20.0 };

    #[test]
    fn a_quarter_of_all_records_wait_where_catching_up_takes_no_time() {
        assert_eq!(FIVE_OF_TWENTY.wait_s(0.5), 0.0);
        assert_eq!(FIVE_OF_TWENTY.wait_s(0.75), 0.0);
        assert!((FIVE_OF_TWENTY.wait_s(0.99) - 4.8).abs() < 1e-9);
        assert!((FIVE_OF_TWENTY.wait_s(1.0) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn it_agrees_with_a_simulation_record_by_record() {
        let it = Standstill { capacity_per_s: 8e4, ..FIVE_OF_TWENTY };
        let mut waits = simulate(&it, 7.0);
        waits.sort_by(f64::total_cmp);
        for share in [0.5, 0.7, 0.9, 0.99, 0.999] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let index = (share * 4e5) as usize;
            let (simulated, computed) = (waits[index], it.wait_s(share));
            assert!((simulated - computed).abs() < 0.001, "{share}: {simulated} and {computed}");
        }
    }

    /// A server that stands still from `stop_s` on takes records one by one.
    fn simulate(it: &Standstill, stop_s: f64) -> Vec<f64> {
        let mut free_s = 0.0_f64;
        let mut serve = |i: u32| {
            let due_s = f64::from(i) / it.rate_per_s;
            let mut start_s = free_s.max(due_s);
            if (stop_s..stop_s + it.stopped_s).contains(&start_s) {
                start_s = stop_s + it.stopped_s;
            }
            free_s = start_s + 1.0 / it.capacity_per_s;
            start_s - due_s
        };
        (0..400_000).map(&mut serve).collect()
    }
}
