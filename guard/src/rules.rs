//! Rules on packets: which are dropped for a fault, in the words of nft. Pure.
//!
//! They name ports on which brokers listen, and addresses of brokers, and nothing else. Dropping is done where packets
//! arrive, wherever that end may be touched: what is dropped on its way out is told to the sender, which then
//! does not do what it does on a dead wire.

use crate::space::Space;
use mallard_protocol::fault::{Act, Directions};
use std::{collections::BTreeSet, net::IpAddr};

/// Between what is allowed in a second and in one burst. One packet of the loopback has up to 64 KiB.
const BURSTS_PER_S: u64 = 10;
const SMALLEST_BURST: u64 = 128 * 1024;

/// A million.
const WHOLE: u32 = 1_000_000;

/// A broker, as rules see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Its id, where it is known.
    pub(crate) broker: Option<i32>,
    /// Its namespace, if that can be entered.
    pub(crate) space: Option<Space>,
    /// Addresses by which others know it.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// Ports on which it listens.
    pub(crate) ports: BTreeSet<u16>,
}

/// Between whom packets are dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The victim and those on its side.
    pub(crate) near: Vec<Place>,
    /// Brokers on the other side.
    pub(crate) far: Vec<Place>,
    /// Whoever is no broker is on the other side, too.
    pub(crate) clients: bool,
    /// Brokers on neither side.
    pub(crate) rest: Vec<Place>,
}

/// Where packets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Where they arrive.
    Input,
    /// Where they leave.
    Output,
}

impl Hook {
    /// As nft spells it; chains are named so, too.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Which packets, as the victim sees them; chains are named so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the victim.
    To,
    /// From the victim.
    From,
}

impl Way {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::To, Self::From];

    /// As chains are named.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::To => "to_victim",
            Self::From => "from_victim",
        }
    }
}

/// Packets that a fault is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Where.
    pub(crate) space: Space,
    /// At which moment of their way.
    pub(crate) hook: Hook,
    /// Which: a condition of nft.
    pub(crate) which: String,
    /// Where they go from there.
    pub(crate) way: Way,
}

/// What is done to packets that rules have found, and its comment, by which its counter is found.
pub(crate) fn verdicts(act: Act) -> Vec<(&'static str, String)> {
    match act {
        Act::Loss { share_ppm } => vec![
            ("seen", "counter".to_owned()),
            ("dropped", format!("numgen random mod {WHOLE} < {share_ppm} counter drop")),
        ],
        Act::Limit { bytes_per_s } => {
            let burst = (bytes_per_s / BURSTS_PER_S).max(SMALLEST_BURST).min(u64::from(u32::MAX));
            let over = format!("limit rate over {bytes_per_s} bytes/second burst {burst} bytes");
            vec![("seen", "counter".to_owned()), ("dropped", format!("{over} counter drop"))]
        }
        Act::Cut { .. } | Act::Kill { .. } | Act::Pause => {
            vec![("dropped", "counter drop".to_owned())]
        }
    }
}

/// Which packets a fault is about.
///
/// # Errors
/// They cannot be told apart from others.
pub(crate) fn rules(act: Act, places: &Places) -> Result<Vec<Rule>, String> {
    match act {
        Act::Cut { directions } => cut(places, directions),
        _ => Ok(places.near.iter().flat_map(all_of).collect()),
    }
}

/// All packets of a broker's listeners, and of its connections to others' listeners where nobody else is in its
/// namespace.
fn all_of(place: &Place) -> Vec<Rule> {
    let Some(space) = place.space else { return Vec::new() };
    let ports = set(&place.ports);
    let rule =
        |hook, way, which: &str| Rule { space, hook, which: format!("{which} {ports}"), way };
    let mut rules = vec![
        rule(Hook::Input, Way::To, "tcp dport"),
        rule(Hook::Input, Way::From, "iifname \"lo\" tcp sport"),
        rule(Hook::Output, Way::From, "oifname != \"lo\" tcp sport"),
    ];
    if !space.is_own() {
        // Others listen where it does: they came from one image.
        rules.push(rule(Hook::Input, Way::To, "iifname != \"lo\" tcp sport"));
        rules.push(rule(Hook::Output, Way::From, "oifname != \"lo\" tcp dport"));
    }
    rules
}

fn cut(places: &Places, directions: Directions) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for (at, near) in places.near.iter().enumerate() {
        let others = places.near.iter().enumerate().filter(|(other, _)| *other != at);
        let spared: Vec<&Place> = others.map(|(_, place)| place).chain(&places.rest).collect();
        if places.clients {
            if let Some(other) = spared.iter().find(|other| is_shared(near, other)) {
                return Err(mistaken(near, other));
            }
            rules.extend(from_clients(near, &spared));
        }
        for far in &places.far {
            match (is_shared(near, far), places.clients && spared.is_empty()) {
                (false, _) => rules.extend(between(near, far)),
                // Its port is cut off from everyone already.
                (true, true) => {}
                (true, false) => return Err(mistaken(near, far)),
            }
        }
    }
    rules.retain(|rule| match rule.way {
        Way::To => directions.has_to(),
        Way::From => directions.has_from(),
    });
    Ok(rules)
}

fn is_shared(one: &Place, other: &Place) -> bool {
    let spaces = one.space.zip(other.space);
    spaces.is_some_and(|(one, other)| one.is(other)) || !one.addresses.is_disjoint(&other.addresses)
}

fn mistaken(one: &Place, other: &Place) -> String {
    let named = |place: &Place| place.broker.map_or("a broker".into(), |id| format!("broker {id}"));
    let (one, other) = (named(one), named(other));
    format!(
        "{one} and {other} have one address, so packets of one cannot be told apart from those of the other and of \
         clients; `between: [{one}, everyone]` cuts off the ports of {one}"
    )
}

/// Packets between a broker and whoever is not spared.
fn from_clients(near: &Place, spared: &[&Place]) -> Vec<Rule> {
    let Some(space) = near.space else { return Vec::new() };
    let ports = set(&near.ports);
    let spared: BTreeSet<IpAddr> =
        spared.iter().flat_map(|place| place.addresses.iter().copied()).collect();
    let rule = |hook, way, which: String| Rule { space, hook, which, way };
    let mut rules = Vec::new();
    for from in unless("saddr", &spared) {
        rules.push(rule(Hook::Input, Way::To, format!("{from}tcp dport {ports}")));
    }
    for to in unless("daddr", &spared) {
        rules.push(rule(Hook::Input, Way::From, format!("iifname \"lo\" {to}tcp sport {ports}")));
        rules.push(rule(
            Hook::Output,
            Way::From,
            format!("oifname != \"lo\" {to}tcp sport {ports}"),
        ));
    }
    rules
}

/// Packets between two brokers, whoever has opened the connection.
fn between(near: &Place, far: &Place) -> Vec<Rule> {
    let mut rules = arriving(far, near, Way::To);
    rules.extend(match far.space {
        Some(_) => arriving(near, far, Way::From),
        None => leaving(near, far),
    });
    rules
}

fn arriving(from: &Place, at: &Place, way: Way) -> Vec<Rule> {
    let Some(space) = at.space else { return Vec::new() };
    let (requests, answers) = (set(&at.ports), set(&from.ports));
    let mut rules = Vec::new();
    for source in those("saddr", &from.addresses) {
        for which in [format!("tcp dport {requests}"), format!("tcp sport {answers}")] {
            rules.push(Rule { space, hook: Hook::Input, which: format!("{source} {which}"), way });
        }
    }
    rules
}

fn leaving(from: &Place, to: &Place) -> Vec<Rule> {
    let Some(space) = from.space else { return Vec::new() };
    let (requests, answers) = (set(&to.ports), set(&from.ports));
    let mut rules = Vec::new();
    for target in those("daddr", &to.addresses) {
        for which in [format!("tcp dport {requests}"), format!("tcp sport {answers}")] {
            let which = format!("{target} {which}");
            rules.push(Rule { space, hook: Hook::Output, which, way: Way::From });
        }
    }
    rules
}

fn set<T: ToString>(of: &BTreeSet<T>) -> String {
    let all: Vec<String> = of.iter().map(ToString::to_string).collect();
    format!("{{ {} }}", all.join(", "))
}

fn families(of: &BTreeSet<IpAddr>) -> [(&'static str, &'static str, BTreeSet<IpAddr>); 2] {
    let only = |four: bool| of.iter().copied().filter(|ip| ip.is_ipv4() == four).collect();
    [("ip", "ipv4", only(true)), ("ip6", "ipv6", only(false))]
}

/// Conditions for one of some addresses.
fn those(end: &str, of: &BTreeSet<IpAddr>) -> Vec<String> {
    let some = families(of).into_iter().filter(|(_, _, of)| !of.is_empty());
    some.map(|(family, _, of)| format!("{family} {end} {}", set(&of))).collect()
}

/// Conditions for none of some addresses, each with a blank behind it.
fn unless(end: &str, of: &BTreeSet<IpAddr>) -> Vec<String> {
    if of.is_empty() {
        return vec![String::new()];
    }
    let all = families(of).into_iter();
    all.map(|(family, protocol, of)| match of.is_empty() {
        true => format!("meta nfproto {protocol} "),
        false => format!("{family} {end} != {} ", set(&of)),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place with a namespace that is not the one of this process.
    fn place(broker: i32, address: &str) -> Place {
        let inode = format!(r#"{{"pid": {broker}, "inode": {broker}}}"#);
        Place {
            broker: Some(broker),
            space: serde_json::from_str(&inode).unwrap(),
            addresses: BTreeSet::from([address.parse().unwrap()]),
            ports: BTreeSet::from([9092, 9093]),
        }
    }

    fn shown(rules: &[Rule]) -> Vec<String> {
        rules
            .iter()
            .map(|rule| format!("{} {} {}", rule.hook.word(), rule.which, rule.way.word()))
            .collect()
    }

    fn cut_of(places: &Places) -> Result<Vec<String>, String> {
        rules(Act::Cut { directions: Directions::Both }, places).map(|rules| shown(&rules))
    }

    #[test]
    fn brokers_are_cut_apart_where_packets_arrive_whoever_opened_the_connection() {
        let places = Places {
            near: vec![place(1, "10.0.0.1")],
            far: vec![place(2, "10.0.0.2")],
            ..Places::default()
        };
        assert_eq!(
            cut_of(&places).unwrap(),
            [
                "input ip saddr { 10.0.0.2 } tcp dport { 9092, 9093 } to_victim",
                "input ip saddr { 10.0.0.2 } tcp sport { 9092, 9093 } to_victim",
                "input ip saddr { 10.0.0.1 } tcp dport { 9092, 9093 } from_victim",
                "input ip saddr { 10.0.0.1 } tcp sport { 9092, 9093 } from_victim",
            ]
        );
        let to = Act::Cut { directions: Directions::To };
        assert_eq!(rules(to, &places).unwrap().len(), 2);
    }

    #[test]
    fn a_broker_whose_network_cannot_be_entered_is_cut_off_on_the_way_out() {
        let far = Place { space: None, ..place(2, "fd00::2") };
        let places =
            Places { near: vec![place(1, "10.0.0.1")], far: vec![far], ..Places::default() };
        let cut = cut_of(&places).unwrap();
        assert_eq!(cut[2], "output ip6 daddr { fd00::2 } tcp dport { 9092, 9093 } from_victim");
    }

    #[test]
    fn clients_are_whoever_is_no_broker() {
        let places = Places {
            near: vec![place(1, "10.0.0.1")],
            clients: true,
            rest: vec![place(2, "10.0.0.2")],
            ..Places::default()
        };
        let cut = cut_of(&places).unwrap();
        assert_eq!(cut[0], "input ip saddr != { 10.0.0.2 } tcp dport { 9092, 9093 } to_victim");
        assert_eq!(cut[1], "input meta nfproto ipv6 tcp dport { 9092, 9093 } to_victim");
        let everyone = Places { rest: Vec::new(), ..places };
        assert_eq!(
            cut_of(&everyone).unwrap(),
            [
                "input tcp dport { 9092, 9093 } to_victim",
                "input iifname \"lo\" tcp sport { 9092, 9093 } from_victim",
                "output oifname != \"lo\" tcp sport { 9092, 9093 } from_victim",
            ]
        );
    }

    #[test]
    fn brokers_of_one_address_are_not_taken_for_each_other() {
        let (one, other) = (place(1, "127.0.0.1"), place(2, "127.0.0.1"));
        let between = Places { near: vec![one], far: vec![other], ..Places::default() };
        let cause = cut_of(&between).expect_err("one address");
        assert!(cause.contains("`between: [broker 1, everyone]`"), "{cause}");
        let clients = Places { clients: true, rest: between.far.clone(), ..between.clone() };
        cut_of(&Places { far: Vec::new(), ..clients.clone() }).expect_err("one address");
        // From everyone there is nobody to be spared.
        let everyone = Places { rest: Vec::new(), ..clients };
        assert_eq!(cut_of(&everyone).unwrap().len(), 3);
    }

    #[test]
    fn a_limit_lets_the_largest_packet_of_the_loopback_through() {
        let of = |bytes_per_s| verdicts(Act::Limit { bytes_per_s })[1].1.clone();
        assert_eq!(
            of(20_000),
            "limit rate over 20000 bytes/second burst 131072 bytes counter drop"
        );
        assert!(of(50_000_000).contains("burst 5000000 bytes"));
        assert!(of(u64::MAX).contains("burst 4294967295 bytes"));
    }
}
