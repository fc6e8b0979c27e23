//! How a fake gets onto the network: it binds a router to a host name under an epoch.

use axum::Router;
use failback_wire::ids::NodeName;
use failback_wire::node::{Ctx, Fence};

/// What a network's place lets its machines reach (P31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Azure, and the site over the private link.
    #[default]
    Site,
    /// Azure only: no route leads to the site.
    Azure,
    /// Nothing at all.
    Nothing,
}

/// The network, as nodes that start and stop see it. The lab's switchboard implements it.
pub trait Network: Send + Sync {
    /// From now on calls to `host` reach `router`, each in a task of its own, as long as `fence` lives.
    /// A later bind of the same host replaces the earlier one.
    fn bind(&self, host: &str, fence: Fence, router: Router);
    /// Nothing answers at `host` any more.
    fn unbind(&self, host: &str);
    /// What `node` can reach, and be reached from, from now on. Networks without places need not know.
    fn set_reach(&self, node: &NodeName, reach: Reach) {
        let _ = (node, reach);
    }
    /// A new epoch of `node` and what its software may touch. The node's earlier epoch is dead from now on.
    fn start_node(&self, node: &NodeName) -> Ctx;
}
