//! The archive's tables: a struct is a row, its fields are the columns.

use super::{
    ArchiveError,
    file::{self, Appender},
};
use crate::model::result::{PartitionFate, PartitionResult, Percentiles};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A table that grows with the run. Its header is written with the first rows, so that an empty table
/// is an empty file.
#[derive(Debug)]
pub(super) struct Table {
    file: Appender,
    has_header: bool,
}

impl Table {
    pub(super) fn create(path: PathBuf) -> Result<Self, ArchiveError> {
        Ok(Self { file: Appender::create(path)?, has_header: false })
    }

    /// Appends rows in one write.
    pub(super) fn append<R: Serialize>(&mut self, rows: &[R]) -> Result<(), ArchiveError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lines = lines(self.file.path(), rows, !self.has_header)?;
        self.file.append(&lines)?;
        self.has_header = true;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), ArchiveError> {
        self.file.sync()
    }
}

/// Writes a table that is complete.
pub(super) fn write_whole<R: Serialize>(path: &Path, rows: &[R]) -> Result<(), ArchiveError> {
    file::write_whole(path, &lines(path, rows, true)?)
}

fn lines<R: Serialize>(path: &Path, rows: &[R], header: bool) -> Result<Vec<u8>, ArchiveError> {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| ArchiveError::encode(path, error))?;
    }
    writer.into_inner().map_err(|error| ArchiveError::encode(path, error))
}

/// A row of `partitions.csv`: [`PartitionResult`] with its percentiles as columns.
#[derive(Serialize)]
pub(super) struct PartitionLine<'a> {
    topic: &'a str,
    partition: i32,
    acked: u64,
    acked_bytes: u64,
    failed: u64,
    received: u64,
    received_bytes: u64,
    lost: Option<u64>,
    acked_whole: Option<u64>,
    received_whole: Option<u64>,
    unexpected: Option<u64>,
    lost_unread: Option<u64>,
    not_read: Option<u64>,
    expired: Option<u64>,
    compacted: Option<u64>,
    unaccounted: Option<u64>,
    log_start_offset: Option<i64>,
    position: Option<i64>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    lag_max: Option<u64>,
    lag_end: Option<u64>,
    service_count: u64,
    service_mean_us: Option<f64>,
    service_p50_us: Option<u64>,
    service_p90_us: Option<u64>,
    service_p95_us: Option<u64>,
    service_p99_us: Option<u64>,
    service_p999_us: Option<u64>,
    service_max_us: Option<u64>,
    response_count: u64,
    response_mean_us: Option<f64>,
    response_p50_us: Option<u64>,
    response_p90_us: Option<u64>,
    response_p95_us: Option<u64>,
    response_p99_us: Option<u64>,
    response_p999_us: Option<u64>,
    response_max_us: Option<u64>,
    end_to_end_count: u64,
    end_to_end_mean_us: Option<f64>,
    end_to_end_p50_us: Option<u64>,
    end_to_end_p90_us: Option<u64>,
    end_to_end_p95_us: Option<u64>,
    end_to_end_p99_us: Option<u64>,
    end_to_end_p999_us: Option<u64>,
    end_to_end_max_us: Option<u64>,
}

impl<'a> From<&'a PartitionResult> for PartitionLine<'a> {
    fn from(of: &'a PartitionResult) -> Self {
        let PartitionResult { service, response, end_to_end, .. } = of;
        let fate = |part: fn(&PartitionFate) -> u64| of.fate.as_ref().map(part);
        let columns =
            |p: &Percentiles| (p.count, p.mean, [p.p50, p.p90, p.p95, p.p99, p.p999, p.max]);
        let (service_count, service_mean_us, service) = columns(service);
        let (response_count, response_mean_us, response) = columns(response);
        let (end_to_end_count, end_to_end_mean_us, end_to_end) = columns(end_to_end);
        Self {
            topic: &of.topic,
            partition: of.partition,
            acked: of.acked,
            acked_bytes: of.acked_bytes,
            failed: of.failed,
            received: of.received,
            received_bytes: of.received_bytes,
            lost: of.lost,
            acked_whole: fate(|fate| fate.acked),
            received_whole: fate(|fate| fate.received),
            unexpected: fate(|fate| fate.unexpected),
            lost_unread: fate(|fate| fate.lost_unread),
            not_read: fate(|fate| fate.not_read),
            expired: fate(|fate| fate.expired),
            compacted: fate(|fate| fate.compacted),
            unaccounted: fate(|fate| fate.unaccounted),
            log_start_offset: of.fate.as_ref().and_then(|fate| fate.log_start_offset),
            position: of.fate.as_ref().and_then(|fate| fate.position),
            start_offset: of.start_offset,
            end_offset: of.end_offset,
            lag_max: of.lag_max,
            lag_end: of.lag_end,
            service_count,
            service_mean_us,
            service_p50_us: service[0],
            service_p90_us: service[1],
            service_p95_us: service[2],
            service_p99_us: service[3],
            service_p999_us: service[4],
            service_max_us: service[5],
            response_count,
            response_mean_us,
            response_p50_us: response[0],
            response_p90_us: response[1],
            response_p95_us: response[2],
            response_p99_us: response[3],
            response_p999_us: response[4],
            response_max_us: response[5],
            end_to_end_count,
            end_to_end_mean_us,
            end_to_end_p50_us: end_to_end[0],
            end_to_end_p90_us: end_to_end[1],
            end_to_end_p95_us: end_to_end[2],
            end_to_end_p99_us: end_to_end[3],
            end_to_end_p999_us: end_to_end[4],
            end_to_end_max_us: end_to_end[5],
        }
    }
}
