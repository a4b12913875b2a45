//! The table that `mallard calibrate` prints.

use super::{Calibration, Rates, SAFE_SHARE};
use crate::text::units::human;
use std::fmt::Write;

/// Hosts with what was found of them, or why nothing was.
#[must_use]
pub fn table(hosts: &[(String, Result<Calibration, String>)]) -> String {
    let head = [
        "host",
        "records of",
        "agent alone",
        "with the cluster",
        "safe (70 %)",
        "timer p99, largest",
        "clock",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let mut failures = String::new();
    for (host, found) in hosts {
        match found {
            Ok(found) => rows.extend(lines(host, found)),
            Err(why) => {
                let _ = writeln!(failures, "{host} could not be calibrated: {why}");
            }
        }
    }
    let mut text = if rows.len() > 1 { aligned(&rows) } else { String::new() };
    text.push_str(&failures);
    text
}

fn lines(host: &str, found: &Calibration) -> [[String; 7]; 2] {
    let rate = |per_s: f64| human(per_s.round(), "per_s");
    let line = |host: &str, size: &str, of: fn(&Rates) -> f64| {
        let with = found.with_cluster.as_ref().map_or("–".to_owned(), |rates| rate(of(rates)));
        let alone = rate(of(&found.alone));
        let safe = rate(of(&found.ceiling()) * SAFE_SHARE);
        [host.to_owned(), size.to_owned(), alone, with, safe, String::new(), String::new()]
    };
    let mut first = line(host, "100 B", |rates| rates.small_per_s);
    first[5] = format!("{}, {}", human(found.timer_p99_us, "us"), human(found.timer_max_us, "us"));
    first[6] = clock(found.clock_error_us);
    [first, line("", "1 KiB", |rates| rates.large_per_s)]
}

#[expect(clippy::cast_precision_loss, reason = "errors of clocks are far below 2^53 µs")]
fn clock(error_us: Option<u64>) -> String {
    match error_us {
        None => "unknown".to_owned(),
        Some(0) => "the same".to_owned(),
        Some(us) => format!("± {}", human(us as f64, "us")),
    }
}

fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_like_this() {
        let found = Calibration {
            at: String::new(),
            alone: Rates { small_per_s: 612_345.6, large_per_s: 201_000.0 },
            with_cluster: Some(Rates { small_per_s: 900_000.0, large_per_s: 150_000.0 }),
            timer_p99_us: 83.0,
            timer_max_us: 1_900.0,
            clock_error_us: Some(240),
        };
        let of = |clock_error_us| Ok(Calibration { clock_error_us, ..found.clone() });
        let text = table(&[
            ("load-1".to_owned(), Ok(found.clone())),
            ("here".to_owned(), of(Some(0))),
            ("load-3".to_owned(), of(None)),
            ("load-2".to_owned(), Err("pacing did not run".to_owned())),
        ]);
        testkit::snapshot!("calibrate/the_table_reads_like_this", text);
    }
}
