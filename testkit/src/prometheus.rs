//! A real Prometheus that scrapes one target.

use crate::{
    http, paths,
    process::{self, Running},
    wait,
};
use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// How long it may take to start.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// A Prometheus on a port of the loopback, until it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _running: Running,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes a port of the loopback every second. Native histograms are a feature that has to be
    /// switched on; without it everything is asked for as text.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    #[must_use]
    pub fn scraping(port: u16, native_histograms: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("mallard-test-prometheus-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("failed to make a folder: {error}"));
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: mallard, static_configs: [{{targets: [\"127.0.0.1:{port}\"]}}]}}]\n"
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap_or_else(|error| panic!("failed to write: {error}"));
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, http::free_port()).into();
        let program = paths::program("prometheus")
            .unwrap_or_else(|| panic!("no prometheus: the test lacks its testkit::require!"));
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        if native_histograms {
            command.arg("--enable-feature=native-histograms");
        }
        let running = process::start(&mut command);
        let prometheus = Self { address, _running: running, _folder: folder };
        // It begins to scrape some seconds after it says that it is ready, and the first scrape must see no record.
        wait::until("Prometheus to scrape", STARTED_WITHIN, || {
            let targets = http::get(address, "/api/v1/targets", &[]).ok()?;
            targets.text().contains(r#""health":"down""#).then_some(())
        });
        prometheus
    }

    /// The value of an expression now, which is to be one figure; `None` where there is none.
    ///
    /// # Panics
    ///
    /// When the expression is refused, or has several values.
    #[track_caller]
    #[must_use]
    pub fn value(&self, expression: &str) -> Option<f64> {
        let found = self.ask("query", expression, "");
        let results = found["result"].as_array().cloned().unwrap_or_default();
        assert!(results.len() <= 1, "{expression} has several values: {found:#}");
        results.first()?["value"][1].as_str()?.parse().ok()
    }

    /// The series of an expression over a range of times in seconds since 1970, each of its labels and values.
    ///
    /// # Panics
    ///
    /// When the expression is refused.
    #[track_caller]
    #[must_use]
    pub fn series(&self, expression: &str, from_s: f64, to_s: f64) -> Vec<Value> {
        let range = format!("&start={from_s}&end={to_s}&step=1");
        let found = self.ask("query_range", expression, &range);
        found["result"].as_array().cloned().unwrap_or_default()
    }

    #[track_caller]
    fn ask(&self, how: &str, expression: &str, more: &str) -> Value {
        let mut encoded = String::new();
        for byte in expression.bytes() {
            let _ = write!(encoded, "%{byte:02X}");
        }
        let path = format!("/api/v1/{how}?query={encoded}{more}");
        let answer = http::get(self.address, &path, &[]);
        let answer = answer.unwrap_or_else(|error| panic!("Prometheus does not answer: {error}"));
        let mut found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert_eq!(found["status"], "success", "{expression}: {}", answer.text());
        found["data"].take()
    }
}
