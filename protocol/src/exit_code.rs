//! Exit codes of `mallard-agent`, by which `mallard` tells what became of an agent.

/// All went well. For `connect`: the caller closed the conversation.
pub const OK: u8 = 0;
/// Something failed; stderr says what.
pub const FAILURE: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// No agent runs in the folder, and none could be started.
pub const NOT_RUNNING: u8 = 3;
/// The agent ended the conversation: it ended, lost patience with a silent caller, or another caller
/// has taken over.
pub const CLOSED_BY_AGENT: u8 = 4;
/// An agent runs in the folder already.
pub const ALREADY_RUNNING: u8 = 5;
/// An agent runs in the folder and does not answer: it is stopped, or stuck.
pub const SILENT: u8 = 6;
