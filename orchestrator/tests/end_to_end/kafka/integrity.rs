//! Records followed by their own numbers, on Apache Kafka: what is written behind the producers' back is found, named and
//! counted to the record, and nothing else is.

use crate::world::{
    EMBEDDED, PATIENCE, RUN, assert_accounts_add_up, cluster_file, metric, sandbox,
};
use serde_json::Value;
use testkit::{kafka, wait};

const ANOMALIES: [&str; 7] = [
    "records.lost",
    "records.not_read",
    "records.duplicated",
    "records.redelivered",
    "records.reordered",
    "records.corrupt",
    "records.misplaced",
];

fn scenario(guarantee: &str, hold: &str) -> String {
    format!(
        "name: followed\n\
         integrity: {guarantee}\n\
         topics: {{orders: {{partitions: 3, replication: 1}}}}\n\
         load: [{{hold: {{rate: 300/s, for: {hold}}}}}, {{drain: {{within: 20s}}}}]\n\
         producers:\n  \
         shop: {{topic: orders, instances: 2, payload: {{size: 200B}}}}\n  \
         till: {{topic: orders, payload: {{template: '{{\"n\": {{{{ sequence }}}}}}'}}, key: {{uniform: 50}}}}\n\
         consumers: {{billing: {{topics: [orders], group: billing, instances: 2}}}}\n"
    )
}

fn found(result: &Value, kind: &str) -> usize {
    let evidence = result["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    evidence.iter().filter(|of| of["anomaly"] == kind).count()
}

#[test]
fn a_sound_broker_keeps_the_strictest_guarantee() {
    let sandbox = sandbox(&scenario("exactly-once", "3s"), EMBEDDED);
    let outcome = sandbox.mallard(RUN);
    let run = sandbox.latest_run();
    run.assert_went_well(&outcome);
    let result = run.only_result();
    assert_accounts_add_up(&result);
    for name in ANOMALIES {
        assert_eq!(metric(&result, name), 0.0, "{name}");
    }
    assert!(result["evidence"].is_null(), "{result:#}");
    // The guarantee stands among what was judged, at its line.
    let judged = result["expectations"].as_array().expect("expectations");
    assert!(judged.iter().any(|e| e["metric"] == "records.duplicated" && e["line"] == 2));
}

#[test]
fn what_is_written_behind_the_producers_back_is_named_and_counted_to_the_record() {
    testkit::require!(kafka);
    let kafka = kafka::shared(3);
    let sandbox = sandbox(&scenario("exactly-once", "25s"), &cluster_file(kafka, 2, ""));
    let mut running = sandbox.spawn(RUN);
    running.wait_for_output("load starts", PATIENCE);
    let id = sandbox.latest_run().id();
    let topic = wait::until("the topic", PATIENCE, || {
        kafka.list_topics().into_iter().find(|name| name.contains(&id))
    });
    kafka.meddle(&topic, 1, [17, 5, 3]);
    let outcome = running.wait(PATIENCE);
    outcome.assert_code(1);
    let result = sandbox.latest_run().only_result();
    let value = |name: &str| metric(&result, name);
    // A copy in another partition is a second copy as well.
    assert_eq!(value("records.duplicated"), 20.0, "{:#}", result["evidence"]);
    assert_eq!(value("records.corrupt"), 5.0);
    assert_eq!(value("records.misplaced"), 3.0);
    for name in ["records.lost", "records.not_read", "records.redelivered", "records.reordered"] {
        assert_eq!(value(name), 0.0, "{name}");
    }
    assert_eq!(found(&result, "duplicated"), 17, "{:#}", result["evidence"]);
    assert_eq!((found(&result, "corrupt"), found(&result, "misplaced")), (5, 3));
    assert_eq!((found(&result, "missing"), found(&result, "reordered")), (0, 0));
    let page = sandbox.latest_run().text("report.html");
    assert!(page.contains("Records with which something is wrong"));
}
