//! What a log's end says about why its program ended.
//!
//! A JVM that fails says why first and then, in dozens of lines, how it shuts down. So the lines that tell
//! are looked for: the first complaint that the program itself calls fatal, with its causes, and what was
//! complained of before it. Without any such line the last ones are all there is.

use std::collections::BTreeSet;

/// Complaints before the fatal one that are shown: they often name what that one only follows from.
const BEFORE: usize = 2;

/// Lines of a complaint that are shown: what was being done, the exception, and the cause behind all.
const LINES_EACH: usize = 3;

/// Lines that are shown where none complains; and how many from the end a complaint may be that is not
/// called fatal: an earlier one was overcome.
const SHOWN_LINES: usize = 4;
const NEAR_LINES: usize = 60;

/// Characters of a line that are shown.
const LINE_CHARS: usize = 240;

/// The lines of a log that say why its program ended, in one line; empty for an empty log.
pub(super) fn cause_of_end(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| says_why(line)).collect();
    let entries = entries(&lines);
    let chosen = match entries.iter().position(Entry::is_fatal) {
        Some(fatal) => up_to_fatal(&entries, fatal),
        None => {
            let last = entries.iter().rev().find(|entry| entry.is_error());
            last.filter(|last| last.at + NEAR_LINES >= lines.len()).into_iter().collect()
        }
    };
    if chosen.is_empty() {
        return joined(lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().copied());
    }
    joined(chosen.iter().flat_map(|entry| entry.essence()))
}

/// A line of a log with the exceptions that were logged with it.
#[derive(Debug)]
struct Entry<'a> {
    /// Where it stands among the lines.
    at: usize,
    lines: Vec<&'a str>,
}

impl<'a> Entry<'a> {
    fn head(&self) -> &'a str {
        self.lines[0]
    }

    /// Whether it was logged as an error: `[main] ERROR …`, `[2026-11-22 12:00:00,000] ERROR …`.
    fn is_error(&self) -> bool {
        let level = |word: &str| matches!(word, "ERROR" | "FATAL");
        self.head().split_whitespace().take(4).any(level)
    }

    fn is_complaint(&self) -> bool {
        self.is_error() || self.lines.iter().any(|line| is_exception(line))
    }

    fn is_fatal(&self) -> bool {
        self.is_plain_error()
            || self.head().starts_with("Exception in thread")
            || (self.is_error() && self.head().to_lowercase().contains("fatal"))
    }

    /// Not logged, but said: by the JVM itself, or by a tool.
    fn is_plain_error(&self) -> bool {
        ["Error ", "Error: "].iter().any(|start| self.head().starts_with(start))
    }

    /// Its first lines and its last one, which is the cause of all causes.
    fn essence(&self) -> impl Iterator<Item = &'a str> {
        let first = self.lines.len().min(LINES_EACH - 1);
        let last = self.lines[first..].last();
        self.lines[..first].iter().chain(last).copied()
    }
}

/// The fatal entry, after what was complained of before it.
fn up_to_fatal<'a, 'b>(entries: &'b [Entry<'a>], fatal: usize) -> Vec<&'b Entry<'a>> {
    let (before, fatal) = (&entries[..fatal], &entries[fatal]);
    if fatal.is_plain_error() {
        // `Invalid maximum heap size` stands before `Could not create the Java Virtual Machine`.
        return before.last().into_iter().chain([fatal]).collect();
    }
    // The same complaint comes again and again, as of a connection that is tried for a minute.
    let mut seen = BTreeSet::new();
    let complaints = before.iter().rev().filter(|entry| entry.is_complaint());
    let complaints =
        complaints.filter(|entry| seen.insert(entry.lines.get(1).unwrap_or(&entry.lines[0])));
    let mut chosen: Vec<_> = complaints.take(BEFORE).collect();
    chosen.reverse();
    chosen.push(fatal);
    chosen
}

fn entries<'a>(lines: &[&'a str]) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for (at, line) in lines.iter().copied().enumerate() {
        match entries.last_mut() {
            Some(entry) if is_exception(line) => entry.lines.push(line),
            _ => entries.push(Entry { at, lines: vec![line] }),
        }
    }
    entries
}

/// Neither empty nor a frame of a stack.
fn says_why(line: &str) -> bool {
    let line = line.trim_start();
    let is_frame = line.starts_with("at ") || (line.starts_with("... ") && line.ends_with(" more"));
    !line.is_empty() && !is_frame
}

/// `java.net.BindException: Address already in use`, also as a cause.
fn is_exception(line: &str) -> bool {
    let line = line.trim_start();
    let is_class =
        |word: &str| word.contains('.') && (word.ends_with("Exception") || word.ends_with("Error"));
    line.starts_with("Caused by: ") || is_class(line.split([':', ' ']).next().unwrap_or_default())
}

/// All in one line, nothing twice, nothing without end.
fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut seen = BTreeSet::new();
    let is_new = |line: &&'a str| seen.insert(line.trim_start_matches("Caused by: "));
    lines.map(str::trim).filter(is_new).map(shortened).collect::<Vec<_>>().join(" / ")
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a broker of Kafka 4.1 shuts down, a hundred lines of it.
    fn shutdown() -> String {
        let line = "[kafka-shutdown-hook] INFO kafka.network.SocketServer - [SocketServer listenerType=CONTROLLER, \
                    nodeId=1] Shutdown completed\n[quorum-controller-1-event-handler] INFO \
                    org.apache.kafka.controller.QuorumController - [QuorumController id=1] writeNoOpRecord: event \
                    unable to start processing because of RejectedExecutionException (treated as TimeoutException). \
                    Exception message: The event queue is shutting down\n";
        line.repeat(50)
    }

    #[test]
    fn a_value_that_is_refused_is_told_without_its_stack() {
        let log = "[main] INFO kafka.utils.Log4jControllerRegistration$ - Registered `kafka:type=kafka.Log4jController` MBean\n\
            Exception in thread \"main\" org.apache.kafka.common.config.ConfigException: Invalid value nonsense for configuration process.roles: String must be one of: broker, controller\n\
            \tat org.apache.kafka.common.config.ConfigDef$ValidString.ensureValid(ConfigDef.java:1047)\n\
            \tat kafka.tools.StorageTool.main(StorageTool.scala)\n";
        assert_eq!(
            cause_of_end(log),
            "Exception in thread \"main\" org.apache.kafka.common.config.ConfigException: Invalid value nonsense for \
             configuration process.roles: String must be one of: broker, controller"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_with_what_was_done() {
        let log = "\tunstable.feature.versions.enable = false\n\n\
            Formatting metadata directory /proc/nope with metadata.version 4.1-IV1.\n\
            Error while writing meta.properties file /proc/nope: java.nio.file.NoSuchFileException: /proc/nope\n";
        assert_eq!(
            cause_of_end(log),
            "Formatting metadata directory /proc/nope with metadata.version 4.1-IV1. / Error while writing \
             meta.properties file /proc/nope: java.nio.file.NoSuchFileException: /proc/nope"
        );
    }

    #[test]
    fn a_jvm_that_does_not_start_is_told_with_the_line_before() {
        let log = "===> Launching kafka ...\nInvalid maximum heap size: -Xmx0x\n\
            Error: Could not create the Java Virtual Machine.\n\
            Error: A fatal exception has occurred. Program will exit.\n";
        assert_eq!(
            cause_of_end(log),
            "Invalid maximum heap size: -Xmx0x / Error: Could not create the Java Virtual Machine."
        );
    }

    #[test]
    fn a_voter_whose_name_nobody_knows_is_told_although_the_broker_ends_of_something_else() {
        let tried = "[broker-1-to-controller-heartbeat-channel-manager] WARN org.apache.kafka.clients.NetworkClient - [NodeToControllerChannelManager id=1 name=heartbeat] Error connecting to node nowhere.invalid:39093 (id: 1 rack: null isFenced: false)\n\
            java.net.UnknownHostException: nowhere.invalid\n\
            \tat java.base/java.net.InetAddress$CachedAddresses.get(InetAddress.java:801)\n\
            [broker-1-to-controller-heartbeat-channel-manager] INFO kafka.server.NodeToControllerRequestThread - [broker-1-to-controller-heartbeat-channel-manager]: Recorded new KRaft controller, from now on will use node nowhere.invalid:39093 (id: 1 rack: null isFenced: false)\n";
        let ended = "[broker-1-lifecycle-manager-event-handler] ERROR kafka.server.BrokerLifecycleManager - [BrokerLifecycleManager id=1] Shutting down because we were unable to register with the controller quorum.\n\
            [broker-1-lifecycle-manager-event-handler] INFO kafka.server.BrokerLifecycleManager - [BrokerLifecycleManager id=1] Transitioning from STARTING to SHUTTING_DOWN.\n\
            [main] ERROR kafka.server.BrokerServer - [BrokerServer id=1] Received a fatal error while waiting for the controller to acknowledge that we are caught up\n\
            java.util.concurrent.CancellationException\n\
            \tat java.base/java.util.concurrent.CompletableFuture.cancel(CompletableFuture.java:2478)\n\
            [main] ERROR kafka.server.BrokerServer - [BrokerServer id=1] Fatal error during broker startup. Prepare to shutdown\n";
        let told = cause_of_end(&(tried.repeat(20) + ended + &shutdown()));
        let parts: Vec<_> = told.split(" / ").collect();
        assert_eq!(parts.len(), 5, "{parts:#?}");
        assert!(parts[0].contains("Error connecting to node nowhere.invalid:39093"), "{told}");
        assert_eq!(parts[1], "java.net.UnknownHostException: nowhere.invalid");
        assert!(parts[2].ends_with("unable to register with the controller quorum."), "{told}");
        assert!(parts[3].contains("Received a fatal error while waiting"), "{told}");
        assert_eq!(parts[4], "java.util.concurrent.CancellationException");
    }

    #[test]
    fn a_port_that_is_taken_is_told_once() {
        let log = "[main] INFO kafka.network.SocketServer - [SocketServer listenerType=BROKER, nodeId=1] Enabling request processing.\n\
            [main] ERROR kafka.network.DataPlaneAcceptor - Unable to start acceptor for PLAINTEXT\n\
            org.apache.kafka.common.KafkaException: Socket server failed to bind to 0.0.0.0:38092: Address already in use.\n\
            \tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:634)\n\
            Caused by: java.net.BindException: Address already in use\n\
            \tat java.base/sun.nio.ch.Net.bind0(Native Method)\n\
            \t... 16 more\n\
            [main] ERROR kafka.server.BrokerServer - [BrokerServer id=1] Received a fatal error while waiting for all of the SocketServer Acceptors to be started\n\
            java.lang.RuntimeException: Unable to start acceptor for PLAINTEXT\n\
            \tat kafka.network.SocketServer.enableRequestProcessing(SocketServer.scala:223)\n\
            Caused by: org.apache.kafka.common.KafkaException: Socket server failed to bind to 0.0.0.0:38092: Address already in use.\n\
            Caused by: java.net.BindException: Address already in use\n";
        assert_eq!(
            cause_of_end(&(log.to_owned() + &shutdown())),
            "[main] ERROR kafka.network.DataPlaneAcceptor - Unable to start acceptor for PLAINTEXT / \
             org.apache.kafka.common.KafkaException: Socket server failed to bind to 0.0.0.0:38092: Address already in \
             use. / Caused by: java.net.BindException: Address already in use / [main] ERROR kafka.server.BrokerServer - \
             [BrokerServer id=1] Received a fatal error while waiting for all of the SocketServer Acceptors to be started \
             / java.lang.RuntimeException: Unable to start acceptor for PLAINTEXT"
        );
    }

    #[test]
    fn lines_of_apaches_image_are_read_too() {
        let log = "[2026-11-22 12:00:01,000] INFO starting (kafka.server.BrokerServer)\n\
            [2026-11-22 12:00:02,000] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)\n\
            java.lang.RuntimeException: No readable meta.properties files found.\n\
            \tat kafka.server.KafkaRaftServer$.initializeLogDirs(KafkaRaftServer.scala:140)\n";
        assert_eq!(
            cause_of_end(&(log.to_owned() + &shutdown())),
            "[2026-11-22 12:00:02,000] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$) / \
             java.lang.RuntimeException: No readable meta.properties files found."
        );
    }

    #[test]
    fn a_log_without_a_complaint_near_its_end_is_told_by_its_last_lines() {
        assert_eq!(cause_of_end(""), "");
        assert_eq!(cause_of_end("one\n\ntwo\nthree\nfour\nfive\n"), "two / three / four / five");
        let overcome = "[main] ERROR a.B - try again\n".to_owned() + &"all is well\n".repeat(100);
        assert_eq!(cause_of_end(&overcome), "all is well");
        let ended = "[main] ERROR a.B - no more\njava.io.IOException: no space left\ngoing\n";
        assert_eq!(
            cause_of_end(ended),
            "[main] ERROR a.B - no more / java.io.IOException: no space left"
        );
    }

    #[test]
    fn what_is_told_has_an_end() {
        let log = format!("Exception in thread \"main\" {}\n", "é".repeat(10_000));
        assert_eq!(cause_of_end(&log).chars().count(), LINE_CHARS + 1);
    }
}
