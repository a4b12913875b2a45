//! What tests tell `./test` beside what Rust's harness prints: lines in files that variables name.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;

/// Appends a line to the file that a variable names; without the variable, nobody asked.
///
/// # Panics
///
/// When it cannot be written.
pub(crate) fn line(variable: &str, text: &str) {
    let Some(file) = env::var_os(variable) else { return };
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()))
        .unwrap_or_else(|error| panic!("failed to write to {}: {error}", file.display()));
}
