//! Undoing, and the proofs that something was done and undone.

use crate::{
    broker::Broker,
    journal::{Note, now_us},
    probe::{self, Seen},
    wire,
};
use mallard_protocol::fault::{Act, GuardReport, Order, UNDO_PATIENCE, by_hand};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Between two looks at whether something has come about.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// For how long CPU time is watched.
const CPU_WATCHED: Duration = Duration::from_millis(150);

/// CPU time that passes while a process stands still, by the grain of the clock, in microseconds.
const STILL_US: u64 = 1_000;

/// Looks whether a fault has its effect: the proof, or else what is seen instead.
pub(crate) fn effect(order: &Order, broker: &dyn Broker) -> io::Result<Result<String, String>> {
    match order.act {
        Act::Kill { .. } => of_kill(order, broker),
        Act::Pause => of_pause(order, broker),
        // Packets are counted by the rules, and whoever looked would be counted, too.
        Act::Cut { .. } | Act::Loss { .. } | Act::Limit { .. } => {
            Ok(Err("its rules are not there".to_owned()))
        }
    }
}

fn of_kill(order: &Order, broker: &dyn Broker) -> io::Result<Result<String, String>> {
    if broker.lives()? {
        return Ok(Err(format!("{} still runs", broker.describe())));
    }
    Ok(match seen(order) {
        None | Some((_, Seen::Unknown)) => Ok(format!("{} has ended", broker.describe())),
        // Connections that were waiting are closed first, and none is taken from then on.
        Some((address, seen @ Seen::Refused)) => {
            Ok(format!("{} has ended, and {address} {}", broker.describe(), seen.words()))
        }
        Some((address, seen)) => Err(format!(
            "{} has ended, and {address} {} all the same",
            broker.describe(),
            seen.words()
        )),
    })
}

fn of_pause(order: &Order, broker: &dyn Broker) -> io::Result<Result<String, String>> {
    if !broker.is_paused()? {
        return Ok(Err(format!("{} does not stand still", broker.describe())));
    }
    let before = broker.cpu_us()?;
    thread::sleep(CPU_WATCHED);
    let used = before.zip(broker.cpu_us()?).map(|(before, after)| after.saturating_sub(before));
    if let Some(used @ STILL_US..) = used {
        return Ok(Err(format!("{} still uses CPU: {used} us", broker.describe())));
    }
    let still = match used {
        Some(_) => "stands still and uses no CPU",
        None => "stands still",
    };
    Ok(match seen(order) {
        None | Some((_, Seen::Unknown)) => Ok(format!("{} {still}", broker.describe())),
        Some((address, seen @ Seen::Silence)) => {
            Ok(format!("{} {still}, and {address} {}", broker.describe(), seen.words()))
        }
        Some((address, seen)) => Err(format!(
            "{} {still}, and {address} {} all the same",
            broker.describe(),
            seen.words()
        )),
    })
}

fn seen(order: &Order) -> Option<(&str, Seen)> {
    let address = order.address.as_deref()?;
    Some((address, probe::look(address)))
}

/// Undoes a fault, however far it has come, and waits until that is seen, for a while: the last report on it.
pub(crate) fn undo(
    note: &Note,
    broker: &mut dyn Broker,
    by: &str,
    patience: Duration,
) -> GuardReport {
    match try_to_undo(note, broker, patience) {
        Ok((proof, revived)) => {
            GuardReport::Undone { clock_us: now_us(), proof, by: by.to_owned(), revived }
        }
        Err(cause) => GuardReport::NotUndone {
            cause,
            by_hand: by_hand(note.order.act, &note.order.victim, &note.found),
        },
    }
}

/// How long the undoing of a fault is waited for by those who hold it.
pub(crate) fn patience(order: &Order) -> Duration {
    Duration::from_millis(order.undo_ms.saturating_mul(UNDO_PATIENCE))
}

fn try_to_undo(
    note: &Note,
    broker: &mut dyn Broker,
    within: Duration,
) -> Result<(String, bool), String> {
    let began = Instant::now();
    let mut revived = false;
    loop {
        if broker.is_removed().unwrap_or(false) {
            return Ok((format!("{} was removed", broker.describe()), false));
        }
        // Again and again: an engine may be busy, a process may come to an end only now.
        let now = restore(note, broker, &mut revived).and_then(|()| is_back(note, broker));
        let cause = match now {
            Ok(Ok(proof)) => return Ok((proof, revived)),
            Ok(Err(seen)) => seen,
            Err(error) => error.to_string(),
        };
        if began.elapsed() >= within {
            return Err(cause);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Restores what is not as it was, and nothing else.
fn restore(note: &Note, broker: &mut dyn Broker, revived: &mut bool) -> io::Result<()> {
    let order = &note.order;
    if matches!(order.act, Act::Pause) {
        broker.go_on()?;
    }
    if let Some(table) = &note.table
        && !wire::remove(table)?
    {
        return Err(io::Error::other(format!("the table {} is still there", table.name)));
    }
    if broker.lives()? || broker.runs().unwrap_or(false) {
        return Ok(());
    }
    if !broker.can_start() {
        let text =
            format!("{} has ended, and it is not known how it is started", broker.describe());
        return Err(io::Error::other(text));
    }
    *revived |= !matches!(order.act, Act::Kill { .. });
    broker.start()
}

/// Whether the victim is as it was: the proof, or what is seen instead.
fn is_back(note: &Note, broker: &mut dyn Broker) -> io::Result<Result<String, String>> {
    let order = &note.order;
    if !broker.runs()? {
        return Ok(Err("it does not run".to_owned()));
    }
    if broker.lives()? && broker.is_paused()? {
        return Ok(Err(format!("{} stands still", broker.describe())));
    }
    let gone = match &note.table {
        Some(table) => format!("the table {} is gone, and ", table.name),
        None => String::new(),
    };
    Ok(match seen(order) {
        None | Some((_, Seen::Unknown)) => Ok(format!("{gone}it runs")),
        Some((address, seen)) if seen.is_up(order.tls) => {
            Ok(format!("{gone}{address} {}", seen.words()))
        }
        Some((address, seen)) => Err(format!("it runs, and {address} {}", seen.words())),
    })
}
