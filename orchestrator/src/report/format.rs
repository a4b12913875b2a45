//! What a format of the report is: an archive in, bytes out.

use crate::archive::{ArchiveError, read::RunArchive};

/// A report that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The archive could not be read, or the report could not be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A template is missing or wrong: one of `--templates`, or a defect of Mallard.
    #[error("render {name}: {what}")]
    Template {
        /// The template.
        name: String,
        /// What is wrong, with its line.
        what: String,
    },
    /// A report's own format could not hold a value: a defect of Mallard.
    #[error("make {name}: {what}")]
    Format {
        /// The report's file.
        name: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// A report format: bytes out, one file.
pub trait Format {
    /// Name of its file in the run's folder.
    fn file(&self) -> &'static str;

    /// Makes the report.
    ///
    /// # Errors
    ///
    /// When a template is wrong, or a value has no form in this format.
    fn render(&self, run: &RunArchive) -> Result<Vec<u8>, ReportError>;
}

/// How much of each kind a case may put on a page.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Rows of the series that the whole run is drawn from.
    pub rows: u64,
    /// Rows of the finer series that zooming shows.
    pub fine_rows: u64,
    /// Columns of the heat map.
    pub heat_columns: u64,
    /// Points of all agents' resources together.
    pub resource_points: u64,
    /// Points of all partitions' series together.
    pub partition_points: u64,
}

impl Budget {
    /// What one of so many cases may take: a page stays below 5 MB, and a chart has no more points
    /// than pixels.
    #[must_use]
    pub fn for_cases(cases: usize) -> Self {
        let cases = cases.max(1) as u64;
        Self {
            rows: (12_000 / cases).clamp(120, 1_500),
            fine_rows: (18_000 / cases).clamp(120, 9_000),
            heat_columns: (3_000 / cases).clamp(60, 240),
            resource_points: (40_000 / cases).clamp(1_000, 12_000),
            partition_points: (240_000 / cases).clamp(12_000, 60_000),
        }
    }
}
