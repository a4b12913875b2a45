//! Laws of planning: nothing is lost, nothing is doubled, whatever the scenario and the cluster.

use mallard::{
    config::{render::render, source::Source},
    plan::{CasePlan, Plan, PlanOptions, case_names, plan},
    scenario,
    scenario::{LoadedScenario, cluster::Cluster},
};
use mallard_protocol::{
    schedule::{Cursor, Pace},
    workload::{Membership, Partitioning, StampPlace},
};
use proptest::prelude::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn cluster(text: &str) -> Cluster {
    scenario::cluster::from_source(&Source::new("cluster.yaml", text), &nothing)
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

fn loaded(text: &str) -> LoadedScenario {
    LoadedScenario::from_source(&Source::new("x.yaml", text), &nothing)
        .unwrap_or_else(|mistakes| panic!("{}", render(&mistakes, false)))
}

fn planned(text: &str, on: &Cluster) -> Plan {
    plan(&[loaded(text)], on, &PlanOptions::new("run-1"))
        .unwrap_or_else(|mistakes| panic!("{text}\n{}", render(&mistakes, false)))
}

/// Agents with what they have, in short: `local-1: b shop-1 billing-2`.
fn placement(case: &CasePlan) -> Vec<String> {
    let short = |agent: &mallard::plan::AgentPlan| {
        let mut words = vec![format!("{}:", agent.name)];
        words.extend(agent.carries_broker.then(|| "broker".to_owned()));
        words.extend(agent.producers.iter().map(|producer| producer.name.clone()));
        words.extend(agent.consumers.iter().map(|consumer| consumer.name.clone()));
        words.join(" ")
    };
    case.agents.iter().map(short).collect()
}

const HEAD: &str = "name: x\ntopics: {t: {partitions: 6}, u: {partitions: 3}}\n";

#[test]
fn the_agent_with_the_broker_gets_less() {
    let text = format!(
        "{HEAD}load: [hold: {{rate: 100/s, for: 1s}}]\nproducers: {{p: {{topic: t, instances: 2, payload: {{size: 1KiB}}}}}}\nconsumers: {{c: {{topics: [t], instances: 2}}}}\n"
    );
    let embedded = cluster("kafka: embedded\nhosts: [local: {agents: 2}]\n");
    let plan = planned(&text, &embedded);
    assert_eq!(placement(&plan.cases[0]), ["local-1: broker c-1", "local-2: p-1 p-2 c-2"]);
    let external = cluster("kafka: {bootstrap: \"b:1\"}\nhosts: [local: {agents: 2}]\n");
    let plan = planned(&text, &external);
    assert_eq!(placement(&plan.cases[0]), ["local-1: p-1 c-1", "local-2: p-2 c-2"]);
}

#[test]
fn partitions_are_left_to_a_client_that_has_something_to_choose_them_by() {
    let text = format!(
        "{HEAD}load: [hold: {{rate: 100/s, for: 1s}}]\nproducers:\n  \
         plain: {{topic: t, payload: {{size: 1KiB}}}}\n  \
         keyed: {{topic: t, payload: {{size: 1KiB}}, key: {{uniform: 9}}}}\n  \
         told: {{topic: t, payload: {{size: 1KiB}}, client: {{partitioner: random}}}}\n  \
         own: {{topic: t, payload: {{size: 1KiB}}, partitioning: client}}\n"
    );
    let partitionings = |kafka: &str| {
        let plan = planned(&text, &cluster(&format!("kafka: {kafka}\nhosts: [local: {{}}]\n")));
        let producers = plan.cases[0].agents.iter().flat_map(|agent| &agent.producers);
        let named = producers.map(|spec| (spec.name.clone(), spec.partitioning.clone()));
        named.collect::<std::collections::BTreeMap<_, _>>()
    };
    let of = |all: &std::collections::BTreeMap<String, Partitioning>| {
        ["plain-1", "keyed-1", "told-1", "own-1"].map(|name| all[name].clone())
    };
    use Partitioning::{Client, Sticky};
    assert_eq!(of(&partitionings("{bootstrap: \"b:1\"}")), [Sticky, Client, Client, Client]);
    let everywhere = "{bootstrap: \"b:1\", client: {partitioner: random}}";
    assert_eq!(of(&partitionings(everywhere)), [Client, Client, Client, Client]);
}

#[test]
fn labels_and_hosts_and_partitions_decide_where_and_how_many() {
    let on = cluster(
        "kafka: {bootstrap: \"b:1\"}\nhosts:\n  - local: {agents: 2, labels: [a]}\n  - local: {labels: [b]}\n  - local: {agents: 3, labels: [a, b]}\n",
    );
    let text = format!(
        "{HEAD}load: [hold: {{rate: 100/s, for: 1s}}]\nproducers:\n  \
         one: {{topic: t, instances: per-host, payload: {{size: 1KiB}}}}\n  \
         both: {{topic: t, instances: per-host, on: [a, b], payload: {{size: 1KiB}}}}\n  \
         each: {{topic: u, instances: per-partition, on: [b], payload: {{size: 1KiB}}}}\nconsumers:\n  \
         all: {{topics: [t], assign: all, instances: 4}}\n  c: {{topics: [u], instances: per-partition}}\n"
    );
    let plan = planned(&text, &on);
    let case = &plan.cases[0];
    let names =
        |agent: usize| case.agents[agent].producers.iter().map(|p| &*p.name).collect::<Vec<_>>();
    let of = |name: &str| {
        (0..6).filter(|a| names(*a).iter().any(|n| n.starts_with(name))).collect::<Vec<_>>()
    };
    assert_eq!(of("one-"), [0, 2, 3]);
    assert_eq!(of("both-").len(), 1);
    assert!(of("each-").iter().all(|agent| *agent >= 2));
    let fixed =
        case.agents.iter().flat_map(|a| &a.producers).filter(|p| p.name.starts_with("each-"));
    let mut fixed: Vec<_> = fixed.map(|p| p.partitioning.clone()).collect();
    fixed.sort_by_key(|p| format!("{p:?}"));
    assert_eq!(fixed, [0, 1, 2].map(|p| Partitioning::Fixed(vec![p])));
    let assigned =
        case.agents.iter().flat_map(|a| &a.consumers).filter_map(|c| match &c.membership {
            Membership::Assigned(partitions) => Some(partitions.clone()),
            Membership::Group(_) => None,
        });
    let mut assigned: Vec<_> = assigned.flatten().collect();
    assigned.sort_unstable();
    assert_eq!(assigned, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn topics_and_groups_carry_the_run_unless_they_are_the_users() {
    let on = cluster("kafka: {bootstrap: \"b:1\"}\nhosts: [local: {}]\n");
    let text = "name: x\ntopics: {own: {}, theirs: {existing: true}}\nload: [pause: {for: 1s}]\nconsumers:\n  \
        a: {topics: [own], from: earliest}\n  b: {topics: [theirs, own], group: their-group, from: earliest}\n";
    let options = PlanOptions { repeat: 2, ..PlanOptions::new("20260101-x") };
    let plan = plan(&[loaded(text)], &on, &options).unwrap();
    let names: Vec<_> = plan.cases.iter().map(|case| &*case.name).collect();
    assert_eq!(names, ["x+1", "x+2"]);
    for (number, case) in (1..).zip(&plan.cases) {
        assert_eq!(case.topics[0].name, format!("own-20260101-x-{number}"));
        assert_eq!(case.topics[1].name, "theirs");
        let groups = case.agents[0].consumers.iter().map(|c| c.membership.clone());
        let expected = [format!("a-20260101-x-{number}"), "their-group".to_owned()];
        assert_eq!(groups.collect::<Vec<_>>(), expected.map(Membership::Group));
    }
}

#[test]
fn rates_in_bytes_become_records_of_mean_size() {
    let on = cluster("kafka: embedded\nhosts: [local: {}]\n");
    let text = format!(
        "{HEAD}load: [hold: {{rate: 1MB/s, for: 10s}}]\nproducers: {{p: {{topic: t, key: {{uniform: 10}}, payload: {{size: 999B}}}}}}\n"
    );
    let plan = planned(&text, &on);
    let producer = &plan.cases[0].agents[0].producers[0];
    assert_eq!(producer.schedule.total(), 10_000);
}

#[test]
fn stamps_go_where_there_is_room() {
    let on = cluster("kafka: embedded\nhosts: [local: {}]\n");
    let text = format!(
        "{HEAD}load: [hold: {{rate: 3/s, for: 10s}}]\nproducers:\n  a: {{topic: t, payload: {{size: 32}}}}\n  \
         b: {{topic: t, payload: {{size: 31}}}}\n  c: {{topic: t, payload: {{template: \"{{{{ sequence }}}}\"}}}}\n"
    );
    let plan = planned(&text, &on);
    let stamps = plan.cases[0].agents[0].producers.iter().map(|producer| producer.stamp);
    assert_eq!(
        stamps.collect::<Vec<_>>(),
        [StampPlace::Payload, StampPlace::Header, StampPlace::Header]
    );
}

#[test]
fn one_agent_observes_what_consumers_read() {
    let on = cluster("kafka: embedded\nhosts: [local: {agents: 3}]\n");
    let text = format!(
        "{HEAD}load: [hold: {{rate: 3/s, for: 10s}}]\nproducers: {{p: {{topic: t, payload: {{size: 1KiB}}}}}}\nconsumers: {{c: {{topics: [u, t], from: earliest}}, d: {{topics: [t]}}}}\n"
    );
    let plan = planned(&text, &on);
    let case = &plan.cases[0];
    let observed = (0..3).map(|agent| case.assignment(agent, 7, Vec::new()).observes.len());
    assert_eq!(observed.collect::<Vec<_>>(), [2, 0, 0]);
}

#[test]
fn names_of_cases_are_readable_and_safe() {
    let text = "name: x\nparameters: {codec: none}\nmatrix:\n  codec: [none, lz4]\n  rate: [5000/s, 5000-s, ../../etc, '', [1, 2], {a: b}]\nload: [pause: {for: $rate}]\n";
    let names = case_names(&[loaded(text)], &PlanOptions::new("r")).unwrap();
    let names: Vec<_> = names.iter().map(|case| &*case.name).collect();
    assert_eq!(
        names[..6],
        [
            "x@codec=none,rate=5000-s",
            "x@codec=none,rate=5000-s-2",
            "x@codec=none,rate=etc",
            "x@codec=none,rate=4",
            "x@codec=none,rate=1-2",
            "x@codec=none,rate=a-b",
        ]
    );
    assert_eq!(names.len(), 12);
    let pinned =
        PlanOptions { set: vec![("codec".into(), "zstd".into())], ..PlanOptions::new("r") };
    assert_eq!(case_names(&[loaded(text)], &pinned).unwrap().len(), 6);
    let only = PlanOptions { only: vec!["*rate=etc".into()], ..PlanOptions::new("r") };
    assert_eq!(case_names(&[loaded(text)], &only).unwrap().len(), 2);
    let none = PlanOptions { only: vec!["x@codec=lz5,rate=etc".into()], ..PlanOptions::new("r") };
    let mistakes = render(&case_names(&[loaded(text)], &none).unwrap_err(), false);
    assert!(mistakes.contains("did you mean `x@codec=lz4,rate=etc`?"), "{mistakes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_instance_is_placed_once_and_shares_add_up(
        agents in prop::collection::vec(1_u32..4, 1..4),
        embedded: bool,
        producers in prop::collection::vec((1_u32..6, 0.1_f64..10.0), 1..4),
        consumers in prop::collection::vec(1_u32..6, 0..3),
        rate in 1_u32..3_000,
    ) {
        let kafka = if embedded { "embedded" } else { "{bootstrap: \"b:1\"}" };
        let hosts: String = agents.iter().map(|n| format!("  - local: {{agents: {n}}}\n")).collect();
        let on = cluster(&format!("kafka: {kafka}\nhosts:\n{hosts}"));
        let mut text = format!("{HEAD}load:\n  - warm-up: {{rate: {rate}/s, for: 1s}}\n  - ramp: {{from: {rate}/s, to: 1/s, for: 2s}}\nproducers:\n");
        for (index, (count, share)) in producers.iter().enumerate() {
            text.push_str(&format!("  p{index}: {{topic: t, instances: {count}, share: {share:.3}, payload: {{size: 1KiB}}}}\n"));
        }
        if !consumers.is_empty() { text.push_str("consumers:\n"); }
        for (index, count) in consumers.iter().enumerate() {
            text.push_str(&format!("  c{index}: {{topics: [t], instances: {count}}}\n"));
        }
        let plan = planned(&text, &on);
        let case = &plan.cases[0];
        let placed: Vec<_> = case.agents.iter().flat_map(|a| &a.producers).collect();
        let read: Vec<_> = case.agents.iter().flat_map(|a| &a.consumers).collect();

        // Ids count from 0 without a gap, names are unique.
        let mut ids: Vec<_> = placed.iter().map(|p| p.instance.0).chain(read.iter().map(|c| c.instance.0)).collect();
        ids.sort_unstable();
        let total = producers.iter().map(|(n, _)| n).sum::<u32>() + consumers.iter().sum::<u32>();
        prop_assert_eq!(ids, (0..u16::try_from(total).unwrap()).collect::<Vec<_>>());
        let mut names: Vec<_> = placed.iter().map(|p| &p.name).chain(read.iter().map(|c| &c.name)).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), total as usize);

        // Agents differ by one instance at most, the broker counted as one.
        let loads: Vec<_> = case.agents.iter()
            .map(|a| a.producers.len() + a.consumers.len() + usize::from(a.carries_broker)).collect();
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{:?}", loads);

        // At every moment the producers' rates sum to the scenario's.
        let schedules: Vec<_> = placed.iter().filter(|p| p.offset == 0).map(|p| &p.schedule).collect();
        for (at, whole) in [(0, f64::from(rate)), (1_000_000, f64::from(rate)), (2_000_000, (f64::from(rate) + 1.0) / 2.0)] {
            let sum: f64 = schedules.iter().filter_map(|s| s.rate_at(at)).sum();
            prop_assert!((sum - whole).abs() < 1e-6 * whole, "{} is not {}", sum, whole);
        }

        // Instances send their producer's records, each once.
        for (index, (count, _)) in producers.iter().enumerate() {
            let own: Vec<_> = placed.iter().filter(|p| p.name.starts_with(&format!("p{index}-"))).collect();
            prop_assert_eq!(own.len(), *count as usize);
            let mut sent = 0;
            for producer in &own {
                prop_assert_eq!(producer.stride, *count);
                prop_assert!(producer.schedule.segments().iter().all(|s| s.pace != Pace::Max));
                let mut cursor = Cursor::new(&producer.schedule, producer.stride, producer.offset);
                while cursor.peek_us().is_some() { sent += 1; cursor.advance(); }
            }
            prop_assert_eq!(sent, own[0].schedule.total());
        }
    }

    #[test]
    fn names_of_cases_are_unique_and_safe_whatever_the_values(
        values in prop::collection::vec("[a-zA-Z0-9/., =@#ü\"'-]{0,60}", 1..8),
        more in prop::collection::vec("[ab/-]{0,3}", 1..5),
    ) {
        let quoted = |values: &[String]| {
            values.iter().map(|v| serde_json::to_string(v).unwrap()).collect::<Vec<_>>().join(", ")
        };
        let text = format!("name: x\nmatrix: {{a: [{}], b: [{}]}}\nload: []\n", quoted(&values), quoted(&more));
        let names = case_names(&[loaded(&text)], &PlanOptions::new("r")).unwrap();
        prop_assert_eq!(names.len(), values.len() * more.len());
        let mut unique: Vec<_> = names.iter().map(|case| case.name.to_lowercase()).collect();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), names.len());
        for case in &names {
            prop_assert!(case.name.len() <= 200);
            prop_assert!(case.name.chars().all(|c| c.is_ascii_alphanumeric() || "@=,.+%_-".contains(c)), "{}", case.name);
        }
    }
}

#[test]
fn what_librdkafka_refuses_is_shown_where_it_is_written() {
    let on = cluster(
        "kafka: {bootstrap: \"b:1\", client: {ssl.cipher.suites: none}}\nhosts: [local: {}]\n",
    );
    let text = "name: x\nmatrix: {linger: [5, 10]}\ntopics: {t: {}}\nload: [hold: {rate: 1/s, for: 1s}]\nproducers:\n  p:\n    topic: t\n    payload: {size: 1KiB}\n    client: {linger.ms: $linger}\n";
    let plan = planned(text, &on);
    let request: serde_json::Value =
        serde_json::from_str(&plan.property_request().unwrap()).unwrap();
    assert_eq!(request["connection"][1][0], "ssl.cipher.suites");
    assert_eq!(request["clients"][1]["name"], "1/p");
    let report = r#"{"librdkafka": "2", "refused": [
        {"client": "0/p", "key": "linger.ms", "reason": "It is refused."},
        {"client": "1/p", "key": "linger.ms", "reason": "It is refused."},
        {"client": "0/p", "key": "ssl.cipher.suites", "reason": "It is refused."}]}"#;
    let told = render(&plan.property_mistakes(report).unwrap(), false);
    assert!(told.contains("cluster.yaml:1:36") && told.contains("x.yaml:9:14"), "{told}");
    assert!(told.contains("2 errors"), "{told}");
}
