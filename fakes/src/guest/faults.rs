//! What can go wrong inside a guest, and what a person at its console can do.

use super::services::{AgentService, Start};
use super::{BootDriver, DriverStart, GuestPower, Guests, Machine};
use failback_wire::event::{Actor, VmRef};
use failback_wire::ids::{MachineCopy, MachineName, Site};
use failback_wire::proto::agent::Addressing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Duration;

/// Which copy of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestSite {
    /// vCenter's side.
    OnPremises,
    /// Azure's side.
    Azure,
}

impl From<GuestSite> for Site {
    fn from(site: GuestSite) -> Self {
        match site {
            GuestSite::OnPremises => Self::OnPremises,
            GuestSite::Azure => Self::Azure,
        }
    }
}

/// A change of a guest's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GuestFault {
    /// The agent's services are stopped and disabled: it neither answers nor sends nor tracks what is written,
    /// across boots, until they are started (95226). The guest itself goes on.
    StopAgent {
        /// Machine.
        machine: String,
        /// Which copy of it.
        site: GuestSite,
    },
    /// The agent's services are enabled and started. What it fed before it feeds again, comparing checksums: nobody
    /// knows what was written meanwhile (E7).
    StartAgent {
        /// Machine.
        machine: String,
        /// Which copy of it.
        site: GuestSite,
    },
    /// One service of the agent stops: until the next boot, or for good when it is disabled too.
    StopService {
        /// Machine.
        machine: String,
        /// Which copy of it.
        site: GuestSite,
        /// Which service.
        service: AgentService,
        /// Its start type is Disabled from now on, not Automatic.
        #[serde(default)]
        disabled: bool,
    },
    /// One service of the agent is started, and set to Automatic.
    StartService {
        /// Machine.
        machine: String,
        /// Which copy of it.
        site: GuestSite,
        /// Which service.
        service: AgentService,
    },
    /// The shadow copy writers of the machine fail (true) or work (false): no application-consistent marks.
    VssBroken {
        /// Machine.
        machine: String,
        /// Broken or repaired.
        broken: bool,
    },
    /// A firewall closes (true) or opens (false) port 20004 of the machine to the others of its replication group: it
    /// makes no application-consistent marks with them (G1).
    GroupPort {
        /// Machine.
        machine: String,
        /// Closed or open.
        closed: bool,
    },
    /// An antivirus product in the guest holds what the agent reads and sends (true), or leaves it alone (false).
    Antivirus {
        /// Machine.
        machine: String,
        /// Interferes, or does not any more.
        interferes: bool,
    },
    /// The guest's clock is off; 0 sets it right. More than five minutes, and process servers take nothing from it.
    TimeSkew {
        /// Machine.
        machine: String,
        /// How far.
        minutes: u64,
    },
    /// The newest mobility agent is installed, on whichever site the machine runs.
    UpdateAgent {
        /// Machine.
        machine: String,
    },
    /// The agent registers this late after the machine's next boot, on whichever site that is (P32).
    DelayRegistration {
        /// Machine.
        machine: String,
        /// Minutes from boot to registration.
        minutes: u64,
    },
    /// A person writes a static address into the guest that runs (P38), or lets it take one from DHCP, on Linux
    /// without Network Manager (C5).
    SetAddress {
        /// Machine.
        machine: String,
        /// From DHCP; default: static.
        #[serde(default)]
        dhcp: bool,
    },
    /// A person disables VMware Tools in the guest that runs, or enables them (C5, C16).
    SetTools {
        /// Machine.
        machine: String,
        /// Enabled from now on.
        enabled: bool,
    },
    /// A driver of the machine's system starts at another time, from its next boot on (C4).
    SetDriver {
        /// Machine.
        machine: String,
        /// Which driver.
        driver: BootDriver,
        /// When it starts.
        start: DriverStart,
    },
    /// Somebody pulls the plug of a physical machine (P35).
    SwitchOff {
        /// Machine.
        machine: String,
    },
    /// Somebody switches a physical machine on.
    SwitchOn {
        /// Machine.
        machine: String,
    },
    /// The copies that are up write this many extra blocks of 4 KiB on each disk, at once.
    Burst {
        /// Machine.
        machine: String,
        /// Blocks on each disk.
        blocks: u32,
    },
    /// A person copies, in the guest that runs, all that one of its disks holds to where another one is still empty (P37).
    CopyDisk {
        /// Machine.
        machine: String,
        /// The disk to read: 0 is the first, which it boots from.
        from: usize,
        /// The disk to write to, counted in the same way.
        to: usize,
    },
}

impl Guests {
    /// Changes the world as `fault` says. Who did it only matters to its power.
    ///
    /// # Errors
    /// When there is no such machine, copy or disk, no copy is up that is to write, or what it is to copy does not fit.
    pub fn apply_fault(&self, fault: &GuestFault, by: Actor) -> Result<(), String> {
        match fault {
            GuestFault::StopAgent { machine, site } => self.set_agent(machine, *site, Some(Start::Disabled)),
            GuestFault::StartAgent { machine, site } => self.set_agent(machine, *site, None),
            GuestFault::StopService { machine, site, service, disabled } => {
                let start = if *disabled { Start::Disabled } else { Start::Automatic };
                self.set_service(machine, (*site).into(), *service, Some(start))
            }
            GuestFault::StartService { machine, site, service } => {
                self.set_service(machine, (*site).into(), *service, None)
            }
            GuestFault::VssBroken { machine, broken } => {
                self.machine(machine, |machine| machine.vss_broken = *broken)
            }
            GuestFault::GroupPort { machine, closed } => {
                self.machine(machine, |machine| machine.group_port_closed = *closed)
            }
            GuestFault::Antivirus { machine, interferes } => {
                self.machine(machine, |machine| machine.antivirus = *interferes)
            }
            GuestFault::TimeSkew { machine, minutes } => {
                self.machine(machine, |machine| machine.time_skew = *minutes)
            }
            GuestFault::UpdateAgent { machine } => {
                self.machine(machine, |machine| machine.agent_version = None)
            }
            GuestFault::DelayRegistration { machine, minutes } => {
                let delay = Duration::from_secs(minutes.saturating_mul(60));
                self.machine(machine, |machine| machine.next_registration = Some(delay))
            }
            GuestFault::SetAddress { machine, dhcp } => {
                let addressing = if *dhcp { Addressing::Dhcp } else { Addressing::Static };
                self.running(machine, |vm| self.address(vm, addressing))
            }
            GuestFault::SetTools { machine, enabled } => {
                self.running(machine, |vm| self.set_tools(vm, *enabled))
            }
            GuestFault::SetDriver { machine, driver, start } => self.machine(machine, |machine| {
                machine.boot.drivers.insert(*driver, *start);
            }),
            GuestFault::SwitchOff { machine } => self.switch(machine, false, by),
            GuestFault::SwitchOn { machine } => self.switch(machine, true, by),
            GuestFault::Burst { machine, blocks } => {
                let name = MachineName::from(machine.as_str());
                let sites = [Site::OnPremises, Site::Azure];
                let tried = sites.map(|site| self.write_now(&name, site, *blocks));
                match tried {
                    [Err(first), Err(second)] => Err(format!("{first}; {second}")),
                    [Ok(_), _] | [_, Ok(_)] => Ok(()),
                }
            }
            GuestFault::CopyDisk { machine, from, to } => self.copy_disk(machine, *from, *to),
        }
    }

    /// Both services at once.
    fn set_agent(&self, machine: &str, site: GuestSite, stopped: Option<Start>) -> Result<(), String> {
        let mut services = AgentService::ALL.into_iter();
        services.try_for_each(|service| self.set_service(machine, site.into(), service, stopped))
    }

    /// Does something in each copy that runs.
    fn running(&self, machine: &str, change: impl Fn(&VmRef)) -> Result<(), String> {
        let copies = self.running_copies(&MachineName::from(machine));
        if copies.is_empty() {
            return Err(format!("no copy of {machine} runs"));
        }
        copies.iter().filter_map(|copy| self.vm_of(copy)).for_each(|vm| change(&vm));
        Ok(())
    }

    fn machine(&self, name: &str, change: impl FnOnce(&mut Machine)) -> Result<(), String> {
        let mut state = self.lock();
        let machine = state.machines.get_mut(&MachineName::from(name));
        change(machine.ok_or_else(|| format!("there is no machine {name}"))?);
        Ok(())
    }

    /// Both copies of a machine that run right now, for reports.
    pub fn running_copies(&self, machine: &MachineName) -> Vec<MachineCopy> {
        let copies = [Site::OnPremises, Site::Azure].map(|site| MachineCopy::new(machine.clone(), site));
        let runs = |copy: &MachineCopy| self.vm_of(copy).is_some_and(|vm| self.is_running(&vm));
        copies.into_iter().filter(runs).collect()
    }
}
