//! What steps, rules and the monitor reach the outside world through.

use crate::clients::agent::AgentClient;
use crate::clients::azure::AzureClient;
use crate::clients::cs::CsClient;
use crate::clients::session::SessionClient;
use crate::clients::vcenter::VcenterClient;
use crate::config::{Config, VcenterAccess};
use failback_wire::node::Ctx;
use std::sync::Arc;

/// Clients of the systems around the orchestrator. Cheap to share; holds no state but a session at vCenter.
#[derive(Clone)]
pub struct Services {
    /// Clock, randomness, events, transport.
    pub ctx: Ctx,
    /// What the orchestrator was told.
    pub config: Arc<Config>,
    /// vCenter.
    pub vcenter: VcenterClient,
    /// Another vCenter beside the original one, if there is one (P5).
    pub alternate_vcenter: Option<VcenterClient>,
    /// Azure: machines, disks, signatures.
    pub azure: AzureClient,
    /// The configuration server.
    pub cs: CsClient,
    /// Mobility agents, at the addresses they registered.
    pub agents: AgentClient,
    /// Sessions at process servers and master targets.
    pub sessions: SessionClient,
}

impl Services {
    /// Clients that speak as this node.
    pub fn new(ctx: Ctx, config: Config) -> Self {
        let http = || ctx.http.clone();
        let vcenter = |to: &VcenterAccess| {
            let client = VcenterClient::new(http(), to.host.clone(), to.user.clone(), to.password.clone());
            client.with_planted(ctx.env.bug())
        };
        let alternate_vcenter = config.alternate_vcenter.as_ref().map(vcenter);
        let vcenter = vcenter(&config.vcenter);
        let to = &config.azure;
        let (subscription, group) = (to.subscription.clone(), to.resource_group.clone());
        let azure = AzureClient::new(http(), to.host.clone(), subscription, group, to.token.clone());
        let cs = CsClient::new(http(), config.cs.host.clone(), config.cs.passphrase.clone());
        let cs = cs.connected_as(config.cs.connection.clone());
        let agents = AgentClient::new(http(), config.cs.passphrase.clone());
        let sessions = SessionClient::new(http(), config.cs.passphrase.clone());
        Self { vcenter, alternate_vcenter, azure, cs, agents, sessions, config: Arc::new(config), ctx }
    }

    /// The same, with a session of its own at vCenter: one for each job, opened by the first call that needs it.
    #[must_use]
    pub fn apart(&self) -> Self {
        let mut services = self.clone();
        services.vcenter = self.vcenter.apart();
        services.alternate_vcenter = self.alternate_vcenter.as_ref().map(VcenterClient::apart);
        services
    }

    /// Closes the session at vCenter, if one is open.
    pub async fn leave(&self) {
        for vcenter in [&self.vcenter].into_iter().chain(&self.alternate_vcenter) {
            vcenter.leave().await;
        }
    }

    /// The original vCenter, or the other one.
    pub fn vcenter_at(&self, alternate: bool) -> &VcenterClient {
        self.alternate_vcenter.as_ref().filter(|_| alternate).unwrap_or(&self.vcenter)
    }
}
