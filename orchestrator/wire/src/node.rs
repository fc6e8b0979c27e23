//! A node is a simulated computer. Its software runs under an epoch; a crash ends the epoch.
//!
//! A crash is not an abort: destructors at an await point would be kinder than SIGKILL. So a task of a
//! dead epoch is simply never polled again, and every outlet (transport, store, disks, events) asks the
//! fence first, which makes a late destructor inert.

use crate::clock::{Clock, VirtualMs};
use crate::env::{Env, Ids};
use crate::event::{Events, What};
use crate::http::Http;
use crate::ids::NodeName;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Says whether one epoch of one node still lives. Clones share the answer.
#[derive(Clone, Debug)]
pub struct Fence {
    node: NodeName,
    epoch: u64,
    alive: Arc<AtomicBool>,
}

impl Fence {
    /// A new, living epoch of `node`.
    pub fn new(node: NodeName, epoch: u64) -> Self {
        Self { node, epoch, alive: Arc::new(AtomicBool::new(true)) }
    }
    /// The node.
    pub fn node(&self) -> &NodeName {
        &self.node
    }
    /// Counts the starts of the node's software, from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// False from the crash (or stop) on.
    pub fn alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
    /// Ends the epoch, at once and for ever.
    pub fn kill(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }
    /// Runs `future` only as long as the epoch lives; afterwards it is pending for ever.
    pub fn guard<F: Future>(&self, future: F) -> Fenced<F> {
        Fenced { fence: self.clone(), future: Box::pin(future) }
    }
}

/// A future of a node's software; see [`Fence::guard`].
pub struct Fenced<F> {
    fence: Fence,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Fenced<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if !self.fence.alive() {
            return Poll::Pending;
        }
        let polled = self.future.as_mut().poll(cx);
        // Killed in this very poll: whatever it returned has no one left to return to.
        if self.fence.alive() { polled } else { Poll::Pending }
    }
}

/// All that a node's software may touch of the world around it.
#[derive(Clone)]
pub struct Ctx {
    /// The epoch this software runs under.
    pub fence: Fence,
    /// The run's clock.
    pub clock: Clock,
    /// Seeded randomness.
    pub env: Env,
    /// The only way out.
    pub http: Http,
    /// Where this node's events go.
    pub events: Events,
}

impl Ctx {
    /// The node.
    pub fn node(&self) -> &NodeName {
        self.fence.node()
    }
    /// Virtual time.
    pub fn now(&self) -> VirtualMs {
        self.clock.now()
    }
    /// Reports an event of this node, now. Nothing happens when the epoch is dead.
    pub fn emit(&self, what: What) {
        if self.fence.alive() {
            self.events.emit(self.now(), self.node(), what);
        }
    }
    /// Starts a task of this node's software.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where software starts tasks: behind its fence"
        )]
        tokio::spawn(self.fence.guard(future));
    }
    /// A maker of ids that no other node, purpose or epoch shares.
    pub fn ids(&self, purpose: &str) -> Ids {
        self.env.ids(&format!("ids/{}/{}/{purpose}", self.node(), self.fence.epoch()))
    }
}
