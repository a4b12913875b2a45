//! Results that were never measured, for the tests of this room.

use crate::model::result::{
    Accounts, AgentResult, CaseResult, Interpretation, SCHEMA_VERSION, Verdict,
};
use std::collections::BTreeMap;

/// A case's result of two agents on one host, without metrics.
pub(crate) fn result(run_id: &str, case: &str) -> CaseResult {
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let agent = |at: u32| AgentResult {
        name: format!("local-{at}"),
        host: text(&[
            ("hostname", "bench"),
            ("boot_id", "1"),
            ("cores", "2"),
            ("cpu", "EPYC"),
            ("kernel", "6.1"),
            ("memory_bytes", "8589934592"),
        ]),
        instances: vec![format!("shop-{at}")],
        ..AgentResult::default()
    };
    CaseResult {
        evidence: Vec::new(),
        schema_version: SCHEMA_VERSION,
        run_id: run_id.into(),
        scenario: case.into(),
        description: String::new(),
        case: case.into(),
        parameters: BTreeMap::new(),
        started_at: "2026-03-14T14:02:38Z".into(),
        ended_at: "2026-03-14T14:03:04Z".into(),
        load_started_at: Some("2026-03-14T14:02:40Z".into()),
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        warnings: Vec::new(),
        accounts: Accounts::default(),
        accounts_whole: Accounts::default(),
        metrics: BTreeMap::new(),
        expectations: Vec::new(),
        phases: Vec::new(),
        partitions: Vec::new(),
        topics: Vec::new(),
        workloads: BTreeMap::new(),
        agents: vec![agent(1), agent(2)],
        cuts: Vec::new(),
        outages: Vec::new(),
        faults: Vec::new(),
        versions: text(&[("mallard", "0.1.0"), ("librdkafka", "2.12.1")]),
        brokers: text(&[("1", "127.0.0.1:9092")]),
        client_properties: BTreeMap::new(),
        clients_in_effect: BTreeMap::from([(
            "shop".to_owned(),
            text(&[("linger.ms", "5"), ("client.id", "shop-1")]),
        )]),
        closed_loop: false,
        interpretation: Interpretation::default(),
    }
}
