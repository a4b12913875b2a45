//! Metrics of what breaks: partitions that acknowledge nothing, and what faults did.

use super::metric::{Metric, Scopes, count, metric};

const FLOWS: &str = "delivery reports by partition and interval, due and acknowledged";
const WINDOWS: &str = "guards' reports and merged intervals";

/// Where stretches without acknowledgements can be looked for.
const WHERE: Scopes = Scopes::TOPIC.and(Scopes::PARTITION).and(Scopes::FAULT);

const STRETCH: &str = "stretch: intervals in which a partition acknowledged nothing, as long as the record waited that \
                       waited longest and was acknowledged, or failed, at its end; less the longest such wait in the \
                       60 s before, outside faults; below 1 s nothing is seen";

/// `produce.unavailable.*` and `fault.*`.
pub(super) fn metrics() -> Vec<Metric> {
    unavailable().into_iter().chain(faults()).collect()
}

fn unavailable() -> Vec<Metric> {
    vec![
        metric!(
            "produce.unavailable.max",
            "us",
            false,
            Schedule,
            WHERE,
            "longest stretch in which a partition had records due and acknowledged none",
            STRETCH,
            FLOWS,
            |t| t.outcome.unavailable.and_then(|of| count(of.max_us))
        ),
        metric!(
            "produce.unavailable.total",
            "us",
            false,
            Schedule,
            WHERE,
            "all stretches in which partitions had records due and acknowledged none, summed over partitions",
            STRETCH,
            FLOWS,
            |t| t.outcome.unavailable.and_then(|of| count(of.total_us))
        ),
    ]
}

fn faults() -> Vec<Metric> {
    vec![
        metric!(
            "fault.detected.max",
            "us",
            false,
            Faults,
            Scopes::FAULT,
            "time until producers felt a fault: the longest of those that they felt",
            "from a fault's begin to the end of the first interval in which a record failed, or was acknowledged more \
             than 1 s late, on a partition that the broker led when the fault began",
            WINDOWS,
            |t| t.outcome.faults.detected_us.and_then(count)
        ),
        metric!(
            "fault.recovery.max",
            "us",
            false,
            Faults,
            Scopes::FAULT,
            "longest time from a fault's undoing until all was as before it",
            "from undone to the beginning of the first 10 s in which at least 99 % of the records due were \
             acknowledged, and in every interval response.p99 was at most twice that of the 60 s before the fault and \
             consumers' lag at most its maximum there",
            WINDOWS,
            |t| t.outcome.faults.recovery_us.and_then(count)
        ),
        metric!(
            "fault.shortfall",
            "records",
            false,
            Faults,
            Scopes::FAULT,
            "records that were due while something was broken, and were acknowledged later or never",
            "records due in the fault's intervals - (records acknowledged in them - records that were out when the \
             first of them began)",
            WINDOWS,
            |t| t.outcome.faults.shortfall.and_then(count)
        ),
    ]
}
