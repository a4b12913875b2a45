//! What waits to be sent to one controller.
//!
//! Invariants: nobody who puts something in ever waits; intervals are not in here, but are taken from
//! the spool when the channel is free; messages go before intervals, but for those that come after an
//! interval by their meaning (`Finished`); a controller that does not read fills its outbox and is
//! given up, because all that matters is said again to one that comes back.

use super::shared::Shared;
use mallard_protocol::{
    frame,
    message::{Answer, FromAgent},
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most messages that wait.
const MOST_MESSAGES: usize = 8192;

/// Most bytes that wait: a log on its way home fits four times.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Something to send.
#[derive(Debug)]
enum Item {
    Frame(Vec<u8>),
    /// Goes when all intervals before `end` have gone.
    AfterIntervals {
        end: u64,
        frame: Vec<u8>,
    },
    /// The answer to a question for the clock, which is read when the answer goes.
    Clock {
        request: u32,
        received_us: u64,
    },
}

/// What a writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits until something changes.
    Wait,
    /// Ends the conversation.
    Close,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    bytes: usize,
    /// The next interval to send, once the controller has said where to resume.
    cursor: Option<u64>,
    /// Whether the writer is writing what it took last.
    in_flight: bool,
    closing: bool,
    overflowed: bool,
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Inner>);

impl Outbox {
    /// Sends a message when its turn comes; `Finished` when all intervals that are measured by now have
    /// gone.
    pub(super) fn speak(&self, shared: &Shared, message: &FromAgent) {
        self.speak_after(shared.spool_end(), message);
    }

    /// Sends a message when its turn comes; `Finished` when all intervals before `end` have gone.
    pub(super) fn speak_after(&self, end: u64, message: &FromAgent) {
        match message {
            FromAgent::Finished { .. } => self.push_after(end, message),
            other => self.push(other),
        }
    }

    /// Whether everything that was said or measured by now is written.
    pub(super) fn has_written_all(&self, shared: &Shared) -> bool {
        self.is_drained(shared.spool_end())
    }

    /// Sends a message when its turn comes.
    pub(super) fn push(&self, message: &FromAgent) {
        self.put(message, Item::Frame);
    }

    /// Sends a message when all intervals before `end` have gone.
    fn push_after(&self, end: u64, message: &FromAgent) {
        self.put(message, |frame| Item::AfterIntervals { end, frame });
    }

    /// Answers a question for the clock.
    pub(super) fn push_clock(&self, request: u32, received_us: u64) {
        self.add(Item::Clock { request, received_us }, 0);
    }

    /// Lets intervals flow, beginning with a sequence.
    pub(super) fn open(&self, resume_at: u64) {
        self.inner().cursor = Some(resume_at);
    }

    /// Ends the conversation when what waits (intervals aside) has gone.
    pub(super) fn close(&self) {
        self.inner().closing = true;
    }

    /// Whether the controller has left too much unread.
    pub(super) fn has_overflowed(&self) -> bool {
        self.inner().overflowed
    }

    /// Whether everything is written, all intervals before `end` included.
    fn is_drained(&self, end: u64) -> bool {
        let inner = self.inner();
        let empty = inner.items.is_empty() && !inner.in_flight;
        empty && inner.cursor.is_none_or(|cursor| cursor >= end)
    }

    /// Takes out messages that nobody has heard, for whoever comes next.
    pub(super) fn take_unsent(&self) -> Vec<FromAgent> {
        let items = std::mem::take(&mut self.inner().items);
        let frames = items.into_iter().filter_map(|item| match item {
            Item::Frame(frame) => Some(frame),
            Item::AfterIntervals { .. } | Item::Clock { .. } => None,
        });
        frames.filter_map(|frame| frame::decode(frame.get(4..)?).ok()).collect()
    }

    /// What to do next. Asking means that the last thing is done.
    pub(super) fn next(&self, shared: &Shared) -> Next {
        let mut inner = self.inner();
        let next = inner.next(shared);
        inner.in_flight = matches!(next, Next::Send(_));
        next
    }

    fn put(&self, message: &FromAgent, item: impl FnOnce(Vec<u8>) -> Item) {
        match frame::encode(message) {
            Ok(frame) => {
                let bytes = frame.len();
                self.add(item(frame), bytes);
            }
            Err(error) => crate::logfile::error(format!("send a message: {error}")),
        }
    }

    fn add(&self, item: Item, bytes: usize) {
        let mut inner = self.inner();
        if inner.items.len() >= MOST_MESSAGES || inner.bytes + bytes > MOST_BYTES {
            inner.overflowed = true;
            return;
        }
        inner.bytes += bytes;
        inner.items.push_back(item);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next(&mut self, shared: &Shared) -> Next {
        let blocked = match self.items.front() {
            Some(Item::AfterIntervals { end, .. }) => self.cursor.is_none_or(|at| at < *end),
            _ => false,
        };
        let ready = self.closing || !blocked;
        if ready && let Some(item) = self.items.pop_front() {
            return Next::Send(self.bytes_of(item));
        }
        if self.closing {
            return Next::Close;
        }
        if let Some(cursor) = self.cursor {
            let interval = shared.with_spool(|spool| spool.next_from(cursor));
            if let Some((sequence, frame)) = interval {
                self.cursor = Some(sequence + 1);
                return Next::Send(frame);
            }
            // The spool has given up what the front item waits for.
            if let Some(item) = self.items.pop_front() {
                return Next::Send(self.bytes_of(item));
            }
        }
        Next::Wait
    }

    fn bytes_of(&mut self, item: Item) -> Vec<u8> {
        match item {
            Item::Frame(frame) | Item::AfterIntervals { frame, .. } => {
                self.bytes -= frame.len();
                frame
            }
            Item::Clock { request, received_us } => {
                let sent_us = crate::sys::monotonic_us();
                let result = Ok(Answer::Clock { received_us, sent_us });
                frame::encode(&FromAgent::Answer { request, result }).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{LIMITS, Spool};

    fn shared(folder: &tempfile::TempDir, intervals: u64) -> Shared {
        let (mut spool, _) = Spool::open(folder.path(), LIMITS).unwrap();
        (0..intervals).for_each(|at| {
            spool.append(at, &[at as u8]);
        });
        Shared::new(spool)
    }

    fn send(message: &FromAgent) -> Next {
        Next::Send(frame::encode(message).unwrap())
    }

    #[test]
    fn who_speaks_and_who_writes_never_wait_for_each_other() {
        const ROUNDS: u64 = 20_000;
        let folder = tempfile::tempdir().unwrap();
        let (shared, outbox) = (shared(&folder, 3), Outbox::default());
        outbox.open(0);
        let (ended, end) = std::sync::mpsc::channel();
        let (shared, outbox) = (std::sync::Arc::new(shared), std::sync::Arc::new(outbox));
        let speaker = {
            let (shared, outbox, ended) = (shared.clone(), outbox.clone(), ended.clone());
            move || {
                for _ in 0..ROUNDS {
                    outbox.speak(&shared, &FromAgent::Heartbeat);
                    let _drained = outbox.has_written_all(&shared);
                }
                ended.send(())
            }
        };
        let writer = move || {
            (0..ROUNDS).for_each(|_| drop(outbox.next(&shared)));
            ended.send(())
        };
        // Not scoped: threads that hang would hang the test, which is to say what happened.
        std::thread::spawn(speaker);
        std::thread::spawn(writer);
        for _ in 0..2 {
            let waited = end.recv_timeout(std::time::Duration::from_secs(60));
            waited.expect("neither waits for the other for ever");
        }
    }

    const FINISHED: FromAgent = FromAgent::Finished { client_queue: 0 };

    #[test]
    fn messages_go_first_and_finished_goes_after_its_intervals() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, outbox) = (shared(&folder, 3), Outbox::default());
        outbox.push_after(3, &FINISHED);
        assert_eq!(outbox.next(&shared), Next::Wait);
        outbox.open(1);
        assert_eq!(outbox.next(&shared), Next::Send(vec![1]));
        assert!(!outbox.is_drained(3));
        assert_eq!(outbox.next(&shared), Next::Send(vec![2]));
        outbox.push(&FromAgent::Heartbeat);
        assert_eq!(outbox.next(&shared), send(&FINISHED));
        assert_eq!(outbox.next(&shared), send(&FromAgent::Heartbeat));
        assert_eq!(outbox.next(&shared), Next::Wait);
        assert!(outbox.is_drained(3));
        outbox.push(&FromAgent::Heartbeat);
        assert_eq!(outbox.next(&shared), send(&FromAgent::Heartbeat));
        assert!(!outbox.is_drained(3), "taken is not written");
        outbox.close();
        assert_eq!(outbox.next(&shared), Next::Close);
    }

    #[test]
    fn who_is_dismissed_hears_the_last_message_and_no_more_intervals() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, outbox) = (shared(&folder, 3), Outbox::default());
        outbox.open(0);
        outbox.push(&FromAgent::Heartbeat);
        outbox.close();
        assert_eq!(outbox.next(&shared), send(&FromAgent::Heartbeat));
        assert_eq!(outbox.next(&shared), Next::Close);
    }

    #[test]
    fn what_the_spool_gave_up_holds_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, outbox) = (shared(&folder, 0), Outbox::default());
        outbox.push_after(9, &FINISHED);
        outbox.open(0);
        assert_eq!(outbox.next(&shared), send(&FINISHED));
    }

    #[test]
    fn who_does_not_read_is_given_up() {
        let outbox = Outbox::default();
        for _ in 0..MOST_MESSAGES {
            outbox.push(&FromAgent::Heartbeat);
        }
        assert!(!outbox.has_overflowed());
        outbox.push(&FromAgent::Heartbeat);
        assert!(outbox.has_overflowed());
        let big = FromAgent::Log { bytes: vec![0; 60 << 20], last: true };
        let outbox = Outbox::default();
        outbox.push(&big);
        assert!(!outbox.has_overflowed());
        outbox.push(&big);
        assert!(outbox.has_overflowed());
    }

    #[test]
    fn unsent_messages_are_kept_for_the_next_one() {
        let outbox = Outbox::default();
        outbox.push(&FromAgent::Heartbeat);
        outbox.push_clock(1, 2);
        assert_eq!(outbox.take_unsent(), [FromAgent::Heartbeat]);
    }
}
