//! Why a container is not what it should be: what the engine and the container's own words tell.

use super::{broker_log::cause_of_end, engine::Engine};
use crate::text::untrusted;
use bollard::{
    models::{ContainerInspectResponse, ContainerStateStatusEnum},
    query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder},
};
use futures_util::StreamExt;

/// Lines of a container's log that are searched for the cause of its end: a broker that cannot start says hundreds
/// after the one that tells why. And bytes of them, as lines may be long.
const LAST_LINES: &str = "2000";
const LAST_BYTES: usize = 1 << 20;

/// What became of a container that should run; `None` while it does.
pub(super) async fn of(engine: &Engine, container: &str) -> Option<String> {
    let Ok(found) = engine.api.inspect_container(container, None).await else {
        return Some("its container is gone: somebody removed it".to_owned());
    };
    let state = found.state.clone().unwrap_or_default();
    match state.status {
        Some(ContainerStateStatusEnum::RUNNING) => None,
        Some(ContainerStateStatusEnum::PAUSED) => Some("its container is paused".to_owned()),
        _ if state.oom_killed == Some(true) => Some(out_of_memory(memory_limit(&found))),
        _ => {
            let code = state.exit_code.unwrap_or_default();
            let words = broker_log(engine, container).await;
            Some(format!("its container ended with exit code {code}{}", quoted(&words)))
        }
    }
}

/// What became of an agent that is gone although its container runs, if the kernel killed it for want of
/// memory: the engine notes that as an event of the container.
pub(super) async fn of_agent(engine: &Engine, container: &str) -> Option<String> {
    let found = engine.api.inspect_container(container, None).await.ok()?;
    let flagged = found.state.as_ref().and_then(|state| state.oom_killed) == Some(true);
    (flagged || has_oom_event(engine, container).await).then(|| out_of_memory(memory_limit(&found)))
}

async fn has_oom_event(engine: &Engine, container: &str) -> bool {
    let only = [("container", container), ("event", "oom")];
    let filters = only.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
    // From the beginning until now: what happened, without waiting for what will.
    let now = jiff::Timestamp::now();
    let until = format!("{}.{:09}", now.as_second(), now.subsec_nanosecond());
    let options = EventsOptionsBuilder::new().since("0").until(&until).filters(&filters).build();
    let mut events = std::pin::pin!(engine.api.events(Some(options)));
    matches!(events.next().await, Some(Ok(_)))
}

fn memory_limit(container: &ContainerInspectResponse) -> Option<u64> {
    let bytes = container.host_config.as_ref()?.memory?;
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

fn out_of_memory(limit_bytes: Option<u64>) -> String {
    let limit = limit_bytes.map_or_else(
        || "what the machine has".to_owned(),
        |bytes| format!("its {}", crate::text::figures::bytes_text(bytes)),
    );
    format!(
        "the kernel killed it because its container used more memory than {limit} (OOM-killed); raise \
         `memory` in the cluster file"
    )
}

/// What a container's log says about its end.
async fn broker_log(engine: &Engine, container: &str) -> String {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LAST_LINES).build();
    let mut pieces = std::pin::pin!(engine.api.logs(container, Some(options)));
    let mut log = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        log.extend_from_slice(piece.as_ref());
        if log.len() > 2 * LAST_BYTES {
            log.drain(..log.len() - LAST_BYTES);
        }
    }
    untrusted::line(&cause_of_end(&String::from_utf8_lossy(&log)))
}

fn quoted(words: &str) -> String {
    if words.is_empty() { ", and said nothing".to_owned() } else { format!(", saying: {words}") }
}

/// What to do about an agent's program that does not run in an image, by what was said.
pub(super) fn remedy(said: &str) -> String {
    let remedy = if said.contains("GLIBC_") {
        "the image's C library is too old for this agent: take a newer image, or build the agent for an \
         older C library"
    } else if said.contains("no such file or directory") || said.contains("not found") {
        "the image has no C library (glibc) for the agent: take one like `debian:12-slim`; Alpine's musl \
         and images of a single program do not do"
    } else if said.contains("exec format error") {
        "the image is of another architecture: take one of this machine's, or name an agent for it by \
         --agent PATH"
    } else if said.contains("permission denied") {
        "the engine does not let the agent's program run: look at its security profile"
    } else {
        "look at the engine's log and at the image"
    };
    remedy.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loader_says_has_a_remedy() {
        let old = "/mallard/mallard-agent: /lib/libc.so.6: version `GLIBC_2.34' not found";
        assert!(remedy(old).contains("too old"));
        let none = "exec: \"/mallard/mallard-agent\": no such file or directory";
        assert!(remedy(none).contains("no C library"));
        assert!(remedy("exec format error").contains("architecture"));
    }

    #[test]
    fn a_memory_limit_is_named() {
        assert!(
            out_of_memory(Some(64 << 20)).contains("64 MiB"),
            "{}",
            out_of_memory(Some(64 << 20))
        );
    }
}
