//! One connection: a thread that reads and a thread that writes, and what the agent knows of it.

use super::{
    event::Event,
    outbox::{Next, Outbox},
    shared::Shared,
};
use crate::daemon::event::{PeerId, Word};
use mallard_protocol::{
    BUILD_ID, PROTOCOL_VERSION,
    frame::{self, Decoder, FrameError},
    message::{FromAgent, Question, ToAgent},
};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::Duration,
};

/// How long a piece of a message may take to be taken by the other side.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a writer sleeps at most when nothing rings.
const NAP: Duration = Duration::from_secs(60);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// A connection as the agent's core has it. Dropping it ends the connection.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) outbox: Arc<Outbox>,
    stream: Option<UnixStream>,
    heard_us: Arc<AtomicU64>,
}

impl Peer {
    /// Starts the threads of a connection.
    pub(super) fn start(
        id: PeerId,
        stream: UnixStream,
        shared: &Arc<Shared>,
        events: &SyncSender<Event>,
    ) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        let heard_us = Arc::new(AtomicU64::new(crate::sys::monotonic_us()));
        let outbox = Arc::new(Outbox::default());
        let reader = Reader {
            id,
            stream: stream.try_clone()?,
            heard_us: Arc::clone(&heard_us),
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(shared),
            events: events.clone(),
        };
        let writer = Writer {
            id,
            stream: stream.try_clone()?,
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(shared),
            events: events.clone(),
        };
        thread::Builder::new().name(format!("read-{id}")).spawn(move || reader.run())?;
        thread::Builder::new().name(format!("write-{id}")).spawn(move || writer.run())?;
        Ok(Self { id, outbox, stream: Some(stream), heard_us })
    }

    /// Ends the connection with a last message, which the writer still sends.
    pub(super) fn dismiss(mut self, last: &FromAgent, shared: &Shared) {
        self.outbox.push(last);
        self.outbox.close();
        self.stream = None;
        shared.ring();
    }

    /// For how long nothing has come.
    pub(super) fn silence(&self) -> Duration {
        let heard_us = self.heard_us.load(Ordering::Relaxed);
        Duration::from_micros(crate::sys::monotonic_us().saturating_sub(heard_us))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.outbox.close();
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

struct Reader {
    id: PeerId,
    stream: UnixStream,
    heard_us: Arc<AtomicU64>,
    outbox: Arc<Outbox>,
    shared: Arc<Shared>,
    events: SyncSender<Event>,
}

impl Reader {
    fn run(mut self) {
        let mut decoder = Decoder::default();
        let mut greeted = false;
        let mut buffer = vec![0; READ_BYTES];
        let last = loop {
            let bytes = match self.stream.read(&mut buffer) {
                Ok(0) => break Word::Gone("it closed the connection".into()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Word::Gone(error.to_string()),
            };
            let now_us = crate::sys::monotonic_us();
            self.heard_us.store(now_us, Ordering::Relaxed);
            decoder.push(&buffer[..bytes]);
            if let Err(word) = self.take_messages(&mut decoder, &mut greeted, now_us) {
                break word;
            }
        };
        self.tell(last);
    }

    fn take_messages(
        &self,
        decoder: &mut Decoder,
        greeted: &mut bool,
        now_us: u64,
    ) -> Result<(), Word> {
        let nonsense = |error: FrameError| Word::Nonsense(error.to_string());
        if !*greeted {
            let Some(body) = decoder.next_body().map_err(nonsense)? else { return Ok(()) };
            self.tell(Word::Hello { resume_at: check_hello(body).map_err(Word::Nonsense)? });
            *greeted = true;
        }
        while let Some(message) = decoder.next_message::<ToAgent>().map_err(nonsense)? {
            match message {
                ToAgent::Heartbeat => {}
                ToAgent::Ask { request, question: Question::Clock } => {
                    self.outbox.push_clock(request, now_us);
                    self.shared.ring();
                }
                other => self.tell(Word::Said(other)),
            }
        }
        Ok(())
    }

    fn tell(&self, word: Word) {
        let _ = self.events.send(Event::Peer { id: self.id, word });
    }
}

/// Reads the controller's greeting. An error is a text for the other side.
fn check_hello(body: &[u8]) -> Result<u64, String> {
    let Some((version, build)) = frame::hello_head(body) else {
        return Err("understand the first message: it is not a Hello".into());
    };
    if (version, build.as_str()) != (PROTOCOL_VERSION, BUILD_ID) {
        return Err(format!(
            "speak with this controller: it is build {build} (protocol {version}), this agent is \
             build {BUILD_ID} (protocol {PROTOCOL_VERSION}); use mallard and mallard-agent of one build"
        ));
    }
    match frame::decode::<ToAgent>(body) {
        Ok(ToAgent::Hello { resume_at, .. }) => Ok(resume_at),
        _ => Err("understand the first message: it is not a Hello".into()),
    }
}

struct Writer {
    id: PeerId,
    stream: UnixStream,
    outbox: Arc<Outbox>,
    shared: Arc<Shared>,
    events: SyncSender<Event>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let rings = self.shared.rings();
            match self.outbox.next(&self.shared) {
                Next::Send(bytes) => {
                    if let Err(error) = self.stream.write_all(&bytes) {
                        let word = Word::Gone(format!("it does not take what is sent: {error}"));
                        let _ = self.events.send(Event::Peer { id: self.id, word });
                        return;
                    }
                }
                Next::Wait => self.shared.wait_past(rings, NAP),
                Next::Close => {
                    let _ = self.stream.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &ToAgent) -> Vec<u8> {
        frame::encode(message).unwrap().split_off(4)
    }

    fn hello(protocol_version: u32, build_id: &str) -> Vec<u8> {
        body(&ToAgent::Hello { protocol_version, build_id: build_id.into(), resume_at: 5 })
    }

    #[test]
    fn only_a_hello_of_this_build_opens_the_conversation() {
        assert_eq!(check_hello(&hello(PROTOCOL_VERSION, BUILD_ID)), Ok(5));
        let refusal = check_hello(&hello(PROTOCOL_VERSION + 1, "9.9.9+x")).unwrap_err();
        assert!(refusal.contains("9.9.9+x") && refusal.contains(BUILD_ID), "{refusal}");
        assert!(check_hello(&body(&ToAgent::Heartbeat)).is_err());
        assert!(check_hello(b"").is_err());
    }
}
