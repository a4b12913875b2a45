//! Fingerprints the protocol's sources, so that an agent of another build is recognised.

use std::{env, fs, io, path::Path};

/// 64-bit FNV-1a (Fowler, Noll, Vo): enough to tell builds apart, and no dependency.
fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn main() -> io::Result<()> {
    let sources = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src");
    let mut paths = fs::read_dir(sources)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for path in paths {
        hash = fnv1a(hash, &fs::read(&path)?);
    }
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-env=MALLARD_PROTOCOL_FINGERPRINT={hash:016x}");
    Ok(())
}
