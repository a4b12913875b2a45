//! What a command ends with.

use crate::model::exit_code;

/// What a command ends with: the text for standard output, or for standard error, and the exit code.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// The exit code.
    pub code: i32,
}

impl Outcome {
    /// All went well, and this is the answer.
    #[must_use]
    pub fn ok(stdout: String) -> Self {
        Self { stdout, stderr: String::new(), code: exit_code::PASS }
    }

    /// It did not go well.
    #[must_use]
    pub fn failed(code: i32, stderr: String) -> Self {
        Self { stdout: String::new(), stderr, code }
    }
}
