//! How the agent's program is called, and what lies in the folder of an agent. Written here once: `mallard-agent` takes
//! its command line and its file names from here, and whatever starts it on a host makes its arguments here.

/// The program's name.
pub const PROGRAM: &str = "mallard-agent";

/// Carries a conversation between stdin and stdout and the agent in a folder, which it may start.
pub const CONNECT: &str = "connect";
/// Starts an agent in a folder; with [`DETACHED`] it is the agent.
pub const DAEMON: &str = "daemon";
/// Ends the agent in a folder by force.
pub const KILL: &str = "kill";
/// Is the first process of a container.
pub const HOLD: &str = "hold";
/// Tells what the host is.
pub const HOST: &str = "host";
/// Breaks a broker for a time.
pub const GUARD: &str = "guard";
/// Checks client properties.
pub const PROPERTIES: &str = "properties";
/// Lists or deletes topics and consumer groups.
pub const BROKERS: &str = "brokers";
/// Prints the build.
pub const VERSION: &str = "version";

/// The option that names the folder of an agent; options stand here without their dashes.
pub const DIR: &str = "dir";
/// The option that names an agent.
pub const NAME: &str = "name";
/// The option that names an agent's run.
pub const RUN: &str = "run";
/// The option that says how long an agent goes on alone, in seconds.
pub const LEASE: &str = "lease";
/// The option by which a process is the agent, and starts none.
pub const DETACHED: &str = "detached";
/// The option that names the folder in which agents have theirs.
pub const RUNS: &str = "runs";

/// The option by which faults are undone that nobody holds any more.
pub const SWEEP: &str = "sweep";
/// The option that names one fault.
pub const ID: &str = "id";
/// The option by which a process is the twin of a guard.
pub const TWIN: &str = "twin";

/// The log, in the folder of an agent.
pub const LOG: &str = "agent.log";
/// The folder with what was measured and not collected yet, in that of an agent.
pub const SPOOL: &str = "spool";

/// Whose agent one is, and how long it goes on alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Its name in reports.
    pub name: &'a str,
    /// The id of its run.
    pub run: &'a str,
    /// How long it goes on without a controller, in seconds.
    pub lease_s: u64,
}

impl Identity<'_> {
    /// As options. The run's stands in the process list for as long as the agent lives: [`run_of_agent`] finds it there.
    #[must_use]
    pub fn options<T: From<String>>(&self) -> Vec<T> {
        let options = [(LEASE, self.lease_s.to_string()), (NAME, self.name.to_owned())];
        let run = (RUN, self.run.to_owned());
        options
            .into_iter()
            .chain([run])
            .flat_map(|(key, value)| [option(key), value.into()])
            .collect()
    }
}

/// Arguments that carry a conversation with the agent in a folder. With `start`, one is started where none runs.
#[must_use]
pub fn connect<T: From<String>>(dir: T, start: Option<Identity<'_>>) -> Vec<T> {
    let mut arguments = vec![CONNECT.to_owned().into(), option(DIR), dir];
    arguments.extend(start.iter().flat_map(Identity::options));
    arguments
}

/// Arguments that end the agent in a folder by force.
#[must_use]
pub fn kill<T: From<String>>(dir: T) -> Vec<T> {
    vec![KILL.to_owned().into(), option(DIR), dir]
}

/// Arguments that tell what a host is, `runs` being the folder in which agents have theirs.
#[must_use]
pub fn host<T: From<String>>(runs: T) -> Vec<T> {
    vec![HOST.to_owned().into(), option(RUNS), runs]
}

/// Arguments that undo faults on a host that nobody holds any more: all, or that of an id.
#[must_use]
pub fn sweep<T: From<String>>(id: Option<&str>) -> Vec<T> {
    let mut arguments = vec![GUARD.to_owned().into(), option(SWEEP)];
    arguments.extend(id.into_iter().flat_map(|id| [option(ID), id.to_owned().into()]));
    arguments
}

/// An option as it is written on a command line.
#[must_use]
pub fn option<T: From<String>>(name: &str) -> T {
    format!("--{name}").into()
}

/// The name of an agent's folder in that of its run. `case` is the case's place among the run's cases, from 0.
#[must_use]
pub fn folder(case: usize, agent: &str) -> String {
    format!("{case}-{agent}")
}

/// The run of an agent, by the arguments of its process; `None` if it is something else.
#[must_use]
pub fn run_of_agent<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    let at = arguments.iter().position(|word| word.strip_prefix("--") == Some(RUN))?;
    arguments.contains(&DAEMON).then(|| arguments.get(at + 1).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_started_only_where_it_is_said_whose_it_is() {
        let identity = Identity { name: "load-1", run: "r-1", lease_s: 30 };
        let arguments: Vec<String> = connect("/runs/r-1/0-load-1".to_owned(), None);
        assert_eq!(arguments.join(" "), "connect --dir /runs/r-1/0-load-1");
        let arguments: Vec<String> = connect("/x".to_owned(), Some(identity));
        assert_eq!(arguments.join(" "), "connect --dir /x --lease 30 --name load-1 --run r-1");
    }

    #[test]
    fn the_run_of_an_agent_stands_in_its_command_line() {
        let identity = Identity { name: "local-1", run: "r-1", lease_s: 30 };
        let options: Vec<String> = identity.options();
        let mut words = vec!["/opt/mallard-agent", DAEMON, "--detached"];
        words.extend(options.iter().map(String::as_str));
        assert_eq!(run_of_agent(&words), Some("r-1"));
        words[1] = CONNECT;
        assert_eq!(run_of_agent(&words), None);
        assert_eq!(run_of_agent(&["daemon", "--run"]), None);
    }
}
