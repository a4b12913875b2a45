//! How a tool ended.

use anyhow::{Result, ensure};
use testkit::process::Finished;

/// The outcome of a tool that ended well.
pub(crate) fn succeeded(finished: Finished) -> Result<Finished> {
    ensure!(finished.code() == Some(0), "a tool failed:\n{finished}");
    Ok(finished)
}
