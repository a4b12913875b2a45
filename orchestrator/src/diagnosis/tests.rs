use super::*;
use crate::model::result::Tier;
use std::collections::BTreeMap;

pub(super) fn metrics(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// A case in which all is well: 2,000/s, 4 partitions alike, a consumer that keeps up.
pub(super) fn calm() -> Facts {
    let rates = [
        ("records.acked", 20_000.0),
        ("produce.acked.rate", 2_000.0),
        ("produce.scheduled.rate", 2_000.0),
        ("produce.slip.mean", 100.0),
        ("produce.service.mean", 4_000.0),
        ("produce.service.min", 900.0),
        ("produce.service.p50", 4_000.0),
        ("produce.response.mean", 4_100.0),
        ("produce.response.p95", 9_000.0),
        ("produce.client.queue_time", 3_000.0),
        ("produce.client.round_trip", 1_000.0),
        ("produce.client.batch_records", 2.0),
        ("end_to_end.mean", 5_000.0),
        ("end_to_end.p95", 12_000.0),
        ("agent.thread_cpu.max", 0.2),
        ("broker.probe.p50", 600.0),
        ("broker.silent.time", 0.0),
        ("broker.silent.all", 0.0),
        ("network.round_trip", 60.0),
        ("network.retransmits", 0.0),
        ("produce.client.in_flight.max", 2.0),
        ("consume.lag.max", 40.0),
    ];
    let sender = [
        ("produce.acked.rate", 2_000.0),
        ("produce.client.batch_records", 2.0),
        ("produce.client.batch_bytes", 300.0),
    ];
    Facts {
        metrics: metrics(&rates),
        measured_us: 10_000_000,
        partitions: (0..4).map(|partition| part(partition, 5_000)).collect(),
        senders: vec![Sender {
            name: "shop".into(),
            instances: 1,
            metrics: metrics(&sender),
            properties: BTreeMap::from([("linger.ms".to_owned(), "0".to_owned())]),
        }],
        groups: vec![Group {
            name: "billing".into(),
            instances: 2,
            is_group: true,
            topics: vec!["orders".into()],
            partitions: 4,
            work_us: 0,
            pipeline: None,
            metrics: metrics(&[("consume.received.rate", 2_000.0), ("consume.lag.max", 40.0)]),
        }],
        ..Facts::default()
    }
}

pub(super) fn part(partition: i32, acked: u64) -> Partition {
    Partition { topic: "orders".into(), partition, acked, failed: 0, lag_max: Some(0) }
}

pub(super) fn with(facts: &mut Facts, of: &[(&str, f64)]) {
    facts.metrics.extend(metrics(of));
}

#[track_caller]
fn only(facts: &Facts, code: &str) -> (String, String) {
    let told = interpret(facts).diagnoses;
    let codes: Vec<_> = told.iter().map(|diagnosis| diagnosis.code.as_str()).collect();
    assert_eq!(codes, [code], "{told:#?}");
    (told[0].text.clone(), told[0].remedy.clone())
}

#[test]
fn where_all_is_well_nothing_stands_out_and_that_is_said() {
    let told = interpret(&calm());
    assert_eq!(told.diagnoses, []);
    assert!(told.summary.starts_with("Nothing stands out"), "{}", told.summary);
}

#[test]
fn without_figures_nothing_is_said_but_that() {
    let told = interpret(&Facts::default());
    assert_eq!((told.diagnoses, told.stages, told.tiers), (vec![], vec![], vec![]));
    assert!(told.summary.contains("nothing to go by"), "{}", told.summary);
}

#[test]
fn a_consumer_that_does_not_keep_up_is_named_with_its_lag_and_its_work() {
    let mut facts = calm();
    facts.groups[0].work_us = 4_000;
    facts.groups[0].metrics =
        metrics(&[("consume.received.rate", 500.0), ("consume.lag.max", 15_000.0)]);
    let (text, remedy) = only(&facts, "consumer_limits");
    assert!(text.contains("billing does not keep up"), "{text}");
    assert!(text.contains("500/s") && text.contains("15,000 records"), "{text}");
    assert!(remedy.contains("4 ms a record allows 500/s") && remedy.contains("4 partitions"));
}

#[test]
fn a_consumer_that_caught_up_is_said_to_have() {
    let mut facts = calm();
    facts.groups[0].metrics =
        metrics(&[("consume.received.rate", 1_990.0), ("consume.lag.max", 5_000.0)]);
    assert!(only(&facts, "consumer_limits").0.contains("fell behind and caught up"));
}

/// A pipeline of two threads that writes each row to a file of its own.
fn writing(rate: f64) -> Facts {
    let mut facts = calm();
    facts.groups[0].pipeline = Some(Pipeline {
        parallelism: 2,
        threads: 2,
        from_memory: false,
        decodes_json: true,
        sink: Sink::Files { batch_rows: 1 },
    });
    facts.groups[0].metrics = metrics(&[
        ("pipeline.messages.rate", rate),
        ("pipeline.payload.mean", 1_000.0),
        ("pipeline.decode.mean", 30.0),
        ("pipeline.validate.mean", 10.0),
        ("pipeline.flatten.mean", 10.0),
        ("pipeline.write.mean", 950.0),
        ("consume.received.rate", 2_000.0),
        ("consume.lag.max", 40.0),
    ]);
    facts
}

#[test]
fn the_stage_that_keeps_a_pipelines_threads_busy_is_named_with_its_share() {
    let (text, remedy) = only(&writing(1_900.0), "pipeline_stage");
    assert!(text.contains("stage write: 950 µs of 1 ms a payload, 95 %"), "{text}");
    assert!(text.contains("decode 30 µs (3 %)"), "{text}");
    assert!(text.contains("At 1,900/s its 2 threads were busy for 95 % of the time"), "{text}");
    assert!(
        remedy.contains("raise `batch` (now 1 rows)") && remedy.contains("(now 2)"),
        "{remedy}"
    );
}

#[test]
fn threads_that_have_time_left_limit_nothing() {
    assert_eq!(interpret(&writing(500.0)).diagnoses, []);
}

#[test]
fn a_pipeline_that_is_behind_is_told_with_the_stage_that_takes_its_time() {
    let mut facts = writing(500.0);
    facts.groups[0].metrics.insert("consume.lag.max".into(), 9_000.0);
    // Its queue is short: records come late to it, whatever it does with them.
    facts.groups[0].metrics.insert("consume.queue.max".into(), 400.0);
    only(&facts, "consumer_limits");
    facts.groups[0].metrics.insert("consume.queue.max".into(), 4_000.0);
    let codes: Vec<_> = interpret(&facts).diagnoses.into_iter().map(|d| d.code).collect();
    assert_eq!(codes, ["consumer_limits", "pipeline_stage"]);
}

#[test]
fn from_memory_a_stage_is_told_unless_it_is_the_only_one() {
    let mut facts = writing(500.0);
    facts.groups[0].pipeline.as_mut().unwrap().from_memory = true;
    facts.groups[0].metrics.insert("pipeline.decode.mean".into(), 960.0);
    let (text, remedy) = only(&facts, "pipeline_stage");
    assert!(text.contains("stage decode") && remedy.starts_with("send Avro"), "{text} {remedy}");
    for stage in ["validate", "flatten", "write"] {
        facts.groups[0].metrics.remove(&format!("pipeline.{stage}.mean"));
    }
    assert_eq!(interpret(&facts).diagnoses, []);
}

#[test]
fn members_without_partitions_are_counted() {
    let mut facts = calm();
    facts.groups[0].instances = 6;
    let (text, _) = only(&facts, "fewer_partitions_than_consumers");
    assert!(text.contains("6 instances for 4 partitions: 2 of them have nothing to do"), "{text}");
    facts.groups[0].is_group = false;
    assert_eq!(interpret(&facts).diagnoses, []);
}

#[test]
fn a_hot_partition_is_named_with_its_share() {
    let mut facts = calm();
    facts.partitions = vec![part(0, 1_000), part(1, 1_000), part(2, 7_000), part(3, 1_000)];
    facts.partitions[2].lag_max = Some(9);
    let (text, _) = only(&facts, "hot_partition");
    assert!(text.contains("orders/2") && text.contains("70 %") && text.contains("2.8 times"));
    assert!(text.contains("its lag reached 9 records"), "{text}");
    // A few records are no sample.
    facts.groups.clear();
    facts.partitions.iter_mut().for_each(|partition| partition.acked /= 100);
    assert_eq!(interpret(&facts).diagnoses, []);
}

#[test]
fn a_partition_is_not_hot_because_records_of_others_failed() {
    let mut facts = calm();
    facts.partitions = (0..6)
        .map(|of| {
            let acked = [0, 0, 2_912, 3_312, 1_352, 40][of];
            Partition { failed: 3_340 - acked, ..part(i32::try_from(of).unwrap(), acked) }
        })
        .collect();
    let told = interpret(&facts).diagnoses;
    assert!(told.iter().all(|of| of.code != "hot_partition"), "{told:#?}");
}

#[test]
fn of_two_partitions_only_a_clear_majority_is_hot() {
    let mut facts = calm();
    facts.partitions = vec![part(0, 6_000), part(1, 4_000)];
    assert_eq!(interpret(&facts).diagnoses, []);
    facts.partitions = vec![part(0, 9_000), part(1, 1_000)];
    only(&facts, "hot_partition");
}

#[test]
fn small_batches_matter_only_where_something_is_slowed() {
    let mut facts = calm();
    facts.closed_loop = true;
    let (text, remedy) = only(&facts, "small_batches");
    assert!(text.contains("2 records and 300 B") && text.contains("1,000 batches"), "{text}");
    assert!(remedy.contains("`linger.ms` (now 0)"), "{remedy}");
    facts.senders[0].metrics.insert("produce.client.batch_records".into(), 50.0);
    assert_eq!(interpret(&facts).diagnoses, []);
}

#[test]
fn a_generator_that_limits_comes_first() {
    let mut facts = calm();
    facts.generator = vec![("generator_slip".into(), "records were sent 40 ms late".into())];
    facts.groups[0].instances = 6;
    let told = interpret(&facts).diagnoses;
    assert_eq!(told[0].code, "generator_limits");
    assert!(told[0].text.contains("40 ms late"));
    assert_eq!(told.len(), 2);
}

#[test]
fn a_saturated_thread_limits_a_closed_loop() {
    let mut facts = calm();
    facts.senders.clear();
    facts.closed_loop = true;
    with(&mut facts, &[("agent.thread_cpu.max", 0.97)]);
    assert!(only(&facts, "generator_limits").0.contains("97 %"));
}

#[test]
fn stages_add_up_to_the_whole_way() {
    let stages = interpret(&calm()).stages;
    let total: f64 = stages.iter().map(|stage| stage.mean_us).sum();
    let shares: f64 = stages.iter().map(|stage| stage.share).sum();
    assert!((total - 5_000.0).abs() < 1e-6 && (shares - 1.0).abs() < 1e-9, "{stages:?}");
    assert_eq!(stages.len(), 4);
}

#[test]
fn records_that_arrive_before_their_acknowledgement_take_no_negative_time() {
    let mut facts = calm();
    with(&mut facts, &[("end_to_end.mean", 2_000.0)]);
    assert!(interpret(&facts).stages.iter().all(|stage| stage.mean_us >= 0.0));
}

fn tier(facts: &Facts, indicator: &str) -> Option<Tier> {
    let tiers = interpret(facts).tiers;
    tiers.iter().find(|tier| tier.indicator == indicator).expect("an indicator").tier
}

#[test]
fn throughput_that_the_schedule_set_has_no_tier() {
    let mut facts = calm();
    assert_eq!(tier(&facts, "throughput"), None);
    with(&mut facts, &[("produce.scheduled.rate", 4_000.0)]);
    assert_eq!(tier(&facts, "throughput"), Some(Tier::Acceptable));
    with(&mut facts, &[("produce.acked.rate", 900.0)]);
    assert_eq!(tier(&facts, "throughput"), Some(Tier::Poor));
    with(&mut facts, &[("produce.acked.rate", 5_001.0)]);
    assert_eq!(tier(&facts, "throughput"), Some(Tier::Good));
}

#[test]
fn throughput_of_a_pipeline_is_that_of_samples_against_the_schedule_of_payloads() {
    let mut facts = calm();
    with(&mut facts, &[("pipeline.samples.rate", 4_000.0), ("pipeline.messages.rate", 800.0)]);
    // 800 of 2,000 payloads a second: that is what was possible.
    assert_eq!(tier(&facts, "throughput"), Some(Tier::Acceptable));
    with(&mut facts, &[("produce.scheduled.rate", 800.0)]);
    assert_eq!(tier(&facts, "throughput"), None);
}

#[test]
fn without_kafka_latency_is_that_of_a_payload() {
    let mut facts = Facts::default();
    with(&mut facts, &[("pipeline.payload.p95", 700_000.0), ("pipeline.messages", 5.0)]);
    assert_eq!(tier(&facts, "latency"), Some(Tier::Poor));
    assert!(interpret(&facts).summary.starts_with("Nothing stands out"));
}

#[test]
fn latency_is_that_of_the_whole_way_where_it_is_known() {
    let mut facts = calm();
    assert_eq!(tier(&facts, "latency"), Some(Tier::Good));
    with(&mut facts, &[("end_to_end.p95", 100_000.0)]);
    assert_eq!(tier(&facts, "latency"), Some(Tier::Acceptable));
    with(&mut facts, &[("end_to_end.p95", 500_001.0)]);
    assert_eq!(tier(&facts, "latency"), Some(Tier::Poor));
}

#[test]
fn memory_is_judged_by_its_slope_and_not_in_a_moment() {
    let mut facts = calm();
    with(&mut facts, &[("agent.memory.start", 100e6)]);
    let told = interpret(&facts).tiers.into_iter().find(|tier| tier.indicator == "memory");
    let told = told.expect("an indicator");
    assert!(told.tier.is_none() && told.text.starts_with("less than 5 min"), "{}", told.text);
    with(&mut facts, &[("agent.memory.slope", 60e6)]);
    facts.measured_us = 600_000_000;
    // The same lag is more of the load when the load is spread over more time.
    facts.groups.clear();
    // 60 MB an hour for ten minutes, on 100 MB: a tenth.
    assert_eq!(tier(&facts, "memory"), Some(Tier::Acceptable));
    with(&mut facts, &[("agent.memory.slope", -60e6)]);
    assert_eq!(tier(&facts, "memory"), Some(Tier::Good));
    assert_eq!(interpret(&facts).diagnoses, []);
    with(&mut facts, &[("agent.memory.slope", 600e6)]);
    assert_eq!(tier(&facts, "memory"), Some(Tier::Poor));
    let (text, remedy) = only(&facts, "memory_grows");
    assert!(text.contains("agent.memory.slope") && remedy.contains("a leak"), "{text} {remedy}");
}

#[test]
fn scaling_has_its_marks() {
    assert_eq!(of_scaling(0.8), Tier::Good);
    assert_eq!(of_scaling(0.79), Tier::Acceptable);
    assert_eq!(of_scaling(0.49), Tier::Poor);
}
