//! What clients say of their connections, folded: a broker that goes makes every client of a run say so,
//! each in several lines of librdkafka's own.

use mallard_protocol::cluster;
use std::collections::BTreeMap;

/// Lines of the same meaning that are no further apart than this become one, in milliseconds.
const TOGETHER_MS: i64 = 10_000;

/// Most clients that a line names.
const NAMED: usize = 3;

/// How a note of an agent ends when it left out others like it.
const MORE: &str = " more like this in between)";

/// Lines of one meaning.
#[derive(Debug)]
pub(super) struct Folded {
    /// Where the line stands in the journal.
    pub(super) at: usize,
    first_ms: i64,
    last_ms: i64,
    meaning: String,
    clients: Vec<String>,
    times: u64,
}

/// Folds lines as they come, in order of time.
#[derive(Debug, Default)]
pub(super) struct Folder {
    open: BTreeMap<String, usize>,
    pub(super) lines: Vec<Folded>,
}

impl Folder {
    /// Takes a note that would be line `at`: whether it is a client's word on a connection, and then whether
    /// it begins a line. `None` for every other note.
    pub(super) fn take(&mut self, text: &str, at_ms: i64, at: usize) -> Option<bool> {
        let meaning = meaning(text)?;
        let client = text.split(": ").next().unwrap_or_default().to_owned();
        let times = 1 + left_out(text);
        if let Some(known) = self.open.get(&meaning) {
            let line = &mut self.lines[*known];
            if at_ms - line.last_ms <= TOGETHER_MS {
                (line.last_ms, line.times) = (at_ms, line.times + times);
                if !line.clients.contains(&client) {
                    line.clients.push(client);
                }
                return Some(false);
            }
        }
        self.open.insert(meaning.clone(), self.lines.len());
        let (clients, first_ms) = (vec![client], at_ms);
        self.lines.push(Folded { at, first_ms, last_ms: at_ms, meaning, clients, times });
        Some(true)
    }
}

impl Folded {
    /// Who said it: `shop-1`, `3 clients`.
    pub(super) fn source(&self) -> String {
        match self.clients.as_slice() {
            [one] => one.clone(),
            many => format!("{} clients", many.len()),
        }
    }

    /// What it means, how often it was said, and by whom.
    pub(super) fn text(&self) -> String {
        let mut text = self.meaning.clone();
        if self.times > 1 {
            let seconds = (self.last_ms - self.first_ms + 500) / 1000;
            text += &format!(" ({} times within {} s", self.times, seconds.max(1));
            if self.clients.len() > 1 {
                let named = &self.clients[..self.clients.len().min(NAMED)];
                let more = if self.clients.len() > NAMED { ", …" } else { "" };
                text += &format!(", by {}{more}", named.join(", "));
            }
            text.push(')');
        }
        text
    }
}

/// What a client's line means; `None` if it is not about connections.
fn meaning(text: &str) -> Option<String> {
    if let Some(connection) = cluster::connection(text) {
        let (address, cause) = (connection.address(), connection.cause);
        return Some(match connection.id() {
            Some(id) => format!("broker {id} ({address}): {cause}"),
            None => format!("{address}: {cause}"),
        });
    }
    text.contains("brokers are down")
        .then(|| "no broker that the client knows can be reached".into())
}

/// How many lines a note stands for beside itself.
fn left_out(text: &str) -> u64 {
    let before = text.strip_suffix(MORE);
    before.and_then(|text| text.rsplit_once(" (")?.1.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "FAIL: [thrd:h:9093/2]: h:9093/2: Connect to ipv4#127.0.0.1:9093 failed: \
                           Connection refused (after 0ms in state CONNECT)";

    #[test]
    fn lines_of_all_clients_become_one_that_says_what_they_mean() {
        let mut folder = Folder::default();
        assert_eq!(folder.take(&format!("shop-1: {REFUSED}"), 1_000, 4), Some(true));
        let transport = "shop-2: h:9093/2: Connect to ipv4#127.0.0.1:9093 failed: Connection refused \
                         (after 1ms in state CONNECT) (_TRANSPORT)";
        assert_eq!(folder.take(transport, 2_000, 5), Some(false));
        let again = format!("shop-1: {REFUSED} (7 more like this in between)");
        assert_eq!(folder.take(&again, 11_000, 5), Some(false));
        let [line] = folder.lines.as_slice() else { panic!("{folder:?}") };
        assert_eq!((line.at, line.source().as_str()), (4, "2 clients"));
        assert_eq!(
            line.text(),
            "broker 2 (h:9093): connection refused (10 times within 10 s, by shop-1, shop-2)"
        );
    }

    #[test]
    fn what_comes_much_later_is_a_line_of_its_own_and_other_notes_stay() {
        let mut folder = Folder::default();
        folder.take(&format!("shop-1: {REFUSED}"), 0, 0);
        assert_eq!(folder.take(&format!("shop-1: {REFUSED}"), 60_000, 1), Some(true));
        assert_eq!(
            folder.take("shop-1: 3/3 brokers are down (_ALL_BROKERS_DOWN)", 0, 2),
            Some(true)
        );
        assert_eq!(folder.take("the spool is full: intervals 1 to 2 were dropped", 0, 3), None);
    }
}
