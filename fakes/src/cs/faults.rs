//! What can happen to a configuration server, and what a person at its console can do.

use super::ConfigurationServer;
use crate::guest::GuestSite;
use failback_wire::event::Actor;
use failback_wire::ids::{MachineCopy, MachineName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which backup to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackupChoice {
    /// The most recent one.
    Latest,
    /// The oldest one that is kept: taken when the server first booted.
    Oldest,
    /// This one, counted from 1, oldest first.
    Nth(usize),
}

/// A change of the configuration server's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConfigurationServerFault {
    /// The service is down: nothing listens at its address (P2).
    Stop,
    /// The service runs again.
    Start,
    /// The database is gone; the service answers everything with `database-lost` (P3).
    LoseDatabase,
    /// The server is set up again from a backup (P4).
    Restore {
        /// Which backup.
        backup: BackupChoice,
        /// At which address; the registered one when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// The server is set up again with an empty database.
    Initialise,
    /// The server is gone, and all its backups with it: it can only be set up anew (P4).
    Delete,
    /// Its virtual machine is cloned, and the clone runs (P4).
    Clone {
        /// At this address.
        address: String,
    },
    /// The clone is shut down.
    RemoveClone,
    /// The server and the process server that it brings along are updated to this component version (P16).
    Update {
        /// `9.63`.
        version: String,
    },
    /// The server is registered in another vault: it answers this one no more, and replication under it stops (C23).
    RegisterElsewhere,
    /// It is registered in this vault again.
    RegisterHere,
    /// Somebody runs the tool that renews the certificate, expired or not; it takes up to 15 minutes (P6).
    RenewCerts,
    /// Its machine gets one more network adapter (P7).
    AddAdapter,
    /// It registers with the vault again, with all the adapters it has (P7).
    RegisterAgain,
    /// Somebody refreshes it: what is in vCenter now (P25), and retention volumes that are fit (P27), are discovered at once.
    Refresh,
    /// The registrations of a machine's two copies are mixed up: each is taken for the other (C14).
    ConfuseRegistrations {
        /// Machine.
        machine: String,
    },
    /// A clone of a copy of the machine registered under its name, and is gone again (P40).
    DuplicateRegistration {
        /// Machine.
        machine: String,
        /// Which copy it was cloned from.
        site: GuestSite,
    },
    /// All registrations of a machine are deleted; an agent that lives registers again with its next heartbeat.
    DeleteRegistrations {
        /// Machine.
        machine: String,
    },
    /// A backup is taken, scheduled ones aside.
    BackupNow,
    /// A protected machine's row is deleted from the database (P3).
    DeleteMachine {
        /// Machine.
        machine: String,
    },
}

impl ConfigurationServer {
    /// Changes the world as `fault` says. Who did it makes no difference to the server.
    ///
    /// # Errors
    /// When the change is impossible: no such backup, no such row, no database.
    pub fn apply_fault(&self, fault: &ConfigurationServerFault, _by: Actor) -> Result<(), String> {
        match fault {
            ConfigurationServerFault::Stop => {
                self.stop();
                Ok(())
            }
            ConfigurationServerFault::Start => self.start(),
            ConfigurationServerFault::LoseDatabase => {
                self.lose_database();
                Ok(())
            }
            ConfigurationServerFault::Restore { backup, address } => {
                self.restore(*backup, address.as_deref())
            }
            ConfigurationServerFault::Initialise => self.initialise(),
            ConfigurationServerFault::Delete => {
                self.delete();
                Ok(())
            }
            ConfigurationServerFault::Clone { address } => {
                self.set_clone(Some(address));
                Ok(())
            }
            ConfigurationServerFault::RemoveClone => {
                self.set_clone(None);
                Ok(())
            }
            ConfigurationServerFault::Update { version } => {
                self.update(version);
                Ok(())
            }
            ConfigurationServerFault::RegisterElsewhere => self.set_vault(true),
            ConfigurationServerFault::RegisterHere => self.set_vault(false),
            ConfigurationServerFault::RenewCerts => self.run_renew_certs(),
            ConfigurationServerFault::AddAdapter => {
                self.add_adapter();
                Ok(())
            }
            ConfigurationServerFault::RegisterAgain => {
                self.register_again();
                Ok(())
            }
            ConfigurationServerFault::Refresh => self.refresh(),
            ConfigurationServerFault::ConfuseRegistrations { machine } => {
                self.confuse_registrations(&MachineName::from(machine.as_str()))
            }
            ConfigurationServerFault::DuplicateRegistration { machine, site } => {
                self.register_clone(&MachineCopy::new(machine.as_str(), (*site).into()))
            }
            ConfigurationServerFault::DeleteRegistrations { machine } => {
                self.delete_registrations(&MachineName::from(machine.as_str()))
            }
            ConfigurationServerFault::BackupNow => self.backup_now(),
            ConfigurationServerFault::DeleteMachine { machine } => {
                self.delete_machine(&MachineName::from(machine.as_str()))
            }
        }
    }
}
