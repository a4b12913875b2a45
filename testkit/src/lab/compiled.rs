//! The lab's C programs, compiled where they are needed: no crate of this workspace but the agent's may
//! call the kernel without Rust's types, and nothing else shifts clocks and delays packets here.

use std::path::{Path, PathBuf};

use super::steps::{must, write};

/// The relay that delays and loses packets.
pub(super) fn relay(folder: &Path) -> PathBuf {
    compile(folder, "relay", include_str!("../../c/relay.c"), &["-O2"])
}

/// The library that shifts a process's clock when it is preloaded.
pub(super) fn clockshift(folder: &Path) -> PathBuf {
    let options = ["-O2", "-shared", "-fPIC"];
    compile(folder, "clockshift.so", include_str!("../../c/clockshift.c"), &options)
}

fn compile(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let program = folder.join(name);
    if !program.exists() {
        let file = folder.join(format!("{name}.c"));
        write(&file, source);
        let (file, output) = (file.display().to_string(), program.display().to_string());
        let mut args = options.to_vec();
        args.extend(["-o", &output, &file, "-ldl"]);
        must("cc", &args);
    }
    program
}
