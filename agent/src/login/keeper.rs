//! Gives every client of a process tokens, each before the one before it has expired.

use super::{source::Source, token::Token};
use crate::logfile;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// The part of a token's lifetime after which the next one is got, in percent. librdkafka's own.
const REFRESH_AFTER_PERCENT: u32 = 80;

/// Waits between two tries: the first one, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A client that takes tokens.
pub(crate) trait Taker: Send {
    /// Takes a token.
    fn take(&self, token: &Token) -> Result<(), String>;
    /// Hears why there is none.
    fn fail(&self, reason: &str);
}

/// Gets tokens from one source, and gives them to clients.
pub(crate) struct Keeper {
    source: Source,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while a token is got, so that clients that are made at once ask once.
    getting: Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// When the next one is to be got.
    refresh_at: Option<Instant>,
    takers: Vec<(u64, Box<dyn Taker>)>,
    next_id: u64,
    has_thread: bool,
}

/// A client's place among those that are given tokens. It must be dropped before the client ends.
pub(crate) struct Registration {
    keeper: Arc<Keeper>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // No token is being handed over while this is held.
        self.keeper.state().takers.retain(|(id, _)| *id != self.id);
    }
}

impl Keeper {
    /// The keeper of a source: one in a process, for as long as the process lives, so that a token is used by all
    /// clients, and by those that are made later.
    pub(super) fn shared(source: &Source) -> Arc<Self> {
        static KEEPERS: Mutex<Vec<Arc<Keeper>>> = Mutex::new(Vec::new());
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keepers.iter().find(|keeper| keeper.source == *source) {
            return Arc::clone(known);
        }
        let keeper = Arc::new(Self::new(source.clone()));
        keepers.push(Arc::clone(&keeper));
        keeper
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            getting: Mutex::new(()),
        }
    }

    /// Gives a client a token now, and others before it expires. The first one is waited for.
    pub(crate) fn register(
        self: &Arc<Self>,
        taker: Box<dyn Taker>,
    ) -> Result<Registration, String> {
        let getting = self.getting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.state().token.clone().filter(|token| !token.left().is_zero());
        if known.is_none() {
            self.renew()?;
        }
        drop(getting);
        let mut state = self.state();
        if let Some(token) = &state.token {
            taker.take(token)?;
        }
        state.next_id += 1;
        let id = state.next_id;
        state.takers.push((id, taker));
        if !state.has_thread {
            let keeper = Arc::downgrade(self);
            thread::Builder::new()
                .name("tokens".to_owned())
                .spawn(move || keep(&keeper))
                .map_err(|cause| format!("no thread for tokens: {cause}"))?;
            state.has_thread = true;
        }
        self.changed.notify_all();
        drop(state);
        Ok(Registration { keeper: Arc::clone(self), id })
    }

    /// Gets a token and gives it to all clients.
    fn renew(&self) -> Result<(), String> {
        let token = self.source.token()?;
        let mut state = self.state();
        let refused = state.takers.iter().find_map(|(_, taker)| taker.take(&token).err());
        state.refresh_at = Some(Instant::now() + token.left() * REFRESH_AFTER_PERCENT / 100);
        state.token = Some(token);
        refused.map_or(Ok(()), Err)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a token is due that somebody wants. Returns after a while in any case.
    fn wait(&self) -> bool {
        let state = self.state();
        let due = |state: &State| {
            let now = Instant::now();
            let at = state.refresh_at.filter(|_| !state.takers.is_empty());
            at.map(|at| at.saturating_duration_since(now))
        };
        let wait = due(&state).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        if !wait.is_zero() {
            let waited = self.changed.wait_timeout(state, wait);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            return due(&state).is_some_and(|wait| wait.is_zero());
        }
        true
    }

    /// Gets the next token; if there is none, says so and when to try again.
    fn refresh(&self, failures: &mut u32) {
        let _getting = self.getting.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(reason) = self.renew() else {
            if *failures > 0 {
                logfile::info(format!("there is a token again, after {failures} failed tries"));
            }
            *failures = 0;
            return;
        };
        let wait = FIRST_WAIT.saturating_mul(1 << (*failures).min(8)).min(LONGEST_WAIT);
        *failures = failures.saturating_add(1);
        let mut state = self.state();
        let left = state.token.as_ref().map_or(Duration::ZERO, Token::left).as_secs();
        logfile::warn(format!("no new token (the old one is good for {left} s): {reason}"));
        state.takers.iter().for_each(|(_, taker)| taker.fail(&reason));
        state.refresh_at = Some(Instant::now() + wait);
    }
}

fn keep(keeper: &Weak<Keeper>) {
    let mut failures = 0;
    while let Some(keeper) = keeper.upgrade() {
        if keeper.wait() {
            keeper.refresh(&mut failures);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::unsecured::Unsecured;
    use std::sync::mpsc::{Receiver, Sender, channel};

    struct Heard(Sender<Result<u64, String>>);

    impl Taker for Heard {
        fn take(&self, token: &Token) -> Result<(), String> {
            let _ = self.0.send(Ok(token.expires_ms));
            Ok(())
        }

        fn fail(&self, reason: &str) {
            let _ = self.0.send(Err(reason.to_owned()));
        }
    }

    fn taker() -> (Box<dyn Taker>, Receiver<Result<u64, String>>) {
        let (sender, heard) = channel();
        (Box::new(Heard(sender)), heard)
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_token_of_a_second_is_renewed_for_as_long_as_a_client_is_there() {
        let source = Source::Unsecured(Unsecured::of("principal=a lifeSeconds=1").unwrap());
        let keeper = Arc::new(Keeper::new(source));
        let (client, heard) = taker();
        let registration = keeper.register(client).unwrap();
        let mut expiries = Vec::new();
        for _ in 0..4 {
            expiries.push(heard.recv_timeout(PATIENCE).unwrap().unwrap());
        }
        assert!(expiries.windows(2).all(|two| two[0] < two[1]), "{expiries:?}");
        drop(registration);
        // What was sent before that is read; then nothing comes any more, because the taker is gone.
        while heard.recv_timeout(PATIENCE).is_ok() {}
        assert!(keeper.state().takers.is_empty());
    }

    #[test]
    fn clients_share_a_token() {
        let source = Source::Unsecured(Unsecured::of("principal=b lifeSeconds=600").unwrap());
        let keeper = Arc::new(Keeper::new(source));
        let (one, first) = taker();
        let (two, second) = taker();
        let _registrations = (keeper.register(one).unwrap(), keeper.register(two).unwrap());
        assert_eq!(first.recv().unwrap(), second.recv().unwrap());
    }

    #[test]
    fn without_a_first_token_there_is_a_reason() {
        let keeper = Arc::new(Keeper::new(Source::Command(vec!["/no/such/program".to_owned()])));
        let why = keeper.register(taker().0).err().unwrap();
        assert!(why.contains("/no/such/program"), "{why}");
    }

    #[test]
    fn a_source_that_fails_later_is_tried_again_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "mkdir {0}/one 2>/dev/null && echo '{{\"token\": \"a\", \"expires_in\": 1}}' && exit; \
             mkdir {0}/two 2>/dev/null && exit 7; echo '{{\"token\": \"b\", \"expires_in\": 600}}'",
            folder.path().display()
        );
        let words = vec!["sh".to_owned(), "-c".to_owned(), script];
        let keeper = Arc::new(Keeper::new(Source::Command(words)));
        let (client, heard) = taker();
        let _registration = keeper.register(client).unwrap();
        let next = || heard.recv_timeout(PATIENCE).unwrap();
        assert!(next().is_ok());
        assert!(next().unwrap_err().contains("exit status: 7"));
        assert!(next().is_ok());
    }
}
