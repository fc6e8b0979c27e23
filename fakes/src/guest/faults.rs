//! What can go wrong inside a guest, and what a person at its console can do.

use super::{BootDriver, DriverStart, GuestPower, Guests, Machine, Replicator};
use failback_wire::event::Actor;
use failback_wire::ids::{MachineCopy, MachineName, Site};
use failback_wire::proto::agent::Addressing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
    /// The agent registers this late after the machine's next boot, on whichever site that is (P32).
    DelayRegistration {
        /// Machine.
        machine: String,
        /// Minutes from boot to registration.
        minutes: u64,
    },
    /// A person writes a static address into the guest that runs (P38), or lets it take one from DHCP.
    SetAddress {
        /// Machine.
        machine: String,
        /// From DHCP; default: static.
        #[serde(default)]
        dhcp: bool,
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
    /// The copies that are up write this many extra blocks of 4 KiB on each disk, at once.
    Burst {
        /// Machine.
        machine: String,
        /// Blocks on each disk.
        blocks: u32,
    },
}

impl Guests {
    /// Changes the world as `fault` says. Who did it makes no difference to a guest.
    ///
    /// # Errors
    /// When there is no such machine or copy, or a burst finds no copy that is up.
    pub fn apply_fault(&self, fault: &GuestFault, _by: Actor) -> Result<(), String> {
        match fault {
            GuestFault::StopAgent { machine, site } => self.set_agent(machine, (*site).into(), false),
            GuestFault::StartAgent { machine, site } => self.set_agent(machine, (*site).into(), true),
            GuestFault::VssBroken { machine, broken } => {
                self.machine(machine, |machine| machine.vss_broken = *broken)
            }
            GuestFault::GroupPort { machine, closed } => {
                self.machine(machine, |machine| machine.group_port_closed = *closed)
            }
            GuestFault::DelayRegistration { machine, minutes } => {
                let delay = Duration::from_secs(minutes.saturating_mul(60));
                self.machine(machine, |machine| machine.next_registration = Some(delay))
            }
            GuestFault::SetAddress { machine, dhcp } => {
                let addressing = if *dhcp { Addressing::Dhcp } else { Addressing::Static };
                let copies = self.running_copies(&MachineName::from(machine.as_str()));
                if copies.is_empty() {
                    return Err(format!("no copy of {machine} runs"));
                }
                let vms = copies.iter().filter_map(|copy| self.vm_of(copy));
                vms.for_each(|vm| self.address(&vm, addressing));
                Ok(())
            }
            GuestFault::SetDriver { machine, driver, start } => self.machine(machine, |machine| {
                machine.boot.drivers.insert(*driver, *start);
            }),
            GuestFault::Burst { machine, blocks } => {
                let name = MachineName::from(machine.as_str());
                let sites = [Site::OnPremises, Site::Azure];
                let tried = sites.map(|site| self.write_now(&name, site, *blocks));
                match tried {
                    [Err(first), Err(second)] => Err(format!("{first}; {second}")),
                    [Ok(_), _] | [_, Ok(_)] => Ok(()),
                }
            }
        }
    }

    fn machine(&self, name: &str, change: impl FnOnce(&mut Machine)) -> Result<(), String> {
        let mut state = self.lock();
        let machine = state.machines.get_mut(&MachineName::from(name));
        change(machine.ok_or_else(|| format!("there is no machine {name}"))?);
        Ok(())
    }

    /// Stops or starts the agent's services in one copy. Idempotent.
    fn set_agent(&self, machine: &str, site: Site, runs: bool) -> Result<(), String> {
        let copy = MachineCopy::new(machine, site);
        let vm = self.vm_of(&copy).ok_or_else(|| format!("there is no guest {copy}"))?;
        let mut state = self.lock();
        if runs {
            state.stopped_agents.remove(&copy);
        } else {
            state.stopped_agents.insert(copy);
        }
        let Some(guest) = state.running.get(&vm) else { return Ok(()) };
        let was = guest.agent_runs.swap(runs, Ordering::Relaxed);
        let up = guest.booted.as_ref().map(|up| (up.router.clone(), up.replicator.clone()));
        let (address, fence) = (guest.config.address.clone(), guest.ctx.fence.clone());
        drop(state);
        if let (Some((router, replicator)), true) = (up, was != runs) {
            if runs {
                self.net.bind(&address, fence, router);
            } else {
                self.net.unbind(&address);
            }
            self.track(MachineCopy::new(machine, site), &replicator, runs);
        }
        Ok(())
    }

    /// The agent stops tracking and remembers only its session, or takes that up again.
    fn track(&self, copy: MachineCopy, replicator: &Arc<Replicator>, runs: bool) {
        if runs {
            let session = self.lock().sessions.remove(&copy);
            session.into_iter().for_each(|session| replicator.resume(session));
        } else if let Some(spec) = replicator.spec() {
            replicator.stop(&spec.session);
            self.lock().sessions.insert(copy, spec);
        }
    }

    /// Both copies of a machine that run right now, for reports.
    pub fn running_copies(&self, machine: &MachineName) -> Vec<MachineCopy> {
        let copies = [Site::OnPremises, Site::Azure].map(|site| MachineCopy::new(machine.clone(), site));
        let runs = |copy: &MachineCopy| self.vm_of(copy).is_some_and(|vm| self.is_running(&vm));
        copies.into_iter().filter(runs).collect()
    }
}
