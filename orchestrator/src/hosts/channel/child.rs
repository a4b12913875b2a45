//! A channel over the stdin and stdout of a child process.

use super::{Channel, ChannelExit};
use crate::text::untrusted;
use std::{io, pin::pin, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
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
        exit: Box::pin(
            async move { exit(async { child.wait().await.ok()?.code() }, stderr).await },
        ),
    })
}

/// How a channel ended, by what carried it: a process whose exit code `ended` waits for, here or on another host.
pub(crate) async fn exit(
    ended: impl Future<Output = Option<i32>>,
    stderr: impl AsyncRead + Unpin,
) -> ChannelExit {
    let mut written = Vec::new();
    let mut stderr = stderr.take(STDERR_BYTES);
    let code = {
        // At the same time: a child that has much to say would never end, and one that leaves its
        // stderr to a process of its own would never be done with speaking.
        let mut read = pin!(stderr.read_to_end(&mut written));
        let mut ended = pin!(ended);
        tokio::select! {
            _ = &mut read => ended.await,
            code = &mut ended => {
                let _ = timeout(STDERR_WITHIN, read).await;
                code
            }
        }
    };
    let stderr = untrusted::bytes(&written).trim().to_owned();
    ChannelExit { code, stderr, gone: None }
}
