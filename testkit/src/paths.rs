//! Where the tests find what they use: the workspace, the jars, the built programs.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace, where `scenarios/`, `templates/` and `cluster.yaml` are.
///
/// Cargo's word for the running test comes before what was compiled in: checkouts that share a target
/// folder share compiled tests.
#[must_use]
pub fn workspace() -> PathBuf {
    let compiled_in = env!("CARGO_MANIFEST_DIR");
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| compiled_in.into());
    let is_root = |folder: &&Path| folder.join("testkit/kafka/pom.xml").is_file();
    let root = Path::new(&package).ancestors().find(is_root);
    root.unwrap_or(Path::new(compiled_in)).to_path_buf()
}

/// The folder of Kafka's jars: `MALLARD_TEST_KAFKA_LIBS`, else `target/kafka/libs` of the
/// workspace, where `./test` puts them. It need not exist.
#[must_use]
pub fn kafka_libs() -> PathBuf {
    env::var_os("MALLARD_TEST_KAFKA_LIBS")
        .map_or_else(|| workspace().join("target/kafka/libs"), PathBuf::from)
}

/// The folder of the Flink job's classes and jars: `MALLARD_TEST_FLINK`, else `target/flink` of the
/// workspace, where `./test` builds it. It need not exist.
#[must_use]
pub fn flink() -> PathBuf {
    env::var_os("MALLARD_TEST_FLINK")
        .map_or_else(|| workspace().join("target/flink"), PathBuf::from)
}

/// The Python that has SciPy: `MALLARD_TEST_PYTHON`, else that of `target/python` in the workspace, where
/// `./test` makes it. It need not exist.
#[must_use]
pub fn oracles_python() -> PathBuf {
    env::var_os("MALLARD_TEST_PYTHON")
        .map_or_else(|| workspace().join("target/python/bin/python"), PathBuf::from)
}

/// Looks for a program by name in `PATH`, and in the places where Debian puts those of the
/// superuser.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// One of the programs that this workspace builds: `mallard` or `mallard-agent`.
///
/// `MALLARD_BIN` names the file of `mallard` and thereby the folder of both; without it, they are
/// looked for where Cargo has put the running test: `target/release/deps/cli-1234` tests
/// `target/release/mallard`.
///
/// # Panics
///
/// When there is no such program: the message says how to build it.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let folder = match env::var_os("MALLARD_BIN") {
        Some(mallard) => PathBuf::from(mallard).parent().map(Path::to_path_buf),
        None => profile_folder(),
    };
    let program = folder.unwrap_or_default().join(name);
    assert!(
        program.is_file(),
        "no {name} at {}: build it in the same profile as the tests (`cargo build --release` for `cargo test \
         --release`), or name mallard's place by MALLARD_BIN",
        program.display()
    );
    program
}

/// The folder of the profile that the running test was built in, such as `target/release`.
fn profile_folder() -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    let folder = test.parent()?;
    if folder.ends_with("deps") { folder.parent() } else { Some(folder) }.map(Path::to_path_buf)
}
