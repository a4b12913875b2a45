//! `mallard check` says what hosts are and what is wrong with them.

use crate::world::{self, NO_KAFKA};
use testkit::lab::Lab;

#[test]
fn check_shows_hosts_brokers_and_what_is_wrong() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(3);
    let kafka = lab.kafka(1);
    let hosts = "  - ssh: {name: 'load-[1-3]'}\ndeadlines: {connect: 15s}";
    let sandbox = world::sandbox(&lab, &kafka.bootstrap(), hosts);
    let left = "mkdir -p ~/.cache/mallard/runs/20250101-000000-old-0000/0-load-1";
    lab.host(1).run(left).assert_code(0);
    let outcome = sandbox.mallard(["check", "c.yaml"]).expect_code(0);
    let row = |name: &str| {
        let rows = outcome.stdout.lines().filter(|line| line.starts_with(name));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    for host in ["load-1", "load-2", "load-3"] {
        let rows = row(host);
        assert_eq!(rows.len(), 2, "{outcome}");
        assert!(rows[0].contains("yes") && rows[0].contains(std::env::consts::ARCH), "{outcome}");
        assert!(rows[0].trim_end().ends_with("1 of 1"), "{outcome}");
        assert!(rows[1].contains(&kafka.bootstrap()) && rows[1].contains('s'), "{outcome}");
    }
    assert!(
        outcome.stdout.contains("load-1: dead runs have left something: 20250101-000000-old-0000")
    );

    lab.host(2).power_off();
    let outcome = sandbox.mallard(["check", "c.yaml"]).expect_code(3);
    assert!(outcome.stdout.contains("error: load-2: connect: it cannot be reached"), "{outcome}");
    assert!(outcome.stdout.lines().any(|line| line.starts_with("load-3  yes")), "{outcome}");
}

#[test]
fn check_fails_where_no_broker_is_reached() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(1);
    let sandbox =
        world::sandbox(&lab, NO_KAFKA, "  - ssh: {name: load-1}\ndeadlines: {topics: 2s}");
    let outcome = sandbox.mallard(["check", "c.yaml"]).expect_code(3);
    assert!(outcome.stdout.contains("error: load-1: it does not reach 127.0.0.1:1"), "{outcome}");
    assert!(outcome.stdout.contains("advertised.listeners"), "{outcome}");
}
