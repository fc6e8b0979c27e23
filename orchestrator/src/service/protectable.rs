//! What could be protected: the virtual machines that the configuration server shows, which of them already are, and
//! why the others cannot be (P25, P40).

use super::{Orchestrator, Refusal, Services};
use crate::catalogue::control::{CS_DISCONNECTED, VCENTER_DISCONNECTED, VM_DUPLICATE};
use crate::clients::vcenter::{Power, VmFacts};
use crate::facts::Gathering;
use crate::journal::{Health, Input, Item, Operation};
use crate::rules;
use crate::workflow::Member;
use failback_wire::error::Report;
use failback_wire::http::StatusCode;
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::{Component, Hidden};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of how many machines that are not protected it is looked at what stands against it: each costs some calls.
const LOOKED_AT: usize = 100;

/// One virtual machine of the list.
pub(crate) struct Protectable {
    /// Its name in vCenter.
    pub(crate) name: String,
    /// vCenter's UUID of it.
    pub(crate) uuid: String,
    /// It runs.
    pub(crate) on: bool,
    /// Its guest is a Windows system, as vCenter says.
    pub(crate) windows: bool,
    /// The item that protects it.
    pub(crate) item: Option<MachineName>,
    /// Why it cannot be protected, or, protected, is greyed out.
    pub(crate) errors: Vec<Report>,
}

type Items = BTreeMap<MachineName, Arc<Item>>;

/// What the server does not show: not discovered yet, or not the first of its instance UUID.
fn is_hidden(me: &Orchestrator, hidden: &[Hidden], vm: &str) -> bool {
    let key = |hidden: &Hidden| if hidden.twin.is_some() { "P40" } else { "P25" };
    hidden.iter().any(|hidden| hidden.vm == vm && me.services().ctx.env.holds(key(hidden)))
}

/// Of a protected machine there is another one with its instance UUID: greyed out until that is cleaned up.
fn greyed(me: &Orchestrator, hidden: &[Hidden], vm: &str) -> Option<Report> {
    let twin = hidden.iter().find(|hidden| hidden.twin.as_deref() == Some(vm))?;
    let report = Report::new(&VM_DUPLICATE, vm, format!("{vm} and {}", twin.vm));
    me.services().ctx.env.holds("P40").then_some(report)
}

fn protected<'a>(items: &'a Items, vm: &VmFacts) -> Option<&'a MachineName> {
    let is_it = |item: &&Arc<Item>| item.vm.as_ref().is_some_and(|known| known.uuid == vm.uuid);
    items.values().find(is_it).map(|item| &item.name)
}

impl Orchestrator {
    /// The list, in vCenter's order; servers of Site Recovery itself are not in it (*ours*).
    ///
    /// # Errors
    /// When the configuration server or vCenter does not answer.
    pub(crate) async fn protectable(&self) -> Result<Vec<Protectable>, Refusal> {
        let services = self.services().apart();
        let list = self.looked_up(&services).await;
        services.leave().await;
        list
    }

    async fn looked_up(&self, services: &Services) -> Result<Vec<Protectable>, Refusal> {
        let refused = |doc, error: String| Refusal::new(StatusCode::BAD_REQUEST, doc, "container", error);
        let status = services.cs.status().await.map_err(|e| refused(&CS_DISCONNECTED, e.to_string()))?;
        let servers = services.cs.servers().await.map_err(|e| refused(&CS_DISCONNECTED, e.to_string()))?;
        let all = services.vcenter.vms().await.map_err(|e| refused(&VCENTER_DISCONNECTED, e.to_string()))?;
        let is_server = |vm: &VmFacts| {
            servers.iter().any(|row| row.component == Component::MasterTarget && row.id == vm.name)
        };
        let items = self.journal().read(|state| state.items.clone());
        let mut gathering = Gathering::new(services, Operation::EnableProtection, false);
        let (mut list, mut looked_at) = (Vec::new(), 0);
        for vm in all.iter().filter(|vm| !is_hidden(self, &status.hidden, &vm.name) && !is_server(vm)) {
            let item = protected(&items, vm).cloned();
            let errors = match &item {
                Some(_) => greyed(self, &status.hidden, &vm.name).into_iter().collect(),
                None if looked_at < LOOKED_AT => {
                    looked_at += 1;
                    let name = MachineName::new(vm.name.as_str());
                    let facts = gathering.member(&name, &self.stranger(&name)).await;
                    rules::check(&facts).refusals
                }
                None => Vec::new(),
            };
            list.push(Protectable {
                name: vm.name.clone(),
                uuid: vm.uuid.clone(),
                on: vm.power == Power::On,
                windows: vm.guest_id.to_ascii_lowercase().starts_with("win"),
                item,
                errors,
            });
        }
        Ok(list)
    }

    /// A machine that somebody might ask to protect, with nothing chosen yet.
    fn stranger(&self, name: &MachineName) -> Member {
        let left = self.journal().read(|state| state.gone.get(name).and_then(|gone| gone.azure.clone()));
        let input = Input { vm_name: Some(name.to_string()), ..Input::default() };
        Member { item: None, input, policy: None, left, health: Health::Normal, errors: Vec::new() }
    }
}
