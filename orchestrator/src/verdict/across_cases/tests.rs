use super::*;
use crate::{
    expect::{Vocabulary, across_cases::*},
    measure::simulate::Shape,
    model::result::{AcrossResult, AgentResult, MetricValue, Tier},
    scenario::cluster::{ContainerPlan, HostPlan, Limits},
};
use std::collections::BTreeMap;

fn axes() -> Vec<Axis> {
    let axis = |name: &str, values: &[&str]| Axis {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![
        axis("codec", &["none", "gzip", "zstd"]),
        axis("size", &["1KiB", "16KiB"]),
        axis("parallelism", &["1", "2", "4"]),
    ]
}

fn read(text: &str) -> Across {
    parse(text, &axes()).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// What is wrong, the part that it is about, and the help.
fn wrong(text: &str) -> (String, String, String) {
    let wrong = parse(text, &axes()).expect_err(text);
    (wrong.message, text[wrong.span].to_owned(), wrong.help.unwrap_or_default())
}

#[test]
fn the_forms_of_the_grammar_are_read() {
    let across = read("produce.acked.bytes_rate at codec=zstd >= 90% of that at codec=none");
    assert_eq!(across.factor, 0.9);
    assert_eq!(across.left, Side::At(vec![("codec".into(), "zstd".into())]));
    assert_eq!(across.right, [("codec".into(), "none".into())]);
    let across = read("produce.response.p99 at every codec <= 1.5 of that at codec=none");
    assert_eq!((across.left, across.factor), (Side::Every("codec".into()), 1.5));
    let two =
        "produce.acked.rate at codec=zstd and size=16KiB > 50% of that at codec=none and size=1KiB";
    assert_eq!(read(two).right.len(), 2);
    let across = read("produce.acked.rate at parallelism=4 >= 80% of linear from parallelism=1");
    assert_eq!(across.linear.as_deref(), Some("parallelism"));
}

#[test]
fn mistakes_have_their_place_and_what_was_meant() {
    let (message, part, help) = wrong("produce.ackd.rate at codec=zstd >= 1 of that at codec=none");
    assert_eq!(
        (&*message, &*part),
        ("there is no metric `produce.ackd.rate`", "produce.ackd.rate")
    );
    assert!(help.contains("produce.acked.rate"), "{help}");
    let (message, part, help) =
        wrong("produce.acked.rate at codek=zstd >= 1 of that at codec=none");
    assert_eq!((&*message, &*part), ("the matrix has no axis `codek`", "codek"));
    assert!(help.contains("did you mean `codec`?"), "{help}");
    let (message, part, help) = wrong("produce.acked.rate at codec=zst >= 1 of that at codec=none");
    assert_eq!((&*message, &*part), ("`codec` has no value `zst`", "zst"));
    assert!(help.contains("did you mean `zstd`?"), "{help}");
    let (message, part, _) =
        wrong("produce.acked.rate at codec=zstd >= fast of that at codec=none");
    assert_eq!((&*message, &*part), ("`fast` is not a factor", "fast"));
    let (message, part, _) = wrong("produce.acked.rate codec=zstd");
    assert_eq!((&*message, &*part), ("expected `at`, found `codec`", "codec"));
    assert!(wrong("produce.acked.rate at codec=zstd >= 90%").0.contains("found nothing"));
    let (_, part, _) = wrong("produce.acked.rate at codec=gzip > 1 of that at codec=none or so");
    assert_eq!(part, "or so");
}

#[test]
fn sides_that_do_not_belong_together_are_refused() {
    for text in [
        "produce.acked.rate at codec=zstd > 1 of that at codec=zstd",
        "produce.acked.rate at codec=zstd > 1 of that at size=1KiB",
        "produce.acked.rate at every codec > 1 of that at size=1KiB",
        "produce.acked.rate at codec=zstd and size=1KiB > 1 of that at codec=none",
        "produce.acked.rate at codec=zstd > 80% of linear from codec=none",
        "produce.acked.rate at parallelism=2 and size=1KiB > 1 of linear from parallelism=1 and size=1KiB",
    ] {
        assert!(!wrong(text).0.is_empty());
    }
}

#[test]
fn a_metric_that_a_case_cannot_produce_is_refused_with_the_reason() {
    let text = "end_to_end.p95 at codec=zstd <= 1.5 of that at codec=none";
    let sending = Vocabulary { producers: vec!["shop".into()], ..Vocabulary::default() };
    let wrong = check_produced(text, &sending).unwrap_err();
    assert!(wrong.message.ends_with("it has no consumers"), "{}", wrong.message);
    assert_eq!(&text[wrong.span], "end_to_end.p95");
    let both = Vocabulary { consumers: vec!["flink".into()], has_end_to_end: true, ..sending };
    assert_eq!(check_produced(text, &both), Ok(()));
}

/// Cases over codec and size, one for each combination, and their outcomes with these rates.
fn outcomes(rates: &[(&str, &str, Option<f64>)]) -> Vec<CaseOutcome> {
    let outcome = |(codec, size, rate): &(&str, &str, Option<f64>)| CaseOutcome {
        name: format!("x@codec={codec},size={size}"),
        parameters: BTreeMap::from([
            ("codec".to_owned(), (*codec).to_owned()),
            ("size".to_owned(), (*size).to_owned()),
        ]),
        metrics: rate.map(|rate| {
            let value = MetricValue { value: Some(rate), unit: "per_s".into(), uncertainty: None };
            BTreeMap::from([("produce.acked.rate".to_owned(), value)])
        }),
        ..CaseOutcome::default()
    };
    rates.iter().map(outcome).collect()
}

fn judged(text: &str, outcomes: &[CaseOutcome]) -> Vec<AcrossResult> {
    let expectation = read(text);
    let candidates = outcomes.iter().enumerate();
    let candidates: Vec<_> =
        candidates.map(|(index, case)| Candidate { index, parameters: &case.parameters }).collect();
    let pairs = pairs(&expectation, &candidates);
    judge(&[AcrossPlan { scenario: "x".into(), expectation, pairs }], outcomes)
}

#[test]
fn axes_that_nobody_names_are_the_same_on_both_sides() {
    let cases = outcomes(&[
        ("none", "1KiB", Some(1000.0)),
        ("none", "16KiB", Some(100.0)),
        ("zstd", "1KiB", Some(950.0)),
        ("zstd", "16KiB", Some(80.0)),
    ]);
    let results = judged("produce.acked.rate at codec=zstd >= 90% of that at codec=none", &cases);
    let short: Vec<_> = results.iter().map(|r| (&*r.case, &*r.reference, r.passed)).collect();
    let expected = [
        ("x@codec=zstd,size=1KiB", "x@codec=none,size=1KiB", true),
        ("x@codec=zstd,size=16KiB", "x@codec=none,size=16KiB", false),
    ];
    assert_eq!(short, expected);
    assert_eq!(results[1].limit, Some(90.0));
    assert!((results[1].margin.unwrap() + 1.0 / 9.0).abs() < 1e-9, "{:?}", results[1].margin);
    assert!(results[1].sentence.contains("was 80/s in x@codec=zstd,size=16KiB"));
    assert!(results[1].sentence.contains("limit at least 90/s: 90 % of 100/s"));
}

#[test]
fn every_value_but_the_references_is_judged() {
    let cases = outcomes(&[
        ("none", "1KiB", Some(100.0)),
        ("gzip", "1KiB", Some(99.0)),
        ("zstd", "1KiB", Some(50.0)),
    ]);
    let results = judged("produce.acked.rate at every codec >= 90% of that at codec=none", &cases);
    assert_eq!(results.iter().map(|r| r.passed).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_case_that_broke_fails_what_is_said_of_it() {
    let cases = outcomes(&[("none", "1KiB", None), ("zstd", "1KiB", Some(50.0))]);
    let results = judged("produce.acked.rate at codec=zstd >= 1% of that at codec=none", &cases);
    assert!(!results[0].passed && results[0].limit.is_none());
    assert!(results[0].sentence.contains("x@codec=none,size=1KiB has no value of it"));
}

#[test]
fn a_case_that_was_left_out_is_not_judged() {
    let cases = outcomes(&[("zstd", "1KiB", Some(50.0))]);
    assert_eq!(judged("produce.acked.rate at codec=zstd >= 1% of that at codec=none", &cases), []);
}

#[test]
fn repeated_cases_are_held_against_their_own_round() {
    let cases = outcomes(&[
        ("none", "1KiB", Some(100.0)),
        ("none", "1KiB", Some(10.0)),
        ("zstd", "1KiB", Some(100.0)),
        ("zstd", "1KiB", Some(10.0)),
    ]);
    let results = judged("produce.acked.rate at codec=zstd >= 99% of that at codec=none", &cases);
    assert_eq!(
        results.iter().map(|r| r.reference_value).collect::<Vec<_>>(),
        [Some(100.0), Some(10.0)]
    );
}

fn scaled(parallelism: &str, rate: f64, cores: f64) -> CaseOutcome {
    let mut case = outcomes(&[("none", "1KiB", Some(rate))]).remove(0);
    case.parameters = BTreeMap::from([("parallelism".to_owned(), parallelism.to_owned())]);
    case.cores.sending = Some(cores);
    case
}

#[test]
fn scaling_is_linear_up_to_the_cores_there_are() {
    let text = "produce.acked.rate at parallelism=4 >= 80% of linear from parallelism=1";
    let of = |rate, cores| {
        judged(text, &[scaled("1", 100.0, cores), scaled("4", rate, cores)]).remove(0)
    };
    let good = of(330.0, 8.0);
    assert_eq!((good.passed, good.limit, good.tier), (true, Some(320.0), Some(Tier::Good)));
    let poor = of(150.0, 8.0);
    assert_eq!((poor.passed, poor.tier, poor.scaling), (false, Some(Tier::Poor), Some(0.375)));
    // Two cores cannot make four times as much.
    let few = of(170.0, 2.0);
    assert_eq!((few.passed, few.limit), (true, Some(160.0)));
    assert!(few.sentence.contains("times 2 for parallelism (2 cores)"), "{}", few.sentence);
}

/// An agent: what it is there for, and what it tells of its host.
fn agent(
    (host, has_quota): (&str, bool),
    (sends, receives): (bool, bool),
    (kernel, cores): (&str, u32),
) -> (Duty, AgentResult) {
    let facts = [("boot_id", kernel.to_owned()), ("cores", cores.to_string())];
    let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value));
    let result = AgentResult { host: facts.collect(), ..AgentResult::default() };
    (Duty { host: host.to_owned(), has_quota, sends, receives }, result)
}

fn cores<const N: usize>(agents: [(Duty, AgentResult); N]) -> Cores {
    let (duties, results): (Vec<_>, Vec<_>) = agents.into_iter().unzip();
    Cores::new(&duties, &results)
}

#[test]
fn cores_are_those_of_the_hosts_that_do_the_work() {
    let (sends, receives, both) = ((true, false), (false, true), (true, true));
    let apart = cores([
        agent(("load-1", false), sends, ("a", 4)),
        agent(("load-2", false), sends, ("b", 4)),
        agent(("sink", false), receives, ("c", 2)),
    ]);
    let expected = Cores { sending: Some(8.0), receiving: Some(2.0), all: Some(10.0) };
    assert_eq!(apart, expected);
    let together = cores([
        agent(("local", false), both, ("a", 16)),
        agent(("local", false), both, ("a", 16)),
        agent(("idle", false), (false, false), ("b", 64)),
    ]);
    assert_eq!((together.receiving, together.all), (Some(16.0), Some(80.0)));
    assert_eq!(cores([]), Cores::default());
}

#[test]
fn containers_with_quotas_have_cores_of_their_own_on_one_kernel() {
    let container = |host, has_quota, cores| agent((host, has_quota), (false, true), ("a", cores));
    let two = [container("container-1", true, 2), container("container-2", true, 2)];
    assert_eq!(cores(two).receiving, Some(4.0));
    let one = [container("container-1", true, 2), container("container-1", true, 2)];
    assert_eq!(cores(one).receiving, Some(2.0), "two agents of one container");
    let beside = [container("container-1", true, 2), container("container-2", false, 16)];
    assert_eq!(cores(beside).receiving, Some(16.0), "the quota is a part of these");
}

#[test]
fn a_plan_says_what_its_agents_are_there_for() {
    let mut case = Shape { agents: 2, ..Shape::default() }.plan();
    case.agents[0].consumers.clear();
    case.agents[1].producers.clear();
    case.agents[1].host_name = "container-1".to_owned();
    case.agents[1].host = HostPlan::container(ContainerPlan {
        image: "debian:12-slim".to_owned(),
        network: None,
        limits: Limits { nano_cpus: Some(2_000_000_000), memory_bytes: None },
        volumes: Vec::new(),
        env: Vec::new(),
    });
    let duty = |host: &str, has_quota, sends, receives| Duty {
        host: host.to_owned(),
        has_quota,
        sends,
        receives,
    };
    let expected = [duty("local", false, true, false), duty("container-1", true, false, true)];
    assert_eq!(CaseOutcome::planned(&case).duties, expected);
}

#[test]
fn a_scaling_is_limited_by_the_cores_behind_its_metric() {
    let outcome = |parallelism: &str, cores: Cores| CaseOutcome {
        name: format!("x@parallelism={parallelism}"),
        parameters: BTreeMap::from([("parallelism".to_owned(), parallelism.to_owned())]),
        cores,
        ..CaseOutcome::default()
    };
    let cores = Cores { sending: Some(8.0), receiving: Some(2.0), all: Some(10.0) };
    let limits = |metric: &str| {
        let text = format!("{metric} at parallelism=16 >= 100% of linear from parallelism=1");
        let axes = [Axis { name: "parallelism".into(), values: vec!["1".into(), "16".into()] }];
        let expectation = parse(&text, &axes).unwrap();
        let mut cases = [outcome("1", cores), outcome("16", cores)];
        for case in &mut cases {
            let value = MetricValue { value: Some(1.0), unit: String::new(), uncertainty: None };
            case.metrics = Some(BTreeMap::from([(metric.to_owned(), value)]));
        }
        judge(&[AcrossPlan { scenario: "x".into(), expectation, pairs: vec![(1, 0)] }], &cases)
            .remove(0)
            .limit
    };
    assert_eq!(limits("produce.acked.rate"), Some(8.0));
    assert_eq!(limits("pipeline.samples.rate"), Some(2.0));
    assert_eq!(limits("end_to_end.p95"), Some(10.0));
}
