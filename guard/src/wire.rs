//! Faults of the network: packets between brokers and others are dropped by rules that the kernel holds for as long as
//! a guard lives.

use crate::{
    broker::{Broker, Identity, Network},
    find,
    nft::{self, Counts, Holder},
    process::ProcessBroker,
    rules::{self, Hook, Place, Places, Rule, Way},
    space::Space,
};
use mallard_protocol::fault::{Act, End, KillSignal, Order};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::Write,
    io,
    net::{IpAddr, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

/// Before what others hook in: packets that were dropped by somebody else have arrived.
const PRIORITY: i32 = -300;

/// For how long answers alone are dropped: once requests are, too, there may be none any more, and nobody could tell
/// whether answers would have been.
const ANSWERS_FIRST: Duration = Duration::from_millis(700);

/// Between two looks at counters.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How far a share of packets may be from what was asked for, in standard deviations of the binomial distribution.
const SIGMAS: f64 = 3.0;

/// A table, as a note has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Who holds it, and where.
    pub(crate) held: Vec<(Identity, Space)>,
}

/// Rules of a fault, and who holds them.
#[derive(Debug)]
pub(crate) struct Rules {
    act: Act,
    name: String,
    rules: Vec<Rule>,
    holders: Vec<Holder>,
}

impl Rules {
    /// Finds out which packets a fault is about, and whether this user may drop them. Nothing is done yet.
    ///
    /// # Errors
    /// It may not, or the packets cannot be told apart from others.
    pub(crate) fn plan(order: &Order, victim: &dyn Broker) -> io::Result<Self> {
        let wire = &order.wire;
        let mut near = vec![place(victim.network()?, order.broker, order.address.as_deref())];
        for end in &wire.near {
            near.push(place_of(end)?);
        }
        let others = |ends: &[End]| ends.iter().map(place_of).collect::<io::Result<Vec<_>>>();
        let (far, rest) = (others(&wire.far)?, others(&wire.rest)?);
        let places = Places { near, far, clients: wire.clients, rest };
        let rules = rules::rules(order.act, &places).map_err(io::Error::other)?;
        if rules.is_empty() {
            return Err(io::Error::other("there is nobody to be cut off from"));
        }
        let planned =
            Self { act: order.act, name: table_name(&order.id), rules, holders: Vec::new() };
        for space in planned.spaces() {
            nft::may(space)?;
        }
        Ok(planned)
    }

    /// Who holds them, for people.
    pub(crate) fn held_by(&self, twin: u32) -> String {
        let leaving = self.rules.iter().any(|rule| rule.hook == Hook::Output);
        let leaving =
            if leaving { " (what leaves its network is dropped on the way out)" } else { "" };
        format!(
            "the kernel: the table {} goes with process {}{leaving}, which has the twin {twin}",
            self.name,
            std::process::id()
        )
    }

    /// Starts those who will hold rules; there are none yet.
    pub(crate) fn hold(&mut self) -> io::Result<Table> {
        let mut held = Vec::new();
        for space in self.spaces() {
            let holder = Holder::start(space, &self.name)?;
            held.extend(holder.identity().map(|identity| (identity, space)));
            self.holders.push(holder);
        }
        Ok(Table { name: self.name.clone(), held })
    }

    /// Makes the rules. Answers of the victim are dropped before requests are.
    pub(crate) fn make(&mut self) -> io::Result<()> {
        for holder in &mut self.holders {
            let space = holder.space();
            let ways: &[Way] = match self.act {
                Act::Cut { .. } => &[Way::From],
                _ => &Way::ALL,
            };
            let (commands, rules) = commands(&self.name, self.act, &self.rules, space, ways);
            holder.tell(&commands, rules)?;
        }
        Ok(())
    }

    /// The rest of a cut, once answers were seen to be dropped, or none came.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        let has = |way| self.rules.iter().any(|rule| rule.way == way);
        if !self.is_cut() || !has(Way::To) {
            return Ok(());
        }
        let began = Instant::now();
        while has(Way::From) && began.elapsed() < ANSWERS_FIRST {
            if self.dropped(Way::From)? > 0 {
                break;
            }
            thread::sleep(LOOK_EVERY);
        }
        for holder in &mut self.holders {
            let here = self.rules.iter().filter(|rule| rule.space.is(holder.space())).count();
            let to = verdict_commands(&self.name, self.act, Way::To);
            holder.tell(&to, here + Way::ALL.len())?;
        }
        Ok(())
    }

    fn is_cut(&self) -> bool {
        matches!(self.act, Act::Cut { .. })
    }

    fn spaces(&self) -> Vec<Space> {
        let mut spaces: Vec<Space> = Vec::new();
        for rule in &self.rules {
            if spaces.iter().all(|space| !space.is(rule.space)) {
                spaces.push(rule.space);
            }
        }
        spaces
    }

    fn count(&self, which: impl Fn(&str, &str) -> bool) -> io::Result<u64> {
        let mut sum = 0;
        for holder in &self.holders {
            let counts: Counts = holder.counts()?;
            let counted = counts.iter().filter(|((chain, comment), _)| which(chain, comment));
            sum += counted.map(|(_, packets)| packets).sum::<u64>();
        }
        Ok(sum)
    }

    fn dropped(&self, way: Way) -> io::Result<u64> {
        self.count(|chain, comment| chain == way.word() && comment == "dropped")
    }

    /// Whether the rules have met packets: the proof, or what was counted instead.
    pub(crate) fn effect(&self) -> io::Result<Result<String, String>> {
        if !self.is_cut() {
            let seen = self.count(|_, comment| comment == "seen")?;
            let dropped = self.count(|_, comment| comment == "dropped")?;
            return Ok(judge(self.act, seen, dropped));
        }
        let mut counted = Vec::new();
        let mut is_met = true;
        for way in Way::ALL {
            if self.rules.iter().any(|rule| rule.way == way) {
                let dropped = self.dropped(way)?;
                is_met &= dropped > 0;
                let words = if way == Way::To { "to" } else { "from" };
                counted.push(format!("{dropped} {words} the victim"));
            }
        }
        let text = format!("packets dropped: {}", counted.join(", "));
        Ok(if is_met { Ok(text) } else { Err(text) })
    }

    /// Whether one who held them is gone, and the rules with it.
    pub(crate) fn are_lost(&mut self) -> bool {
        self.holders.iter_mut().any(Holder::has_ended)
    }

    /// Lets the kernel remove them.
    pub(crate) fn release(&mut self) {
        self.holders.clear();
    }
}

/// Whether so many of the packets that came by were dropped as was asked for.
fn judge(act: Act, seen: u64, dropped: u64) -> Result<String, String> {
    let text = format!("{dropped} of {seen} packets were dropped");
    let Act::Loss { share_ppm } = act else {
        return if dropped > 0 { Ok(text) } else { Err(text) };
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of packets are far below 2^52")]
    let (seen, got) = (seen as f64, dropped as f64);
    let share = f64::from(share_ppm) / 1e6;
    let spread = SIGMAS * (seen * share * (1.0 - share)).sqrt();
    let asked = format!("{text} ({} % was asked for)", share * 100.0);
    if dropped > 0 && (got - seen * share).abs() <= spread { Ok(asked) } else { Err(asked) }
}

/// Has those who hold a table of a dead guard end, and whether it is gone everywhere: else where it is not.
pub(crate) fn remove(table: &Table) -> io::Result<bool> {
    for (identity, _) in &table.held {
        let Identity::Process { pid, start_ticks } = identity else { continue };
        let holder = ProcessBroker::known("", &[], *pid, *start_ticks);
        if holder.lives()? {
            holder.kill(KillSignal::Kill)?;
        }
    }
    for (_, space) in &table.held {
        if nft::is_there(*space, &table.name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn place_of(end: &End) -> io::Result<Place> {
    let network = match &end.victim {
        Some(victim) => find::find(victim)?.network()?,
        None => Network::default(),
    };
    Ok(place(network, Some(end.broker), end.address.as_deref()))
}

fn place(network: Network, broker: Option<i32>, address: Option<&str>) -> Place {
    let Network { space, mut addresses, mut ports } = network;
    // Whom nobody else shares a namespace with is known to others by its addresses there.
    if addresses.is_empty() {
        addresses = address.map(resolved).unwrap_or_default();
    }
    let port: Option<u16> = address.and_then(|address| address.rsplit_once(':')?.1.parse().ok());
    if ports.is_empty() {
        ports.extend(port);
    }
    Place { broker, space, addresses, ports }
}

fn resolved(address: &str) -> BTreeSet<IpAddr> {
    let found = address.to_socket_addrs().into_iter().flatten();
    found.map(|address| address.ip().to_canonical()).collect()
}

/// A table's name: what nft takes, and nobody else uses.
fn table_name(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let id: String = id.chars().map(safe).take(200).collect();
    format!("mallard_{id}")
}

/// Commands that make a table in a namespace, and how many rules it has then.
fn commands(name: &str, act: Act, rules: &[Rule], space: Space, ways: &[Way]) -> (String, usize) {
    let mut text = format!("add table inet {name} {{ flags owner; }}\n");
    let mut count = 0;
    for way in Way::ALL {
        let _ = writeln!(text, "add chain inet {name} {}", way.word());
    }
    for way in ways {
        text += &verdict_commands(name, act, *way);
        count += rules::verdicts(act).len();
    }
    for hook in [Hook::Input, Hook::Output] {
        let word = hook.word();
        let kind = format!("type filter hook {word} priority {PRIORITY}; policy accept;");
        let _ = writeln!(text, "add chain inet {name} {word} {{ {kind} }}");
    }
    for rule in rules.iter().filter(|rule| rule.space.is(space)) {
        let (hook, which, way) = (rule.hook.word(), &rule.which, rule.way.word());
        let _ = writeln!(text, "add rule inet {name} {hook} {which} jump {way}");
        count += 1;
    }
    (text, count)
}

fn verdict_commands(name: &str, act: Act, way: Way) -> String {
    let verdicts = rules::verdicts(act).into_iter();
    verdicts
        .map(|(comment, what)| {
            format!("add rule inet {name} {} {what} comment \"{comment}\"\n", way.word())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_proved_by_what_chance_allows_and_by_no_less() {
        let loss = Act::Loss { share_ppm: 50_000 };
        for (seen, dropped, is_proved) in [
            (0, 0, false),
            (1_000, 0, false),
            (1_000, 50, true),
            (1_000, 70, true),
            (1_000, 72, false),
        ] {
            assert_eq!(judge(loss, seen, dropped).is_ok(), is_proved, "{dropped} of {seen}");
        }
        let whole = Act::Loss { share_ppm: 1_000_000 };
        assert!(judge(whole, 9, 9).is_ok() && judge(whole, 9, 8).is_err());
        let limit = Act::Limit { bytes_per_s: 1 };
        assert!(judge(limit, 9, 1).is_ok() && judge(limit, 9, 0).is_err());
    }

    #[test]
    fn a_table_has_the_faults_name_as_far_as_nft_takes_it() {
        assert_eq!(table_name("2026-a@b.c-0"), "mallard_2026_a_b_c_0");
    }
}
