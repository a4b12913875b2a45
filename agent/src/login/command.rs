//! Tokens by a program of the user's: cloud providers' signers, password managers, scripts.

use super::token::Token;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a program may take.
const WITHIN: Duration = Duration::from_secs(15);

/// Most that is read of its output. Tokens have some kilobytes.
const OUTPUT_CAP_BYTES: u64 = 256 * 1024;

/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A program and its arguments.
pub(super) type Words = Vec<String>;

/// Runs a program and reads the token that it prints. What it prints, on either stream, is in no text: it may
/// be secret whether or not the program succeeds.
pub(super) fn token(words: &[String]) -> Result<Token, String> {
    run(words, WITHIN).and_then(|output| Token::read(&output).map_err(|why| told(words, &why)))
}

fn run(words: &[String], within: Duration) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("the token command is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own, so that whatever it starts ends with it.
        .process_group(0)
        .spawn()
        .map_err(|cause| told(words, &format!("it cannot be started: {cause}")))?;
    let outcome = watch(&mut child, within);
    end(&mut child);
    let (status, output) = outcome.map_err(|why| told(words, &why))?;
    if !status.success() {
        return Err(told(words, &format!("it failed ({status})")));
    }
    String::from_utf8(output).map_err(|_| told(words, "it printed no text"))
}

fn watch(child: &mut Child, within: Duration) -> Result<(ExitStatus, Vec<u8>), String> {
    let deadline = Instant::now() + within;
    let stdout = child.stdout.take().ok_or("its output cannot be read")?;
    let (sender, output) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("token output".to_owned())
        .spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(OUTPUT_CAP_BYTES + 1).read_to_end(&mut bytes);
            let _ = sender.send(read.map(|_| bytes));
        })
        .map_err(|cause| format!("its output cannot be read: {cause}"))?;
    let late = || format!("it gave no token within {within:?}");
    let bytes = output.recv_timeout(within).map_err(|_| late())?;
    let bytes = bytes.map_err(|cause| format!("its output cannot be read: {cause}"))?;
    if bytes.len() as u64 > OUTPUT_CAP_BYTES {
        return Err(format!("it printed more than {OUTPUT_CAP_BYTES} bytes"));
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok((status, bytes)),
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
            Ok(None) => return Err(late()),
            Err(cause) => return Err(format!("its end cannot be waited for: {cause}")),
        }
    }
}

/// Ends a program that still runs, with all that it started.
fn end(child: &mut Child) {
    if let Ok(Some(_)) = child.try_wait() {
        return;
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// A reason with the program's name; its arguments may hold secrets.
fn told(words: &[String], why: &str) -> String {
    let program = words.first().map_or("", String::as_str);
    format!(
        "the token command `{program}` was of no use: {why}; run it by hand on the agent's host"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Words {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_a_program_prints_is_the_token() {
        let words = shell(r#"echo '{"token": "abc", "expires_in": 60}'"#);
        assert_eq!(token(&words).ok().unwrap().value, "abc");
    }

    #[test]
    fn no_failure_quotes_output_or_arguments() {
        for script in ["echo hunter2", "echo hunter2 >&2; exit 3", "echo hunter2; exit 1"] {
            let why = token(&shell(script)).err().unwrap();
            assert!(why.contains("`sh`") && !why.contains("hunter2"), "{why}");
        }
        let why = token(&["/no/such/program".to_owned()]).err().unwrap();
        assert!(why.contains("cannot be started"), "{why}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let before = Instant::now();
        let why = run(&shell("sleep 100 & sleep 100"), Duration::from_millis(300)).unwrap_err();
        assert!(why.contains("within 300ms"), "{why}");
        assert!(before.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn endless_output_is_not_read_to_its_end() {
        let why = run(&shell("yes"), Duration::from_secs(30)).unwrap_err();
        assert!(why.contains("more than"), "{why}");
    }
}
