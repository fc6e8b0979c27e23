//! Virtual networks as far as machines need one: subnets, what can be reached from them, network cards.

use super::config::AzureConfig;
use super::model::{Effect, Key, Model, Vm, key};
use super::refusal::Refusal;
use crate::net::Reach;
use failback_wire::arm::ResourceId;
use failback_wire::arm::compute::VirtualMachine;
use failback_wire::arm::network::{NAMESPACE, SUBNETS, VIRTUAL_NETWORKS};
use failback_wire::event::{Actor, What};
use failback_wire::http::StatusCode;
use std::collections::BTreeMap;

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualNetwork {
    /// Name.
    pub name: String,
    /// Its subnets, and what can be reached from each.
    pub subnets: BTreeMap<String, Reach>,
}

impl VirtualNetwork {
    /// The network of failed-over machines: `default` leads to the site, `isolated` only to Azure (its route table
    /// lacks the way to the site), `quarantine` nowhere.
    pub fn of_failovers(name: &str) -> Self {
        let subnets = [("default", Reach::Site), ("isolated", Reach::Azure), ("quarantine", Reach::Nothing)];
        Self { name: name.to_owned(), subnets: subnets.map(|(s, reach)| (s.to_owned(), reach)).into() }
    }
}

/// The subnets of each network.
pub(super) type Networks = BTreeMap<Key, BTreeMap<Key, Reach>>;

/// The networks of a new subscription.
pub(super) fn networks(config: &AzureConfig) -> Networks {
    let one = |network: &VirtualNetwork| {
        let subnets = network.subnets.iter().map(|(name, reach)| (key(name), *reach));
        (key(&network.name), subnets.collect())
    };
    config.networks.iter().map(one).collect()
}

/// A machine's network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    network: Key,
    subnet: Key,
    /// Its address, when somebody gave it one.
    address: Option<String>,
}

impl Model {
    /// The card that a machine's document asks for; none for a document that does not speak of networks.
    pub(super) fn wanted_card(&self, document: &VirtualMachine) -> Result<Option<Card>, Refusal> {
        let Some(profile) = &document.properties.network_profile else { return Ok(None) };
        let Some(asked) = profile.subnet() else { return Ok(None) };
        let missing = || {
            let message = format!("Resource {asked} referenced by the virtual machine was not found.");
            Refusal::bad("InvalidResourceReference", message)
        };
        let id = ResourceId::parse(asked).filter(|id| id.namespace.eq_ignore_ascii_case(NAMESPACE));
        let card = match id.as_ref().map(|id| id.path.as_slice()) {
            Some([kind, network, inner, subnet])
                if kind.eq_ignore_ascii_case(VIRTUAL_NETWORKS) && inner.eq_ignore_ascii_case(SUBNETS) =>
            {
                let address = profile.fixed_address().map(str::to_owned);
                Card { network: key(network), subnet: key(subnet), address }
            }
            Some(_) | None => return Err(missing()),
        };
        if self.reach_of(&card).is_none() {
            return Err(missing());
        }
        self.must_be_free(&card)?;
        Ok(Some(card))
    }

    /// Nobody in the network, running or not, has the card's address.
    fn must_be_free(&self, card: &Card) -> Result<(), Refusal> {
        let Some(address) = &card.address else { return Ok(()) };
        let mut cards = self.vms.values().filter_map(|vm| vm.card.as_ref());
        match cards.any(|other| other.network == card.network && other.address.as_ref() == Some(address)) {
            true => {
                let message =
                    format!("Private static IP address {address} is in use in the virtual network.");
                Err(Refusal::bad("PrivateIPAddressInUse", message))
            }
            false => Ok(()),
        }
    }

    /// There is room for one more card.
    pub(super) fn must_have_card(&self, wanted: Option<&Card>) -> Result<(), Refusal> {
        let there = self.vms.values().filter(|vm| vm.card.is_some()).count();
        match self.card_quota.filter(|most| wanted.is_some() && there >= *most as usize) {
            Some(most) => {
                let message =
                    format!("Cannot create more than {most} network interfaces in this subscription.");
                Err(Refusal::new(StatusCode::BAD_REQUEST, "NetworkInterfaceCountLimitReached", message))
            }
            None => Ok(()),
        }
    }

    fn reach_of(&self, card: &Card) -> Option<Reach> {
        self.networks.get(&card.network)?.get(&card.subnet).copied()
    }

    /// What the machine can reach where its card is.
    pub(super) fn reach(&self, vm: &Vm) -> Reach {
        vm.card.as_ref().and_then(|card| self.reach_of(card)).unwrap_or_default()
    }

    /// The machine's card is in another subnet of its network from now on.
    pub(super) fn move_card(&mut self, name: &str, subnet: &str, by: Actor) -> Result<(), String> {
        let Some(vm) = self.vms.get_mut(&key(name)) else { return Ok(()) };
        let Some(card) = &mut vm.card else { return Err(format!("{name} has no network card")) };
        let there =
            self.networks.get(&card.network).is_some_and(|subnets| subnets.contains_key(&key(subnet)));
        if !there || card.subnet == key(subnet) {
            return Err(format!("{name} cannot be moved to the subnet {subnet}"));
        }
        card.subnet = key(subnet);
        if let Some(profile) = &mut vm.document.properties.network_profile {
            profile.move_to(subnet);
        }
        let reference = vm.reference();
        let reach = self.reach(&self.vms[&key(name)]);
        self.out.push(Effect::Reach(reference.clone(), reach));
        self.emit(What::VmChanged { vm: reference, change: format!("moves to the subnet {subnet}"), by });
        Ok(())
    }

    /// A network goes, or comes back with the subnets it had.
    pub(super) fn set_network(
        &mut self,
        config: &AzureConfig,
        name: &str,
        there: bool,
    ) -> Result<(), String> {
        let own = key(name);
        let Some(subnets) = networks(config).remove(&own) else {
            return Err(format!("there is no network {name}"));
        };
        if self.vms.values().any(|vm| vm.card.as_ref().is_some_and(|card| card.network == own)) {
            return Err(format!("{name} is in use"));
        }
        match there {
            true => self.networks.insert(own, subnets),
            false => self.networks.remove(&own),
        };
        Ok(())
    }
}
