//! What the orchestrator is told about its surroundings, and the knobs an operator may turn.

mod settings;

pub use settings::{
    AlternateVcenter, BeforeCommit, DetachedDisks, FinalChanges, Settings, Uefi, VmSnapshots, Vsan,
};

use failback_wire::canary::Planted;
use failback_wire::proto::session::Resync;
use std::time::Duration;

/// Everything the orchestrator needs to know before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Names on the northbound API.
    pub vault: Vault,
    /// How to reach vCenter.
    pub vcenter: VcenterAccess,
    /// How to reach another vCenter that was discovered beside the original one, if there is one (P5).
    pub alternate_vcenter: Option<VcenterAccess>,
    /// How to reach Azure.
    pub azure: AzureAccess,
    /// How to reach the configuration server and everything that shares its passphrase.
    pub cs: CsAccess,
    /// The private link to the site is an ExpressRoute circuit, not a VPN (P12).
    pub expressroute: bool,
    /// Deadlines, intervals and policies.
    pub knobs: Knobs,
}

/// Names of the vault and what lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Subscription id.
    pub subscription: String,
    /// Resource group of the vault.
    pub resource_group: String,
    /// The Recovery Services vault.
    pub name: String,
    /// The fabric: one configuration server.
    pub fabric: String,
    /// Its protection container.
    pub container: String,
    /// Replication policy on the way to Azure.
    pub policy: String,
    /// Failback policy, created with `policy` and not editable (P10).
    pub failback_policy: String,
}

/// How to reach vCenter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VcenterAccess {
    /// Host name, as in `http://vcenter/sdk`.
    pub host: String,
    /// Account of the product; its privileges matter (P8).
    pub user: String,
    /// Password of that account.
    pub password: String,
}

/// How to reach Azure, and where machines come up there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureAccess {
    /// Host name of Resource Manager and of the storage endpoint.
    pub host: String,
    /// Host of the recovery service's replication, where what goes to Azure lands.
    pub replication_host: String,
    /// Bearer token of the product's identity.
    pub token: String,
    /// Subscription of the failed-over machines.
    pub subscription: String,
    /// Resource group of the failed-over machines (P33: they must stay in it).
    pub resource_group: String,
    /// Region.
    pub location: String,
    /// The virtual network of failed-over machines.
    pub network: String,
    /// Subnet in which machines come up, as the network names it.
    pub subnet: String,
    /// Storage account that holds seed blobs.
    pub storage_account: String,
    /// Container of the seed blobs.
    pub container: String,
}

/// How to reach the configuration server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsAccess {
    /// The address it was registered with.
    pub host: String,
    /// Name of the connection that the server itself keeps to the vault, from whatever address.
    pub connection: String,
    /// The passphrase all classic components share.
    pub passphrase: String,
}

/// Deadlines, intervals and policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// How long one step may take with all its attempts before it fails.
    pub step_deadline: Duration,
    /// First pause between attempts after an error that passes by itself; doubles each time.
    pub retry_first: Duration,
    /// The longest such pause.
    pub retry_cap: Duration,
    /// Pause between attempts after an error that only time heals.
    pub wait_every: Duration,
    /// How often the monitor looks at sessions and heartbeats.
    pub poll_every: Duration,
    /// No sign of life for this long makes an item's health critical (MPS: 15 minutes).
    pub silent_after: Duration,
    /// Beyond this age of the newest mark an alert is raised; it gates nothing (R8).
    pub rpo_threshold: Duration,
    /// What tests rehearse; nothing in production.
    pub rehearsal: Rehearsal,
    /// `Retry-After` on 202 replies, in seconds; `None` sends none.
    pub retry_after: Option<u32>,
    /// The way to Azure.
    pub forward: ReplicationPolicy,
    /// The way home: 5 and 60 minutes, 24 hours, not editable (section 5).
    pub reverse: ReplicationPolicy,
    /// Agents compress what they send, where that pays (E17).
    pub compress: bool,
    /// What the documentation leaves open.
    pub settings: Settings,
    /// When a machine whose changes were lost on the way to Azure is compared again (C2).
    pub resync: Resync,
}

/// Kinds of disks in Azure, as far as they take different churn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DiskTier {
    /// Standard storage.
    Standard,
    /// Premium P10 or P15.
    P10,
    /// Premium, from the 512 GiB size up to the 4 TiB one.
    #[default]
    P20,
}

impl DiskTier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Standard, Self::P10, Self::P20];

    /// Its word in a policy (ours).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::P10 => "P10",
            Self::P20 => "P20",
        }
    }
}

/// What tests ask for, to hold that the real steps and undos do what their recovery promises, that scenarios prove the
/// rules they claim to, and that bugs are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Runs every step, and every undo, once more after it succeeded: it must converge.
    pub twice: bool,
    /// The n-th step that comes to its end, from 1 and over all jobs, fails right after it did its work.
    pub fail_step: Option<u64>,
    /// The rule of this key does not hold, anywhere in the world.
    pub without: Option<&'static str>,
    /// This bug is planted in the world.
    pub planted: Planted,
}

/// Cadence and retention of recovery points, in seconds as the session protocol wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReplicationPolicy {
    /// Between crash-consistent points (R1).
    pub crash_interval_s: u64,
    /// Between application-consistent points; 0 for none.
    pub app_interval_s: u64,
    /// How long points are kept.
    pub retention_s: u64,
    /// What kind of disks machines replicate to in Azure: how much they may change (78188). In the field it is chosen
    /// for each disk.
    #[serde(default)]
    pub disk_tier: DiskTier,
}

impl Default for Knobs {
    fn default() -> Self {
        let policy = ReplicationPolicy {
            crash_interval_s: 300,
            app_interval_s: 3600,
            retention_s: 86_400,
            disk_tier: DiskTier::P20,
        };
        Self {
            step_deadline: Duration::from_secs(30 * 60),
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            wait_every: Duration::from_secs(30),
            poll_every: Duration::from_secs(300),
            silent_after: Duration::from_secs(900),
            rpo_threshold: Duration::from_secs(900),
            rehearsal: Rehearsal::default(),
            retry_after: Some(30),
            forward: policy,
            reverse: policy,
            compress: false,
            settings: Settings::default(),
            resync: Resync::AtOnce,
        }
    }
}

impl Default for Config {
    /// The names every lab estate uses unless it says otherwise.
    fn default() -> Self {
        Self {
            vault: Vault {
                subscription: "00000000-0000-4000-8000-000000000001".into(),
                resource_group: "lab-rg".into(),
                name: "lab-vault".into(),
                fabric: "lab-cs".into(),
                container: "lab-container".into(),
                policy: "lab-policy".into(),
                failback_policy: "lab-policy-failback".into(),
            },
            vcenter: VcenterAccess {
                host: "vcenter".into(),
                user: "svc-recovery@vsphere.local".into(),
                password: "product".into(),
            },
            alternate_vcenter: None,
            azure: AzureAccess {
                host: "azure".into(),
                replication_host: "weu.hypervrecoverymanager.windowsazure.com".into(),
                token: "product".into(),
                subscription: "00000000-0000-4000-8000-000000000001".into(),
                resource_group: "failover-rg".into(),
                location: "westeurope".into(),
                network: "failover-vnet".into(),
                subnet: "default".into(),
                storage_account: "labcache".into(),
                container: "seeds".into(),
            },
            cs: CsAccess { host: "cs".into(), connection: "cs".into(), passphrase: "passphrase".into() },
            expressroute: false,
            knobs: Knobs::default(),
        }
    }
}
