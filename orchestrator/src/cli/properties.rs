//! Client properties, checked by the librdkafka that will get them, before anything is touched.

use crate::{config::Diagnostic, plan::Plan};
use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// Asks the agent's program what its librdkafka refuses of a plan's client properties. Every refusal is
/// a diagnostic at the property's place.
///
/// # Errors
///
/// When the program cannot be asked, or gives no sensible answer.
pub fn refused_properties(plan: &Plan, agent: &Path) -> io::Result<Vec<Diagnostic>> {
    let request = plan.property_request()?;
    let mut child = Command::new(agent)
        .arg("properties")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    // Dropped at the end of the statement, so that the program sees the end of its input.
    child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(request.as_bytes()))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "`mallard-agent properties` ended with {}",
            output.status
        )));
    }
    let report = String::from_utf8_lossy(&output.stdout);
    plan.property_mistakes(&report).map_err(io::Error::from)
}
