use super::*;
use proptest::prelude::*;
use std::{fs::OpenOptions, os::unix::fs::FileExt};

const SMALL: Limits = Limits { disk_bytes: 4000, segment_bytes: 1000, memory_bytes: 500 };

fn frame(sequence: u64, bytes: usize) -> Vec<u8> {
    vec![sequence.to_be_bytes()[7]; bytes]
}

fn sequences(spool: &Spool, from: u64) -> Vec<u64> {
    let next = |at| spool.next_from(at);
    std::iter::successors(next(from), |(at, _)| next(at + 1)).map(|(at, _)| at).collect()
}

fn fill(spool: &mut Spool, sequences: Range<u64>) {
    for sequence in sequences {
        let appended = spool.append(sequence, &frame(sequence, 80));
        assert!(appended.refused.is_none(), "{appended:?}");
    }
}

#[test]
fn what_was_appended_comes_back_in_order_from_any_point() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    fill(&mut spool, 0..30);
    assert_eq!(sequences(&spool, 0), (0..30).collect::<Vec<_>>());
    assert_eq!(sequences(&spool, 17), (17..30).collect::<Vec<_>>());
    assert_eq!(spool.next_from(7), Some((7, frame(7, 80))));
    assert_eq!(spool.next_from(30), None);
    assert_eq!(spool.end(), 30);
}

#[test]
fn collected_entries_leave_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    fill(&mut spool, 0..30);
    let before = files(folder.path()).unwrap().len();
    spool.collected(25);
    assert!(files(folder.path()).unwrap().len() < before);
    assert_eq!(sequences(&spool, 25), (25..30).collect::<Vec<_>>());
    spool.collected(30);
    assert!(spool.is_empty());
    assert_eq!(files(folder.path()).unwrap().len(), 0);
    fill(&mut spool, 30..32);
    assert_eq!(sequences(&spool, 0), [30, 31]);
}

#[test]
fn beyond_the_cap_the_oldest_go_and_it_is_said_which() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    let mut dropped = Vec::new();
    for sequence in 0..200 {
        dropped.extend(spool.append(sequence, &frame(sequence, 80)).dropped);
    }
    let first = spool.next_from(0).unwrap().0;
    assert!(first > 0);
    assert_eq!(dropped.first().unwrap().start, 0);
    assert_eq!(dropped.last().unwrap().end, first);
    assert!(dropped.windows(2).all(|pair| pair[0].end == pair[1].start), "{dropped:?}");
    assert_eq!(sequences(&spool, 0), (first..200).collect::<Vec<_>>());
    let on_disk: u64 =
        files(folder.path()).unwrap().iter().map(|p| fs::metadata(p).unwrap().len()).sum();
    assert!(on_disk <= SMALL.disk_bytes, "{on_disk}");
}

#[test]
fn another_process_finds_what_the_last_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    fill(&mut spool, 0..30);
    drop(spool);
    let (mut spool, cut) = Spool::open(folder.path(), SMALL).unwrap();
    assert_eq!((cut, spool.end()), (0, 30));
    fill(&mut spool, 30..35);
    assert_eq!(sequences(&spool, 0), (0..35).collect::<Vec<_>>());
}

#[test]
fn a_damaged_byte_costs_the_rest_of_its_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    fill(&mut spool, 0..30);
    let next_file_starts_at = spool.segments[1].first().unwrap();
    drop(spool);
    let first_file = &files(folder.path()).unwrap()[0];
    OpenOptions::new()
        .write(true)
        .open(first_file)
        .unwrap()
        .write_all_at(b"?", 96 * 3 + 50)
        .unwrap();
    let (spool, cut) = Spool::open(folder.path(), SMALL).unwrap();
    assert!(cut > 0);
    let expected: Vec<_> = (0..3).chain(next_file_starts_at..30).collect();
    assert_eq!(sequences(&spool, 0), expected);
}

#[test]
fn a_disk_that_refuses_is_borne_by_memory_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(&folder.path().join("spool"), SMALL).unwrap();
    fs::remove_dir(folder.path().join("spool")).unwrap();
    for sequence in 0..5 {
        let appended = spool.append(sequence, &frame(sequence, 100));
        assert!(appended.refused.is_some() && appended.dropped.is_none());
    }
    assert_eq!(spool.append(5, &frame(5, 100)).dropped, Some(0..1));
    fs::create_dir(folder.path().join("spool")).unwrap();
    fill(&mut spool, 6..8);
    assert_eq!(sequences(&spool, 0), (1..8).collect::<Vec<_>>());
    spool.collected(4);
    assert_eq!(sequences(&spool, 0), (4..8).collect::<Vec<_>>());
}

#[test]
fn a_sequence_that_does_not_rise_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), SMALL).unwrap();
    fill(&mut spool, 4..6);
    spool.append(4, b"again");
    assert_eq!(spool.next_from(0), Some((4, frame(4, 80))));
    spool.clear();
    assert!(spool.is_empty());
    fill(&mut spool, 0..1);
    assert_eq!(sequences(&spool, 0), [0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_cut_anywhere_gives_the_entries_before_the_cut(
        sizes in prop::collection::vec(0_usize..60, 1..12), cut_at in 0.0..1.0_f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        let mut ends = Vec::new();
        for (sequence, size) in (0..).zip(&sizes) {
            spool.append(sequence, &frame(sequence, *size));
            ends.push(spool.segments[0].bytes());
        }
        drop(spool);
        let path = &files(folder.path()).unwrap()[0];
        let keep = (*ends.last().unwrap() as f64 * cut_at) as u64;
        OpenOptions::new().write(true).open(path).unwrap().set_len(keep).unwrap();
        let (spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        let whole = ends.iter().filter(|end| **end <= keep).count() as u64;
        prop_assert_eq!(sequences(&spool, 0), (0..whole).collect::<Vec<_>>());
        prop_assert_eq!(spool.end(), whole);
    }
}
