//! Commands inside a container: with streams attached, or run to their end.

use super::engine::Engine;
use crate::text::untrusted;
use bollard::{
    container::LogOutput,
    errors::Error,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, duplex},
    task::JoinHandle,
};

/// Bytes that may wait on the way from the engine to the reader.
const BUFFER_BYTES: usize = 64 * 1024;

/// Bytes of stderr that are kept.
const STDERR_BYTES: usize = 4_096;

/// How a command ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) code: Option<i64>,
    /// The beginning of what it wrote to stderr.
    pub(super) stderr: String,
}

/// A command whose streams are attached.
pub(super) struct Attached {
    pub(super) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) end: AbortOnDrop<Ended>,
}

/// A task that nobody waits for is not needed any more.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a command in a container.
///
/// # Errors
/// The engine does not start it: the container does not run, or has no such program.
pub(super) async fn start(
    engine: &Engine,
    container: &str,
    command: Vec<String>,
) -> Result<Attached, Error> {
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let id = engine.api.create_exec(container, options).await?.id;
    let options = StartExecOptions { output_capacity: Some(BUFFER_BYTES), ..Default::default() };
    let StartExecResults::Attached { mut output, input } =
        engine.api.start_exec(&id, Some(options)).await?
    else {
        return Err(Error::IOError { err: std::io::Error::other("the engine attached nothing") });
    };
    let (mut to_reader, stdout) = duplex(BUFFER_BYTES);
    let engine = engine.clone();
    let end = tokio::spawn(async move {
        let mut stderr = Vec::new();
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdErr { message } => {
                    let room = STDERR_BYTES.saturating_sub(stderr.len());
                    stderr.extend(message.iter().take(room));
                }
                // Whoever reads may have gone; what is still said then is of no use to anybody.
                other => drop(to_reader.write_all(other.as_ref()).await),
            }
        }
        drop(to_reader);
        let code = engine.api.inspect_exec(&id).await.ok().and_then(|state| state.exit_code);
        Ended { code, stderr: untrusted::bytes(&stderr).trim().to_owned() }
    });
    Ok(Attached { stdin: Box::new(input), stdout: Box::new(stdout), end: AbortOnDrop(end) })
}

/// Runs a command to its end; what it prints is not looked at, but for its complaints.
///
/// # Errors
/// The engine does not start it.
pub(super) async fn run(
    engine: &Engine,
    container: &str,
    command: Vec<String>,
) -> Result<Ended, Error> {
    let Attached { stdin, mut stdout, mut end } = start(engine, container, command).await?;
    drop(stdin);
    let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
    Ok((&mut end.0).await.unwrap_or_default())
}
