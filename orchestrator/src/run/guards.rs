//! Guards of a case's faults: starts each, gives it its order, and hears what it reports.

use super::io::FaultOrder;
use crate::{
    hosts::{channel::event::Input, container::RunContainers, kafka},
    scenario::cluster::KafkaPlan,
    text::untrusted,
};
use mallard_protocol::{
    agent_command,
    fault::{BEGIN, END, GuardReport, Order, UNDO_PATIENCE, Wire, by_hand},
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// Longest line of a guard in bytes.
const LINE_BYTES: usize = 64 * 1024;

/// How long it may take to undo what a guard and its twin have left, beyond what undoing may take.
const SWEEPING: Duration = Duration::from_secs(10);

/// Guards that this controller has started.
#[derive(Debug, Default)]
pub(super) struct Guards {
    /// By which each is told to begin and to end its fault.
    words: BTreeMap<usize, mpsc::UnboundedSender<&'static str>>,
    hearing: JoinSet<()>,
}

/// What a guard needs, and where what it says goes.
pub(super) struct Start {
    /// The agent's program of this machine.
    pub(super) program: PathBuf,
    /// Unique on its host.
    pub(super) id: String,
    /// What is to be done.
    pub(super) order: FaultOrder,
    /// Where Kafka is.
    pub(super) kafka: KafkaPlan,
    /// What the run has in an engine.
    pub(super) containers: Arc<RunContainers>,
    /// Where reports go.
    pub(super) inputs: mpsc::UnboundedSender<Input>,
}

impl Guards {
    /// Starts a guard and hears it.
    pub(super) fn start(&mut self, start: Start) {
        let (tell, words) = mpsc::unbounded_channel();
        self.words.insert(start.order.fault, tell);
        self.hearing.spawn(start.run(words));
    }

    /// Has a fault end before its time.
    pub(super) fn end(&mut self, fault: usize) {
        if let Some(tell) = self.words.remove(&fault) {
            // One that is not heard any more has ended.
            let _ = tell.send(END);
        }
    }

    /// Has a fault begin whose guard stands ready.
    pub(super) fn begin(&mut self, fault: usize) {
        if let Some(tell) = self.words.get(&fault) {
            let _ = tell.send(BEGIN);
        }
    }

    /// Ends all faults and waits for their guards, but no longer than this. Guards that take longer go on by
    /// themselves.
    pub(super) async fn close(&mut self, within: Duration) {
        for (_, tell) in std::mem::take(&mut self.words) {
            let _ = tell.send(END);
        }
        let over = async { while self.hearing.join_next().await.is_some() {} };
        let _ = timeout(within, over).await;
        self.hearing.detach_all();
    }
}

impl Start {
    async fn run(self, words: mpsc::UnboundedReceiver<&'static str>) {
        let FaultOrder { fault, broker, act, address, wire, tls, for_ms, undo_ms, lease_ms, waits } =
            self.order;
        let found = kafka::find(&self.kafka, broker, address, &self.containers).await;
        let tell = |report| drop(self.inputs.send(Input::Fault { fault, report }));
        let kafka::Found { victim, address } = match found {
            Ok(found) => found,
            Err(cause) => return tell(GuardReport::NotBegun { cause }),
        };
        let ends = async |brokers| kafka::ends(&self.kafka, brokers, &self.containers).await;
        let wire = Wire {
            near: ends(wire.near).await,
            far: ends(wire.far).await,
            clients: wire.clients,
            rest: ends(wire.rest).await,
        };
        let order = Order {
            id: self.id,
            act,
            victim,
            broker: Some(broker),
            wire,
            address,
            tls,
            for_ms,
            undo_ms,
            lease_ms,
            waits,
        };
        match spawn(&self.program, &order).await {
            Ok((guard, stdin)) => {
                let hearing = Hearing { fault, program: self.program, order, inputs: self.inputs };
                hearing.hear(guard, stdin, words).await;
            }
            Err(cause) => {
                let cause = format!("its guard does not start: {cause}");
                tell(GuardReport::NotBegun { cause });
            }
        }
    }
}

/// Starts a guard with its order.
async fn spawn(program: &Path, order: &Order) -> io::Result<(Child, ChildStdin)> {
    let mut command = Command::new(program);
    command
        .arg(agent_command::GUARD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut guard = command.spawn()?;
    let mut stdin = guard.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let line = format!("{}\n", serde_json::to_string(order)?);
    stdin.write_all(line.as_bytes()).await?;
    Ok((guard, stdin))
}

/// Hears one guard to its end.
struct Hearing {
    fault: usize,
    program: PathBuf,
    order: Order,
    inputs: mpsc::UnboundedSender<Input>,
}

impl Hearing {
    async fn hear(
        self,
        mut guard: Child,
        stdin: ChildStdin,
        mut words: mpsc::UnboundedReceiver<&'static str>,
    ) {
        // Open for as long as this controller lives: a guard takes its end for the controller's.
        let telling = async move {
            let mut stdin = stdin;
            while let Some(word) = words.recv().await {
                let _ = stdin.write_all(format!("{word}\n").as_bytes()).await;
            }
            let _open = stdin;
            std::future::pending::<()>().await;
        };
        let has_ended = match guard.stdout.take() {
            Some(stdout) => tokio::select! {
                has_ended = self.reports(stdout) => has_ended,
                () = telling => false,
            },
            None => false,
        };
        // The pipe is closed, so guard and twin are gone.
        let _ = guard.wait().await;
        if !has_ended && !self.sweep().await {
            let cause = "its guard and the guard's twin ended before it was undone".to_owned();
            let by_hand = by_hand(self.order.act, &self.order.victim, &self.order.id);
            self.tell(GuardReport::NotUndone { cause, by_hand });
        }
    }

    /// Hears reports until there are no more; whether the last one of the fault was among them.
    async fn reports(&self, stdout: impl tokio::io::AsyncRead + Unpin) -> bool {
        let mut lines = BufReader::new(stdout).lines();
        let mut has_ended = false;
        while let Ok(Some(line)) = lines.next_line().await {
            if line.len() > LINE_BYTES {
                break;
            }
            if let Ok(report) = serde_json::from_str::<GuardReport>(&line) {
                has_ended |= report.is_last();
                self.tell(report);
            }
        }
        has_ended
    }

    /// Undoes what is left of the fault; whether it was undone, or had not begun.
    async fn sweep(&self) -> bool {
        let mut command = Command::new(&self.program);
        command.args(agent_command::sweep::<String>(Some(&self.order.id)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut sweeping) = command.spawn() else { return false };
        let Some(stdout) = sweeping.stdout.take() else { return false };
        let undoing = Duration::from_millis(self.order.undo_ms.saturating_mul(UNDO_PATIENCE));
        timeout(undoing + SWEEPING, self.reports(stdout)).await.unwrap_or(false)
    }

    fn tell(&self, mut report: GuardReport) {
        clean(&mut report);
        // Nobody listens once the case is done.
        let _ = self.inputs.send(Input::Fault { fault: self.fault, report });
    }
}

/// Makes harmless what a guard quotes.
fn clean(report: &mut GuardReport) {
    let texts: Vec<&mut String> = match report {
        GuardReport::Armed { victim, held_by, .. } => vec![victim, held_by],
        GuardReport::Effect { proof, .. } => vec![proof],
        GuardReport::NoEffect { seen } => vec![seen],
        GuardReport::Ended { cause, .. } | GuardReport::NotBegun { cause } => vec![cause],
        GuardReport::Undone { proof, by, .. } => vec![proof, by],
        GuardReport::NotUndone { cause, by_hand } => vec![cause, by_hand],
        GuardReport::Begun { .. } => Vec::new(),
    };
    for text in texts {
        *text = untrusted::line(text);
    }
}
