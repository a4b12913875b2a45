//! What became of acknowledged records that were not received: each cause in its own words, with its own
//! remedy. Only what the brokers' offsets prove is called a loss.

use super::{
    checks::{Case, records, us},
    doubt::{Doubt, Kind},
};
use crate::{measure::Shortfall, metrics::fate::Fate, model::result::Verdict, text::units::count};

/// A position that has not moved for so long stands still: two intervals may pass between two fetches, more
/// do not.
const STANDS_STILL_US: u64 = 3_000_000;

/// What a metric of end-to-end latency or of losses says depends on every record being read.
const NEEDS_ALL_READ: [&str; 2] = ["end_to_end.", "records.lost"];

/// Doubts about records that were not received.
pub(super) fn fates(case: &Case) -> Vec<Doubt> {
    let mut doubts = lost(case);
    doubts.extend(not_read(case));
    doubts.extend(behind_others(case));
    doubts.extend(removed(case));
    doubts.extend(unaccounted(case));
    doubts
}

/// The shortfalls of each reader in which a part of the fate is not zero.
fn by_reader<'a>(
    case: &'a Case,
    part: impl Fn(&Fate) -> u64 + Copy,
) -> Vec<(&'a str, u64, Vec<&'a Shortfall>)> {
    let mut readers: Vec<(&str, u64, Vec<&Shortfall>)> = Vec::new();
    for short in &case.measured.quality.shortfalls {
        let records = part(&short.fate);
        if records == 0 {
            continue;
        }
        match readers.iter_mut().find(|(reader, ..)| *reader == short.reader) {
            Some((_, sum, places)) => {
                *sum += records;
                places.push(short);
            }
            None => readers.push((&short.reader, records, vec![short])),
        }
    }
    readers
}

/// `in orders/0`, `in orders/0 and 3 more partitions`.
fn places(shortfalls: &[&Shortfall]) -> String {
    let Some(first) = shortfalls.first() else { return String::new() };
    match shortfalls.len() - 1 {
        0 => format!("in {}", first.place),
        1 => format!("in {} and one more partition", first.place),
        more => format!("in {} and {more} more partitions", first.place),
    }
}

/// A doubt that spoils what depends on every record being read.
fn spoiling(case: &Case, kind: Kind, text: String) -> Doubt {
    if case.judges(&NEEDS_ALL_READ) && case.is_whole {
        Doubt::reason(kind, Verdict::Invalid, text)
    } else {
        Doubt::warning(kind, text)
    }
}

fn lost(case: &Case) -> Vec<Doubt> {
    let mut texts = Vec::new();
    for (reader, lost, shortfalls) in by_reader(case, Fate::lost) {
        let gone: u64 = shortfalls.iter().map(|short| short.standing.gone).sum();
        let passed_over = lost.saturating_sub(gone);
        let places = places(&shortfalls);
        if gone > 0 {
            let read: u64 = shortfalls.iter().map(|short| short.fate.lost_read).sum();
            let received = match read {
                0 => String::new(),
                read => {
                    format!(", {} of them after consumer {reader} had received them", count(read))
                }
            };
            texts.push(format!(
                "{} that were acknowledged are gone {places}{received}: the log ends below what was \
                 acknowledged",
                records(gone)
            ));
        }
        if passed_over > 0 {
            texts.push(format!(
                "consumer {reader} was never given {} that were acknowledged {places}, although its \
                 position is beyond them",
                records(passed_over)
            ));
        }
    }
    for (place, gone) in &case.measured.quality.gone_unread {
        texts.push(format!(
            "{} that were acknowledged are gone in {place}: the log ends below what was acknowledged",
            records(*gone)
        ));
    }
    texts.into_iter().map(|text| Doubt::warning(Kind::RecordsLost, text)).collect()
}

fn not_read(case: &Case) -> Vec<Doubt> {
    let end_us = case.measured.agents.iter().map(|agent| agent.progress_us).max().unwrap_or(0);
    let readers = by_reader(case, |fate| fate.not_read).into_iter();
    let doubts = readers.map(|(reader, not_read, shortfalls)| {
        let moved_us = shortfalls.iter().map(|short| short.moved_us).max().unwrap_or(0);
        let still_us = end_us.saturating_sub(moved_us);
        let cause = if shortfalls.iter().any(|short| !short.standing.is_told) {
            "an agent of it was lost or did not report to the end".to_owned()
        } else if still_us > STANDS_STILL_US {
            format!("its position had stood still for {}", us(still_us))
        } else {
            "it was still reading".to_owned()
        };
        let text = format!(
            "consumer {reader} had not read {} when it was closed, {}; they are in the log: {cause}",
            records(not_read),
            places(&shortfalls)
        );
        spoiling(case, Kind::NeverCaughtUp, text)
    });
    doubts.collect()
}

/// Consumers of what others write: nobody knows how much that is, but by how much they are behind.
fn behind_others(case: &Case) -> Vec<Doubt> {
    let behind = case.measured.quality.behind_others.iter();
    let doubts = behind.map(|(reader, lag)| {
        let text = format!(
            "consumer {reader} had not caught up when it was closed: {} behind the end of the log",
            records(*lag)
        );
        spoiling(case, Kind::NeverCaughtUp, text)
    });
    doubts.collect()
}

fn removed(case: &Case) -> Vec<Doubt> {
    let expired = by_reader(case, |fate| fate.expired).into_iter();
    let expired = expired.map(|(reader, expired, shortfalls)| {
        let behind = shortfalls.iter().find_map(|short| Some((&short.place, short.behind_log_start?)));
        let behind = behind.map_or_else(String::new, |(place, (position, start))| {
            format!(
                "; it is behind the log start of {place}: its position is {position}, and the log begins \
                 at {start}"
            )
        });
        let text = format!(
            "retention removed {} {} before consumer {reader} read them{behind}",
            records(expired),
            places(&shortfalls)
        );
        Doubt::warning(Kind::RecordsExpired, text)
    });
    let compacted = by_reader(case, |fate| fate.compacted).into_iter();
    let compacted = compacted.map(|(reader, compacted, shortfalls)| {
        let text = format!(
            "compaction removed {} {} before consumer {reader} read them",
            records(compacted),
            places(&shortfalls)
        );
        Doubt::warning(Kind::RecordsCompacted, text)
    });
    expired.chain(compacted).collect()
}

fn unaccounted(case: &Case) -> Vec<Doubt> {
    let readers = by_reader(case, |fate| fate.unaccounted).into_iter();
    let doubts = readers.map(|(reader, unaccounted, shortfalls)| {
        let cause = if shortfalls.iter().all(|short| short.standing.is_settled) {
            "an agent of it was lost or did not report what it had received"
        } else {
            "where the log ends could not be read after the load"
        };
        let text = format!(
            "consumer {reader} did not receive {} {}, and their outcome is unknown: {cause}",
            records(unaccounted),
            places(&shortfalls)
        );
        spoiling(case, Kind::RecordsUnaccounted, text)
    });
    doubts.collect()
}
