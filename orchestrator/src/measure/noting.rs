//! What a complete interval says of brokers and outages, as the collector notes it.

use super::{collector::Collector, outages::Flows};
use crate::model::events::RunEvent;
use mallard_protocol::cluster::ClusterSample;

impl Collector {
    /// Takes what a complete interval says of acknowledgements and of the cluster; what became of the
    /// cluster comes back as events.
    pub(super) fn note_cluster(
        &mut self,
        (start_us, end_us): (u64, u64),
        flows: &Flows,
        sample: Option<&ClusterSample>,
        measured: bool,
    ) -> Vec<RunEvent> {
        self.outages.take((start_us, end_us), flows, &self.roster);
        let events = self.outages.cluster.take(sample, end_us, &self.roster);
        let tally = self.outages.cluster.tally(end_us - start_us);
        if measured {
            self.whole.cluster.absorb(&tally);
        }
        for watch in &mut self.watches {
            watch.cluster(start_us, &tally);
        }
        events
    }
}
