//! Hosts that are made ready late: a run that is taken over goes on without those that cannot be reached, and
//! tries them again whenever a channel to one of their agents is wanted.

use super::{Host, Problem, Ready};
use crate::{
    hosts::channel::{Bridge, Channel, Remains},
    scenario::cluster::Deadlines,
};
use std::{io, sync::Arc, time::Instant};
use tokio::sync::Mutex;

/// Whether a host is ready. Agents of one host share it, and take turns at trying.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Tried>);

/// What came of the last try.
#[derive(Debug, Default)]
enum Tried {
    #[default]
    NotYet,
    Ready,
    Failed(Instant, Problem),
}

impl Readiness {
    /// Makes a host ready, whatever is known of it.
    pub(super) async fn prepare(
        &self,
        host: &dyn Host,
        deadlines: &Deadlines,
    ) -> Result<Ready, Problem> {
        self.0.lock().await.again(host, deadlines).await
    }

    /// Makes a host ready unless it is. Who waited for its turn while another one failed does not try as well.
    async fn ensure(&self, host: &dyn Host, deadlines: &Deadlines) -> Result<(), Problem> {
        let asked = Instant::now();
        let mut tried = self.0.lock().await;
        match &*tried {
            Tried::Ready => Ok(()),
            Tried::Failed(at, problem) if *at > asked => Err(problem.clone()),
            _ => tried.again(host, deadlines).await.map(drop),
        }
    }
}

impl Tried {
    async fn again(&mut self, host: &dyn Host, deadlines: &Deadlines) -> Result<Ready, Problem> {
        let outcome = host.prepare(deadlines).await;
        *self = match &outcome {
            Ok(_) => Self::Ready,
            Err(problem) => Self::Failed(Instant::now(), problem.clone()),
        };
        outcome
    }
}

/// The way to an agent, whose host is made ready first if it is not.
pub(super) struct OnceReady {
    pub(super) way: Arc<dyn Bridge>,
    pub(super) host: Arc<dyn Host>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) deadlines: Deadlines,
}

#[async_trait::async_trait]
impl Bridge for OnceReady {
    async fn open(&self, start: bool) -> Result<Channel, String> {
        let ensured = self.readiness.ensure(self.host.as_ref(), &self.deadlines).await;
        ensured.map_err(|problem| format!("{}: {}", problem.phase, problem.cause))?;
        self.way.open(start).await
    }

    fn host(&self) -> &str {
        self.way.host()
    }

    async fn kill(&self, pid: u32) -> io::Result<()> {
        self.way.kill(pid).await
    }

    async fn clean_up(&self, keep: bool) -> Remains {
        self.way.clean_up(keep).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::{AgentLocation, Phase};
    use mallard_protocol::preflight::Facts;
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    /// Cannot be reached the first time.
    #[derive(Default)]
    struct Behind {
        tries: AtomicU32,
    }

    fn unreachable() -> Problem {
        Problem::new("load-1", Phase::Connect, "it cannot be reached", "wait")
    }

    #[async_trait::async_trait]
    impl Host for Behind {
        async fn prepare(&self, _: &Deadlines) -> Result<Ready, Problem> {
            tokio::time::sleep(Duration::from_millis(20)).await;
            match self.tries.fetch_add(1, Ordering::Relaxed) {
                0 => Err(unreachable()),
                _ => Ok(Ready::default()),
            }
        }

        async fn inspect(&self, _: &[u8], _: Duration) -> Result<Facts, Problem> {
            Err(unreachable())
        }

        async fn sweep(&self, _: &str) -> Result<(), Problem> {
            Err(unreachable())
        }

        fn bridge(&self, _: AgentLocation) -> Arc<dyn Bridge> {
            panic!("nobody is on this host")
        }

        async fn close(&self) {}
    }

    #[test]
    fn a_host_is_tried_again_until_it_is_ready_and_once_for_all_who_wait() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (host, readiness, deadlines) =
                (Behind::default(), Readiness::default(), Deadlines::default());
            let tries = || host.tries.load(Ordering::Relaxed);
            let both = tokio::join!(
                readiness.ensure(&host, &deadlines),
                readiness.ensure(&host, &deadlines)
            );
            assert_eq!((both.0.is_err(), both.1.is_err(), tries()), (true, true, 1));
            assert!(readiness.ensure(&host, &deadlines).await.is_ok());
            assert!(readiness.ensure(&host, &deadlines).await.is_ok());
            assert_eq!(tries(), 2, "it is ready now");
        });
    }
}
