//! How a master target's system is set up, and what follows from it.

use super::{MasterTarget, State};
use crate::session_api::Denied;
use failback_wire::clock::VirtualMs;
use failback_wire::event::What;
use failback_wire::http::StatusCode;
use failback_wire::proto::cs::version;
use failback_wire::proto::session::RetentionVolume;
use failback_wire::proto::target::{Obstacle, Refusing, Unfit};
use serde::Serialize;
use std::time::Duration;

/// A volume that is added, or made fit, is listed after this at the latest (P27); here it always takes that long, unless
/// somebody refreshes the configuration server.
const DISCOVERY: Duration = Duration::from_secs(15 * 60);

/// How its system is set up. The default is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// `/etc/hosts` maps its host name to each of its addresses (P9).
    pub hosts_file: bool,
    /// Its calls go through a proxy that asks for a login (P9).
    pub authenticated_proxy: bool,
    /// Its network card comes up at boot (P28).
    pub nic_onboot: bool,
    /// Its root or retention volume lies on LVM (P28).
    pub lvm: bool,
    /// It updates its kernel by itself (P28).
    pub kernel_updates: bool,
    /// Bytes of the disk its system is on (P28).
    pub system_disk: u64,
    /// Version of its operating system, if anybody says (P15).
    pub os_version: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            hosts_file: true,
            authenticated_proxy: false,
            nic_onboot: true,
            lvm: false,
            kernel_updates: false,
            system_disk: 100 << 30,
            os_version: None,
        }
    }
}

impl State {
    fn holds(&self, key: &str) -> bool {
        self.ctx.as_ref().is_none_or(|ctx| ctx.env.holds(key))
    }

    /// Why it cannot register with the configuration server, if it cannot.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        match &self.setup {
            _ if !self.holds("P9") => None,
            Setup { authenticated_proxy: true, .. } => Some(Obstacle::AuthenticatedProxy),
            Setup { hosts_file: false, .. } => Some(Obstacle::HostsFile),
            Setup { .. } => None,
        }
    }

    /// Why it takes no data, if it does not.
    pub(super) fn refusing(&self) -> Option<Refusing> {
        if self.kernel_updated {
            return Some(Refusing::KernelUpdated);
        }
        let oldest = self.oldest.as_ref().filter(|_| self.holds("P16"))?;
        let newer = version(&self.version) > version(oldest);
        newer.then(|| Refusing::NewerThanServers { own: self.version.clone(), oldest: oldest.clone() })
    }

    /// Fails when it takes no data.
    pub(super) fn takes_data(&self) -> Result<(), Denied> {
        let denied = |why: Refusing| Denied::new(StatusCode::CONFLICT, "refuses", why.to_string());
        self.refusing().map_or(Ok(()), |why| Err(denied(why)))
    }

    /// The retention volume as it is listed now.
    pub(super) fn retention_now(&self) -> Option<RetentionVolume> {
        let volume = self.retention.clone()?;
        let now = self.ctx.as_ref().map_or(VirtualMs(0), |ctx| ctx.now());
        let empty = (volume.capacity == 0).then_some(Unfit::Empty);
        let unseen = (now < self.listed_from).then_some(Unfit::NotSeenYet);
        let unfit = volume.unfit.or(empty).or(unseen);
        Some(RetentionVolume { free: volume.free.saturating_sub(self.used()), unfit, ..volume })
    }

    /// A volume was added or made fit: it is listed once it is discovered.
    pub(super) fn volume_added(&mut self, volume: RetentionVolume) {
        self.retention = Some(RetentionVolume { unfit: None, ..volume });
        let now = self.ctx.as_ref().map_or(VirtualMs(0), |ctx| ctx.now());
        self.listed_from = now.plus(DISCOVERY);
    }
}

impl MasterTarget {
    /// The configuration server is refreshed and asks what there is: a volume that is fit is listed (P27).
    pub fn refreshed(&self) {
        self.lock().listed_from = VirtualMs(0);
    }

    /// True when its network is up after a boot. A system that is installed has its card up, whatever its files say.
    pub(super) fn network_comes_up(&self, first_boot: bool) -> bool {
        let state = self.lock();
        let up = first_boot || state.setup.nic_onboot || !state.holds("P28");
        if !up {
            state.note("its network card does not come up at boot");
        }
        if let Some(obstacle) = state.obstacle() {
            state.note(match obstacle {
                Obstacle::AuthenticatedProxy => "registration fails: curl: (35) TLS connect error",
                Obstacle::HostsFile => "registration fails: its host name has no address in /etc/hosts",
            });
        }
        up
    }
}

impl State {
    fn note(&self, text: &str) {
        self.emit(What::Note { text: text.to_owned() });
    }
}
