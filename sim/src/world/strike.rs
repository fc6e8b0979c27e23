//! What faults, and operators at their consoles, do to the world.

use super::{World, causes, in_the_lab};
use crate::fault::{Action, Strike};
use crate::scenario::fault::{
    CallAction, CallFault, Change, ConfigurationServerFault, LinkChange, ProcessServerFault,
};
use crate::scenario::text::Name;
use crate::switchboard::rules::{CallRule, Effect};
use failback_wire::event::{Actor, What};
use failback_wire::ids::{MachineName, NodeName, Site};
use std::time::Duration;

/// How often the end of a fault is tried that cannot come yet, and how long after each other.
const ENDINGS: u32 = 12;
const BETWEEN_ENDINGS: Duration = Duration::from_secs(5 * 60);

impl World {
    /// Changes the world; `id` names the fault in the ledger.
    ///
    /// # Errors
    /// When the change names something that is not there.
    pub fn change(&self, id: &str, change: &Change, by: Actor) -> Result<(), String> {
        let is_target = |vm: &str| self.master_targets.contains_key(vm);
        if !causes::of(change, is_target).iter().all(|key| self.operator.env.holds(key)) {
            return Ok(());
        }
        match change {
            // What the first does not know, the other one may.
            Change::Vcenter(fault) => match (self.vcenter.apply_fault(fault, by), &self.alternate) {
                (Err(unknown), Some(other)) => other.apply_fault(fault, by).map_err(|_| unknown),
                (done, _) => done,
            },
            Change::ConfigurationServer(fault) => {
                self.cs.apply_fault(fault, by)?;
                if let ConfigurationServerFault::Update { version } = &**fault {
                    self.update_built_in(version, by)?;
                }
                if matches!(&**fault, ConfigurationServerFault::Refresh) {
                    self.master_targets.values().for_each(|server| server.refreshed());
                }
                Ok(())
            }
            Change::Azure(fault) => self.azure.apply_fault(fault, by),
            Change::MasterTarget(on) => {
                let server = self.master_targets.get(&on.name.value);
                let server = server.ok_or_else(|| format!("there is no master target {}", on.name.value))?;
                server.apply_fault(&on.change, by)
            }
            Change::ProcessServer(on) => {
                let server = self.process_servers.get(&on.name.value);
                let server = server.ok_or_else(|| format!("there is no process server {}", on.name.value))?;
                server.apply_fault(&on.change, by)
            }
            Change::Guest(fault) => self.guests.apply_fault(fault, by),
            Change::Link(link) => {
                self.net.rules(|r| match &**link {
                    LinkChange::VpnDown => r.set_vpn(Some(id)),
                    LinkChange::VpnUp => r.set_vpn(None),
                    LinkChange::Build => r.set_link(true),
                    LinkChange::BlockPort { server } => r.set_port(&node(server), Some(id)),
                    LinkChange::OpenPort { server } => r.set_port(&node(server), None),
                    LinkChange::Cut { from, to } => r.set_cut(node(from), node(to), Some(id)),
                    LinkChange::Join { from, to } => r.set_cut(node(from), node(to), None),
                });
                Ok(())
            }
            Change::Call(call) => {
                let rule = call_rule(id, call);
                self.net.rules(|r| r.add(rule));
                Ok(())
            }
        }
    }

    /// The process server on the configuration server is updated with it.
    fn update_built_in(&self, version: &str, by: Actor) -> Result<(), String> {
        let server = self.process_servers.get(super::BUILT_IN_PROCESS_SERVER);
        let update = ProcessServerFault::Update { version: version.to_owned() };
        server.map_or(Ok(()), |server| server.apply_fault(&update, by))
    }

    /// Takes away a fault that waits, or a rule about calls.
    pub fn clear(&self, id: &str) {
        self.board.disarm(id);
        self.net.rules(|r| r.remove(id));
        self.emit(What::FaultCleared { fault: id.to_owned() });
    }

    /// The running copy of a machine writes so many more blocks, spread over its disks.
    ///
    /// # Errors
    /// When no copy of it is up.
    pub fn write(&self, machine: &str, blocks: u32) -> Result<(), String> {
        let name = MachineName::from(machine);
        let tried = [Site::Azure, Site::OnPremises].map(|site| self.guests.write_now(&name, site, blocks));
        match tried {
            [Err(azure), Err(_)] => Err(azure),
            [Ok(_), _] | [_, Ok(_)] => Ok(()),
        }
    }
}

fn node(name: &Name) -> NodeName {
    NodeName::from(name.value.as_str())
}

fn call_rule(id: &str, call: &CallFault) -> CallRule {
    let effect = match call.action {
        CallAction::Refuse => Effect::Refuse,
        CallAction::TimeOut => Effect::LoseRequest,
        CallAction::LoseReply => Effect::LoseReply,
        CallAction::Delay(by) => Effect::Delay(by.duration()),
        CallAction::Late => Effect::Late,
        CallAction::Stale => Effect::Stale,
        CallAction::Status(code) => Effect::Status(code),
        CallAction::Duplicate => Effect::Duplicate,
        CallAction::Truncate(bytes) => Effect::Truncate(bytes as usize),
        CallAction::Garble => Effect::Garble,
        CallAction::GarbleRequest => Effect::GarbleRequest,
    };
    let from = call.from.as_ref().map(|n| NodeName::from(n.value.as_str()));
    let to = NodeName::from(call.to.value.as_str());
    let operation = Some(call.operation.value.clone());
    let mut rule = CallRule::new(id.to_owned(), from, to, operation, effect);
    rule.nth = u64::from(call.nth.value);
    rule.times = u64::from(call.times.value);
    rule
}

impl Strike for World {
    fn strike(&self, id: &str, action: &Action) -> Result<(), String> {
        self.emit(What::FaultFired { fault: id.to_owned() });
        match action {
            Action::Change(change) => self.change(id, change, Actor::Fault),
            Action::Crash(node, back) => {
                self.crash(node, *back);
                Ok(())
            }
        }
    }

    fn end_after(&self, id: &str, after: Duration, by: Change) {
        let (world, id) = (self.me.clone(), id.to_owned());
        in_the_lab(async move {
            tokio::time::sleep(after).await;
            // What is in the way of it may be another fault that is to end.
            for _ in 0..ENDINGS {
                let Some(world) = world.upgrade() else { return };
                if world.change(&id, &by, Actor::Operator).is_ok() {
                    return world.emit(What::FaultCleared { fault: id });
                }
                drop(world);
                tokio::time::sleep(BETWEEN_ENDINGS).await;
            }
        });
    }

    fn strike_after(&self, id: &str, after: Duration, action: Action) {
        let (world, id) = (self.me.clone(), id.to_owned());
        in_the_lab(async move {
            tokio::time::sleep(after).await;
            if let Some(world) = world.upgrade() {
                world.board.strike_now(&id, action);
            }
        });
    }
}
