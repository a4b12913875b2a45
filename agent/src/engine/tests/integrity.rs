//! Records' integrity behind a broker that lies: what one engine has sent is copied to another topic with seeded lies,
//! and read from there by a second one. Each lie is named, and counted to the record.

use super::*;
use crate::engine::random::{Random, random};
use mallard_protocol::{
    integrity::{Anomaly, Evidence, ReceivedNumbers, SentNumbers},
    runs::Runs,
};
use rand::RngExt;
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use std::collections::{BTreeMap, BTreeSet};

const COPY: &str = "copy";
const PER_PARTITION: usize = 1_000;

/// A record as a broker keeps it.
#[derive(Clone, Debug, PartialEq)]
struct Stored {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
}

/// What a broker did to a partition.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// Nothing.
    None,
    /// A batch was acknowledged and not written.
    Drop,
    /// A batch was written twice.
    Twice,
    /// Two batches were written in the other order.
    Swap,
    /// A bit was changed in each of some records, and the batch's own CRC made to fit.
    Flip,
    /// A batch was written to the next partition.
    Astray,
}

/// Sends records with numbers to [`TOPIC`], and says what is told of them.
fn send(spec: ProducerSpec) -> (Broker, Vec<SentNumbers>) {
    let load_us = spec.schedule.segments().last().unwrap().end_us;
    let mut assignment = assignment(load_us, vec![spec], Vec::new());
    assignment.integrity = true;
    let mut rig = Rig::new(assignment);
    rig.start();
    let all = (PER_PARTITION * PARTITIONS as usize) as u64;
    rig.until_interval(|r| r.end_us > load_us && r.producers[0].totals.acked == all);
    rig.finish(Duration::from_secs(5));
    let told = rig.intervals.iter().flat_map(|r| &r.producers[0].numbers);
    let mut sent = BTreeMap::<i32, SentNumbers>::new();
    told.for_each(|of| sent.entry(of.partition).or_default().absorb(of));
    (rig.broker, sent.into_values().collect())
}

fn read_all(bootstrap: &str) -> Vec<Vec<Stored>> {
    let mut config = ClientConfig::new();
    let config = config.set("bootstrap.servers", bootstrap).set("group.id", "liar");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, rdkafka::Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut partitions = vec![Vec::new(); PARTITIONS as usize];
    let mut left = PER_PARTITION * PARTITIONS as usize;
    let deadline = Instant::now() + Duration::from_secs(20);
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} records are not there");
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.unwrap();
        let key = record.key().map(<[u8]>::to_vec);
        let value = record.payload().unwrap().to_vec();
        partitions[record.partition() as usize].push(Stored { key, value });
        left -= 1;
    }
    partitions
}

fn write_all(broker: &Broker, partitions: &[Vec<Stored>]) {
    broker.create_topic(COPY, PARTITIONS, 1).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    // The mock cluster takes requests in any order: of two that are in flight one may overtake the other.
    config.set("max.in.flight", "1");
    let producer: BaseProducer = config.create().unwrap();
    for (partition, records) in (0..).zip(partitions) {
        for record in records {
            let mut copy = BaseRecord::to(COPY).partition(partition).payload(&record.value);
            if let Some(key) = &record.key {
                copy = copy.key(key);
            }
            producer.send::<Vec<u8>, Vec<u8>>(copy).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

/// What a reader of all partitions tells, put together.
#[derive(Default)]
struct Told {
    partitions: BTreeMap<i32, ReceivedNumbers>,
    evidence: Vec<Evidence>,
}

impl Told {
    fn numbers(&self, partition: i32) -> Runs {
        let of = self.partitions.get(&partition).and_then(|told| told.streams.first());
        of.map(|stream| stream.numbers.clone()).unwrap_or_default()
    }

    fn again(&self, partition: i32) -> u64 {
        let of = self.partitions.get(&partition);
        of.map_or(0, |told| told.streams.iter().map(|stream| stream.again).sum())
    }

    /// Redelivered, reordered, corrupt, misplaced.
    fn counts(&self, partition: i32) -> [u64; 4] {
        let of = self.partitions.get(&partition);
        of.map_or([0; 4], |of| [of.redelivered, of.reordered, of.corrupt, of.misplaced])
    }

    fn evidence_of(&self, anomaly: Anomaly) -> Vec<&Evidence> {
        self.evidence.iter().filter(|of| of.anomaly == anomaly).collect()
    }
}

/// Reads what a liar has written, with the engine.
fn read(broker: Broker, records: u64) -> Told {
    let mut spec = consumer(StartFrom::Earliest);
    spec.membership = Membership::Assigned((0..PARTITIONS).collect());
    let mut assignment = assignment(SECOND, Vec::new(), vec![spec]);
    assignment.topics[0].name = COPY.into();
    assignment.integrity = true;
    let mut rig = Rig::on(broker, assignment);
    rig.start();
    rig.until_interval(|r| r.consumers[0].totals.received == records);
    rig.finish(Duration::from_secs(5));
    let mut told = Told::default();
    for report in &rig.intervals {
        let integrity = report.consumers[0].integrity.as_ref().expect("it is told");
        told.evidence.extend(integrity.evidence.iter().cloned());
        for of in &integrity.partitions {
            let sum = told.partitions.entry(of.partition).or_default();
            sum.redelivered += of.redelivered;
            sum.reordered += of.reordered;
            sum.corrupt += of.corrupt;
            sum.misplaced += of.misplaced;
            for (first, end) in of.offsets.as_slice() {
                sum.redelivered += sum.offsets.insert_run(*first, *end);
            }
            for stream in &of.streams {
                if sum.streams.is_empty() {
                    sum.streams.push(Default::default());
                }
                let mine = &mut sum.streams[0];
                mine.again += stream.again;
                for (first, end) in stream.numbers.as_slice() {
                    mine.again += mine.numbers.insert_run(*first, *end);
                }
            }
        }
    }
    told
}

/// Does to a topic what a lie is, from a record of a partition on, so many records long. Returns the numbers that are
/// not there as they were sent any more.
fn meddle(
    lie: Lie,
    written: &mut [Vec<Stored>],
    (partition, at, size): (i32, usize, usize),
    dice: &mut Random,
) -> BTreeSet<u64> {
    let next = (partition + 1) % PARTITIONS;
    let (batch, all) = (at..at + size, &mut written[partition as usize]);
    let mut missing = BTreeSet::new();
    match lie {
        Lie::None => {}
        Lie::Drop => {
            missing.extend(batch.clone().map(|number| number as u64));
            all.drain(batch);
        }
        Lie::Twice => {
            let again: Vec<_> = all[batch.clone()].to_vec();
            all.splice(batch.end..batch.end, again);
        }
        Lie::Swap => all[at..at + 2 * size].rotate_left(size),
        Lie::Flip => {
            missing.extend(batch.clone().map(|number| number as u64));
            for record in &mut all[batch] {
                // Beyond what says that it is a stamp of this run.
                let bit = dice.random_range(8 * 8..8 * record.value.len());
                record.value[bit / 8] ^= 1 << (bit % 8);
            }
        }
        Lie::Astray => {
            let astray: Vec<_> = all.drain(batch).collect();
            written[next as usize].splice(at..at, astray);
        }
    }
    missing
}

#[test]
fn every_lie_of_a_broker_is_named_and_counted_to_the_record() {
    let load_us = SECOND;
    let spec = producer(rate(load_us, (PER_PARTITION * PARTITIONS as usize) as f64));
    let (honest, sent) = send(spec);
    assert!(sent.iter().all(|of| (of.next, of.failed.count()) == (PER_PARTITION as u64, 0)));
    let truth = read_all(&honest.bootstrap_servers());
    for (seed, lie) in [Lie::None, Lie::Drop, Lie::Twice, Lie::Swap, Lie::Flip, Lie::Astray]
        .into_iter()
        .enumerate()
    {
        let mut dice = random(seed as u64, 9);
        let mut written = truth.clone();
        let partition = dice.random_range(0..PARTITIONS);
        let next = (partition + 1) % PARTITIONS;
        let size = dice.random_range(1..100_usize);
        let at = dice.random_range(0..PER_PARTITION - 2 * size);
        let missing = meddle(lie, &mut written, (partition, at, size), &mut dice);
        let records: usize = written.iter().map(Vec::len).sum();
        let liar = broker();
        write_all(&liar, &written);
        let told = read(liar, records as u64);
        let size = size as u64;
        for of in 0..PARTITIONS {
            let here = |kind: bool| if kind && of == partition { size } else { 0 };
            let name = format!("{lie:?} in {partition}, asked of {of}");
            let expected = [
                0,
                here(matches!(lie, Lie::Swap)),
                here(matches!(lie, Lie::Flip)),
                if matches!(lie, Lie::Astray) && of == next { size } else { 0 },
            ];
            assert_eq!(told.counts(of), expected, "{name}");
            assert_eq!(told.again(of), here(matches!(lie, Lie::Twice)), "{name}");
            let numbers = told.numbers(of).missing_from(0, PER_PARTITION as u64);
            let lost: BTreeSet<_> = numbers.as_slice().iter().flat_map(|(a, b)| *a..*b).collect();
            let expected = if of == partition { missing.clone() } else { BTreeSet::new() };
            assert_eq!(lost, expected, "{name}");
        }
        let kinds = [Anomaly::Duplicated, Anomaly::Reordered, Anomaly::Corrupt, Anomaly::Misplaced];
        for anomaly in kinds {
            let is_it = matches!(
                (lie, anomaly),
                (Lie::Twice, Anomaly::Duplicated)
                    | (Lie::Swap, Anomaly::Reordered)
                    | (Lie::Flip, Anomaly::Corrupt)
                    | (Lie::Astray, Anomaly::Misplaced)
            );
            let found = told.evidence_of(anomaly);
            assert_eq!(!found.is_empty(), is_it, "{lie:?}: {found:?}");
        }
    }
}

#[test]
fn numbers_follow_keys_as_java_would_send_them() {
    let mut spec = producer(rate(SECOND, 1_500.0));
    spec.partitioning = Partitioning::Client;
    spec.key = KeySpec::Uniform { count: 40 };
    let mut assignment = assignment(SECOND, vec![spec], vec![consumer(StartFrom::RunStart)]);
    assignment.integrity = true;
    let mut rig = Rig::new(assignment);
    rig.start();
    rig.until_interval(|r| r.end_us > SECOND && r.consumers[0].totals.received == 1_500);
    rig.finish(Duration::from_secs(5));
    let mut sent = BTreeMap::<i32, u64>::new();
    for of in rig.intervals.iter().flat_map(|r| &r.producers[0].numbers) {
        sent.insert(of.partition, of.next);
    }
    let mut acked = BTreeMap::<i32, u64>::new();
    for slice in rig.intervals.iter().flat_map(|r| &r.producers[0].slices) {
        slice.partitions.iter().for_each(|p| *acked.entry(p.partition).or_default() += p.acked);
    }
    assert_eq!(sent, acked, "the client sent them where they were numbered");
    let told = rig.intervals.iter().filter_map(|r| r.consumers[0].integrity.as_ref());
    assert!(told.clone().all(|told| told.evidence.is_empty()));
    let received = told.flat_map(|told| &told.partitions).map(|of| of.offsets.count()).sum::<u64>();
    assert_eq!(received, 1_500);
}

#[test]
fn large_values_that_the_client_is_lent_arrive_as_they_were_stamped() {
    let mut spec = producer(rate(SECOND, 5_000.0));
    spec.payload = PayloadSpec::Bytes { size: SizeSpec::Fixed(1_024), random_share: 0.5 };
    // So few that every slot is used again and again.
    spec.client.push(("queue.buffering.max.messages".into(), "300".into()));
    let mut assignment = assignment(SECOND, vec![spec], vec![consumer(StartFrom::RunStart)]);
    assignment.integrity = true;
    let mut rig = Rig::new(assignment);
    rig.start();
    rig.until_interval(|r| r.end_us > SECOND && r.consumers[0].totals.received == 5_000);
    rig.finish(Duration::from_secs(5));
    assert_eq!(rig.producer_totals().acked, 5_000);
    let told: Vec<_> =
        rig.intervals.iter().filter_map(|r| r.consumers[0].integrity.as_ref()).collect();
    assert!(told.iter().all(|told| told.evidence.is_empty()), "{told:?}");
    let partitions = told.iter().flat_map(|told| &told.partitions);
    let numbers = partitions.clone().flat_map(|of| &of.streams).map(|of| of.numbers.count());
    let corrupt = partitions.map(|of| of.corrupt).sum::<u64>();
    assert_eq!((corrupt, numbers.sum()), (0, 5_000));
}
