//! Bounds files: a set of thresholds as JSON, in the form that ducktape-style producer tests use.
//!
//! A file has eight keys, all of them ([`KEYS`]). For a run each becomes an expectation like any other,
//! with the file and line it comes from. Rust programs judge figures of their own by [`MetricsBounds`].
//!
//! Invariant: a value equal to its bound holds; only what is strictly beyond it is a violation.

pub(crate) mod choose;
mod file;
mod keys;
pub(crate) mod limits;
#[cfg(test)]
mod tests;

use crate::{
    config::{Diagnostic, Environment, process_environment, render::render, shape::Reader, tidy},
    model::result::MetricValue,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use choose::{CONFIG_VARIABLE, DEFAULT_FILE, Outside, Written};
pub use file::{DEFAULT_ENVIRONMENT_KEY, ENVIRONMENT_VARIABLE};
pub use keys::{KEYS, Key};
pub use limits::{Limit, Limits};

/// Every mistake in a bounds file.
#[must_use]
pub(crate) fn mistakes(path: &Path, environment: Environment<'_>) -> Vec<Diagnostic> {
    let outside = Outside::new(None, environment);
    let mut reader = Reader::default();
    file::read(path, outside.environment.as_deref(), &mut reader);
    tidy(&mut reader.diagnostics);
    reader.diagnostics
}

/// A bounds file that cannot be used: every mistake in it, with line, column and caret.
#[derive(Debug, thiserror::Error)]
#[error("{}", render(.0, false).trim_end())]
pub struct BoundsError(pub Vec<Diagnostic>);

/// The bounds of a file.
///
/// ```
/// use mallard::bounds::MetricsBounds;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("my_bounds.json");
/// # std::fs::write(&path, r#"{
/// #   "min_throughput_msg_per_sec": 1500.0, "max_p95_latency_ms": 1500.0, "max_error_rate": 0.01,
/// #   "min_success_rate": 0.99, "max_p99_latency_ms": 2500.0, "max_memory_growth_mb": 600.0,
/// #   "max_buffer_full_rate": 0.03, "min_messages_per_poll": 15.0 }"#)?;
///
/// let bounds = MetricsBounds::from_config_file(&path)?;
/// assert_eq!(bounds.max_p95_latency_ms, 1500.0);
///
/// // The metrics of a case, as they stand in its `result.json`.
/// let text = r#"{
///     "produce.send_throughput": {"value": 1500.0, "unit": "per_s"},
///     "produce.service.p95": {"value": 1800000.0, "unit": "us"}
/// }"#;
/// let violations = bounds.violations(&serde_json::from_str(text)?);
///
/// // 1500/s is not below 1500/s; what was not measured is not judged.
/// assert_eq!(violations.len(), 1);
/// assert_eq!(violations[0].key, "max_p95_latency_ms");
/// assert_eq!((violations[0].value, violations[0].limit), (1800.0, 1500.0));
/// assert_eq!(violations[0].margin, Some(-0.2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is said by its key in `KEYS`, under the same name")]
pub struct MetricsBounds {
    pub min_throughput_msg_per_sec: f64,
    pub max_p95_latency_ms: f64,
    pub max_error_rate: f64,
    pub min_success_rate: f64,
    pub max_p99_latency_ms: f64,
    pub max_memory_growth_mb: f64,
    pub max_buffer_full_rate: f64,
    pub min_messages_per_poll: f64,
}

/// A value beyond its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The bound's key.
    pub key: &'static str,
    /// The metric that it bounds.
    pub metric: &'static str,
    /// The metric's value, in the key's unit.
    pub value: f64,
    /// The bound, in the same unit.
    pub limit: f64,
    /// How far the value is on the good side, as a share of the bound: negative. None where the bound
    /// is zero.
    pub margin: Option<f64>,
}

impl MetricsBounds {
    /// The bounds of the file that `BENCHMARK_BOUNDS_CONFIG` names, else of `benchmark_bounds.json` in
    /// the working directory.
    ///
    /// ```
    /// use mallard::bounds::MetricsBounds;
    /// # let folder = tempfile::tempdir()?;
    /// # std::env::set_current_dir(&folder)?;
    /// # std::fs::write("benchmark_bounds.json", r#"{
    /// #   "min_throughput_msg_per_sec": 1500.0, "max_p95_latency_ms": 1500.0, "max_error_rate": 0.01,
    /// #   "min_success_rate": 0.99, "max_p99_latency_ms": 2500.0, "max_memory_growth_mb": 600.0,
    /// #   "max_buffer_full_rate": 0.03, "min_messages_per_poll": 15.0 }"#)?;
    ///
    /// // `benchmark_bounds.json` lies in the working directory, and the environment names no other file.
    /// let bounds = MetricsBounds::new()?;
    /// assert_eq!(bounds.min_messages_per_poll, 15.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no sound bounds file.
    pub fn new() -> Result<Self, BoundsError> {
        let outside = Outside::new(None, &process_environment);
        Self::read(&outside.file.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE)))
    }

    /// The bounds of a file. Of one with several environments, those of `BENCHMARK_ENVIRONMENT`, else
    /// of its own `_default_environment`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no sound bounds file.
    pub fn from_config_file(path: impl AsRef<Path>) -> Result<Self, BoundsError> {
        Self::read(path.as_ref())
    }

    fn read(path: &Path) -> Result<Self, BoundsError> {
        let outside = Outside::new(None, &process_environment);
        let mut reader = Reader::default();
        let limits = file::read(path, outside.environment.as_deref(), &mut reader);
        let of = |name: &str| limits.as_ref().and_then(|limits| limits.get(name)).map(|l| l.value);
        let bounds = || {
            Some(Self {
                min_throughput_msg_per_sec: of("min_throughput_msg_per_sec")?,
                max_p95_latency_ms: of("max_p95_latency_ms")?,
                max_error_rate: of("max_error_rate")?,
                min_success_rate: of("min_success_rate")?,
                max_p99_latency_ms: of("max_p99_latency_ms")?,
                max_memory_growth_mb: of("max_memory_growth_mb")?,
                max_buffer_full_rate: of("max_buffer_full_rate")?,
                min_messages_per_poll: of("min_messages_per_poll")?,
            })
        };
        match bounds() {
            Some(bounds) if !reader.has_errors() => Ok(bounds),
            _ => {
                tidy(&mut reader.diagnostics);
                Err(BoundsError(reader.diagnostics))
            }
        }
    }

    /// Which of a case's metrics are beyond their bounds. A metric without a value is not judged.
    #[must_use]
    pub fn violations(&self, metrics: &BTreeMap<String, MetricValue>) -> Vec<Violation> {
        let limits = [
            self.min_throughput_msg_per_sec,
            self.max_p95_latency_ms,
            self.max_error_rate,
            self.min_success_rate,
            self.max_p99_latency_ms,
            self.max_memory_growth_mb,
            self.max_buffer_full_rate,
            self.min_messages_per_poll,
        ];
        let judged = KEYS.iter().zip(limits).filter_map(|(key, limit)| {
            let value = metrics.get(key.metric)?.value? / key.factor;
            let distance = key.comparison.distance(value, limit);
            (!key.comparison.holds(value, limit)).then_some(Violation {
                key: key.name,
                metric: key.metric,
                value,
                limit,
                margin: (limit != 0.0).then(|| distance / limit.abs()),
            })
        });
        judged.collect()
    }
}
