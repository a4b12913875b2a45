//! What comes out of the generator, as others see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use apache_avro::{
    Schema, reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter,
};
use mallard_health::{
    Config, DataType, Defect, Encoding, HealthDataLoadGenerator, InvalidShares, Payload,
    decode::Decoding,
    encode::{Encoder, avro::SCHEMA},
    flatten::flatten,
    validate::{Reason, Validator},
};
use std::collections::{BTreeMap, BTreeSet};

fn encoded(payload: &Payload, encoding: Encoding) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(encoding).encode(payload, &mut bytes);
    bytes
}

fn generator(change: impl FnOnce(&mut Config)) -> HealthDataLoadGenerator {
    let mut config = Config::default();
    change(&mut config);
    HealthDataLoadGenerator::with_config(config).unwrap()
}

fn read(schema: &Schema, bytes: &mut &[u8]) -> Value {
    GenericDatumReader::builder(schema).build().unwrap().read_value(bytes).unwrap()
}

/// FNV-1a, 64 bits: enough to see a changed byte.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[test]
fn the_bytes_of_a_seed_are_these() {
    let mut generator = generator(|config| {
        config.seed = 42;
        config.run = 0x9f3a_01c2;
        config.producer = 3;
    });
    let first = generator.generate_payload(2, None);
    assert_eq!(
        String::from_utf8(encoded(&first, Encoding::Json)).unwrap(),
        include_str!("golden.json").trim_end()
    );
    let batch = generator.generate_batch(2_000, 5);
    let bytes = |encoding| batch.iter().flat_map(|p| encoded(p, encoding)).collect::<Vec<_>>();
    assert_eq!(
        [fingerprint(&bytes(Encoding::Json)), fingerprint(&bytes(Encoding::Avro))],
        [16_732_859_236_020_940_154, 6_247_848_196_150_129_671]
    );
}

#[test]
fn a_payload_can_be_made_by_itself() {
    let mut in_turn = generator(|_| {});
    let batch = in_turn.generate_batch(100, 5);
    let mut alone = Payload::default();
    in_turn.generate_into(57, &mut alone);
    assert_eq!(alone, batch[57]);
}

#[test]
fn payloads_are_as_large_as_the_fields_own() {
    for (samples, expected) in [(1, 420.0), (5, 1_560.0), (10, 3_000.0)] {
        let batch = generator(|_| {}).generate_batch(1_000, samples);
        let total: usize = batch.iter().map(|p| encoded(p, Encoding::Json).len()).sum();
        let mean = total as f64 / 1_000.0;
        assert!((mean / expected - 1.0).abs() < 0.1, "{samples} samples take {mean} bytes");
    }
}

#[test]
fn ids_never_collide() {
    let mut seen = BTreeSet::new();
    for (run, producer) in [(1, 0), (1, 1), (2, 0)] {
        let mut generator = generator(|config| (config.run, config.producer) = (run, producer));
        for payload in generator.generate_batch(1_000, 5) {
            for index in 0..payload.samples.len() {
                assert!(seen.insert(payload.sample_id(index)));
            }
        }
    }
    assert!(seen.contains("00000001-0001-00000000002a-0004"));
}

#[test]
fn values_are_valid_and_shaped_like_life() {
    let mut generator = generator(|config| config.types = DataType::all().collect());
    let mut values: BTreeMap<DataType, Vec<f64>> = BTreeMap::new();
    for payload in generator.generate_batch(20_000, 10) {
        for sample in &payload.samples {
            let value = sample.value_tenths as f64 / 10.0;
            let (low, high) = sample.data_type.valid();
            assert!((low..=high).contains(&value), "{sample:?}");
            values.entry(sample.data_type).or_default().push(value);
        }
        assert!(payload.samples.windows(2).all(|pair| {
            let (a, b) = (pair[0], pair[1]);
            match (a.data_type, b.data_type) {
                (DataType::BloodPressureSystolic, DataType::BloodPressureDiastolic) => {
                    a.start_ms == b.start_ms && b.value_tenths <= a.value_tenths - 200
                }
                (DataType::Steps, DataType::Distance) => {
                    let (steps, metres) = (a.value_tenths, b.value_tenths);
                    a.start_ms == b.start_ms
                        && (steps * 70 / 100..=steps * 80 / 100).contains(&metres)
                }
                (DataType::BloodPressureSystolic, _) | (_, DataType::BloodPressureDiastolic) => {
                    false
                }
                _ => b.start_ms == a.start_ms + 300_000,
            }
        }));
    }
    assert_eq!(values.len(), 17);
    let mean = |t: DataType| values[&t].iter().sum::<f64>() / values[&t].len() as f64;
    assert!((mean(DataType::HeartRate) - 72.0).abs() < 0.7, "{}", mean(DataType::HeartRate));
    assert!((mean(DataType::OxygenSaturation) - 97.0).abs() < 0.1);
    let within = |t: DataType, low: f64, high: f64| {
        assert!(values[&t].iter().all(|v| (low..=high).contains(v)), "{t:?}");
    };
    within(DataType::Steps, 0.0, 10_000.0);
    within(DataType::BloodPressureSystolic, 90.0, 140.0);
    within(DataType::BloodPressureDiastolic, 60.0, 90.0);
    within(DataType::OxygenSaturation, 90.0, 100.0);
    within(DataType::BodyTemperature, 36.0, 37.5);
}

#[test]
fn every_defect_is_found_and_nothing_else() {
    let shares = InvalidShares::evenly(200_000, &Defect::ALL).unwrap();
    let mut generator = generator(|config| config.invalid = shares.clone());
    let batch = generator.generate_batch(5_000, 5);
    let schema_id = Some(7);
    let ways = [
        (Encoding::Json, Decoding::Json),
        (Encoding::Avro, Decoding::Avro),
        (Encoding::Confluent { schema_id: 7 }, Decoding::Confluent { schema_id }),
    ];
    for (encoding, decoding) in ways {
        let mut found: BTreeMap<Reason, u64> = BTreeMap::new();
        let mut rows = 0;
        let mut validator = Validator::new(true);
        for payload in &batch {
            let bytes = encoded(payload, encoding);
            let Ok(decoded) = decoding.decode(&bytes) else {
                *found.entry(Reason::Defect(Defect::Undecodable)).or_default() += 1;
                continue;
            };
            match validator.validate(&decoded) {
                Err(reason) => *found.entry(reason).or_default() += 1,
                Ok(checked) => {
                    for reason in checked.samples.iter().filter_map(|sample| sample.err()) {
                        *found.entry(reason).or_default() += 1;
                    }
                    rows += flatten(&decoded, Some(checked), 0).count();
                }
            }
        }
        let made: BTreeMap<_, _> =
            shares.count(5_000).into_iter().map(|(d, n)| (Reason::Defect(d), n)).collect();
        assert_eq!(found, made, "{encoding:?}");
        // 400 payloads are rejected whole, 600 lose one sample.
        assert_eq!(rows, 4_600 * 5 - 600);
    }
}

#[test]
fn apache_avro_reads_what_we_write() {
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let defects = [Defect::NoValue, Defect::NoUserId];
    let shares = InvalidShares::evenly(100_000, &defects).unwrap();
    for payload in generator(|config| config.invalid = shares).generate_batch(200, 5) {
        let bytes = encoded(&payload, Encoding::Avro);
        let mut rest = &bytes[..];
        let value = read(&schema, &mut rest);
        assert!(rest.is_empty());
        let Value::Record(fields) = value else { panic!("{value:?}") };
        let user = if payload.defect == Some(Defect::NoUserId) {
            String::new()
        } else {
            payload.user_id()
        };
        assert_eq!(fields[1], ("userId".to_owned(), Value::String(user)));
        let Value::Array(samples) = &fields[4].1 else { panic!("{fields:?}") };
        assert_eq!(samples.len(), 5);
        let nulls = samples
            .iter()
            .filter(|sample| {
                let Value::Record(fields) = sample else { panic!("{sample:?}") };
                matches!(&fields[2].1, Value::Union(0, value) if **value == Value::Null)
            })
            .count();
        assert_eq!(nulls, usize::from(payload.defect == Some(Defect::NoValue)));
    }
}

#[test]
fn we_read_what_apache_avro_writes() {
    let schema = Schema::parse_str(SCHEMA).unwrap();
    for payload in generator(|_| {}).generate_batch(50, 5) {
        let bytes = encoded(&payload, Encoding::Avro);
        let mut value = read(&schema, &mut &bytes[..]);
        if let Value::Record(fields) = &mut value
            && let Value::Array(samples) = &mut fields[4].1
            && let Value::Record(sample) = &mut samples[0]
        {
            let metadata = [("context".to_owned(), Value::String("resting".to_owned()))];
            sample[7].1 = Value::Map(metadata.into());
        }
        let theirs = GenericDatumWriter::builder(&schema)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap();
        let decoded = Decoding::Avro.decode(&theirs).unwrap();
        assert_eq!(decoded.device_id.as_deref(), Some(&*payload.device_id()));
        assert_eq!(decoded.samples[0].metadata.as_deref(), Some(r#"{"context":"resting"}"#));
        assert_eq!(decoded.samples[4].id.as_deref(), Some(&*payload.sample_id(4)));
    }
}

#[test]
fn another_schema_is_refused() {
    let payload = generator(|_| {}).generate_payload(1, None);
    let bytes = encoded(&payload, Encoding::Confluent { schema_id: 7 });
    assert!(Decoding::Confluent { schema_id: None }.decode(&bytes).is_ok());
    let error = Decoding::Confluent { schema_id: Some(8) }.decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "written with schema 7, expected 8");
    assert!(Decoding::Confluent { schema_id: None }.decode(b"{}").is_err());
}

#[test]
fn what_cannot_be_met_is_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        HealthDataLoadGenerator::with_config(config).unwrap_err().to_string()
    };
    assert_eq!(refused(|config| config.users = 0), "payloads need at least one user");
    assert_eq!(refused(|config| config.types.clear()), "samples need at least one type");
    assert_eq!(
        refused(|config| {
            config.samples = 0;
            config.invalid = InvalidShares::evenly(1_000, &Defect::ALL).unwrap_or_default();
        }),
        "payloads without samples cannot have invalid ones"
    );
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(bytes: Vec<u8>) {
            let _ = Decoding::Json.decode(&bytes);
            let _ = Decoding::Avro.decode(&bytes);
            let _ = Decoding::Confluent { schema_id: None }.decode(&bytes);
        }

        #[test]
        fn a_flipped_byte_makes_no_decoder_panic(at in 0_usize..1_000, flip in 1_u8..) {
            let payload = generator(|_| {}).generate_payload(5, None);
            let mut bytes = encoded(&payload, Encoding::Avro);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _ = Decoding::Avro.decode(&bytes);
        }

        #[test]
        fn any_configuration_gives_its_samples(users in 1_u32..50, devices in 1_u32..50, samples in 0_u32..12, mask in 1_u32..(1 << 17)) {
            let types: Vec<_> = DataType::all().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, t)| t).collect();
            let mut generator = generator(|config| (config.users, config.devices, config.types) = (users, devices, types.clone()));
            for payload in generator.generate_batch(20, samples) {
                prop_assert_eq!(payload.samples.len(), samples as usize);
                prop_assert!(payload.user < users && payload.device < devices);
                prop_assert!(payload.samples.iter().all(|s| types.contains(&s.data_type)));
            }
        }
    }
}

#[test]
fn apache_avro_reads_a_container_file() {
    let mut bytes = Vec::new();
    let mut container = mallard_health::encode::container::Container::begin(1, &mut bytes);
    let batch = generator(|_| {}).generate_batch(2_500, 3);
    batch.iter().for_each(|payload| container.push(payload, &mut bytes));
    container.finish(&mut bytes);
    let reader = apache_avro::Reader::new(&bytes[..]).unwrap();
    let values: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(values.len(), 2_500);
    let Value::Record(fields) = &values[2_499] else { panic!("{:?}", values[2_499]) };
    assert_eq!(fields[0].1, Value::String(batch[2_499].device_id()));
}
