//! The server's certificate, by which agents and servers trust it (P6).
//!
//! That an expired one costs registrations and heartbeats, and nothing else, is our reading; so is that a renewed one
//! lives for three years, and that the tool is done after 5 to 15 minutes.

use super::ConfigurationServer;
use failback_wire::clock::VirtualMs;
use failback_wire::node::Ctx;
use serde::Serialize;
use tokio::time::Duration;

/// A certificate lives for three years; of a server set up before May 2016 for one.
pub const LIFETIME: Duration = Duration::from_secs(3 * 365 * 86_400);

/// How long RenewCerts takes at least, in seconds, and by how much longer it may take.
const TOOL: (u64, u64) = (5 * 60, 10 * 60);

/// The certificate, and the one that is about to replace it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Certificate {
    expires: VirtualMs,
    /// When the tool will be done.
    renewed: Option<VirtualMs>,
}

impl Certificate {
    pub(super) fn new(left: Duration) -> Self {
        Self { expires: VirtualMs(0).plus(left), renewed: None }
    }

    fn expires(&self, now: VirtualMs) -> VirtualMs {
        self.renewed.filter(|done| *done <= now).map_or(self.expires, |done| done.plus(LIFETIME))
    }
}

impl ConfigurationServer {
    /// When the certificate runs out, as things stand now.
    pub(super) fn certificate_expires(&self, now: VirtualMs) -> VirtualMs {
        self.lock().certificate.expires(now)
    }

    /// True when agents and servers do not trust it any more.
    pub(super) fn has_expired(&self, ctx: &Ctx) -> bool {
        self.certificate_expires(ctx.now()) <= ctx.now() && ctx.env.holds("P6")
    }

    /// A certificate made now takes the place of the one before.
    pub(super) fn renew(&self, now: VirtualMs) {
        self.lock().certificate = Certificate { expires: now.plus(LIFETIME), renewed: None };
    }

    /// Somebody runs RenewCerts at the console: it works on an expired certificate too, and takes its time.
    ///
    /// # Errors
    /// When the service does not run.
    pub fn run_renew_certs(&self) -> Result<(), String> {
        let (ctx, _) = self.desk().map_err(|_| "the configuration server does not run")?;
        let takes = TOOL.0 + ctx.env.draw(&format!("cs/renew-certs/{}", ctx.now())) % (TOOL.1 + 1);
        {
            let mut state = self.lock();
            let expires = state.certificate.expires(ctx.now());
            let renewed = Some(ctx.now().plus(Duration::from_secs(takes)));
            state.certificate = Certificate { expires, renewed };
        }
        self.note("RenewCerts runs on the configuration server");
        Ok(())
    }
}
