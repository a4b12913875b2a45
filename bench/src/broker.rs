//! The broker that everybody is measured on: one real Apache Kafka whose log lies in memory, so that
//! what is compared is the tools and not this machine's disk.

use crate::{
    access::{Access, Listener, MECHANISM, PASSWORD, USER},
    cpu,
    finished::succeeded,
    peers::franz_go::FranzGo,
    place,
    topics::PARTITIONS,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    ffi::OsString,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use testkit::{
    guard::Guarded,
    java,
    kafka::certificates,
    process::{self, Signal},
    wait,
};

/// How long the broker may take to start.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How long the broker may take to give a deleted topic's memory back.
const DELETE_WITHIN: Duration = Duration::from_secs(30);

/// What `kafka-server-start.sh` gives the JVM by default.
const JVM: [&str; 7] = [
    "-Xms1g",
    "-Xmx1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// A running broker. Dropping it kills it and removes its folder; so does the end of this process.
#[derive(Debug)]
pub(crate) struct Broker {
    /// By listener, in the order of [`Listener::ALL`].
    ways: Vec<Access>,
    folder: PathBuf,
    process: Guarded,
    /// Who asks it things. Kafka's own tools would take seconds for each question.
    admin: FranzGo,
}

impl Broker {
    /// Starts a broker whose log may take so many bytes, and waits until it takes requests.
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    pub(crate) fn start(admin: FranzGo, needed: u64) -> Result<Self> {
        let free = place::free_memory_bytes().context("no memory file system for the log")?;
        ensure!(
            free >= needed,
            "the broker's log needs {} GiB of the memory file system, {:.1} GiB are free",
            needed >> 30,
            free as f64 / f64::from(1 << 30)
        );
        let folder = place::broker();
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to make {}", folder.display()))?;
        certificates::authority(&folder, "ca");
        let names = certificates::THIS_MACHINE;
        certificates::certificate(&folder, "server", "/CN=localhost", names, "30");
        let ways: Vec<Access> = Listener::ALL
            .into_iter()
            .map(|listener| {
                let address = format!("127.0.0.1:{}", free_port()?);
                Access::new(listener, address, &folder)
            })
            .collect::<Result<_>>()?;
        let file = folder.join("server.properties");
        fs::write(&file, settings(&ways, free_port()?, &folder))
            .with_context(|| format!("failed to write {}", file.display()))?;
        let log = folder.join("server.log");
        // Under guard before anything can fail, so that the folder goes in any case.
        let process = Guarded::start(&command(&file)?, &log, Some(&folder));
        let broker = Self { ways, folder, process, admin };
        broker.wait_until_ready(&log)?;
        Ok(broker)
    }

    /// The way to its listener without TLS or login.
    pub(crate) fn plain(&self) -> &Access {
        self.by(Listener::Plaintext)
    }

    /// The way to a listener.
    pub(crate) fn by(&self, listener: Listener) -> &Access {
        &self.ways[listener as usize]
    }

    /// CPU time that it has used, in seconds.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        cpu::of(self.process.pid())
    }

    /// Creates a topic of [`PARTITIONS`]; with `keep`, one that keeps all of its records.
    pub(crate) fn create_topic(&self, topic: &str, keep: bool) -> Result<()> {
        self.admin.create((self.plain(), topic), keep)
    }

    /// Deletes a topic and waits until its memory is free again, so that the next measurement does not
    /// run beside the work.
    pub(crate) fn delete_topic(&self, topic: &str) -> Result<()> {
        self.admin.remove((self.plain(), topic))?;
        let gone =
            wait::poll(DELETE_WITHIN, || self.partition_folders(topic).is_empty().then_some(()));
        gone.with_context(|| format!("topic {topic} not deleted within {DELETE_WITHIN:?}"))
    }

    /// Whether a topic is there.
    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        !self.partition_folders(topic).is_empty()
    }

    /// Records that were ever written to a topic, as the broker's end offsets say.
    pub(crate) fn written(&self, topic: &str) -> Result<u64> {
        self.admin.written((self.plain(), topic))
    }

    /// Lets a client's consumers fetch only so many bytes a second; without a number, all they like.
    pub(crate) fn hold_back(&self, client_id: &str, bytes_per_s: Option<u32>) -> Result<()> {
        self.admin.hold_back(self.plain(), client_id, bytes_per_s)
    }

    /// Waits until records arrive in any topic that is measured.
    pub(crate) fn wait_for_records(&self, within: Duration) -> Result<Instant> {
        let before = self.log_bytes();
        // More than a record or two.
        let arrived =
            wait::poll(within, || (self.log_bytes() > before + 64 * 1024).then(Instant::now));
        arrived.with_context(|| format!("no records arrived within {within:?}"))
    }

    /// Stops it in its tracks for a while, and says for how long that was.
    pub(crate) fn stall(&self, lasting: Duration) -> Duration {
        let start = Instant::now();
        self.process.signal(Signal::STOP);
        std::thread::sleep(lasting);
        self.process.signal(Signal::CONT);
        start.elapsed()
    }

    fn wait_until_ready(&self, log: &Path) -> Result<()> {
        let said = || fs::read_to_string(log).unwrap_or_default();
        let ready = wait::poll(START_WITHIN, || {
            (said().contains("Kafka Server started") || !self.process.is_alive()).then_some(())
        });
        if ready.is_none() || !self.process.is_alive() {
            bail!("the broker did not start:\n{}", said());
        }
        Ok(())
    }

    /// Bytes in the log files of all topics but Kafka's own.
    fn log_bytes(&self) -> u64 {
        let folders = self.partition_folders("");
        let files =
            folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let logs = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        logs.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }

    /// Folders of the partitions of topics whose name begins like this.
    fn partition_folders(&self, topic: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.join("data")).into_iter().flatten().flatten();
        let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        folders
            .filter(|path| !name(path).starts_with("__") && name(path).starts_with(topic))
            .collect()
    }
}

fn command(settings: &Path) -> Result<Vec<OsString>> {
    let jars = testkit::paths::kafka_libs().join("*");
    let mut format = java::command();
    format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(settings);
    format.args(["--add-scram", &format!("{MECHANISM}=[name={USER},password={PASSWORD}]")]);
    succeeded(process::run(&mut format, java::WITHIN))?;
    let mut command = vec![java::launcher().context("no java to run Kafka with")?.into_os_string()];
    command.extend(JVM.map(OsString::from));
    command.extend(["-cp".into(), jars.into_os_string()]);
    command.extend(["kafka.Kafka".into(), settings.as_os_str().to_owned()]);
    Ok(command)
}

const CLUSTER_ID: &str = "MallardBenchCluster01A";

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}

fn settings(ways: &[Access], controller_port: u16, folder: &Path) -> String {
    let listeners: Vec<String> = Listener::ALL
        .iter()
        .zip(ways)
        .map(|(listener, way)| format!("{}://{}", listener.protocol(), way.address()))
        .collect();
    let listeners = listeners.join(",");
    let folder = folder.display();
    format!(
        "node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller_port}
advertised.listeners={listeners}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.full
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
sasl.enabled.mechanisms={MECHANISM}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
num.partitions={PARTITIONS}
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The log lies in memory: old segments go soon, so that a fast tool cannot fill it.
log.segment.bytes=67108864
log.retention.bytes=268435456
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=0
log.segment.delete.delay.ms=0
"
    )
}
