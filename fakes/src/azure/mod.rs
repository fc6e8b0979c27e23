//! Azure as the recovery site: Resource Manager for virtual machines, managed disks and snapshots, page blobs, and the
//! recovery service that applies what is replicated to them.
//!
//! Faithful to the documented REST shapes and to recorded traffic (long-running operations with both
//! headers, leased disks, page semantics). Of networks there are subnets and cards. Not modelled: encryption, availability sets, VHD
//! footers (blobs hold raw disks), block blobs, shared-key signatures.

mod arm_api;
mod blob_api;
mod blobs;
mod config;
mod console;
mod faults;
mod model;
mod network;
mod observe;
mod operations;
mod power;
mod refusal;
mod replication;
mod sas;
mod seen;
mod views;
mod vms;
mod volumes;

#[cfg(test)]
mod tests;

pub use config::{AzureConfig, Timing};
pub use console::{Console, NewVm};
pub use faults::{AzureFault, Denial};
pub use model::AzureOperation;
pub use network::VirtualNetwork;
pub use power::GuestPower;
pub use refusal::Refusal;

use crate::net::Network;
use crate::session_api::session_router;
use axum::Router;
use axum::body::{Body, to_bytes};
use failback_replication::disk::Disk;
use failback_wire::clock::VirtualMs;
use failback_wire::http::{MAX_BODY, Request, Response, StatusCode};
use failback_wire::ids::SessionId;
use failback_wire::node::Ctx;
use model::{Model, key};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The fake subscription. It outlives its software: after a crash, [`Azure::boot`] starts it again on what
/// there is.
pub struct Azure {
    config: AzureConfig,
    guests: Arc<dyn GuestPower>,
    model: Mutex<Model>,
    ctx: Mutex<Option<Ctx>>,
    ended: Notify,
}

/// The two services, by host.
#[derive(Clone, Copy)]
enum Service {
    Arm,
    Blobs,
}

impl Azure {
    /// An empty subscription whose machines' guests are `guests`.
    pub fn new(config: AzureConfig, guests: Arc<dyn GuestPower>) -> Arc<Self> {
        let model = Model::with(network::networks(&config), &config.known_as);
        Arc::new(Self {
            config,
            guests,
            model: Mutex::new(model),
            ctx: Mutex::default(),
            ended: Notify::new(),
        })
    }
    /// What is fixed about the subscription.
    pub fn config(&self) -> &AzureConfig {
        &self.config
    }
    /// Starts the software: its hosts answer, and operations that were under way go on.
    pub fn boot(self: &Arc<Self>, ctx: Ctx, net: &dyn Network) {
        *self.ctx.lock().unwrap_or_else(PoisonError::into_inner) = Some(ctx.clone());
        for (host, service) in
            [(&self.config.arm_host, Service::Arm), (&self.config.blob_host, Service::Blobs)]
        {
            net.bind(host, ctx.fence.clone(), self.router(&ctx, service));
        }
        let service = session_router(self, &self.config.passphrase);
        net.bind(&self.config.replication_host, ctx.fence.clone(), service);
        let open: Vec<String> = self.with(|m| m.busy.values().cloned().collect());
        for id in open {
            self.drive(&ctx, id);
        }
    }
    /// The sessions it keeps.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.with(|m| m.replicas.keys().cloned().collect())
    }
    /// The content of a managed disk. The handle is the disk's own: what is written to it is on the disk.
    pub fn disk(&self, name: &str) -> Option<Disk> {
        self.with(|m| m.disks.get(&key(name)).map(|v| v.content.clone()))
    }
    /// Names and contents of a machine's disks: the OS disk, then the data disks by slot. Empty when there
    /// is no such machine.
    pub fn vm_disks(&self, vm: &str) -> Vec<(String, Disk)> {
        self.with(|m| m.vm(vm).map(|found| m.contents(found)).unwrap_or_default())
    }
    /// The content of a page blob (`container`, `blob`), or of a snapshot of it.
    pub fn blob(&self, container: &str, blob: &str, snapshot: Option<&str>) -> Option<Disk> {
        let name = blobs::BlobName { container: container.to_owned(), blob: blob.into() };
        self.with(|m| m.blobs.content(&name, snapshot).cloned())
    }

    fn router(self: &Arc<Self>, ctx: &Ctx, service: Service) -> Router {
        let (azure, ctx) = (Arc::clone(self), ctx.clone());
        Router::new().fallback(move |request: Request<Body>| {
            let (azure, ctx) = (Arc::clone(&azure), ctx.clone());
            async move { azure.answer(&ctx, service, request).await }
        })
    }

    async fn answer(self: &Arc<Self>, ctx: &Ctx, service: Service, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            let mut reply = Response::new(Body::empty());
            *reply.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return reply;
        };
        let request = Request::from_parts(parts, body);
        let reply = match service {
            Service::Arm => self.arm_request(ctx, request),
            Service::Blobs => self.blob_request(ctx, request),
        };
        reply.map(Body::from)
    }

    /// Works on the model; then, outside the lock, does what it wants done in the world. Before the first
    /// boot there is no world yet: it is done at boot.
    fn with<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        let ctx = self.ctx();
        let (value, effects) = {
            let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
            let value = work(&mut model);
            (value, if ctx.is_some() { std::mem::take(&mut model.out) } else { Vec::new() })
        };
        if let Some(ctx) = ctx {
            for effect in effects {
                // Not `ctx.emit`: faults change the world while the software is down, too.
                let emit = |what| ctx.events.emit(ctx.now(), ctx.node(), what);
                model::perform(effect, self.guests.as_ref(), emit);
            }
        }
        value
    }

    /// The software that runs now, or ran last.
    fn ctx(&self) -> Option<Ctx> {
        self.ctx.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn now(&self) -> VirtualMs {
        self.ctx().map(|ctx| ctx.now()).unwrap_or_default()
    }
}
