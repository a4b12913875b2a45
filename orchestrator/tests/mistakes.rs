//! What mallard says about mistakes: every file of `mistakes/` beside the text that it makes.
//!
//! `MALLARD_BLESS=1 cargo test -p mallard --test mistakes` writes the texts anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use mallard::{
    config::{Diagnostic, render::render, source::Source, yaml},
    plan::{PlanOptions, plan},
    scenario::{self, file_kind::FileKind},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CLUSTER: &str = "kafka: embedded\nhosts:\n  - local: {agents: 2, labels: [producer]}\n  - local: {labels: [consumer, fast]}\n";

fn environment(name: &str) -> Option<String> {
    (name == "KAFKA_PASSWORD").then(|| "hunter2!".to_owned())
}

fn diagnostics(path: &Path) -> Vec<Diagnostic> {
    let parsed = Source::read(path).ok().and_then(|source| yaml::parse(&source).ok());
    if parsed.is_some_and(|root| scenario::file_kind::kind_of(&root) == FileKind::Cluster) {
        return match scenario::cluster_file(path, &environment) {
            Ok(cluster) => cluster.warnings,
            Err(mistakes) => mistakes,
        };
    }
    let cluster =
        scenario::cluster::from_source(&Source::new("cluster.yaml", CLUSTER), &environment);
    let planned =
        scenario::scenario_files(&[path.to_owned()], &environment).and_then(|(scenarios, _)| {
            plan(&scenarios, &cluster.unwrap(), &PlanOptions::new("20260101-120000-x-0000"))
        });
    match planned {
        Ok(plan) => plan.warnings,
        Err(mistakes) => mistakes,
    }
}

#[test]
fn every_mistake_is_told_as_it_should_be() {
    let folder = Path::new("tests/mistakes");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 20);
    for file in files {
        let told = render(&diagnostics(&file), false);
        assert!(!told.is_empty(), "{}: nothing is told", file.display());
        testkit::snapshot::hold(&file.with_extension("txt"), &told);
    }
}
