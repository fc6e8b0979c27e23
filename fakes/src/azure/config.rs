//! What is fixed about the fake subscription, and how long things take in it.

use super::network::VirtualNetwork;
use failback_wire::event::Actor;
use std::collections::BTreeMap;
use std::time::Duration;

/// The fake subscription.
#[derive(Clone, Debug)]
pub struct AzureConfig {
    /// `http` or `https`: what the fake puts before its own host names.
    pub scheme: String,
    /// Host of Resource Manager.
    pub arm_host: String,
    /// Host of the storage account's blobs; its first label is the account's name.
    pub blob_host: String,
    /// Host of the recovery service's replication (C1).
    pub replication_host: String,
    /// The passphrase that whoever replicates to it shows.
    pub passphrase: String,
    /// The subscription.
    pub subscription: String,
    /// The resource groups there are. Names of machines and disks are unique over all of them.
    pub groups: Vec<String>,
    /// Machines whose guest has another name than they have here, by the name they have here.
    pub known_as: BTreeMap<String, String>,
    /// Virtual networks.
    pub networks: Vec<VirtualNetwork>,
    /// Region of what names none.
    pub location: String,
    /// Bearer tokens, and who bears them.
    pub tokens: BTreeMap<String, Actor>,
    /// Seconds a client should wait before it asks for an operation again; `None` leaves it to the client.
    pub retry_after: Option<u64>,
    /// How long things take.
    pub timing: Timing,
}

/// How long things take, in virtual time.
#[derive(Clone, Debug)]
pub struct Timing {
    /// A virtual machine from its disks to its boot.
    pub create_vm: Duration,
    /// Preparing the system on its disks for Azure, where that is needed (C4: 8 to 10 minutes).
    pub prepare: Duration,
    /// A start, up to the boot.
    pub start: Duration,
    /// What a stop takes beside the guest's own shutdown.
    pub stop: Duration,
    /// What deallocation takes beside the guest's own shutdown.
    pub deallocate: Duration,
    /// A hard restart, up to the boot.
    pub restart: Duration,
    /// How long a guest may take to shut down before the power is cut.
    pub shutdown_limit: Duration,
    /// Deleting a virtual machine.
    pub delete_vm: Duration,
    /// Attaching or detaching data disks.
    pub update_vm: Duration,
    /// Making a disk or snapshot, whatever its source.
    pub create_disk: Duration,
    /// Deleting a disk or snapshot.
    pub delete_disk: Duration,
    /// Granting or revoking access to a disk or snapshot.
    pub access: Duration,
    /// How long a repeat with the same client request id is answered with the operation it already made.
    pub replay: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            create_vm: s(90),
            prepare: s(9 * 60),
            start: s(60),
            stop: s(20),
            deallocate: s(40),
            restart: s(60),
            shutdown_limit: s(300),
            delete_vm: s(30),
            update_vm: s(10),
            create_disk: s(5),
            delete_disk: s(5),
            access: s(2),
            replay: s(24 * 3600),
        }
    }
}

impl Default for AzureConfig {
    fn default() -> Self {
        let tokens = [("product-token", Actor::Product), ("operator-token", Actor::Operator)];
        Self {
            scheme: "https".to_owned(),
            arm_host: "management.azure.com".to_owned(),
            blob_host: "storage.blob.core.windows.net".to_owned(),
            replication_host: "weu.hypervrecoverymanager.windowsazure.com".to_owned(),
            passphrase: "passphrase".to_owned(),
            subscription: "00000000-0000-4000-8000-00000000fb1a".to_owned(),
            groups: vec!["recovery".to_owned()],
            known_as: BTreeMap::new(),
            networks: Vec::new(),
            location: "westeurope".to_owned(),
            tokens: tokens.map(|(t, a)| (t.to_owned(), a)).into(),
            retry_after: None,
            timing: Timing::default(),
        }
    }
}

impl AzureConfig {
    /// Name of the storage account.
    pub fn account(&self) -> &str {
        self.blob_host.split('.').next().unwrap_or(&self.blob_host)
    }
}
