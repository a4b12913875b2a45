//! A table of packet rules that the kernel keeps for as long as one process lives.
//!
//! A table with the flag `owner` (Linux 5.12) belongs to the netlink socket that made it: nobody else can change or
//! flush it, and it is gone when that socket is closed, for whatever reason. The socket is that of an `nft -i`, a child
//! that is killed by the kernel when this process ends, and that ends with its stdin, too.

use crate::{broker::Identity, process::ProcessBroker, space::Space, sys};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Where it may be; superusers' programs are not in everyone's `PATH`.
const PLACES: [&str; 4] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"];

/// How long nft may take for what it is told. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Most bytes of what it complains of.
const COMPLAINT_BYTES: u64 = 2_000;

/// Packets by a rule's chain and comment.
pub(crate) type Counts = BTreeMap<(String, String), u64>;

/// A table, and the process that the kernel keeps it for.
#[derive(Debug)]
pub(crate) struct Holder {
    child: Child,
    /// Its end is nft's end.
    stdin: Option<ChildStdin>,
    space: Space,
    table: String,
}

impl Holder {
    /// Starts one in a namespace. Nothing is in its table yet.
    ///
    /// # Errors
    /// There is no nft, or this user may not do that.
    pub(crate) fn start(space: Space, table: &str) -> io::Result<Self> {
        let mut command = in_space(space)?;
        command.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        sys::end_with_this_process(&mut command);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, space, table: table.to_owned() })
    }

    /// The process that holds it.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let pid = i32::try_from(self.child.id()).ok()?;
        ProcessBroker::of(pid).map(|holder| crate::broker::Broker::identity(&holder))
    }

    /// Where it is.
    pub(crate) fn space(&self) -> Space {
        self.space
    }

    /// Tells nft commands, one a line, and waits until the table has so many rules.
    ///
    /// # Errors
    /// It does not get them: what nft says.
    pub(crate) fn tell(&mut self, commands: &str, rules: usize) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        if let Err(cause) = stdin.write_all(commands.as_bytes()).and_then(|()| stdin.flush()) {
            return Err(self.complaint(&cause.to_string()));
        }
        let began = Instant::now();
        loop {
            match rules_of(self.space, &self.table) {
                Ok(Some(found)) if found.len() == rules => return Ok(()),
                Ok(_) if began.elapsed() < PATIENCE && !self.has_ended() => {
                    thread::sleep(LOOK_EVERY);
                }
                Ok(found) => {
                    let found = found.map_or(0, |found| found.len());
                    return Err(self.complaint(&format!("{found} of {rules} rules are there")));
                }
                Err(cause) => return Err(self.complaint(&cause.to_string())),
            }
        }
    }

    /// What nft says; it ends by being asked.
    fn complaint(&mut self, cause: &str) -> io::Error {
        self.end();
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(COMPLAINT_BYTES).read_to_string(&mut said);
        }
        let said = said.lines().next().unwrap_or_default();
        io::Error::other(format!("nft does not hold the rules: {cause} {said}").trim().to_owned())
    }

    /// Packets that its rules have counted.
    pub(crate) fn counts(&self) -> io::Result<Counts> {
        let rules = rules_of(self.space, &self.table)?;
        let rules = rules.ok_or_else(|| io::Error::other("the table is gone"))?;
        let mut counts = Counts::new();
        for (chain, comment, packets) in rules {
            *counts.entry((chain, comment)).or_default() += packets;
        }
        Ok(counts)
    }

    /// Whether it has ended, and its table with it.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether a table is there.
///
/// # Errors
/// This user may not look.
pub(crate) fn is_there(space: Space, table: &str) -> io::Result<bool> {
    // A namespace that nobody is in any more has no tables either.
    if space.open().is_none() {
        return Ok(false);
    }
    Ok(rules_of(space, table)?.is_some())
}

/// Whether this user may read packet rules in a namespace, which takes the right that writing takes.
///
/// # Errors
/// It may not, or there is no nft: why.
pub(crate) fn may(space: Space) -> io::Result<()> {
    let output = in_space(space)?.args(["list", "tables"]).output()?;
    if output.status.success() { Ok(()) } else { Err(refusal(&output)) }
}

fn refusal(output: &Output) -> io::Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it fails without a word").trim();
    io::Error::other(format!("packet rules need the right CAP_NET_ADMIN: nft says: {said}"))
}

/// Chain, comment and packets of each rule of a table; `None` without the table.
fn rules_of(space: Space, table: &str) -> io::Result<Option<Vec<(String, String, u64)>>> {
    // Not as JSON: nft 1.0.6 reads memory that is not there for the flags of a table with an owner.
    let output = in_space(space)?.args(["list", "table", "inet", table]).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return if said.contains("No such file") { Ok(None) } else { Err(refusal(&output)) };
    }
    Ok(Some(parse(&String::from_utf8_lossy(&output.stdout))))
}

/// Rules of a table, as nft lists it.
fn parse(text: &str) -> Vec<(String, String, u64)> {
    let mut chain = None;
    let mut rules = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("chain ").and_then(|rest| rest.strip_suffix(" {")) {
            chain = Some(name.to_owned());
        } else if line == "}" {
            chain = None;
        } else if let Some(chain) = chain.as_ref().filter(|_| !line.starts_with("type ")) {
            let after = |words: &str| line.split_once(words).map(|(_, rest)| rest);
            let comment = after("comment \"").and_then(|rest| rest.split('"').next());
            let packets =
                after("counter packets ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            rules.push((
                chain.clone(),
                comment.unwrap_or_default().to_owned(),
                packets.unwrap_or(0),
            ));
        }
    }
    rules
}

/// nft, in a namespace.
fn in_space(space: Space) -> io::Result<Command> {
    let found = PLACES.iter().find(|path| Path::new(path).exists());
    let program = found.ok_or_else(|| {
        let text =
            "packet rules need the program nft, which is not on this host (Debian: nftables)";
        io::Error::other(text)
    })?;
    let mut command = Command::new(program);
    // It keeps a history of what it is told, at home.
    command.env("HOME", "/dev/null").env("LC_ALL", "C").stdin(Stdio::null());
    if !space.is_own() {
        let file = space.open().ok_or_else(|| {
            io::Error::other("the network namespace of the broker cannot be entered")
        })?;
        sys::enter(&mut command, file);
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_chain_and_comment() {
        let text = "table inet mallard_x { # progname nft\n\tflags owner\n\n\tchain to_victim {\n\t\tnumgen random mod 1000000 < \
                    50000 counter packets 7 bytes 99 drop comment \"dropped\"\n\t}\n\n\tchain input {\n\t\ttype filter hook \
                    input priority raw; policy accept;\n\t\ttcp dport 9192 jump to_victim\n\t}\n}\n";
        let rules = parse(text);
        assert_eq!(rules[0], ("to_victim".to_owned(), "dropped".to_owned(), 7));
        assert_eq!(rules[1], ("input".to_owned(), String::new(), 0));
        assert_eq!(rules.len(), 2);
    }
}
