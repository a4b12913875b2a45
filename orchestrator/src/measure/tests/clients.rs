//! Statistics of clients, which need not come in every interval.

use super::feed;
use crate::{
    measure::{
        Collector,
        simulate::{Fate, Shape, reports},
    },
    metrics,
};
use mallard_protocol::interval::ClientStats;
use std::collections::BTreeMap;

/// What the wire took is held against all that was acknowledged meanwhile, and not against the one
/// interval in which a client told of it.
#[test]
fn a_compression_ratio_is_the_same_however_seldom_clients_tell_statistics() {
    for every in [1, 5] {
        let plan = Shape::default().plan();
        let mut told = reports(&plan, |_, _| Fate::default());
        let mut acked_bytes = BTreeMap::new();
        for (_, report) in &mut told {
            for producer in &mut report.producers {
                let parts = producer.slices.iter().flat_map(|slice| &slice.partitions);
                let acked = parts.map(|part| part.acked_bytes).sum::<u64>();
                let total: &mut u64 = acked_bytes.entry(producer.instance).or_default();
                *total += acked;
                let client = ClientStats { wire_sent_bytes: *total / 2, ..ClientStats::default() };
                producer.client = (report.sequence % every == every - 1).then_some(client);
            }
        }
        let mut collector = Collector::new(&plan);
        feed(&mut collector, &told);
        let measured = collector.conclude(&Default::default());
        let ratio = metrics::find("produce.client.compression_ratio").unwrap();
        assert_eq!((ratio.value)(&measured.whole), Some(2.0), "in every {every}. interval");
    }
}
