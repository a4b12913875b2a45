//! From the plan of a host to the host: with `scenario/cluster/kinds.rs` the only place that distinguishes kinds.

use super::{
    Host,
    container::{ContainerHost, RunContainers},
    deploy::Programs,
    local::ThisMachine,
    ssh::{SshContext, SshHost},
};
use crate::scenario::cluster::{HostPlan, kinds::HostKind};
use std::{io, path::Path, sync::Arc};

/// What hosts of a run share.
pub(super) struct Kinds<'a> {
    programs: &'a Arc<Programs>,
    /// What the run has in a container engine; `None` where there is no run.
    run_containers: Option<&'a Arc<RunContainers>>,
    /// Made for the first host over ssh.
    ssh: Option<Arc<SshContext>>,
}

impl<'a> Kinds<'a> {
    pub(super) fn new(
        programs: &'a Arc<Programs>,
        run_containers: Option<&'a Arc<RunContainers>>,
    ) -> Self {
        Self { programs, run_containers, ssh: None }
    }

    /// A host of a plan; `None` for one that is made for a run, where there is none.
    ///
    /// # Errors
    /// The private folder for connections over ssh cannot be made.
    pub(super) fn host(
        &mut self,
        name: &str,
        plan: &HostPlan,
    ) -> io::Result<Option<Arc<dyn Host>>> {
        Ok(match plan.kind() {
            HostKind::Local => Some(Arc::new(ThisMachine::new(self.programs.own().to_owned()))),
            HostKind::Container(_) => self
                .run_containers
                .map(|of| -> Arc<dyn Host> { Arc::new(ContainerHost::new(name, Arc::clone(of))) }),
            HostKind::Ssh(plan) => {
                let context = self.ssh_context(plan.config.as_deref())?;
                let programs = Arc::clone(self.programs);
                Some(Arc::new(SshHost::new(name, plan, context, programs)))
            }
        })
    }

    fn ssh_context(&mut self, config: Option<&Path>) -> io::Result<Arc<SshContext>> {
        if let Some(context) = &self.ssh {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(SshContext::open(config)?);
        Ok(Arc::clone(self.ssh.insert(context)))
    }
}
