//! Who fetches figures, and whether all of them have those of the end.
//!
//! A server is known by its address and by what it accepts: two of them may watch each other's back. Whoever has come
//! once only, a person with curl, is not waited for.

use crate::http::Request;
use std::{collections::BTreeMap, net::IpAddr};

/// Servers that are distinguished; those beyond are not waited for.
const KNOWN_MAX: usize = 16;

/// Who has fetched figures, and how often.
#[derive(Debug, Default)]
pub(super) struct Fetchers(BTreeMap<Fetcher, Fetched>);

/// One that fetches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fetcher(Option<IpAddr>, String);

#[derive(Debug, Default)]
struct Fetched {
    times: u32,
    has_last: bool,
}

impl Fetcher {
    pub(super) fn of(request: &Request) -> Self {
        Self(request.peer, request.header("accept").unwrap_or_default().to_owned())
    }
}

impl Fetchers {
    /// Notes a fetch, of what stands at the end or before it. Returns whether nobody is to be waited for any more.
    pub(super) fn note(&mut self, who: Fetcher, is_last: bool) -> bool {
        if self.0.len() < KNOWN_MAX || self.0.contains_key(&who) {
            let fetched = self.0.entry(who).or_default();
            fetched.times = fetched.times.saturating_add(1);
            fetched.has_last |= is_last;
        }
        is_last && self.0.values().all(|fetched| fetched.has_last || fetched.times < 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_that_keeps_coming_is_waited_for_and_nobody_else() {
        let who = |name: &str| Fetcher(None, name.into());
        let mut fetchers = Fetchers::default();
        for name in ["a", "b", "a", "b", "person"] {
            assert!(!fetchers.note(who(name), false));
        }
        assert!(!fetchers.note(who("a"), true));
        assert!(fetchers.note(who("b"), true));
        assert!(Fetchers::default().note(who("late"), true));
    }
}
