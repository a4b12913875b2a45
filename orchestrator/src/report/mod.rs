//! Reports: files made from the archive and from nothing else, so that `mallard report` gives the same
//! bytes again, later and elsewhere.
//!
//! One file a format behind [`Format`]: a run goes in, bytes come out. The pages are one file each with
//! everything inside; figures are turned into words here, and the charts are drawn by
//! `templates/charts.js` from the figures of [`charts`].

pub mod charts;
pub mod column;
pub mod faults;
mod format;
pub mod html;
pub mod junit;
pub mod outages;
pub mod partitions;
pub mod rollup;
pub mod schema;
pub mod shape;
pub mod templates;
pub mod trust;
pub mod words;

use crate::archive::{self, read::RunArchive};
use std::path::{Path, PathBuf};
use templates::Templates;

pub use format::{Budget, Format, ReportError};

/// Makes the reports of a run again and puts them into its folder. Returns the page.
///
/// # Errors
///
/// When the folder holds no run, or a report cannot be written.
pub fn write(run: &Path, templates: &Templates) -> Result<PathBuf, ReportError> {
    let archive = RunArchive::read(run)?;
    let formats: [&dyn Format; 2] = [&html::Html { templates, live: None }, &junit::Junit];
    for format in formats {
        archive::write_whole(&run.join(format.file()), &format.render(&archive)?)?;
    }
    Ok(run.join("report.html"))
}
