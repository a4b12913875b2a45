//! The archive: what a run leaves on disk, and the only thing that reports are made from.
//!
//! ```text
//! results/<run id>/
//!   run.json  events.jsonl  junit.xml  report.html
//!   order.json               what was asked for, so that `mallard resume` can ask for it again
//!   lock                     held while a controller runs this
//!   cases/<case>/
//!     result.json            model::CaseResult
//!     series.csv             model::SeriesRow, one an interval, appended while the case runs
//!     resources.csv          model::ResourceRow, one an agent and interval (10 s after two hours)
//!     errors.csv             model::ErrorRow, one an interval and code
//!     lag.csv                model::LagRow, one a consumer group and interval
//!     partitions.csv         model::PartitionResult, one a topic-partition
//!     partition_series.csv   model::PartitionSeriesRow, at most 120 points a partition
//!     latency.hlog           HdrHistogram interval log; tags service, response, end_to_end, slip
//!     totals.hlog            the same tags, one line each: the measured phases as a whole
//!     scenario.yaml  cluster.yaml
//!     checkpoint.json        what a controller that takes over has to know; gone once judged
//!     agents/<agent>/agent.log.gz
//!     brokers/<broker>.log.gz    of brokers in containers
//!     agents/<agent>/intervals   every report of the agent, each deflated: what the rest is made of; gone
//!                                once judged where all agents' take more than the scenario keeps
//! ```
//!
//! Invariant: a file that is written at the end is written under a temporary name and renamed; a file
//! that grows during the run holds whole lines only.

mod case_folder;
mod csv;
mod error;
mod file;
pub mod hlog;
mod inflate;
pub mod intervals;
pub mod journal;
mod link;
mod lock;
mod log;
pub mod read;
mod redact;
mod run_folder;
mod thin_out;

pub use case_folder::{CaseFolder, read_checkpoint};
pub use error::ArchiveError;
pub use file::write_whole;
pub use hlog::Latencies;
pub use intervals::{IntervalLog, IntervalReader};
pub use link::{link_file, link_tree};
pub use lock::{FILE as LOCK, Holder, Lock, holder};
pub use log::{LogFile, head_and_tail};
pub use run_folder::{RunFolder, check_id, new_id};

#[cfg(test)]
mod tests;
