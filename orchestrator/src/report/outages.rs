//! Outages in words: what a reader of a report sees first.

use crate::{
    model::outage::{BrokerAbsence, LeaderMove, Outage, Silence},
    text::{
        format::{clock, count, duration},
        plural::counted,
    },
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most names that are listed one by one.
const NAMED: usize = 8;

/// Most outages of a case on its page.
const SHOWN: usize = 6;

/// Most stretches without acknowledgements that a headline lists.
const SILENCES: usize = 3;

/// An outage, as the page shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OutageView {
    /// The worst of it, in a sentence.
    pub headline: String,
    /// What goes with it, a sentence each.
    pub facts: Vec<String>,
}

/// Outages in words; `brokers` are the cluster's, address by id.
#[must_use]
pub fn views(outages: &[Outage], brokers: &BTreeMap<String, String>) -> Vec<OutageView> {
    let mut views: Vec<_> = outages.iter().take(SHOWN).map(|of| view(of, brokers)).collect();
    if outages.len() > SHOWN {
        let headline = format!("{} more are in result.json.", outages.len() - SHOWN);
        views.push(OutageView { headline, facts: Vec::new() });
    }
    views
}

fn view(outage: &Outage, brokers: &BTreeMap<String, String>) -> OutageView {
    let mut facts: Vec<_> = outage.brokers.iter().map(|absence| absent(absence, brokers)).collect();
    let headline = match silences(outage) {
        Some(silent) => silent,
        None if facts.is_empty() => String::new(),
        None => facts.remove(0),
    };
    facts.extend(moves(&outage.leaders));
    if outage.under_replicated > 0 {
        let partitions = counted(outage.under_replicated, "partition");
        facts.push(format!("Up to {partitions} lacked a replica in sync."));
    }
    facts.push(records(outage));
    OutageView { headline, facts }
}

/// A line for a chart.
#[must_use]
pub fn line(outage: &Outage) -> String {
    let brokers = outage.brokers.iter().map(|of| {
        let until = of.to_us.map_or_else(|| "the end".to_owned(), clock);
        format!("broker {} unreachable {}–{until} ({})", of.broker, clock(of.from_us), of.cause)
    });
    let silent = silences(outage).map(|text| text.trim_end_matches('.').to_owned());
    silent.into_iter().chain(brokers).collect::<Vec<_>>().join("; ")
}

/// `No acknowledgements from 0:19 to 0:37 (18 s) in orders/0 and orders/3.`
fn silences(outage: &Outage) -> Option<String> {
    let told: Vec<_> = outage.silences.iter().take(SILENCES).map(silence).collect();
    let more: usize = outage.silences.iter().skip(SILENCES).map(|of| of.partitions.len()).sum();
    let more = match more {
        0 => String::new(),
        more => format!("; for less long in {}", counted(more as u64, "partition")),
    };
    (!told.is_empty()).then(|| format!("No acknowledgements {}{more}.", told.join("; ")))
}

fn silence(silence: &Silence) -> String {
    let (from, to) = (clock(silence.from_us), clock(silence.to_us));
    let long = duration(silence.to_us.saturating_sub(silence.from_us));
    let to = if silence.ended { to } else { "the end of the load".to_owned() };
    format!("from {from} to {to} ({long}) in {}", names(&silence.partitions, "partitions"))
}

fn absent(absence: &BrokerAbsence, brokers: &BTreeMap<String, String>) -> String {
    let broker = absence.broker;
    let address =
        brokers.get(&broker.to_string()).map_or_else(String::new, |at| format!(" ({at})"));
    let (from, cause) = (clock(absence.from_us), &absence.cause);
    match absence.to_us {
        Some(to_us) => {
            let long = duration(to_us.saturating_sub(absence.from_us));
            let to = clock(to_us);
            format!(
                "Broker {broker}{address} was unreachable from {from} to {to} ({long}): {cause}."
            )
        }
        None => format!(
            "Broker {broker}{address} was unreachable from {from} to the end of the load: {cause}."
        ),
    }
}

/// Where leaders went, and when they came back, in order.
fn moves(leaders: &[LeaderMove]) -> Option<String> {
    let told = leaders.iter().take(NAMED).map(|moved| {
        let partitions = names(&moved.partitions, "partitions");
        let (from, to) = (broker_word(moved.from), broker_word(moved.to));
        format!("{partitions} from {from} to {to} at {}", clock(moved.at_us))
    });
    let told: Vec<_> = told.collect();
    let more = leaders.len().saturating_sub(told.len());
    let more =
        if more > 0 { format!("; {more} more moves are in the journal") } else { String::new() };
    (!told.is_empty()).then(|| format!("Leaders moved: {}{more}.", told.join("; ")))
}

fn broker_word(id: i32) -> String {
    if id < 0 { "no leader".to_owned() } else { format!("broker {id}") }
}

fn records(outage: &Outage) -> String {
    let late = match outage.late {
        0 => "No record was acknowledged more than 1 s late".to_owned(),
        late => format!(
            "{} acknowledged more than 1 s after they were due (longest wait {})",
            was(late, "record"),
            duration(outage.longest_wait_us)
        ),
    };
    let retried = was(outage.retried, "record");
    let failed = count(outage.failed);
    let recovered = match outage.recovered_after_us {
        _ if outage.late == 0 && outage.failed == 0 => String::new(),
        Some(us) => format!(" Recovered {} after it began.", duration(us)),
        None => " It had not recovered when the load ended.".to_owned(),
    };
    format!("{late}, {retried} sent again, {failed} failed.{recovered}")
}

fn was(number: u64, noun: &str) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(number, noun))
}

/// `orders/0, orders/1 and orders/3`; many are counted.
fn names(names: &[String], noun: &str) -> String {
    match names {
        [] => format!("no {noun}"),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        many => format!("{} {noun} ({}, …)", many.len(), many[..3].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn killed() -> Outage {
        Outage {
            from_us: 18 * SECOND_US,
            to_us: 37 * SECOND_US,
            silences: vec![
                Silence {
                    from_us: 19 * SECOND_US,
                    to_us: 37 * SECOND_US,
                    ended: true,
                    partitions: vec!["orders/0".to_owned(), "orders/3".to_owned()],
                },
                Silence {
                    from_us: 19 * SECOND_US,
                    to_us: 28 * SECOND_US,
                    ended: true,
                    partitions: vec!["orders/1".to_owned()],
                },
            ],
            brokers: vec![BrokerAbsence {
                broker: 2,
                from_us: 18 * SECOND_US,
                to_us: Some(33 * SECOND_US),
                cause: "connection refused".to_owned(),
            }],
            leaders: vec![LeaderMove {
                at_us: 28 * SECOND_US,
                from: 2,
                to: 1,
                partitions: vec!["orders/0".to_owned()],
            }],
            under_replicated: 6,
            longest_wait_us: 18_200_000,
            late: 5_600,
            retried: 12,
            failed: 0,
            recovered_after_us: Some(20 * SECOND_US),
        }
    }

    #[test]
    fn an_outage_says_when_where_why_and_what_it_cost() {
        let brokers = BTreeMap::from([("2".to_owned(), "127.0.0.1:9093".to_owned())]);
        let view = view(&killed(), &brokers);
        let plain = |text: &String| text.replace('\u{a0}', " ");
        assert_eq!(
            plain(&view.headline),
            "No acknowledgements from 0:19 to 0:37 (18 s) in orders/0 and orders/3; from 0:19 to \
             0:28 (9 s) in orders/1."
        );
        assert_eq!(
            view.facts.iter().map(plain).collect::<Vec<_>>(),
            [
                "Broker 2 (127.0.0.1:9093) was unreachable from 0:18 to 0:33 (15 s): connection \
                 refused.",
                "Leaders moved: orders/0 from broker 2 to broker 1 at 0:28.",
                "Up to 6 partitions lacked a replica in sync.",
                "5,600 records were acknowledged more than 1 s after they were due (longest wait \
                 18.2 s), 12 records were sent again, 0 failed. Recovered 20 s after it began.",
            ]
        );
    }

    #[test]
    fn a_broker_that_nobody_missed_is_the_headline_itself() {
        let outage = Outage { silences: Vec::new(), late: 0, ..killed() };
        let view = view(&outage, &BTreeMap::new());
        assert!(view.headline.starts_with("Broker 2 was unreachable from 0:18"), "{view:?}");
        assert!(view.facts.last().unwrap().starts_with("No record was"), "{view:?}");
    }
}
