//! The shipped scenarios load, and make the plans that they promise.

use mallard::{
    load::{self, cluster::Cluster, render::render},
    plan::{PlanOptions, plan},
};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cluster() -> Cluster {
    load::cluster_file(&root().join("cluster.yaml"), &|_| None)
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

fn planned(scenario: &str) -> mallard::plan::Plan {
    let path = root().join("scenarios").join(scenario);
    load::scenario_files(&[path], &|_| None)
        .and_then(|(scenarios, _)| plan(&scenarios, &cluster(), &PlanOptions::new("run-1")))
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

#[test]
fn the_quickstart_takes_about_twenty_seconds() {
    let plan = planned("quickstart.yaml");
    assert_eq!(plan.warnings, []);
    assert_eq!(plan.name, "quickstart");
    let [case] = &plan.cases[..] else { panic!("one case") };
    assert_eq!(case.name, "quickstart");
    let phases: Vec<_> = case.timeline.0.iter().map(|p| (&*p.name, p.end_us)).collect();
    assert_eq!(
        phases,
        [
            ("warm-up", 2_000_000),
            ("hold", 10_000_000),
            ("burst", 16_000_000),
            ("drain", 26_000_000)
        ]
    );
    let producers: Vec<_> = case.agents.iter().flat_map(|a| &a.producers).collect();
    assert_eq!(producers.len(), 2);
    assert_eq!(producers[0].schedule.total(), 2_000 * 16 + 2_000 * 2);
    assert_eq!(case.topics[0].name, "orders-run-1-1");
    assert_eq!(case.expectations.len(), 5);
}
