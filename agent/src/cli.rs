//! The command line.

use crate::{
    brokers, connect, daemon,
    daemon::{Options, Started},
    exit_code, folder, host, properties, sys,
};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use mallard_protocol::{BUILD_ID, PROTOCOL_VERSION, agent_command};
use rdkafka::ClientConfig;
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Largest request on stdin in bytes.
const REQUEST_CAP_BYTES: u64 = 16 * 1024 * 1024;

/// Makes load on this host for `mallard`.
///
/// You hardly ever start this program yourself: `mallard` puts it on the hosts of a cluster file and
/// speaks with it. An agent is a process that listens on a socket in a private folder, opens no port,
/// and ends by itself when nobody speaks with it for the time of its lease.
#[derive(Debug, Parser)]
#[command(name = agent_command::PROGRAM, version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all went well; for `connect`: the caller ended the conversation
  1  something failed; stderr says what
  2  the command line is wrong
  3  no agent runs in the folder, and none could be started
  4  the agent ended the conversation (it ended, or another connection has taken charge)
  5  an agent runs in the folder already
  6  an agent runs in the folder and does not answer";

#[derive(Debug, Subcommand)]
enum Task {
    /// Start an agent in a folder of its own
    ///
    /// The agent leaves this terminal and session, listens on DIR/control.sock, and writes
    /// DIR/agent.log, DIR/agent.pid and DIR/spool. DIR is made with mode 0700; a folder that belongs to
    /// or can be written to by others is refused. If nobody speaks with the agent for the time of its
    /// lease, it ends its load, keeps log and spool, and exits; SIGTERM does the same at once.
    #[command(
        after_help = "Example:\n  mallard-agent daemon --dir /tmp/agent-1 --lease 600 --name load-1 --run 20260131-120000-steady-1f2e"
    )]
    #[command(name = agent_command::DAEMON)]
    Daemon(Daemon),
    /// Carry a conversation between stdin and stdout and the agent in a folder
    ///
    /// What stands on stdin and stdout are frames: a length of four bytes, big-endian, and a message of
    /// this very build (see `version`). With --lease, --name and --run an agent is started if none runs
    /// in DIR. Any number of connections may be tried at once; the one that greets last is in charge,
    /// and the others are closed.
    #[command(
        after_help = "Example:\n  ssh load-1 .cache/mallard/…/mallard-agent connect --dir /tmp/agent-1"
    )]
    #[command(name = agent_command::CONNECT)]
    Connect(Connect),
    /// End the agent in a folder by force
    ///
    /// Nothing happens where none runs. For hosts that have no shell and no `kill`.
    #[command(after_help = "Example:\n  mallard-agent kill --dir /tmp/agent-1")]
    #[command(name = agent_command::KILL)]
    Kill(Kill),
    /// Be the first process of a container in which agents run
    ///
    /// Waits for SIGTERM, SIGINT or SIGHUP, and lets the kernel take processes that ended in the
    /// container, whose parent it becomes. The image needs no program of its own so.
    #[command(name = agent_command::HOLD)]
    Hold,
    /// Check client properties with this build's librdkafka, for `mallard validate`
    ///
    /// Reads JSON on stdin: {"connection": [["key", "value"], …], "clients": [{"kind": "producer" or
    /// "consumer", "name": …, "properties": [["key", "value"], …]}, …]}, and writes JSON to stdout:
    /// {"librdkafka": "2.12.1", "refused": [{"client": …, "key": …, "reason": …}, …]}. Properties that
    /// are refused are an answer, not a failure: the exit code is 0.
    #[command(
        after_help = "Example:\n  echo '{\"clients\": [{\"kind\": \"producer\", \"name\": \"gateway\", \"properties\": [[\"linger.msx\", \"5\"]]}]}' | mallard-agent properties"
    )]
    #[command(name = agent_command::PROPERTIES)]
    Properties,
    /// List or delete topics and consumer groups, for `mallard clean`
    ///
    /// Reads JSON on stdin: {"connection": [["key", "value"], …], "within_ms": 10000, "delete":
    /// {"topics": […], "groups": […]}}, and writes JSON to stdout. Without "delete" it is {"found":
    /// {"topics": […], "groups": […]}} with all there are, else {"left": [["name", "cause"], …]} with
    /// those that could not be deleted; where no broker answers, {"failed": "cause"}, with exit code 0.
    #[command(name = agent_command::BROKERS)]
    Brokers,
    /// Tell what this host is, and which brokers it reaches, for `mallard check`
    ///
    /// Reads JSON on stdin: {"connection": [["bootstrap.servers", "broker-1:9092"], …], "within_ms": 5000},
    /// and writes JSON to stdout. Brokers that cannot be reached are an answer, not a failure.
    #[command(
        after_help = "Example:\n  echo '{\"connection\": [], \"within_ms\": 1000}' | mallard-agent host --runs ~/.cache/mallard/runs"
    )]
    #[command(name = agent_command::HOST)]
    Host {
        /// The folder in which agents have theirs
        #[arg(long = agent_command::RUNS, value_name = "DIR")]
        runs: PathBuf,
    },
    /// Break one broker of this host for a time, and hold the undo, for `faults` of a scenario
    ///
    /// Reads an order on stdin, one line of JSON: {"id": "f1", "act": "pause" or {"kill": {"signal":
    /// "kill"}} or {"loss": {"share_ppm": 50000}} or {"limit": {"bytes_per_s": 20000000}} or {"cut":
    /// {"directions": "both"}} with "wire": {"clients": true}, "victim": {"process": {"pid_file":
    /// "/run/kafka.pid", "start": ["/opt/kafka/start"]}} or {"container": {"engine": "unix:///var/run/docker.sock", "name": "broker-1"}}, "address":
    /// "localhost:9092" or null, "tls": false, "for_ms": 30000, "undo_ms": 15000, "lease_ms": 30000}, and
    /// writes reports as lines of JSON to stdout. The line `end` ends the fault before its time; once stdin
    /// is closed it ends after `lease_ms` at the latest. A twin undoes it if this process is killed.
    #[command(
        after_help = "Example: undo what guards have left that were killed with their twins\n  \
                      mallard-agent guard --sweep"
    )]
    #[command(name = agent_command::GUARD)]
    Guard(Guard),
    /// Print build id, protocol version, and librdkafka's version and features
    #[command(name = agent_command::VERSION)]
    Version,
}

#[derive(Debug, Args)]
struct Daemon {
    /// Private folder of the agent: socket, log and spool
    #[arg(long = agent_command::DIR, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Be the agent's process, in the current folder.
    #[arg(long = agent_command::DETACHED, hide = true)]
    detached: bool,
}

#[derive(Debug, Args)]
struct Kill {
    /// Private folder of the agent: socket, log and spool
    #[arg(long = agent_command::DIR, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Guard {
    /// Undo what was left on this host by guards that were killed with their twins, and report it
    #[arg(long = agent_command::SWEEP)]
    sweep: bool,
    /// Only the fault of this id
    #[arg(long = agent_command::ID, requires = "sweep")]
    id: Option<String>,
    /// The folder with notes on faults, instead of /run/mallard/faults or the user's own
    #[arg(long, value_name = "DIR", hide = true)]
    dir: Option<PathBuf>,
    /// Be the twin of the guard that wrote this note.
    #[arg(long = agent_command::TWIN, hide = true, value_name = "FILE")]
    twin: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Connect {
    /// Private folder of the agent: socket, log and spool
    #[arg(long = agent_command::DIR, value_name = "DIR")]
    dir: PathBuf,
    /// Start an agent if none runs: end it after this many seconds without a controller
    #[arg(long = agent_command::LEASE, value_name = "SECONDS", requires_all = ["name", "run"],
        value_parser = clap::value_parser!(u64).range(1..=daemon::LONGEST_LEASE_S))]
    lease_s: Option<u64>,
    /// Start an agent if none runs: its name in reports
    #[arg(long = agent_command::NAME, requires_all = ["lease_s", "run"])]
    name: Option<String>,
    /// Start an agent if none runs: the id of its run
    #[arg(long = agent_command::RUN, value_name = "RUN_ID", requires_all = ["lease_s", "name"])]
    run: Option<String>,
}

/// Runs the program with its arguments, and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { exit_code::USAGE } else { exit_code::OK }.into();
        }
    };
    let result = match cli.command {
        Task::Daemon(daemon) => start(&daemon),
        Task::Connect(connect) => converse(&connect),
        Task::Kill(kill) => end(&kill.dir),
        Task::Hold => hold(),
        Task::Properties => check_properties(),
        Task::Brokers => ask_brokers(),
        Task::Host { runs } => tell_host(&runs),
        Task::Guard(guard) => stand_guard(&guard),
        Task::Version => version(),
    };
    result.unwrap_or_else(|failure| complain(&failure)).into()
}

fn start(arguments: &Daemon) -> anyhow::Result<u8> {
    if arguments.detached {
        if let Err(error) = daemon::be(&arguments.options) {
            // Whoever started this process reads the reason from here; stderr is the log.
            daemon::write_line(&format!("use {}: {error}", arguments.dir.display()))?;
            return Err(error.into());
        }
        return Ok(exit_code::OK);
    }
    match daemon::start(&arguments.dir, &arguments.options)? {
        Started::Now => Ok(exit_code::OK),
        Started::RanAlready { pid } => {
            let pid = pid.map_or("of unknown id".to_owned(), |pid| pid.to_string());
            let dir = arguments.dir.display();
            say(&format!("an agent runs in {dir} already: process {pid}"));
            Ok(exit_code::ALREADY_RUNNING)
        }
    }
}

fn end(dir: &std::path::Path) -> anyhow::Result<u8> {
    // While the folder is owned, the process whose id it holds is its agent and nobody else.
    if let (true, Some(pid)) = (folder::is_owned(dir), folder::pid(dir)) {
        sys::kill(pid).with_context(|| format!("end process {pid} of {}", dir.display()))?;
    }
    Ok(exit_code::OK)
}

fn hold() -> anyhow::Result<u8> {
    let termination = sys::Termination::block();
    sys::leave_children_to_the_kernel();
    termination.wait();
    Ok(exit_code::OK)
}

fn stand_guard(arguments: &Guard) -> anyhow::Result<u8> {
    if let Some(note) = &arguments.twin {
        mallard_guard::be_twin(note).with_context(|| format!("watch {}", note.display()))?;
        return Ok(exit_code::OK);
    }
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => mallard_guard::folder().context("make the folder for notes on faults")?,
    };
    let went_well = if arguments.sweep {
        mallard_guard::sweep(&folder, arguments.id.as_deref()).context("undo what was left")?
    } else {
        mallard_guard::run(&folder).context("carry out an order")?
    };
    Ok(if went_well { exit_code::OK } else { exit_code::FAILURE })
}

fn converse(arguments: &Connect) -> anyhow::Result<u8> {
    let options = match (arguments.lease_s, &arguments.name, &arguments.run) {
        (Some(lease_s), Some(name), Some(run)) => {
            Some(Options { lease_s, name: name.clone(), run: run.clone() })
        }
        _ => None,
    };
    Ok(connect::connect(&arguments.dir, options.as_ref())?)
}

fn check_properties() -> anyhow::Result<u8> {
    let report = properties::check(&request()?).context("understand the request on stdin")?;
    print(&report)
}

fn ask_brokers() -> anyhow::Result<u8> {
    let report = brokers::answer(&request()?).context("understand the request on stdin")?;
    print(&report)
}

fn tell_host(runs: &Path) -> anyhow::Result<u8> {
    let question = serde_json::from_str(&request()?).context("understand the question on stdin")?;
    let facts = host::preflight::answer(&question, runs);
    print(&serde_json::to_string(&facts).context("write JSON")?)
}

fn request() -> anyhow::Result<String> {
    let mut request = String::new();
    io::stdin().take(REQUEST_CAP_BYTES).read_to_string(&mut request).context("read stdin")?;
    Ok(request)
}

fn version() -> anyhow::Result<u8> {
    let features = ClientConfig::new()
        .create_native_config()
        .and_then(|config| config.get("builtin.features"))
        .unwrap_or_default();
    print(&format!(
        "build: {BUILD_ID}\nprotocol: {PROTOCOL_VERSION}\nlibrdkafka: {}\nfeatures: {features}\n\
         architecture: {}",
        host::librdkafka_version(),
        std::env::consts::ARCH,
    ))
}

fn print(text: &str) -> anyhow::Result<u8> {
    writeln!(io::stdout(), "{text}").context("write to stdout")?;
    Ok(exit_code::OK)
}

fn complain(failure: &anyhow::Error) -> u8 {
    say(&format!("failed to {failure:#}"));
    match failure.downcast_ref::<connect::ConnectError>() {
        Some(connect::ConnectError::Io { .. }) | None => exit_code::FAILURE,
        Some(connect::ConnectError::Silent { .. }) => exit_code::SILENT,
        Some(_) => exit_code::NOT_RUNNING,
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "mallard-agent: {text}");
}
