//! The disk of the archive is full.

use crate::world::{EMBEDDED, PATIENCE, RUN, sandbox, steady};
use testkit::process;

#[test]
fn a_full_disk_is_said_and_leaves_no_half_files() {
    testkit::require!(mounting);
    let sandbox = sandbox(&steady("200/s", "12s", ""), EMBEDDED);
    let results = sandbox.path("small");
    std::fs::create_dir(&results).expect("a folder");
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=96k,mode=700", "none"]).arg(&results);
    process::run(&mut mount, PATIENCE).assert_code(0);
    let outcome = sandbox.mallard([&RUN[..], &["--results", "small"]].concat());
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let half: Vec<_> = sandbox.files_below(&results);
    let _ = process::run(std::process::Command::new("umount").arg(&results), PATIENCE);
    assert_eq!(outcome.code(), Some(3), "{said}");
    assert!(said.contains("no space left"), "{said}");
    assert!(!half.iter().any(|file| file.extension().is_some_and(|e| e == "part")), "{half:?}");
}
