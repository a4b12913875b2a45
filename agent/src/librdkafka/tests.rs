//! The whole module against librdkafka's mock cluster, and the same once more under valgrind, together
//! with the tests of `admin::native`: every pointer that crosses to C and back, in the orders in which
//! things are given back.

use super::*;
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use std::{
    ffi::CString,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const TOPIC: &str = "memory";
const PARTITIONS: i32 = 2;

/// Nothing here takes seconds, but for valgrind, which makes everything many times as slow.
const WITHIN: Duration = Duration::from_secs(120);

type Broker = MockCluster<'static, DefaultProducerContext>;

fn broker() -> Broker {
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    broker
}

fn config(broker: &Broker, more: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    config.set("bootstrap.servers", &broker.bootstrap_servers()).unwrap();
    for (key, value) in more {
        config.set(key, value).unwrap();
    }
    config
}

/// Goes on until something has happened.
fn until(mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen within {WITHIN:?}");
    }
}

/// A record of a value and a key that lie next to each other in their arenas.
fn message(at: usize, value_len: usize, partition: i32) -> Message {
    let place = |n: usize| u32::try_from(n).unwrap();
    Message {
        due_us: at as u64,
        sequence: at as u64,
        number: 0,
        value_at: place(at * value_len),
        value_len: place(value_len),
        key_at: 0,
        key_len: if at.is_multiple_of(2) { 3 } else { Message::NO_KEY },
        partition,
    }
}

/// What came back of records: opaque, code, bytes, in no order.
fn reports(queue: &Queue, count: usize) -> Vec<Report> {
    let mut reports = Vec::new();
    until(|| {
        if let Some(mut event) = queue.poll(100) {
            let told = event.report_count();
            let before = reports.len();
            event.for_each_report(|report, _| reports.push(report));
            assert_eq!((reports.len() - before) as u64, told);
            event.for_each_report(|report, _| panic!("{report:?} came twice"));
            assert!(told == 0 || event.incident().is_none() && event.statistics().is_none());
        }
        reports.len() >= count
    });
    reports.sort_by_key(|report| report.opaque);
    reports
}

#[test]
fn batches_go_out_and_reports_come_back() {
    let broker = broker();
    let config = config(&broker, &[("statistics.interval.ms", "50"), ("linger.ms", "1")]);
    let producer = Producer::new(config, TOPIC).unwrap();
    let queue = producer.client().main_queue();
    let (mut outbox, mut judged) = (Outbox::default(), Vec::new());
    let values: Vec<u8> = (0..=u8::MAX).cycle().take(600 * 40).collect();
    // More than are taken out of an event at once, and one for a partition that is not there.
    let mut messages: Vec<_> = (0..600).map(|at| message(at, 40, at as i32 % PARTITIONS)).collect();
    messages.sort_by_key(|message| message.partition);
    until(|| producer_knows_its_topic(&producer, &queue));
    messages[7].partition = PARTITIONS + 5;
    let taken = producer.send_batch(
        &mut outbox,
        (&values, b"key"),
        &messages,
        |message| message.sequence,
        |index, code| {
            judged.push((index, code.name()));
            true
        },
    );
    assert_eq!(judged.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [7], "{judged:?}");
    assert_eq!(taken, 599);
    let reports = reports(&queue, taken);
    assert!(reports.iter().all(|report| report.code.is_ok()));
    // The refused one, 14, had a key.
    assert_eq!(reports.iter().map(|report| report.bytes).sum::<u64>(), 599 * 40 + 299 * 3);
    assert!(reports.iter().all(|report| report.opaque as i32 % PARTITIONS == report.partition));
    until(|| queue.poll(100).is_some_and(|event| event.statistics().is_some()));
    assert_eq!(producer.client().fatal_error(), None);
    // A refused record must not be counted as waiting for ever.
    until(|| producer.client().flush(100).is_ok());
}

#[test]
fn lent_values_come_back_with_their_reports_and_outlive_the_client() {
    let broker = broker();
    let config = config(&broker, &[("linger.ms", "1"), ("queue.buffering.max.messages", "300")]);
    let mut producer = Producer::new(config, TOPIC).unwrap();
    let mut lender = producer.lend(40, 48, 20).unwrap();
    let lent = Arc::clone(lender.lent());
    let queue = producer.client().main_queue();
    until(|| producer_knows_its_topic(&producer, &queue));
    let mut slots: Vec<u32> = std::iter::from_fn(|| lender.take()).map(|(slot, _)| slot).collect();
    assert_eq!(slots.len(), 320, "as many as the client may hold, and twenty");
    slots.iter().for_each(|slot| lender.slot_mut(*slot).fill(1));
    let messages: Vec<_> = slots
        .drain(..100)
        .map(|slot| Message { value_at: slot, key_at: 0, ..message(slot as usize, 40, 1) })
        .collect();
    let mut outbox = Outbox::default();
    let mut send = |messages: &[Message], arena: &[u8]| {
        let opaque = |message: &Message| message.sequence;
        producer.send_batch(&mut outbox, (arena, b"key"), messages, opaque, |_, _| true)
    };
    assert_eq!(send(&messages, lender.all()), 100);
    let mut back = Vec::new();
    until(|| {
        if let Some(mut event) = queue.poll(100) {
            event.for_each_report(|report, record| {
                assert!(report.code.is_ok() && record.payload() == [1; 40]);
                back.extend(lent.slot_of(record.payload()));
            });
        }
        back.len() == 100
    });
    let sent: Vec<u32> = messages.iter().map(|message| message.value_at).collect();
    assert_eq!(back, sent);
    lent.give_back(&mut back);
    assert!(std::iter::from_fn(|| lender.take()).map(|(slot, _)| slot).eq(sent.into_iter().rev()));
    // Whoever lent them ends first, with records on their way.
    assert_eq!(send(&messages, lender.all()), 100);
    drop((lender, lent));
    drop((queue, producer));
}

/// The client refuses unknown partitions only after it has learnt which there are.
fn producer_knows_its_topic(producer: &Producer, queue: &Queue) -> bool {
    let mut refused = false;
    let probe = message(1, 1, PARTITIONS + 5);
    producer.send_batch(
        &mut Outbox::default(),
        (b"__", b""),
        &[probe],
        |_| u64::MAX,
        |_, _| {
            refused = true;
            true
        },
    );
    drop(queue.poll(20));
    refused
}

#[test]
fn what_nobody_takes_can_be_given_up() {
    // Nobody listens there.
    let mut config = Config::new();
    config.set("bootstrap.servers", "127.0.0.1:1").unwrap();
    config.set("queue.buffering.max.messages", "10").unwrap();
    let producer = Producer::new(config, TOPIC).unwrap();
    let queue = producer.client().main_queue();
    let messages: Vec<_> = (0..15).map(|at| message(at, 10, 0)).collect();
    let mut full = 0;
    let taken = producer.send_batch(
        &mut Outbox::default(),
        (&[7; 150], b"key"),
        &messages,
        |message| message.sequence,
        |_, code| {
            full += usize::from(code == Code::QUEUE_FULL);
            false
        },
    );
    assert_eq!((taken, full), (10, 5));
    assert!(producer.client().flush(1).is_err());
    until(|| queue.poll(100).is_some_and(|event| event.incident().is_some()));
    producer.client().purge();
    let reports = reports(&queue, 10);
    assert!(reports.iter().all(|report| report.code.name() == "_PURGE_QUEUE"), "{reports:?}");
    // The queue outlives its producer, and keeps the client alive.
    drop(producer);
    queue.wake();
    // What else the client had to say of the broker that is not there goes the same way.
    until(|| {
        drop(queue.poll(10));
        queue.client().queue_length() <= 1
    });
}

#[test]
fn records_with_headers_come_back_with_them() {
    let broker = broker();
    let producer = Producer::new(config(&broker, &[("linger.ms", "0")]), TOPIC).unwrap();
    let queue = producer.client().main_queue();
    let mut arguments = Arguments::default();
    let fixed = [(header_name("unit"), b"mmHg".to_vec()), (header_name("empty"), Vec::new())];
    for at in 0..20_usize {
        let stamp = CString::new("stamp").unwrap();
        let (value, name) = ([u8::try_from(at).unwrap(); 20], stamp.as_c_str());
        let message = Message { value_at: 0, ..message(at, 20, 1) };
        let stamp = at.is_multiple_of(4).then_some((name, &value[..4]));
        producer
            .send_with_headers((&value, b"key"), &message, &fixed, stamp, at as u64, &mut arguments)
            .unwrap();
    }
    reports(&queue, 20);

    let consumer = consumer(&broker, &[], |_, _| {});
    let list = PartitionList::of([(TOPIC, 1, OFFSET_BEGINNING)]);
    consumer.client().assign(Some(&list)).unwrap();
    let (mut batch, mut seen) = (consumer.batch(7), Vec::new());
    until(|| {
        consumer.consume(&mut batch, 100);
        for record in batch.iter().filter(|record| record.code().is_ok()) {
            assert_eq!((record.topic(), record.partition()), (TOPIC.to_owned(), 1));
            assert_eq!(record.header(c"unit"), Some(&b"mmHg"[..]));
            assert_eq!(record.header(c"empty"), Some(&b""[..]));
            assert_eq!(record.header(c"absent"), None);
            let value = record.payload().to_vec();
            let stamp = value[0].is_multiple_of(4).then_some(&value[..4]);
            assert_eq!(record.header(c"stamp"), stamp);
            seen.push((record.offset(), value[0], record.bytes()));
        }
        batch.clear();
        seen.len() >= 20
    });
    let wanted = (0..20_u8).map(|at| (i64::from(at), at, if at % 2 == 0 { 23 } else { 20 }));
    assert_eq!(seen, wanted.collect::<Vec<_>>());
    consumer.close().unwrap();
}

fn consumer(
    broker: &Broker,
    more: &[(&str, &str)],
    mut told: impl FnMut(&Client, ConsumerEvent<'_>) + Send + 'static,
) -> Consumer {
    let all = [&[("group.id", "memory"), ("auto.offset.reset", "earliest")], more].concat();
    let handler =
        Box::new(move |client: &Client, happening: ConsumerEvent<'_>| told(client, happening));
    Consumer::new(config(broker, &all), handler).unwrap()
}

#[test]
fn a_member_of_a_group_is_told_everything_and_can_leave_with_records_in_hand() {
    let broker = broker();
    let producer = Producer::new(config(&broker, &[("linger.ms", "0")]), TOPIC).unwrap();
    let queue = producer.client().main_queue();
    let messages: Vec<_> = (0..300).map(|at| message(at, 8, at as i32 % PARTITIONS)).collect();
    let values = [1; 300 * 8];
    let taken = producer.send_batch(
        &mut Outbox::default(),
        (&values, b"key"),
        &messages,
        |message| message.sequence,
        |_, _| true,
    );
    reports(&queue, taken);

    let assigned = Arc::new(AtomicUsize::new(0));
    let (statistics, committed) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let (a, s, c) = (Arc::clone(&assigned), Arc::clone(&statistics), Arc::clone(&committed));
    let told = move |client: &Client, happening: ConsumerEvent<'_>| match happening {
        ConsumerEvent::Assign(list) => {
            a.fetch_add(list.iter().count(), Ordering::SeqCst);
            client.assign(Some(&list)).unwrap();
        }
        ConsumerEvent::Revoke(list) => {
            a.fetch_sub(list.iter().count(), Ordering::SeqCst);
            client.assign(None).unwrap();
        }
        ConsumerEvent::Statistics(json) => s.store(json.starts_with('{'), Ordering::SeqCst),
        ConsumerEvent::Committed(code, token) => *c.lock().unwrap() = Some((code, token)),
        ConsumerEvent::JoinFailed(_) | ConsumerEvent::Incident(_) => {}
    };
    let consumer = consumer(&broker, &[("statistics.interval.ms", "50")], told);
    let client = consumer.client();
    client.subscribe(&PartitionList::of([(TOPIC, -1, 0)])).unwrap();
    let (mut batch, mut received) = (consumer.batch(64), 0);
    until(|| {
        consumer.consume(&mut batch, 100);
        received += batch.iter().filter(|record| record.code().is_ok()).count();
        batch.clear();
        received >= taken && statistics.load(Ordering::SeqCst)
    });
    assert_eq!(assigned.load(Ordering::SeqCst), PARTITIONS as usize);

    let mut ends = PartitionList::of([(TOPIC, 0, 0), (TOPIC, 1, 0)]);
    client.end_offsets(&mut ends, 10_000).unwrap();
    assert_eq!(ends.iter().map(|(_, _, offset, _)| offset).sum::<i64>(), 300);
    client.positions(&mut ends);
    client.store_offsets(&ends);
    client.commit(&ends, consumer.queue(), 4711).unwrap();
    until(|| {
        consumer.consume(&mut batch, 100);
        committed.lock().unwrap().is_some()
    });
    assert_eq!(*committed.lock().unwrap(), Some((Code::OK, 4711)));
    let mut stored = PartitionList::of([(TOPIC, 0, 0), (TOPIC, 1, 0)]);
    client.committed(&mut stored, 10_000).unwrap();
    assert_eq!(stored.iter().map(|(_, _, offset, _)| offset).sum::<i64>(), 300);

    // Read again, and left with records that were fetched and not given back.
    client.pause(&ends, true).unwrap();
    client.pause(&ends, false).unwrap();
    client.seek(&PartitionList::of([(TOPIC, 0, 0), (TOPIC, 1, 0)]));
    until(|| consumer.consume(&mut batch, 100) > 0);
    assert!(!client.is_cooperative());
    consumer.close().unwrap();
    assert_eq!(assigned.load(Ordering::SeqCst), 0);
    // The batch keeps its client alive: a client that ends waits for its records.
    drop(consumer);
    assert!(batch.iter().count() > 0);
}

#[test]
fn a_transaction_that_cannot_be_says_why() {
    let broker = broker();
    let config = config(&broker, &[("transactional.id", "memory"), ("linger.ms", "0")]);
    let producer = Producer::new(config, TOPIC).unwrap();
    let (client, queue) = (producer.client(), producer.client().main_queue());
    assert!(matches!(client.begin_transaction(), Err(TransactionError::OutOfStep(_))));
    client.init_transactions(60_000).unwrap();
    client.begin_transaction().unwrap();
    let messages: Vec<_> = (0..10).map(|at| message(at, 4, 0)).collect();
    let taken = producer.send_batch(
        &mut Outbox::default(),
        (&[3; 40], b"key"),
        &messages,
        |message| message.sequence,
        |_, _| true,
    );
    reports(&queue, taken);
    until(|| client.commit_transaction(1_000).is_ok());
    client.begin_transaction().unwrap();
    until(|| client.abort_transaction(1_000).is_ok());
}

#[test]
fn valgrind_finds_no_misuse_of_memory() {
    testkit::require!(valgrind);
    let program = std::env::current_exe().unwrap();
    let suppressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/valgrind.supp");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--num-callers=25"]);
    // Blocks that something still points at when the process ends are librdkafka's and the C
    // library's own; what nothing points at any more is a leak of ours.
    valgrind.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    valgrind.args(["--fair-sched=yes", &format!("--suppressions={suppressions}")]);
    // Beside this module's, those of the calls that the crate rdkafka lacks; all of ours that the mock
    // cluster knows.
    let chosen = ["librdkafka::", "admin::native::", "--skip", "valgrind"];
    let mut list = Command::new(&program);
    list.args(chosen).arg("--list");
    let listed = testkit::process::run(&mut list, Duration::from_secs(60)).expect_code(0);
    let tests: Vec<_> = listed.stdout.lines().filter(|line| line.ends_with(": test")).collect();
    // A filter that finds nothing does not pass.
    for module in ["librdkafka::tests::", "admin::native::tests::"] {
        assert!(tests.iter().any(|test| test.starts_with(module)), "{module}: {listed}");
    }
    valgrind.arg(program).args(chosen).arg("--test-threads=2");
    let outcome = testkit::process::run(&mut valgrind, Duration::from_secs(600)).expect_code(0);
    let passed = format!("test result: ok. {} passed", tests.len());
    assert!(outcome.stdout.contains(&passed), "not {passed}: {outcome}");
}
