//! A paced loop over Java's client, in `peers/java` of this crate.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};
use testkit::{java, paths, process};

use super::{
    java::JVM,
    peer::{Done, Paced, read_loop, run},
};
use crate::{finished::succeeded, place};

/// The class, and its file.
const CLASS: &str = "PacedProducer";

/// Compiling one file.
const BUILD_WITHIN: Duration = Duration::from_secs(120);

/// The program, built.
#[derive(Clone, Debug)]
pub(crate) struct JavaLoop {
    classes: PathBuf,
}

impl JavaLoop {
    /// Compiles the program.
    pub(crate) fn build() -> Result<Self> {
        let classes = place::results().join("java");
        let source = place::own().join("peers/java").join(CLASS).with_extension("java");
        let java = java::launcher().context("no java")?;
        let java = java.canonicalize().context("no java")?;
        let mut compiler = Command::new(java.with_file_name("javac"));
        compiler.arg("-cp").arg(paths::kafka_libs().join("*"));
        compiler.args(["-Xlint:all", "-Werror", "-proc:none", "-d"]).arg(&classes).arg(source);
        succeeded(process::run(&mut compiler, BUILD_WITHIN))?;
        Ok(Self { classes })
    }

    /// Produces at a rate with the client's defaults, and measures latency.
    pub(crate) fn produce(&self, order: &Paced<'_>) -> Result<Done> {
        let mut path = self.classes.clone().into_os_string();
        path.push(":");
        path.push(paths::kafka_libs().join("*"));
        let mut command = Command::new(java::launcher().context("no java")?);
        command.args(JVM).arg("-cp").arg(path).arg(CLASS).arg(order.access.java_file());
        command.arg(order.topic);
        let numbers =
            [order.value_bytes.into(), order.rate_per_s.into(), order.warm_up_s, order.seconds];
        command.args(numbers.map(|number: u64| number.to_string()));
        command.args(order.client.iter().map(|(key, value)| format!("{key}={value}")));
        read_loop(&run(&mut command)?)
    }
}
