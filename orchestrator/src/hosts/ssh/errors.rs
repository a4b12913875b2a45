//! What ssh said, as a problem with a remedy. ssh has no codes: its words are all there is.

use crate::hosts::{Phase, Problem};

/// Longest quotation of ssh's message, in characters.
const LONGEST: usize = 400;

/// Why nobody could log in to a host.
pub(super) fn login_problem(host: &str, address: &str, error: &openssh::Error) -> Problem {
    let said = whole(error);
    let has = |text: &str| said.contains(text);
    let problem = |cause: String, remedy: String| Problem::new(host, Phase::Connect, cause, remedy);
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let file = offending(&said).map_or(String::new(), |file| format!(" (known from {file})"));
        return problem(
            format!("{address} shows another host key than it is known by{file}"),
            format!(
                "if it was installed anew: `ssh-keygen -R {address}`, then log in once by hand and compare the fingerprint; if it was not, somebody may be in between, so do not go on"
            ),
        );
    }
    if has("host key is known for") || has("Host key verification failed") {
        return problem(
            format!("the host key of {address} is not known here"),
            format!(
                "log in once by hand (`ssh {address}`) and compare the fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host; for many hosts put their keys into ~/.ssh/known_hosts"
            ),
        );
    }
    if has("Could not resolve hostname") {
        let remedy = "look for a typing error in `name` or `host`, or set the address in `host` or in ssh's configuration";
        return problem(format!("the name {address} is not known"), remedy.to_owned());
    }
    if has("Connection refused") {
        let remedy = "start sshd on it, or set the right `port`";
        return problem(format!("connection refused: {}", last_line(&said)), remedy.to_owned());
    }
    let far = ["timed out", "No route to host", "Network is unreachable", "timeout"];
    if far.iter().any(|text| has(text)) {
        let remedy = "look whether it is on, its address right, and no packet filter in between";
        return problem(format!("it cannot be reached: {}", last_line(&said)), remedy.to_owned());
    }
    if has("Permission denied") || has("Too many authentication failures") {
        return problem(
            format!("authentication failed with these keys: {}", last_line(&said)),
            "set `user` and `identity`, or load the key into ssh-agent, and put its public half into ~/.ssh/authorized_keys there; passwords are never asked for".to_owned(),
        );
    }
    if has("Connection closed by") || has("Connection reset by") {
        let remedy =
            "look into the log of its sshd; too many logins at once are refused by MaxStartups";
        return problem(
            format!("the remote host closed the connection: {}", last_line(&said)),
            remedy.to_owned(),
        );
    }
    if has("too long for Unix domain socket") {
        let remedy = "set TMPDIR to a folder with a shorter name: sockets to ssh lie below it";
        return problem(last_line(&said), remedy.to_owned());
    }
    problem(
        format!("ssh failed: {}", last_line(&said)),
        format!("try `ssh {address} true` by hand; it must work without any question"),
    )
}

/// An error of ssh in one line.
pub(super) fn brief(error: &openssh::Error) -> String {
    last_line(&whole(error))
}

fn whole(error: &openssh::Error) -> String {
    crate::text::error_chain::chain(error)
}

/// The last line that says something: ssh states causes there, after its warnings.
fn last_line(said: &str) -> String {
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it said nothing").chars().take(LONGEST).collect()
}

/// The file and line of `Offending ED25519 key in /home/b/.ssh/known_hosts:3`.
fn offending(said: &str) -> Option<&str> {
    let line = said.lines().find(|line| line.starts_with("Offending "))?;
    line.rsplit_once(" key in ").map(|(_, file)| file.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn cause_of(said: &str) -> Problem {
        login_problem("load-1", "10.0.0.1", &openssh::Error::Connect(io::Error::other(said)))
    }

    #[test]
    fn words_of_ssh_become_causes_and_remedies() {
        let changed = cause_of(
            "@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@\n\
             Offending ED25519 key in /root/.ssh/known_hosts:3\nHost key verification failed.",
        );
        assert!(changed.cause.contains("known from /root/.ssh/known_hosts:3"), "{changed:?}");
        assert!(changed.remedy.contains("ssh-keygen -R 10.0.0.1"));
        let of = |said| cause_of(said).cause;
        assert!(of("No ED25519 host key is known for 10.0.0.1 and you have requested strict checking.\nHost key verification failed.").contains("not known here"));
        assert!(
            of("Could not resolve hostname load-1: Name or service not known").contains("name")
        );
        assert!(
            of("connect to host 10.0.0.1 port 22: Connection refused")
                .contains("connection refused")
        );
        assert!(of("connect to host 10.0.0.1 port 22: Connection timed out").contains("reached"));
        assert!(
            of("bench@10.0.0.1: Permission denied (publickey).").contains("authentication failed")
        );
        assert!(of("kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.0.0.1 port 22").contains("closed the connection"));
        assert!(of("odd").contains("odd"));
    }
}
