//! What exporters show of a run: everything since its case began, so that whoever asks seldom misses nothing.
//!
//! Invariants: counts are sums of what intervals said, so at the end of a case they are those of its `result.json`. The
//! size follows the plan (producers, consumers, topics, agents) and not how long the run is: the case that runs and
//! the one before it are kept, so that the last figures of a case can still be fetched when the next one has begun.

use super::{
    distribution::{Distribution, as_f64},
    family::{Family, Kind, Sample, Value},
};
use crate::model::{
    events::{RunEvent, TimedEvent},
    figures::IntervalFigures,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Cases that are shown: the one that runs and the one before.
const CASES_SHOWN: usize = 2;

/// The state of a run.
#[derive(Debug, Default)]
pub(super) struct Board {
    run: String,
    cases: VecDeque<CaseBoard>,
    /// Hosts by agent.
    hosts: BTreeMap<String, String>,
    /// Whether the run is over.
    over: bool,
}

/// The state of a case.
#[derive(Debug, Default)]
struct CaseBoard {
    name: String,
    since_ns: u64,
    phase: String,
    /// By producer and topic.
    produced: BTreeMap<(String, String), Produced>,
    /// By consumer and topic.
    consumed: BTreeMap<(String, String), Consumed>,
    /// By side and code.
    errors: BTreeMap<(String, String), u64>,
    /// Lag by consumer.
    lag: BTreeMap<String, u64>,
    agents: BTreeMap<String, Used>,
    target_per_s: Option<f64>,
    not_sent: u64,
    outstanding: u64,
    unreachable: BTreeSet<i32>,
    under_replicated: u64,
    verdict: Option<String>,
    /// By text, once judged.
    expectations: BTreeMap<String, bool>,
}

#[derive(Debug, Default)]
struct Produced {
    scheduled: u64,
    sent: u64,
    acked: u64,
    acked_bytes: u64,
    failed: u64,
    service: Distribution,
    response: Distribution,
    slip: Distribution,
}

#[derive(Debug, Default)]
struct Consumed {
    received: u64,
    received_bytes: u64,
    end_to_end: Distribution,
}

/// What an agent used in the last interval.
#[derive(Debug, Default)]
struct Used {
    cpu_cores: f64,
    busiest_thread: f64,
    host_cpu: f64,
    memory_bytes: u64,
}

impl Board {
    /// Whether the run is over: nothing will change any more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The run's id.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    pub(super) fn take(&mut self, timed: &TimedEvent) {
        match &timed.event {
            RunEvent::RunStarted { run_id, .. } => self.run.clone_from(run_id),
            RunEvent::CaseStarted { case, .. } => {
                let since = timed.at.parse::<Timestamp>().map_or(0, Timestamp::as_nanosecond);
                let since_ns = u64::try_from(since).unwrap_or(0);
                self.case_mut(case).since_ns = since_ns;
            }
            RunEvent::AgentConnected { agent, host, .. } => {
                self.hosts.insert(agent.clone(), host.clone());
            }
            RunEvent::RunFinished { .. } => self.over = true,
            event => {
                if let Some(case) = self.cases.back_mut() {
                    case.take(event);
                }
            }
        }
    }

    pub(super) fn figures(&mut self, interval: IntervalFigures<'_>) {
        self.case_mut(interval.case).add(interval);
    }

    /// The case of a name: the last one, or a new one after it.
    fn case_mut(&mut self, name: &str) -> &mut CaseBoard {
        if self.cases.back().is_none_or(|last| last.name != name) {
            if self.cases.len() >= CASES_SHOWN {
                self.cases.pop_front();
            }
            self.cases.push_back(CaseBoard { name: name.to_owned(), ..CaseBoard::default() });
        }
        let last = self.cases.len() - 1;
        &mut self.cases[last]
    }
}

impl CaseBoard {
    fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::PhaseStarted { phase, .. } => self.phase.clone_from(phase),
            RunEvent::BrokerUnreachable { broker, .. } => drop(self.unreachable.insert(*broker)),
            RunEvent::BrokerBack { broker, .. } => drop(self.unreachable.remove(broker)),
            RunEvent::UnderReplicated { partitions, .. } => self.under_replicated = *partitions,
            RunEvent::AgentLost { agent, .. } => drop(self.agents.remove(agent)),
            RunEvent::CaseFinished { verdict, expectations, .. } => {
                self.phase.clear();
                self.verdict = Some(verdict.as_str().to_owned());
                let judged = expectations.iter().map(|of| (of.text.clone(), of.passed));
                self.expectations = judged.collect();
            }
            _ => {}
        }
    }

    fn add(&mut self, interval: IntervalFigures<'_>) {
        for now in interval.produced {
            let key = (now.producer.clone(), now.topic.clone());
            let all = self.produced.entry(key).or_default();
            all.scheduled += now.scheduled;
            all.sent += now.sent;
            all.acked += now.acked;
            all.acked_bytes += now.acked_bytes;
            all.failed += now.failed;
            all.service.add(&now.service);
            all.response.add(&now.response);
            all.slip.add(&now.slip);
        }
        for now in interval.consumed {
            let key = (now.consumer.clone(), now.topic.clone());
            let all = self.consumed.entry(key).or_default();
            all.received += now.received;
            all.received_bytes += now.received_bytes;
            all.end_to_end.add(&now.end_to_end);
        }
        for error in interval.errors {
            let key = (error.side.clone(), error.code.clone());
            *self.errors.entry(key).or_default() += error.count;
        }
        for lag in interval.lag {
            self.lag.insert(lag.consumer.clone(), lag.lag);
        }
        for used in interval.resources {
            let now = Used {
                cpu_cores: used.cpu_cores,
                busiest_thread: used.busiest_thread_cpu,
                host_cpu: used.host_cpu,
                memory_bytes: used.resident_bytes,
            };
            self.agents.insert(used.agent.clone(), now);
        }
        let row = interval.row;
        (self.target_per_s, self.not_sent, self.outstanding) =
            (row.target_per_s, row.not_sent, row.outstanding);
    }
}

impl Board {
    /// Everything, by name. What cannot be known yet is not there.
    pub(super) fn families(&self) -> Vec<Family<'_>> {
        let mut families = self.totals();
        families.extend(self.latencies());
        families.extend(self.gauges());
        families.extend(self.of_agents());
        families.extend(self.states());
        families.retain(|family| !family.samples.is_empty());
        families
    }

    /// Samples of every case that is shown. Each is made of further labels and a value.
    fn each<'a, I>(&'a self, samples: impl Fn(&'a CaseBoard) -> I) -> Vec<Sample<'a>>
    where
        I: IntoIterator<Item = Labelled<'a>>,
    {
        let of_case = |case: &'a CaseBoard| {
            let (run, since_ns) = (self.run.as_str(), case.since_ns);
            let name = case.name.as_str();
            samples(case).into_iter().map(move |(more, value)| Sample {
                labels: [("run", run), ("case", name)].into_iter().chain(more).collect(),
                value,
                since_ns,
            })
        };
        self.cases.iter().flat_map(of_case).collect()
    }

    fn totals(&self) -> Vec<Family<'_>> {
        let counter = |name, dotted, unit, help, samples| Family {
            name,
            dotted,
            unit,
            help,
            kind: Kind::Counter,
            samples,
        };
        let errors = self.each(|case| {
            let errors = case.errors.iter();
            errors.map(|((side, code), n)| {
                (vec![("side", &**side), ("code", &**code)], Value::Count(*n))
            })
        });
        vec![
            counter(
                "mallard_records_total",
                "mallard.records",
                "{record}",
                "Records since the case began, by what became of them: scheduled, sent, acked, failed, received.",
                self.each(records_of),
            ),
            counter(
                "mallard_bytes_total",
                "mallard.bytes",
                "By",
                "Key and value bytes of the records acknowledged and received.",
                self.each(bytes_of),
            ),
            counter(
                "mallard_errors_total",
                "mallard.errors",
                "{error}",
                "Errors of clients, by the code that librdkafka gives them.",
                errors,
            ),
        ]
    }

    fn latencies(&self) -> Vec<Family<'_>> {
        let of_producers = |name, dotted, help, of: fn(&Produced) -> &Distribution| Family {
            name,
            dotted,
            unit: "s",
            help,
            kind: Kind::Histogram,
            samples: self.each(|case| {
                case.produced.iter().map(move |((producer, topic), produced)| {
                    let labels = vec![("producer", &**producer), ("topic", &**topic)];
                    (labels, Value::Latencies(of(produced)))
                })
            }),
        };
        vec![
            of_producers(
                "mallard_produce_response_seconds",
                "mallard.produce.response",
                "From when a record was due to its acknowledgement.",
                |of| &of.response,
            ),
            of_producers(
                "mallard_produce_service_seconds",
                "mallard.produce.service",
                "From when a record was sent to its acknowledgement.",
                |of| &of.service,
            ),
            of_producers(
                "mallard_produce_slip_seconds",
                "mallard.produce.slip",
                "From when a record was due to when it was sent.",
                |of| &of.slip,
            ),
            Family {
                name: "mallard_end_to_end_seconds",
                dotted: "mallard.end_to_end",
                unit: "s",
                help: "From when a record was due to when it was received.",
                kind: Kind::Histogram,
                samples: self.each(|case| {
                    case.consumed.iter().map(|((consumer, topic), consumed)| {
                        let labels = vec![("consumer", &**consumer), ("topic", &**topic)];
                        (labels, Value::Latencies(&consumed.end_to_end))
                    })
                }),
            },
        ]
    }

    fn gauges(&self) -> Vec<Family<'_>> {
        let of_case = |name, dotted, unit, help, of: fn(&CaseBoard) -> Option<f64>| {
            let samples = self.each(|case| of(case).map(|value| (vec![], Value::Number(value))));
            Family { name, dotted, unit, help, kind: Kind::Gauge, samples }
        };
        let lag = self.each(|case| {
            case.lag.iter().map(|(consumer, lag)| {
                (vec![("consumer", &**consumer)], Value::Number(as_f64(*lag)))
            })
        });
        vec![
            of_case(
                "mallard_target_records_per_second",
                "mallard.target",
                "{record}/s",
                "Rate that the load asks for now; not there in a closed loop.",
                |case| case.target_per_s,
            ),
            of_case(
                "mallard_records_not_sent",
                "mallard.records.not_sent",
                "{record}",
                "Records that are due and not handed to clients yet.",
                |case| Some(as_f64(case.not_sent)),
            ),
            of_case(
                "mallard_records_outstanding",
                "mallard.records.outstanding",
                "{record}",
                "Records that are sent and neither acknowledged nor failed yet.",
                |case| Some(as_f64(case.outstanding)),
            ),
            of_case(
                "mallard_brokers_unreachable",
                "mallard.brokers.unreachable",
                "{broker}",
                "Brokers that cannot be reached now.",
                |case| Some(as_f64(case.unreachable.len() as u64)),
            ),
            of_case(
                "mallard_under_replicated_partitions",
                "mallard.partitions.under_replicated",
                "{partition}",
                "Partitions that lack a replica in sync now.",
                |case| Some(as_f64(case.under_replicated)),
            ),
            Family {
                name: "mallard_consumer_lag_records",
                dotted: "mallard.consumer.lag",
                unit: "{record}",
                help: "Records that a consumer has yet to receive, over its partitions.",
                kind: Kind::Gauge,
                samples: lag,
            },
        ]
    }

    fn of_agents(&self) -> Vec<Family<'_>> {
        let of_agent = |name, dotted, unit, help, of: fn(&Used) -> f64| {
            let samples = self.each(|case| {
                case.agents.iter().map(move |(agent, used)| {
                    let host = self.hosts.get(agent).map_or("", String::as_str);
                    (vec![("agent", &**agent), ("host", host)], Value::Number(of(used)))
                })
            });
            Family { name, dotted, unit, help, kind: Kind::Gauge, samples }
        };
        vec![
            of_agent(
                "mallard_agent_cpu_cores",
                "mallard.agent.cpu",
                "{core}",
                "Cores that an agent uses.",
                |used| used.cpu_cores,
            ),
            of_agent(
                "mallard_agent_busiest_thread_ratio",
                "mallard.agent.busiest_thread",
                "1",
                "Share of a core that an agent's busiest thread uses: near 1 it is saturated.",
                |used| used.busiest_thread,
            ),
            of_agent(
                "mallard_agent_host_cpu_ratio",
                "mallard.agent.host_cpu",
                "1",
                "Share of all cores that is used on an agent's host.",
                |used| used.host_cpu,
            ),
            of_agent(
                "mallard_agent_memory_bytes",
                "mallard.agent.memory",
                "By",
                "Resident memory of an agent.",
                |used| as_f64(used.memory_bytes),
            ),
        ]
    }

    fn states(&self) -> Vec<Family<'_>> {
        let state = |name, dotted, help, samples| Family {
            name,
            dotted,
            unit: "1",
            help,
            kind: Kind::Gauge,
            samples,
        };
        let phases = self.each(|case| {
            let phase = Some(&*case.phase).filter(|phase| !phase.is_empty());
            phase.map(|phase| (vec![("phase", phase)], Value::Number(1.0)))
        });
        let verdicts = self.each(|case| {
            let verdict = case.verdict.as_deref();
            verdict.map(|verdict| (vec![("verdict", verdict)], Value::Number(1.0)))
        });
        let expectations = self.each(|case| {
            case.expectations.iter().map(|(text, holds)| {
                let value = if *holds { 1.0 } else { 0.0 };
                (vec![("expectation", &**text)], Value::Number(value))
            })
        });
        vec![
            state("mallard_phase_info", "mallard.phase", "The phase that runs.", phases),
            state(
                "mallard_verdict_info",
                "mallard.verdict",
                "The verdict, once the case is judged.",
                verdicts,
            ),
            state(
                "mallard_expectation_holds",
                "mallard.expectation",
                "Whether an expectation held, once the case is judged.",
                expectations,
            ),
        ]
    }
}

/// Labels beside those of run and case, and a value.
type Labelled<'a> = (Vec<(&'static str, &'a str)>, Value<'a>);

/// Records of a case by fate.
fn records_of(case: &CaseBoard) -> Vec<Labelled<'_>> {
    let produced = case.produced.iter().flat_map(|((producer, topic), of)| {
        let fates = [
            ("scheduled", of.scheduled),
            ("sent", of.sent),
            ("acked", of.acked),
            ("failed", of.failed),
        ];
        fates.map(|(fate, n)| {
            let labels = vec![("fate", fate), ("producer", &**producer), ("topic", &**topic)];
            (labels, Value::Count(n))
        })
    });
    let consumed = case.consumed.iter().map(|((consumer, topic), of)| {
        let labels = vec![("fate", "received"), ("consumer", &**consumer), ("topic", &**topic)];
        (labels, Value::Count(of.received))
    });
    produced.chain(consumed).collect()
}

/// Bytes of a case by fate.
fn bytes_of(case: &CaseBoard) -> Vec<Labelled<'_>> {
    let produced = case.produced.iter().map(|((producer, topic), of)| {
        let labels = vec![("fate", "acked"), ("producer", &**producer), ("topic", &**topic)];
        (labels, Value::Count(of.acked_bytes))
    });
    let consumed = case.consumed.iter().map(|((consumer, topic), of)| {
        let labels = vec![("fate", "received"), ("consumer", &**consumer), ("topic", &**topic)];
        (labels, Value::Count(of.received_bytes))
    });
    produced.chain(consumed).collect()
}
