//! What the world can do to Azure. A fault changes state; the product finds out by itself.

use super::Azure;
use super::model::{Armed, AzureOperation, Model, Power, key};
use super::refusal::Refusal;
use failback_replication::disk::BLOCK;
use failback_wire::event::{Actor, What};
use failback_wire::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change of the world that nobody asked Azure for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AzureFault {
    /// The machine loses its power, at once.
    StopVm {
        /// The machine's name in Azure.
        vm: String,
    },
    /// The machine is started, at once.
    StartVm {
        /// The machine's name in Azure.
        vm: String,
    },
    /// The machine is deleted, at once; its disks stay.
    DeleteVm {
        /// The machine's name in Azure.
        vm: String,
    },
    /// The machine is moved to another resource group, with its disks; it runs on (P33).
    MoveGroup {
        /// The machine's name in Azure.
        vm: String,
        /// The group it is in from now on.
        group: String,
    },
    /// A lock that forbids deletion is put on everything the product made, or taken off.
    DeleteLock {
        /// From now on.
        on: bool,
    },
    /// The guest stops answering; Azure still shows the machine as running.
    HangVm {
        /// The machine's name in Azure.
        vm: String,
    },
    /// The machine is restarted, at once, also one whose guest hangs.
    RestartVm {
        /// The machine's name in Azure.
        vm: String,
    },
    /// The next operations end as `Failed`, without effect.
    FailNext {
        /// The kind of operation; any when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<AzureOperation>,
        /// The error code they end with.
        #[serde(default = "internal")]
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
        /// How many.
        #[serde(default = "once")]
        times: u32,
    },
    /// The next operation gets stuck: it stays `InProgress`, and nothing else can be done to its resource.
    StickNext,
    /// Operations that are stuck go on.
    ReleaseOperations,
    /// A disk of the machine is made larger while it runs (P37).
    GrowDisk {
        /// The machine's name in Azure.
        vm: String,
        /// Which of its disks: 0 is the first, which it boots from.
        disk: usize,
        /// Its new size in bytes; a multiple of 4096.
        bytes: u64,
    },
    /// An empty disk is made and attached to the machine while it runs; its guest begins to use it (P37).
    AddDisk {
        /// The machine's name in Azure.
        vm: String,
        /// Its size in bytes; a multiple of 4096.
        bytes: u64,
        /// Labels of the volumes on it: `Temporary Storage` alone is that of the disk Azure lends every machine.
        #[serde(default)]
        volumes: Vec<String>,
    },
    /// A data disk that no machine holds, or that another one does, is attached to this machine.
    AttachDisk {
        /// The disk's name in Azure.
        disk: String,
        /// The machine's name in Azure.
        vm: String,
    },
    /// New virtual machines are refused (28031).
    DenyMachines {
        /// Why.
        by: Denial,
    },
    /// New virtual machines are accepted again.
    AllowMachines,
    /// At most so many network cards may be in the subscription (28092).
    CardQuota {
        /// How many.
        most: u32,
    },
    /// A virtual network that no machine is in is deleted (70038).
    DeleteNetwork {
        /// Its name.
        network: String,
    },
    /// A virtual network is made again as it was.
    CreateNetwork {
        /// Its name.
        network: String,
    },
    /// The machine's network card is put into another subnet of its network: `default` leads to the site, `isolated`
    /// only to Azure, `quarantine` nowhere (P31).
    MoveSubnet {
        /// The machine's name in Azure.
        vm: String,
        /// The subnet.
        subnet: String,
    },
}

/// Why Azure takes no new machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// The quota of cores is used up.
    CoreQuota,
    /// The size is not offered in the region, or not to the availability set.
    SizeFamily,
    /// A policy of the subscription forbids them.
    Policy,
}

impl Denial {
    pub(super) fn refusal(self) -> Refusal {
        let (status, code, message) = match self {
            Self::CoreQuota => (
                StatusCode::CONFLICT,
                "OperationNotAllowed",
                "Operation could not be completed as it results in exceeding approved cores quota.",
            ),
            Self::SizeFamily => (
                StatusCode::CONFLICT,
                "SkuNotAvailable",
                "The requested VM size is currently not available in this location.",
            ),
            Self::Policy => {
                (StatusCode::FORBIDDEN, "RequestDisallowedByPolicy", "The resource was disallowed by policy.")
            }
        };
        Refusal::new(status, code, message)
    }
}

fn internal() -> String {
    "InternalExecutionError".to_owned()
}
fn once() -> u32 {
    1
}

impl Azure {
    /// Applies a fault, now.
    ///
    /// # Errors
    /// What makes it impossible: there is no such machine, or it is not in the state the fault ends.
    pub fn apply_fault(&self, fault: &AzureFault, by: Actor) -> Result<(), String> {
        self.with(|m| {
            let power = |m: &Model, name: &str| m.vm(name).map(|vm| vm.power).map_err(|r| r.to_string());
            match fault {
                AzureFault::StopVm { vm: name } => {
                    if power(m, name)? != Power::Running {
                        return Err(format!("{name} is not running"));
                    }
                    m.power_down(&key(name), Power::Stopped, by);
                }
                AzureFault::StartVm { vm: name } => {
                    if power(m, name)? == Power::Running {
                        return Err(format!("{name} runs already"));
                    }
                    m.power_up(&key(name), by);
                }
                AzureFault::DeleteVm { vm: name } => {
                    power(m, name)?;
                    let own = key(name);
                    if let Some(vm) = m.vms.get_mut(&own) {
                        vm.os.delete = false;
                        vm.data.values_mut().for_each(|slot| slot.delete = false);
                    }
                    m.remove_vm(&own, by);
                }
                AzureFault::HangVm { vm: name } => m.hang(name, by)?,
                AzureFault::MoveGroup { vm: name, group } => {
                    power(m, name)?;
                    m.move_vm(name, group, by)?;
                }
                AzureFault::DeleteLock { on } => m.delete_lock = *on,
                AzureFault::RestartVm { vm: name } => {
                    if power(m, name)? != Power::Running {
                        return Err(format!("{name} is not running"));
                    }
                    m.power_down(&key(name), Power::Stopped, by);
                    m.power_up(&key(name), by);
                }
                AzureFault::FailNext { operation, code, message, times } => m.armed.push(Armed {
                    operation: *operation,
                    code: code.clone(),
                    message: message.clone(),
                    times: *times,
                }),
                AzureFault::StickNext => m.stick_next = true,
                AzureFault::ReleaseOperations => {
                    m.stick_next = false;
                    m.operations.values_mut().for_each(|operation| operation.stuck = false);
                    self.ended.notify_waiters();
                }
                AzureFault::GrowDisk { vm: name, disk, bytes } => m.grow_disk(name, *disk, *bytes, by)?,
                AzureFault::AddDisk { vm: name, bytes, volumes } => {
                    if power(m, name)? != Power::Running {
                        return Err(format!("{name} is not running"));
                    }
                    m.add_disk(&self.config, name, (*bytes, volumes), by)?;
                }
                AzureFault::AttachDisk { disk, vm: name } => m.attach_disk(&self.config, disk, name, by)?,
                AzureFault::DenyMachines { by: why } => m.denial = Some(*why),
                AzureFault::AllowMachines => m.denial = None,
                AzureFault::CardQuota { most } => m.card_quota = Some(*most),
                AzureFault::DeleteNetwork { network } => m.set_network(&self.config, network, false)?,
                AzureFault::CreateNetwork { network } => m.set_network(&self.config, network, true)?,
                AzureFault::MoveSubnet { vm: name, subnet } => {
                    power(m, name)?;
                    m.move_card(name, subnet, by)?;
                }
            }
            Ok(())
        })
    }
}

impl Model {
    fn hang(&mut self, name: &str, by: Actor) -> Result<(), String> {
        if self.vm(name).map_err(|r| r.to_string())?.power != Power::Running {
            return Err(format!("{name} is not running"));
        }
        let Some(vm) = self.vms.get_mut(&key(name)) else { return Ok(()) };
        vm.hung = true;
        let reference = vm.reference();
        self.out.push(super::model::Effect::PowerOff(reference.clone()));
        self.emit(What::VmChanged { vm: reference, change: "guest hangs".to_owned(), by });
        Ok(())
    }

    fn grow_disk(&mut self, name: &str, disk: usize, bytes: u64, by: Actor) -> Result<(), String> {
        let vm = self.vm(name).map_err(|r| r.to_string())?;
        let reference = vm.reference();
        let mut contents = self.contents(vm).into_iter();
        let (volume, content) = contents.nth(disk).ok_or_else(|| format!("{name} has no disk {disk}"))?;
        if !bytes.is_multiple_of(BLOCK as u64) || !content.grow(bytes / BLOCK as u64) {
            return Err(format!("{volume} cannot be made {bytes} bytes large"));
        }
        let change = format!("disk {volume} grows to {bytes} bytes");
        self.emit(What::VmChanged { vm: reference, change, by });
        Ok(())
    }
}
