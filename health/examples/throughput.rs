//! How fast payloads are made, and turned into rows, on one core: `cargo run --release -p
//! mallard-health --example throughput`.

#![expect(clippy::print_stdout, reason = "its figures are what this program is for")]

use mallard_health::{
    Config, Encoding, HealthDataLoadGenerator, Payload, decode::Decoding, encode::Encoder,
    flatten::flatten, validate::Validator,
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// How long each measurement takes.
const FOR: Duration = Duration::from_millis(1_500);

/// Payloads that are decoded over and over.
const POOL: usize = 1_000;

fn main() {
    for samples in [1, 5, 10] {
        println!("{samples} samples a payload");
        let generator = || {
            let config = Config { samples, ..Config::default() };
            HealthDataLoadGenerator::with_config(config).expect("a sound configuration")
        };
        for (name, encoding, decoding) in
            [("JSON", Encoding::Json, Decoding::Json), ("Avro", Encoding::Avro, Decoding::Avro)]
        {
            let (made, mut payload) = (generator(), Payload::default());
            let (mut encoder, mut bytes) = (Encoder::new(encoding), Vec::new());
            per_second(&format!("generate and encode {name}"), |turn| {
                made.generate_into(turn, &mut payload);
                bytes.clear();
                encoder.encode(&payload, &mut bytes);
                black_box(&bytes);
            });
            let pool: Vec<Vec<u8>> = (0..POOL as u64)
                .map(|turn| {
                    made.generate_into(turn, &mut payload);
                    let mut bytes = Vec::new();
                    encoder.encode(&payload, &mut bytes);
                    bytes
                })
                .collect();
            let mut validator = Validator::new(false);
            per_second(&format!("decode {name}, validate and flatten"), |turn| {
                let bytes = &pool[turn as usize % POOL];
                let decoded = decoding.decode(bytes).expect("a sound payload");
                let checked = validator.validate(&decoded).expect("a sound payload");
                black_box(flatten(&decoded, Some(checked), 0).count());
            });
        }
    }
}

fn per_second(what: &str, mut work: impl FnMut(u64)) {
    let (begin, mut turns) = (Instant::now(), 0);
    while begin.elapsed() < FOR {
        for _ in 0..100 {
            work(turns);
            turns += 1;
        }
    }
    let each_us = begin.elapsed().as_secs_f64() * 1e6 / turns as f64;
    let share = each_us * 20_000.0 / 1e4;
    println!(
        "  {what}: {:.0} payloads/s ({each_us:.2} us each; 20,000/s take {share:.1} % of a core)",
        1e6 / each_us
    );
}
