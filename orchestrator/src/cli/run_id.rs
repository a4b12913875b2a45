//! The id of a run, and what is known of its hosts.

use super::args::{PlanArgs, RunArgs};
use crate::{
    archive::{self},
    calibrate::Store,
};
use jiff::Timestamp;

/// The run's id: as asked for, else by time and the first scenario's file.
pub(super) fn run_id(args: &RunArgs, asked: &PlanArgs) -> String {
    let stem = asked.scenarios.first().and_then(|path| path.file_stem());
    let name = stem.map_or("run".into(), |stem| stem.to_string_lossy());
    args.id.clone().unwrap_or_else(|| archive::new_id(&name, Timestamp::now()))
}

/// What `mallard calibrate` has found. A store that cannot be read takes nothing from a run but its
/// doubts about rates.
pub(crate) fn calibrations() -> Store {
    Store::place().and_then(|path| Store::read(&path).ok()).unwrap_or_default()
}
