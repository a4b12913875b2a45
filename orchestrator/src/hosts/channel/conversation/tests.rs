//! Conversations over channels that carry anything, and nothing.

use super::*;
use crate::hosts::channel::{ChannelExit, Link, Remains};
use mallard_protocol::message::{AgentState, HostFacts};
use proptest::prelude::*;
use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::io::DuplexStream;

/// Silence after which a channel is given up in these tests.
const SILENCE: Duration = Duration::from_millis(200);

/// A host whose agent is the test: each channel's other end goes into a queue. It refuses so many channels
/// before it opens one.
struct Host {
    agents: Mutex<mpsc::UnboundedSender<DuplexStream>>,
    refusals: AtomicU32,
}

impl Host {
    fn new(agents: mpsc::UnboundedSender<DuplexStream>, refusals: u32) -> Arc<Self> {
        Arc::new(Self { agents: Mutex::new(agents), refusals: AtomicU32::new(refusals) })
    }
}

#[async_trait::async_trait]
impl Bridge for Host {
    async fn open(&self, _start: bool) -> Result<Channel, String> {
        let refusals = self.refusals.load(Ordering::Relaxed);
        if refusals > 0 {
            self.refusals.store(refusals - 1, Ordering::Relaxed);
            return Err("no route to host".to_owned());
        }
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let agents = self.agents.lock().map_err(|_| "a test panicked")?;
        agents.send(theirs).map_err(|_| "the test is over")?;
        let (from_agent, to_agent) = tokio::io::split(ours);
        Ok(Channel {
            to_agent: Box::new(to_agent),
            from_agent: Box::new(from_agent),
            exit: Box::pin(async { ChannelExit::default() }),
        })
    }

    fn host(&self) -> &str {
        "a test"
    }

    async fn kill(&self, _pid: u32) -> io::Result<()> {
        Ok(())
    }

    async fn clean_up(&self, _keep: bool) -> Remains {
        Remains::default()
    }
}

fn hello() -> Vec<u8> {
    let hello = FromAgent::Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: BUILD_ID.to_owned(),
        host: Box::new(HostFacts::default()),
        state: AgentState::Idle,
    };
    frame::encode(&hello).unwrap()
}

/// Says these bytes after a hello over a first channel; returns what the link tells until it is in
/// conversation over a second one.
fn after_hello(bytes: &[u8]) -> Vec<Input> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (opened, mut agents) = mpsc::unbounded_channel();
        let (inputs, mut told) = mpsc::unbounded_channel();
        let host = Host::new(opened, 0);
        let link = Link::open(0, host, 0, false, SILENCE, inputs);
        let mut first = agents.recv().await.unwrap();
        first.write_all(&hello()).await.unwrap();
        // A link that has given up the channel does not take the rest.
        let _ = first.write_all(bytes).await;
        let mut second = agents.recv().await.expect("another channel is opened");
        second.write_all(&hello()).await.unwrap();
        let mut seen = Vec::new();
        while let Some(input) = told.recv().await {
            let back = matches!(input, Input::Channel { up: true, .. });
            seen.push(input);
            if back || matches!(seen.last(), Some(Input::AgentGone { .. })) {
                break;
            }
        }
        drop((link, first));
        seen
    })
}

fn is_a_cut_and_no_loss(told: &[Input]) -> bool {
    let cut = told.iter().any(|input| matches!(input, Input::Channel { up: false, .. }));
    let back = matches!(told.last(), Some(Input::Channel { up: true, .. }));
    cut && back && !told.iter().any(|input| matches!(input, Input::AgentGone { .. }))
}

/// What a link tells of an agent whose host refuses three channels, until it has greeted or is gone.
fn of_a_reluctant_host(runs: bool) -> Vec<Input> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (opened, mut agents) = mpsc::unbounded_channel();
        let (inputs, mut told) = mpsc::unbounded_channel();
        let host = Host::new(opened, 3);
        let link = Link::open(0, host, 0, runs, SILENCE, inputs);
        let mut seen = Vec::new();
        let mut channels = Vec::new();
        loop {
            tokio::select! {
                Some(mut channel) = agents.recv() => {
                    channel.write_all(&hello()).await.unwrap();
                    channels.push(channel);
                }
                Some(input) = told.recv() => {
                    let is_cut = matches!(input, Input::Channel { up: false, .. });
                    seen.push(input);
                    if !is_cut {
                        break;
                    }
                }
            }
        }
        drop((link, channels));
        seen
    })
}

#[test]
fn an_agent_that_runs_is_tried_again_where_one_that_is_to_start_is_gone() {
    let told = of_a_reluctant_host(true);
    assert!(matches!(told.last(), Some(Input::Message { .. })), "{told:?}");
    let told = of_a_reluctant_host(false);
    let [Input::AgentGone { cause, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert!(cause.contains("no route to host"), "{cause}");
}

/// A host whose agent's process has ended; how each channel was opened goes into a queue.
struct Deserted(Mutex<mpsc::UnboundedSender<bool>>, AtomicU32);

#[async_trait::async_trait]
impl Bridge for Deserted {
    async fn open(&self, start: bool) -> Result<Channel, String> {
        let opened = self.0.lock().map_err(|_| "a test panicked")?;
        opened.send(start).map_err(|_| "the test is over")?;
        // At first it is there, and says so; then it is gone.
        let is_there = self.1.fetch_add(1, Ordering::Relaxed) == 0;
        let words = if is_there { hello() } else { Vec::new() };
        let code = if is_there { None } else { Some(i32::from(exit_code::NOT_RUNNING)) };
        Ok(Channel {
            to_agent: Box::new(tokio::io::sink()),
            from_agent: Box::new(io::Cursor::new(words)),
            exit: Box::pin(async move { ChannelExit { code, ..ChannelExit::default() } }),
        })
    }

    fn host(&self) -> &str {
        "a test"
    }

    async fn kill(&self, _pid: u32) -> io::Result<()> {
        panic!("nobody is there to be killed")
    }

    async fn clean_up(&self, _keep: bool) -> Remains {
        Remains::default()
    }
}

/// How channels are opened to an agent that greets once and is gone then, and what is told of it at last.
fn of_a_deserted_host(runs: bool) -> (Vec<bool>, Vec<Input>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (opened, mut ways) = mpsc::unbounded_channel();
        let (inputs, mut told) = mpsc::unbounded_channel();
        let host = Arc::new(Deserted(Mutex::new(opened), AtomicU32::new(0)));
        let link = Link::open(0, host, 0, runs, SILENCE, inputs);
        let mut seen = Vec::new();
        while let Some(input) = told.recv().await {
            let is_last = matches!(input, Input::AgentGone { .. });
            seen.push(input);
            if is_last {
                break;
            }
        }
        drop(link);
        let mut starts = Vec::new();
        while let Ok(start) = ways.try_recv() {
            starts.push(start);
        }
        (starts, seen)
    })
}

#[test]
fn what_an_agent_that_has_ended_measured_is_asked_of_a_successor_before_it_is_gone() {
    let (starts, told) = of_a_deserted_host(true);
    assert_eq!(starts, [true, false, true], "{told:?}");
    let ended = |input: &Input| matches!(input, Input::AgentEnded { was_stuck: false, .. });
    assert!(told.iter().any(ended), "{told:?}");
    // One that was never told to start has measured nothing.
    let (starts, told) = of_a_deserted_host(false);
    assert_eq!(starts, [true, false], "{told:?}");
    assert!(!told.iter().any(ended), "{told:?}");
}

#[test]
fn a_channel_that_falls_silent_is_given_up_for_another_one() {
    assert!(is_a_cut_and_no_loss(&after_hello(&[])));
}

#[test]
fn a_frame_beyond_the_limit_costs_its_channel_and_not_its_agent() {
    assert!(is_a_cut_and_no_loss(&after_hello(&u32::MAX.to_be_bytes())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn garbage_costs_its_channel_and_not_its_agent(
        framed in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let bytes = if framed { [&length[..], &bytes].concat() } else { bytes };
        let told = after_hello(&bytes);
        prop_assert!(is_a_cut_and_no_loss(&told), "{told:?}");
    }
}
