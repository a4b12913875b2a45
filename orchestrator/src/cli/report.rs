//! `mallard report`: pages again, from the archive alone.

use super::{Outcome, args::ReportArgs};
use crate::{
    archive::read, model::exit_code, over_time::index, report::templates::Templates,
    text::error_chain::error_text,
};

/// Makes `report.html`, `junit.xml` and the index again.
pub(super) fn report(args: &ReportArgs) -> Outcome {
    let made = Templates::load(args.templates.as_deref()).and_then(|templates| {
        let run = read::find_run(&args.results, &args.run)?;
        index::with_reports(&run, &templates)
    });
    match made {
        Ok(page) => Outcome::ok(format!("{}\n", page.display())),
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}
