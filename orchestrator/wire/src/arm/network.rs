//! The part of Microsoft.Network that failback touches: a machine's network card and the subnet it is in.

use super::ResourceId;
use super::compute::SubResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `Microsoft.Network`.
pub const NAMESPACE: &str = "Microsoft.Network";
/// Type segment of virtual networks.
pub const VIRTUAL_NETWORKS: &str = "virtualNetworks";
/// Type segment of their subnets.
pub const SUBNETS: &str = "subnets";
/// The version of Microsoft.Network in which cards are described inside a machine's document.
const VERSION: &str = "2024-05-01";

/// ARM id of a virtual network.
pub fn network_id(subscription: &str, group: &str, network: &str) -> ResourceId {
    ResourceId::new(subscription, group, NAMESPACE, VIRTUAL_NETWORKS, network)
}

/// ARM id of a subnet.
pub fn subnet_id(subscription: &str, group: &str, network: &str, subnet: &str) -> ResourceId {
    let mut id = ResourceId::new(subscription, group, NAMESPACE, VIRTUAL_NETWORKS, network);
    id.path.extend([SUBNETS.to_owned(), subnet.to_owned()]);
    id
}

/// The network cards of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkProfile {
    /// Version of Microsoft.Network that the cards below are described in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_api_version: Option<String>,
    /// Cards that are made, and deleted, together with the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_interface_configurations: Vec<Card>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A network card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub properties: CardProperties,
}

/// `properties` of a network card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CardProperties {
    /// Its addresses.
    #[serde(default)]
    pub ip_configurations: Vec<IpConfiguration>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An address of a network card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IpConfiguration {
    /// Name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub properties: IpProperties,
}

/// `properties` of an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IpProperties {
    /// The subnet it is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubResource>,
    /// The address, when it is static.
    #[serde(rename = "privateIPAddress", default, skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl NetworkProfile {
    /// One card in this subnet, with this static address or whichever is free; it goes with its machine.
    pub fn one_card(machine: &str, subnet: &str, fixed: Option<&str>) -> Self {
        let extra = [("deleteOption", "Delete".into()), ("primary", true.into())];
        let subnet = SubResource { id: subnet.to_owned(), ..SubResource::default() };
        let address = IpConfiguration {
            name: "ipconfig1".to_owned(),
            properties: IpProperties {
                subnet: Some(subnet),
                private_ip_address: fixed.map(str::to_owned),
                ..IpProperties::default()
            },
        };
        let card = Card {
            name: format!("{machine}-nic"),
            properties: CardProperties {
                ip_configurations: vec![address],
                extra: extra.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(),
            },
        };
        Self {
            network_api_version: Some(VERSION.to_owned()),
            network_interface_configurations: vec![card],
            extra: Map::new(),
        }
    }
    /// The first card is in another subnet of its network.
    pub fn move_to(&mut self, name: &str) {
        let card = self.network_interface_configurations.first_mut();
        let address = card.and_then(|card| card.properties.ip_configurations.first_mut());
        if let Some(subnet) = address.and_then(|address| address.properties.subnet.as_mut())
            && let Some((network, _)) = subnet.id.rsplit_once('/')
        {
            subnet.id = format!("{network}/{name}");
        }
    }
    /// ARM id of the subnet that the first card is in.
    pub fn subnet(&self) -> Option<&str> {
        Some(&self.address()?.properties.subnet.as_ref()?.id)
    }
    /// The static address of the first card, if it has one.
    pub fn fixed_address(&self) -> Option<&str> {
        self.address()?.properties.private_ip_address.as_deref()
    }
    fn address(&self) -> Option<&IpConfiguration> {
        self.network_interface_configurations.first()?.properties.ip_configurations.first()
    }
}
