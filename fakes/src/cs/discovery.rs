//! Discovery: which virtual machines of vCenter the server shows (P25, P40).
//!
//! A virtual machine is shown 15 to 20 minutes after it came into vCenter's inventory, or at once after a refresh. Of
//! several with one instance UUID only the first is. How the server asks vCenter is not modelled: it sees the inventory.

use super::ConfigurationServer;
use crate::vcenter::Newcomer;
use failback_wire::clock::VirtualMs;
use failback_wire::node::Ctx;
use failback_wire::proto::cs::Hidden;
use std::sync::Arc;
use tokio::time::Duration;

/// How long a discovery takes at least, in seconds, and by how much longer it may take.
const TAKES: (u64, u64) = (15 * 60, 5 * 60);

/// What the server knows of vCenter.
#[derive(Default)]
pub(super) struct Discovery {
    newcomers: Option<Arc<dyn Fn() -> Vec<Newcomer> + Send + Sync>>,
    refreshed: VirtualMs,
}

impl ConfigurationServer {
    /// From now on it discovers what came into this vCenter's inventory since the beginning.
    pub fn discover(&self, newcomers: Arc<dyn Fn() -> Vec<Newcomer> + Send + Sync>) {
        self.lock().discovery.newcomers = Some(newcomers);
    }

    /// Somebody refreshes the server: what is in vCenter now is discovered at once.
    ///
    /// # Errors
    /// When the service does not run.
    pub fn refresh(&self) -> Result<(), String> {
        let (ctx, _) = self.desk().map_err(|_| "the configuration server does not run")?;
        self.lock().discovery.refreshed = ctx.now();
        self.note("the configuration server is refreshed");
        Ok(())
    }

    /// What is in vCenter and not shown.
    pub(super) fn hidden(&self, ctx: &Ctx) -> Vec<Hidden> {
        let (newcomers, refreshed) = {
            let state = self.lock();
            (state.discovery.newcomers.clone(), state.discovery.refreshed)
        };
        let now = ctx.now();
        let hidden = |vm: Newcomer| {
            let known = vm.created <= refreshed || vm.created.plus(takes(ctx, &vm.name)) <= now;
            match (known, vm.twin) {
                (false, _) => Some(Hidden { vm: vm.name, twin: None }),
                (true, Some(twin)) => Some(Hidden { vm: vm.name, twin: Some(twin) }),
                (true, None) => None,
            }
        };
        newcomers.iter().flat_map(|newcomers| newcomers()).filter_map(hidden).collect()
    }
}

/// How long the discovery of this virtual machine takes.
fn takes(ctx: &Ctx, vm: &str) -> Duration {
    Duration::from_secs(TAKES.0 + ctx.env.draw(&format!("cs/discovery/{vm}")) % (TAKES.1 + 1))
}
