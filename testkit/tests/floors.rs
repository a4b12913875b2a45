//! The floor plan: every import runs downwards, no files import each other in a loop, and who decides reads
//! no clock.
//!
//! `ARCHITECTURE.md` tells what each room is for. Whoever adds a room puts it on its floor here.

use std::collections::BTreeMap;

use testkit::{imports, imports::Sources, paths};

/// Rooms of the controller from the ground up. Rooms of one floor know nothing of each other.
const CONTROLLER: [&[&str]; 13] = [
    &["text", "model", "clock", "http"],
    &["config"],
    &["metrics", "archive"],
    &["expect", "report", "terminal"],
    &["bounds", "sinks", "over_time"],
    &["scenario", "serve"],
    &["plan"],
    &["measure", "hosts", "calibrate"],
    &["diagnosis", "clean", "preflight"],
    &["verdict"],
    &["run"],
    &["cli"],
    &["lib"],
];

/// Rooms that read no clock: what they have to know of time is handed to them.
const WITHOUT_CLOCK: [&str; 14] = [
    "text",
    "model",
    "config",
    "metrics",
    "expect",
    "report",
    "bounds",
    "scenario",
    "plan",
    "measure",
    "diagnosis",
    "preflight",
    "verdict",
    "run",
];

/// What hands the time to a case, and so reads clocks.
const HANDS_OUT_TIME: [&str; 2] = ["run/driver.rs", "run/wake.rs"];

/// Parts of paths by which a clock is read.
const CLOCKS: [&[&str]; 8] = [
    &["Instant"],
    &["SystemTime"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["Moment", "read"],
    &["clock", "now_rfc3339"],
    &["clock", "monotonic_us"],
    &["clock", "slept_us"],
];

/// Crates, each with its `src`.
const CRATES: [&str; 8] =
    ["protocol", "health", "guard", "agent", "orchestrator", "testkit", "bench", "fuzz"];

fn sources(of: &str) -> Sources {
    Sources::read(&paths::workspace().join(of).join("src"))
}

#[test]
fn every_import_of_the_controller_runs_downwards() {
    let rooms = CONTROLLER.iter().enumerate();
    let floors: BTreeMap<&str, usize> =
        rooms.flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor))).collect();
    let floor = |room: &str| {
        *floors.get(room).unwrap_or_else(|| panic!("{room} is on no floor of {}", file!()))
    };
    let imports = sources("orchestrator").imports();
    assert!(imports.len() > 500, "only {} imports were found", imports.len());
    let upwards: Vec<_> = imports
        .iter()
        .filter(|import| import.from_room() != import.to_room())
        .filter(|import| floor(import.from_room()) <= floor(import.to_room()))
        .map(|import| format!("{} imports {} of {}", import.from, import.name, import.to))
        .collect();
    assert!(upwards.is_empty(), "imports that do not run downwards:\n{}", upwards.join("\n"));
}

fn clocks_read(sources: &Sources) -> Vec<(&str, String)> {
    CLOCKS.iter().flat_map(|clock| sources.naming(clock)).collect()
}

#[test]
fn who_decides_reads_no_clock() {
    let sources = sources("orchestrator");
    let all = clocks_read(&sources);
    for file in HANDS_OUT_TIME {
        assert!(all.iter().any(|(of, _)| *of == file), "{file} reads no clock any more");
    }
    let found: Vec<_> = all
        .iter()
        .filter(|(file, _)| !HANDS_OUT_TIME.contains(file))
        .filter(|(file, _)| WITHOUT_CLOCK.contains(&file.split(['/', '.']).next().unwrap_or(file)))
        .map(|(file, path)| format!("{file} reads a clock by {path}"))
        .collect();
    assert!(found.is_empty(), "time is to be handed in:\n{}", found.join("\n"));
}

/// Enums of kinds, each with the files that may tell one kind from another: where it is, and what makes something of it.
/// Everybody else asks what they want to know, so that a new kind touches no other file.
const KINDS: [(&str, &[&str]); 1] =
    [("HostKind", &["hosts/kinds.rs", "scenario/cluster/kinds.rs"])];

#[test]
fn kinds_are_told_apart_where_they_are_and_nowhere_else() {
    let sources = sources("orchestrator");
    for (kind, allowed) in KINDS {
        let found: Vec<_> = sources
            .naming(&[kind])
            .into_iter()
            .filter(|(file, _)| !allowed.contains(file))
            .collect();
        assert!(found.is_empty(), "{kind} may be named in {allowed:?} alone: {found:?}");
        let text = |file: &&str| {
            std::fs::read_to_string(paths::workspace().join("orchestrator/src").join(file))
        };
        let names = |file: &&str| text(file).unwrap().contains(&format!("{kind}::"));
        assert!(allowed.iter().all(names), "{kind} is named in none of {allowed:?} any more");
    }
}

#[test]
fn a_clock_is_found_by_its_type_and_by_its_function_and_not_in_tests() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("lib.rs", "mod a; mod b; mod c;");
    write("a.rs", "use std::time::Instant as I; fn f() { I::now(); }");
    write("b.rs", "fn f() { x.unwrap_or_else(jiff::Timestamp::now) }");
    write("c.rs", "use jiff::Timestamp; #[cfg(test)] mod tests { use std::time::Instant; }");
    let sources = Sources::read(folder.path());
    let files: Vec<_> = clocks_read(&sources).into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, ["a.rs", "b.rs"]);
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    for of in CRATES {
        let imports = sources(of).imports();
        let loops = imports::loops(&imports);
        assert!(loops.is_empty(), "loops of files in {of}:\n{}", loops.join("\n"));
    }
}

#[test]
fn an_import_that_closes_a_loop_is_told_with_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c;");
    write("a.rs", "use crate::b::B; pub struct A; #[cfg(test)] mod tests { use crate::d::D; }");
    write("b/mod.rs", "mod inner; pub use inner::B;");
    write("b/inner.rs", "pub struct B; fn f() { crate::c::g() }");
    write("c.rs", "pub fn g() -> super::a::A { super::a::A }");
    let imports = Sources::read(folder.path()).imports();
    assert_eq!(
        imports::loops(&imports),
        ["a.rs imports B of b/inner.rs, b/inner.rs imports g of c.rs, c.rs imports A of a.rs"]
    );
}
