//! Where things lie on a host.

/// Where things lie on the host, once it is ready.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder for programs and runs.
    pub(super) cache: String,
    /// The agent's program.
    pub(super) program: String,
}
