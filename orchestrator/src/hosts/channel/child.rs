//! A channel over the stdin and stdout of a child process.

use super::{Channel, ChannelExit};
use crate::text::untrusted;
use std::{io, pin::pin, process::Stdio, time::Duration};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// Bytes of a child's stderr that are kept for the message when it fails.
const STDERR_BYTES: u64 = 4_096;

/// How long what a child has said may take to arrive after its end.
const STDERR_WITHIN: Duration = Duration::from_millis(200);

/// Starts a child and takes its stdin and stdout as the channel. The child ends with the channel.
///
/// # Errors
/// It cannot be started.
pub(crate) fn channel(command: &mut Command) -> io::Result<Channel> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C on the terminal is for the controller, which ends its agents in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the child has no pipes"));
    };
    Ok(Channel {
        to_agent: Box::new(stdin),
        from_agent: Box::new(stdout),
        exit: Box::pin(exit(child, stderr)),
    })
}

async fn exit(mut child: Child, stderr: ChildStderr) -> ChannelExit {
    let mut written = Vec::new();
    let mut stderr = stderr.take(STDERR_BYTES);
    let status = {
        // At the same time: a child that has much to say would never end, and one that leaves its
        // stderr to a process of its own would never be done with speaking.
        let mut read = pin!(stderr.read_to_end(&mut written));
        tokio::select! {
            _ = &mut read => child.wait().await,
            status = child.wait() => {
                let _ = timeout(STDERR_WITHIN, read).await;
                status
            }
        }
    };
    let stderr = untrusted::bytes(&written).trim().to_owned();
    ChannelExit { code: status.ok().and_then(|status| status.code()), stderr, gone: None }
}
