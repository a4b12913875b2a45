//! A guard: arms, does, proves, waits, undoes.

use crate::{
    broker::Broker,
    find,
    journal::{self, Journal, Note, now_us, say},
    process::ProcessBroker,
    sys, twin, undo,
    wire::Rules,
};
use mallard_protocol::fault::{Act, BEGIN, END, GuardReport, Order};
use std::{io, os::fd::AsFd, path::Path, time::Duration};

/// Largest order in bytes.
const ORDER_BYTES: usize = 64 * 1024;

/// Between two looks while a fault lasts.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Carries out one order from stdin, and reports on stdout. Returns whether all went as ordered.
///
/// # Errors
/// Not even the order could be read.
pub fn run(folder: &Path) -> io::Result<bool> {
    sys::outlive_signals();
    // Its parent may be a session's leader already, which is no harm.
    let _ = rustix::process::setsid();
    sys::spare_from_oom_killer();
    let mut input = Input::default();
    let order: Order = loop {
        if let Some(line) = input.line(None)? {
            break serde_json::from_str(&line)?;
        }
        if input.is_over {
            return Err(io::Error::other("no order came"));
        }
    };
    Ok(Guard::carry_out(order, folder, input))
}

struct Guard {
    note: Note,
    journal: Journal,
    broker: Box<dyn Broker>,
    twin: twin::Twin,
    /// Rules on packets, if it is a fault of the network.
    rules: Option<Rules>,
    input: Input,
    /// The controller is gone since then, by `CLOCK_BOOTTIME`.
    alone_since_us: Option<u64>,
}

impl Guard {
    fn carry_out(order: Order, folder: &Path, input: Input) -> bool {
        let mut guard = match Self::arm(order, folder, input) {
            Ok(guard) => guard,
            Err(cause) => {
                say(&GuardReport::NotBegun { cause: cause.to_string() });
                return false;
            }
        };
        if let Err(cause) = guard.begin() {
            guard.release();
            // Whatever was done of it is undone; of nothing, undoing does nothing.
            let undone = undo::undo(
                &guard.note,
                &mut *guard.broker,
                "the guard",
                undo::patience(&guard.note.order),
            );
            guard.journal.remove();
            say(&match undone {
                GuardReport::NotUndone { .. } => undone,
                _ => GuardReport::NotBegun { cause: cause.to_string() },
            });
            return false;
        }
        let (had_effect, cause) = guard.hold();
        say(&GuardReport::Ended { clock_us: now_us(), cause: cause.to_owned() });
        if let Err(seen) = &had_effect {
            say(&GuardReport::NoEffect { seen: seen.clone() });
        }
        let counted = guard.release();
        let mut last = undo::undo(
            &guard.note,
            &mut *guard.broker,
            "the guard",
            undo::patience(&guard.note.order),
        );
        if let (GuardReport::Undone { proof, .. }, Some(counted)) = (&mut last, counted) {
            *proof = format!("in all, {counted}; {proof}");
        }
        let is_undone = matches!(last, GuardReport::Undone { .. });
        // Before the note is gone: whoever looks for it then knows how the fault ended.
        say(&last);
        if is_undone {
            guard.journal.remove();
        }
        is_undone && had_effect.is_ok()
    }

    fn arm(order: Order, folder: &Path, input: Input) -> io::Result<Self> {
        let broker = find::find(&order.victim)?;
        let may_start = broker.can_start();
        if matches!(order.act, Act::Kill { .. }) && !may_start {
            return Err(io::Error::other("it is not known how it is started again"));
        }
        let of_network = order.act.is_of_network();
        let rules = of_network.then(|| Rules::plan(&order, &*broker)).transpose()?;
        let journal = Journal::of(folder, &order.id);
        if journal.read()?.is_some() {
            let path = journal.path().display();
            return Err(io::Error::other(format!("a fault of this id is not undone yet: {path}")));
        }
        let note = Note {
            identity: broker.identity(),
            found: broker.describe(),
            table: None,
            boot_id: journal::boot_id(),
            guard: ProcessBroker::this(),
            is_begun: false,
            latest_end_boot_us: 0,
            order,
        };
        journal.write(&note)?;
        let twin = match twin::Twin::start(&journal) {
            Ok(twin) => twin,
            Err(cause) => {
                journal.remove();
                return Err(io::Error::other(format!("its twin does not start: {cause}")));
            }
        };
        let held_by = match &rules {
            Some(rules) => rules.held_by(twin.pid()),
            None => format!("process {} and its twin {}", std::process::id(), twin.pid()),
        };
        say(&GuardReport::Armed { clock_us: now_us(), victim: note.found.clone(), held_by });
        Ok(Self { note, journal, broker, twin, rules, input, alone_since_us: None })
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.note.order.waits {
            self.wait_until_told()?;
        }
        if self.input.is_over || sys::is_terminated() {
            // No fault begins without a controller.
            return Err(io::Error::other("the controller is gone"));
        }
        let order = &self.note.order;
        self.note.table = self.rules.as_mut().map(Rules::hold).transpose()?;
        self.note.latest_end_boot_us = sys::boot_us() + order.for_ms.saturating_mul(1_000);
        self.note.is_begun = true;
        self.journal.write(&self.note)?;
        match order.act {
            Act::Kill { signal } => self.broker.kill(signal)?,
            Act::Pause => self.broker.pause()?,
            Act::Cut { .. } | Act::Loss { .. } | Act::Limit { .. } => {
                self.rules.as_mut().map_or(Ok(()), Rules::make)?;
            }
        }
        say(&GuardReport::Begun { clock_us: now_us() });
        // Rules that are not held any more end the fault.
        let _ = self.rules.as_mut().map(Rules::complete);
        Ok(())
    }

    /// Waits, with the undo held, until the fault is to begin.
    fn wait_until_told(&mut self) -> io::Result<()> {
        while !self.input.is_over && !sys::is_terminated() {
            self.twin.keep(&self.journal);
            match self.input.line(Some(LOOK_EVERY))?.as_deref() {
                Some(BEGIN) => return Ok(()),
                Some(END) => return Err(io::Error::other("it was ended before it began")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Has the kernel remove what rules there are; what they had counted until then.
    fn release(&mut self) -> Option<String> {
        let rules = self.rules.as_mut()?;
        let counted = rules.effect().ok().map(|counted| counted.unwrap_or_else(|counted| counted));
        rules.release();
        counted
    }

    /// Waits until the fault is to be undone. Returns whether it was seen to have its effect, or what was seen
    /// instead, and why it ends.
    fn hold(&mut self) -> (Result<(), String>, &'static str) {
        let mut had_effect = Err("not looked at yet".to_owned());
        loop {
            if had_effect.is_err() {
                had_effect = self.prove();
            }
            if let Some(cause) = self.is_over() {
                return (had_effect, cause);
            }
            self.twin.keep(&self.journal);
            match self.input.line(Some(LOOK_EVERY)) {
                Ok(Some(line)) if line == END => return (had_effect, "its controller ended it"),
                Ok(_) => {}
                Err(_) => self.input.is_over = true,
            }
            if self.input.is_over {
                self.alone_since_us.get_or_insert_with(sys::boot_us);
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    fn prove(&self) -> Result<(), String> {
        let seen = match &self.rules {
            Some(rules) => rules.effect(),
            None => undo::effect(&self.note.order, &*self.broker),
        };
        match seen {
            Ok(Ok(proof)) => {
                say(&GuardReport::Effect { clock_us: now_us(), proof });
                Ok(())
            }
            Ok(Err(seen)) => Err(seen),
            Err(error) => Err(error.to_string()),
        }
    }

    fn is_over(&mut self) -> Option<&'static str> {
        let now_us = sys::boot_us();
        let lease_us = self.note.order.lease_ms.saturating_mul(1_000);
        if now_us >= self.note.latest_end_boot_us {
            Some("its time was over")
        } else if self.rules.as_mut().is_some_and(Rules::are_lost) {
            Some("the nft that held its rules ended")
        } else if sys::is_terminated() {
            Some("the guard was asked to end")
        } else if self.alone_since_us.is_some_and(|since| now_us >= since + lease_us) {
            Some("its controller was gone for the time of its lease")
        } else {
            None
        }
    }
}

/// Lines from stdin, as they come.
#[derive(Debug, Default)]
struct Input {
    pending: Vec<u8>,
    is_over: bool,
}

impl Input {
    /// The next line, if one comes in time; `None` for the time means as long as it takes.
    fn line(&mut self, within: Option<Duration>) -> io::Result<Option<String>> {
        if let Some(line) = self.take() {
            return Ok(Some(line));
        }
        if self.is_over {
            return Ok(None);
        }
        let stdin = io::stdin();
        let within = within.unwrap_or(Duration::from_secs(60));
        if sys::wait(&[stdin.as_fd()], within)? != [true] {
            return Ok(None);
        }
        let mut piece = [0; 4_096];
        // Not by way of the standard library's buffer, which would hide what has come from `wait`.
        let got = rustix::io::read(&stdin, &mut piece)?;
        self.is_over = got == 0;
        self.pending.extend_from_slice(&piece[..got]);
        if self.pending.len() > ORDER_BYTES {
            return Err(io::Error::other(format!("more than {ORDER_BYTES} bytes without an end")));
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim().to_owned())
    }
}
