//! STAND-IN for the load engine, with the engine's API and none of its load. To be replaced as a whole.

use mallard_protocol::{
    ids::TopicId,
    interval::{IntervalReport, PartitionOffset, Resources},
    message::{AgentFailure, FromAgent},
    workload::{Assignment, ClientProperties},
};
use rdkafka::{ClientConfig, error::KafkaError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the engine asks of the agent around it, once an interval.
pub struct Hooks {
    /// Resources used since the last call.
    pub sample_resources: Box<dyn FnMut() -> Resources + Send>,
    /// End offsets of the topics that this agent observes.
    pub end_offsets: Option<Box<dyn FnMut() -> Vec<PartitionOffset> + Send>>,
}

/// Producers and consumers of a case.
pub struct Engine {
    sink: Sender<FromAgent>,
    hooks: std::sync::Mutex<Option<Hooks>>,
    stop: Arc<AtomicBool>,
    ticker: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Creates clients.
    ///
    /// # Errors
    /// What a client refuses.
    pub fn prepare(
        assignment: Assignment,
        sink: Sender<FromAgent>,
        hooks: Hooks,
    ) -> Result<Self, AgentFailure> {
        drop(assignment);
        let _ = sink.send(FromAgent::Prepared);
        Ok(Self {
            sink,
            hooks: std::sync::Mutex::new(Some(hooks)),
            stop: Arc::default(),
            ticker: std::sync::Mutex::new(None),
        })
    }

    /// Sends a probe to every partition.
    ///
    /// # Errors
    /// None here.
    pub fn probe(&self, topics: &[TopicId]) -> Result<(), AgentFailure> {
        let _ = topics;
        Ok(())
    }

    /// Starts the schedule.
    pub fn start(&self, at_clock_us: u64) {
        let (sink, stop) = (self.sink.clone(), Arc::clone(&self.stop));
        let hooks = self.hooks.lock().unwrap_or_else(|e| e.into_inner()).take();
        let Some(mut hooks) = hooks else { return };
        let ticker = thread::spawn(move || {
            let late_by_us = crate::sys::monotonic_us().saturating_sub(at_clock_us);
            let _ = sink.send(FromAgent::Started { late_by_us });
            let mut sequence = 0;
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                let report = IntervalReport {
                    sequence,
                    resources: (hooks.sample_resources)(),
                    end_offsets: hooks.end_offsets.as_mut().map(|f| f()).unwrap_or_default(),
                    ..IntervalReport::default()
                };
                let _ = sink.send(FromAgent::Interval(Box::new(report)));
                sequence += 1;
            }
        });
        *self.ticker.lock().unwrap_or_else(|e| e.into_inner()) = Some(ticker);
    }

    /// Ends the schedule.
    pub fn stop_load(&self) {}

    /// Flushes and closes.
    pub fn finish(&mut self, within: Duration) {
        let _ = within;
        self.stop.store(true, Ordering::Relaxed);
        let ticker = self.ticker.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(ticker) = ticker {
            let _ = ticker.join();
        }
        let _ = self.sink.send(FromAgent::Finished { client_queue: 0 });
    }
}

/// Kinds of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Producer.
    Producer,
    /// Consumer.
    Consumer,
}

/// Checks properties as librdkafka takes them.
///
/// # Errors
/// Every refused key with the reason.
pub fn check_properties(
    connection: &ClientProperties,
    kind: Kind,
    client: &ClientProperties,
) -> Result<(), Vec<(String, String)>> {
    let _ = kind;
    let refused: Vec<_> = connection
        .iter()
        .chain(client)
        .filter_map(|(key, value)| {
            let result = ClientConfig::new().set(key, value).create_native_config();
            match result {
                Ok(_) => None,
                Err(KafkaError::ClientConfig(_, reason, ..)) => Some((key.clone(), reason)),
                Err(other) => Some((key.clone(), other.to_string())),
            }
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}
