//! Java as a witness: single files of source, run against the jars of the tests' `pom.xml`.
//!
//! What Mallard writes is read back here by the reference implementation of its format, in its own
//! language: `latency.hlog` by HdrHistogram's `HistogramLogReader`, `junit.xml` by Java's
//! validator.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::paths;
use crate::process::{self, Finished};

/// How long a Java program may take; starting and compiling one takes about two seconds.
pub const WITHIN: Duration = Duration::from_secs(90);

/// What makes a short-lived Java program start quickly: no second compiler, no collector threads,
/// no statistics file in `/tmp`.
const QUICK_START: [&str; 3] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"];

/// One line of an interval log, as HdrHistogram's own reader understands it.
#[derive(Debug, Clone, PartialEq)]
pub struct HlogInterval {
    /// The tag, or `None` for an untagged line.
    pub tag: Option<String>,
    /// Start in milliseconds since 1970, or since the log's base time where it has one.
    pub start_ms: i64,
    /// End, in the same clock.
    pub end_ms: i64,
    /// Number of recorded values.
    pub count: u64,
    /// Smallest value, in the unit that was recorded; zero without values.
    pub min: u64,
    /// Mean of the values.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest value.
    pub max: u64,
}

/// The Java launcher: that of `JAVA_HOME`, else the one in `PATH`.
#[must_use]
pub fn launcher() -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    home.filter(|java| java.is_file()).or_else(|| paths::program("java"))
}

/// The major version of the JDK, or `None` where there is no Java or only one without a compiler.
/// Asked once in a test process.
#[must_use]
pub fn version() -> Option<u32> {
    static VERSION: OnceLock<Option<u32>> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let mut describe = Command::new(launcher()?);
        let described = process::run(describe.args(["--describe-module", "jdk.compiler"]), WITHIN);
        // The first line reads `jdk.compiler@17.0.15`.
        let (module, version) = described.stdout.lines().next()?.split_once('@')?;
        (described.code() == Some(0) && module == "jdk.compiler")
            .then(|| version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())?
    })
}

/// A command that starts Java with all jars of the tests on its class path.
///
/// # Panics
///
/// When there is no Java.
#[must_use]
pub fn command() -> Command {
    let java =
        launcher().unwrap_or_else(|| panic!("no java: the test lacks its testkit::require!"));
    let mut command = Command::new(java);
    command.args(options());
    command
}

/// What makes Java start quickly, with all jars of the tests on its class path.
pub(crate) fn options() -> Vec<OsString> {
    let mut options: Vec<OsString> = QUICK_START.map(OsString::from).into();
    let libs = paths::kafka_libs();
    // Made by `testkit/kafka/fetch`. One that does not fit this Java is passed over without a word.
    let archive = libs.with_file_name("classes.jsa");
    if archive.is_file() {
        let mut option = OsString::from("-XX:SharedArchiveFile=");
        option.push(archive);
        options.extend([option, "-Xshare:auto".into(), "-Xlog:disable".into()]);
    }
    options.extend(["-cp".into(), libs.join("*").into()]);
    options
}

/// Compiles and runs one file of Java source, and returns what it printed.
///
/// # Panics
///
/// When it does not end with exit code 0 within [`WITHIN`].
#[track_caller]
#[must_use]
pub fn run_source<A: AsRef<OsStr>>(name: &str, source: &str, args: &[A]) -> Finished {
    try_source(name, source, args).expect_code(0)
}

/// Has the JDK's `keytool` do something with a key store.
///
/// # Panics
///
/// When it is not there, or fails.
#[track_caller]
pub(crate) fn keytool(store: &Path, password: &str, words: &[&str]) {
    let java = launcher().and_then(|java| java.canonicalize().ok());
    let keytool = java.map(|java| java.with_file_name("keytool"));
    let keytool =
        keytool.unwrap_or_else(|| panic!("no java: the test lacks its testkit::require!"));
    let mut command = Command::new(keytool);
    command.args(words).args(["-storetype", "PKCS12", "-storepass", password, "-keystore"]);
    process::run(command.arg(store), WITHIN).assert_code(0);
}

/// Compiles and runs one file of Java source; how it ends is for the caller to judge.
///
/// # Panics
///
/// When it does not end within [`WITHIN`].
#[track_caller]
#[must_use]
pub fn try_source<A: AsRef<OsStr>>(name: &str, source: &str, args: &[A]) -> Finished {
    let folder =
        tempfile::tempdir().unwrap_or_else(|error| panic!("failed to make a folder: {error}"));
    let file = folder.path().join(name);
    fs::write(&file, source).unwrap_or_else(|error| panic!("failed to write {name}: {error}"));
    let mut java = command();
    java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]).arg(&file).args(args);
    process::run(&mut java, WITHIN)
}

/// Reads an interval log with HdrHistogram's own `HistogramLogReader`.
///
/// # Panics
///
/// When the reader refuses the file.
#[track_caller]
#[must_use]
pub fn read_hlog(log: &Path) -> Vec<HlogInterval> {
    let printed = run_source("ReadHlog.java", include_str!("../java/ReadHlog.java"), &[log]);
    let parse = |line: &str| {
        parse_interval(line).unwrap_or_else(|| panic!("ReadHlog printed {line:?}\n{printed}"))
    };
    printed.stdout.lines().map(parse).collect()
}

/// A point of what is pushed by OpenTelemetry's protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpPoint {
    /// The metric; `resource` for what the points are of.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// `gauge`, or how a sum or histogram goes on from one request to the next.
    pub kind: String,
    /// `name=value`, joined by commas, sorted.
    pub labels: String,
    /// The value; of a histogram the count.
    pub value: f64,
    /// Since when, in nanoseconds since 1970.
    pub start_ns: u64,
    /// As of when.
    pub end_ns: u64,
    /// The upper bound of the bucket with a histogram's 99th percentile, in seconds.
    pub p99_s: Option<f64>,
}

impl OtlpPoint {
    /// Whether each request says everything since the start.
    #[must_use]
    pub fn is_cumulative(&self) -> bool {
        self.kind == "AGGREGATION_TEMPORALITY_CUMULATIVE"
    }
}

/// Reads the body of a request by OpenTelemetry's protocol with the classes that are generated from its definition.
///
/// # Panics
///
/// When they refuse it, or know a field of it not.
#[track_caller]
#[must_use]
pub fn read_otlp(body: &[u8]) -> Vec<OtlpPoint> {
    let file = tempfile::NamedTempFile::new();
    let file = file.unwrap_or_else(|error| panic!("failed to make a file: {error}"));
    fs::write(file.path(), body).unwrap_or_else(|error| panic!("failed to write: {error}"));
    let source = include_str!("../java/ReadOtlp.java");
    let printed = run_source("ReadOtlp.java", source, &[file.path()]);
    let parse = |line: &str| {
        parse_point(line).unwrap_or_else(|| panic!("ReadOtlp printed {line:?}\n{printed}"))
    };
    printed.stdout.lines().map(parse).collect()
}

fn parse_point(line: &str) -> Option<OtlpPoint> {
    let fields: Vec<&str> = line.split('\t').collect();
    if let ["resource", labels] = fields.as_slice() {
        return Some(OtlpPoint {
            name: "resource".to_owned(),
            unit: String::new(),
            kind: String::new(),
            labels: (*labels).to_owned(),
            value: 0.0,
            start_ns: 0,
            end_ns: 0,
            p99_s: None,
        });
    }
    let [name, unit, kind, labels, value, start, end, more @ ..] = fields.as_slice() else {
        return None;
    };
    let p99_s = match more {
        [] => None,
        // What the buckets hold is what the point counts.
        [counted, .., p99] if counted == value => Some(p99.parse().ok()?),
        _ => return None,
    };
    Some(OtlpPoint {
        name: (*name).to_owned(),
        unit: (*unit).to_owned(),
        kind: (*kind).to_owned(),
        labels: (*labels).to_owned(),
        value: value.parse().ok()?,
        start_ns: start.parse().ok()?,
        end_ns: end.parse().ok()?,
        p99_s,
    })
}

/// Validates a JUnit report against the schema that this crate holds of the format; see
/// `java/junit.xsd` for its sources.
///
/// # Errors
///
/// Every complaint of the validator, a line each.
pub fn validate_junit(report: &Path) -> Result<(), String> {
    validate_xml(report, include_str!("../java/junit.xsd"))
}

/// Validates an XML file against a schema with Java's own validator.
///
/// # Errors
///
/// Every complaint of the validator, a line each.
pub fn validate_xml(document: &Path, schema: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let xsd = folder.path().join("schema.xsd");
    fs::write(&xsd, schema).map_err(|error| error.to_string())?;
    let source = include_str!("../java/ValidateXml.java");
    let outcome = try_source("ValidateXml.java", source, &[&xsd, document]);
    if outcome.code() == Some(0) { Ok(()) } else { Err(outcome.stdout + &outcome.stderr) }
}

fn parse_interval(line: &str) -> Option<HlogInterval> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [tag, start, end, count, min, mean, p50, p95, p99, p999, max] = fields.as_slice() else {
        return None;
    };
    Some(HlogInterval {
        tag: (!tag.is_empty()).then(|| (*tag).to_owned()),
        start_ms: start.parse().ok()?,
        end_ms: end.parse().ok()?,
        count: count.parse().ok()?,
        min: min.parse().ok()?,
        mean: mean.parse().ok()?,
        p50: p50.parse().ok()?,
        p95: p95.parse().ok()?,
        p99: p99.parse().ok()?,
        p999: p999.parse().ok()?,
        max: max.parse().ok()?,
    })
}
