//! Virtual machines.

use super::call::Ask;
use super::{AzureClient, AzureError};
use failback_wire::arm::compute::{
    HardwareProfile, InstanceView, PREPARE_TAG, StorageProfile, SubResource, VirtualMachine, VmDisk,
    VmProperties,
};
use failback_wire::arm::network::NetworkProfile;
use failback_wire::arm::{List, ResourceId};
use failback_wire::http::Method;

/// How often a change is made anew when Azure reports success and the machine shows otherwise.
const TRIES: u32 = 3;

/// Power as Azure shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// On its way up.
    Starting,
    /// Running, as far as Azure can tell: a guest that hangs runs too.
    Running,
    /// On its way down.
    Stopping,
    /// Down, its place kept.
    Stopped,
    /// On its way down and off the host.
    Deallocating,
    /// Down and off the host.
    Deallocated,
    /// Azure does not say.
    Unknown,
}

impl Power {
    fn read(word: Option<&str>) -> Self {
        match word {
            Some("starting") => Self::Starting,
            Some("running") => Self::Running,
            Some("stopping") => Self::Stopping,
            Some("stopped") => Self::Stopped,
            Some("deallocating") => Self::Deallocating,
            Some("deallocated") => Self::Deallocated,
            Some(_) | None => Self::Unknown,
        }
    }
    /// True when no guest can run: stopped or deallocated.
    pub fn is_off(self) -> bool {
        matches!(self, Self::Stopped | Self::Deallocated)
    }
}

/// Where a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provisioning {
    /// An operation on it is under way.
    Busy,
    /// The last operation on it succeeded.
    Succeeded,
    /// The last operation on it failed.
    Failed,
    /// It is being deleted.
    Deleting,
}

impl Provisioning {
    pub(super) fn read(word: Option<&str>) -> Self {
        match word {
            Some("Succeeded") | None => Self::Succeeded,
            Some("Failed" | "Canceled") => Self::Failed,
            Some("Deleting") => Self::Deleting,
            Some(_) => Self::Busy,
        }
    }
}

/// A virtual machine as Azure shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmFacts {
    /// Name.
    pub name: String,
    /// ARM id.
    pub id: String,
    /// Unique id: another machine of the same name has another.
    pub vm_id: String,
    /// Power.
    pub power: Power,
    /// Where it stands.
    pub provisioning: Provisioning,
    /// False when Azure's own agent in the guest is not ready.
    pub guest_ready: bool,
    /// Names of its managed disks: the OS disk, then the data disks by slot.
    pub disks: Vec<String>,
    /// ARM id of the subnet that its network card is in, where that is known.
    pub subnet: Option<String>,
}

/// A virtual machine to be made from managed disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVm {
    /// Name.
    pub name: String,
    /// Region.
    pub location: String,
    /// `Standard_D2s_v5`.
    pub size: String,
    /// `Windows` or `Linux`.
    pub os_type: String,
    /// Name of the disk to boot from.
    pub os_disk: String,
    /// Names of the data disks, in slots 0, 1, 2 …
    pub data_disks: Vec<String>,
    /// ARM id of the subnet its network card is in; without one it gets no card.
    pub subnet: Option<String>,
    /// The static address of that card; without one the network gives it any.
    pub address: Option<String>,
    /// Its system is prepared for Azure, if that is needed, before it boots (C4).
    pub prepare: bool,
}

impl NewVm {
    fn disks(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.os_disk).chain(&self.data_disks)
    }
    fn document(&self, client: &AzureClient) -> VirtualMachine {
        let attach = |name: &String, lun, os_type| VmDisk {
            lun,
            os_type,
            name: Some(name.clone()),
            create_option: "Attach".to_owned(),
            managed_disk: Some(SubResource {
                id: client.disk_id(name).to_string(),
                ..SubResource::default()
            }),
            // Disks outlive the machine: whoever deletes it names the disks it means.
            delete_option: Some("Detach".to_owned()),
            ..VmDisk::default()
        };
        let data_disks = self.data_disks.iter().zip(0..).map(|(d, lun)| attach(d, Some(lun), None)).collect();
        let os_disk = Some(attach(&self.os_disk, None, Some(self.os_type.clone())));
        VirtualMachine {
            location: self.location.clone(),
            tags: self.prepare.then(|| (PREPARE_TAG.to_owned(), "true".to_owned())).into_iter().collect(),
            properties: VmProperties {
                network_profile: self
                    .subnet
                    .as_ref()
                    .map(|id| NetworkProfile::one_card(&self.name, id, self.address.as_deref())),
                hardware_profile: Some(HardwareProfile { vm_size: self.size.clone() }),
                storage_profile: StorageProfile { os_disk, data_disks },
                ..VmProperties::default()
            },
            ..VirtualMachine::default()
        }
    }
}

fn facts(vm: &VirtualMachine) -> Result<VmFacts, AzureError> {
    let missing = |what: &str| AzureError::Garbled(format!("a virtual machine without {what}"));
    let storage = &vm.properties.storage_profile;
    let mut data: Vec<&VmDisk> = storage.data_disks.iter().collect();
    data.sort_by_key(|d| d.lun);
    let name_of = |disk: &VmDisk| {
        let id = disk.managed_disk.as_ref().and_then(|d| ResourceId::parse(&d.id));
        id.map(|id| id.name().to_owned()).ok_or_else(|| missing("the id of a disk"))
    };
    Ok(VmFacts {
        name: vm.name.clone().ok_or_else(|| missing("a name"))?,
        id: vm.id.clone().ok_or_else(|| missing("an id"))?,
        vm_id: vm.properties.vm_id.clone().unwrap_or_default(),
        power: Power::read(vm.properties.instance_view.as_ref().and_then(|v| v.power())),
        guest_ready: vm.properties.instance_view.as_ref().is_none_or(InstanceView::guest_ready),
        provisioning: Provisioning::read(vm.properties.provisioning_state.as_deref()),
        disks: storage.os_disk.iter().chain(data).map(name_of).collect::<Result<_, _>>()?,
        subnet: vm
            .properties
            .network_profile
            .as_ref()
            .and_then(|profile| profile.subnet())
            .map(str::to_owned),
    })
}

/// The change a call is about, for [`AzureClient::converge`].
struct Goal<'a> {
    operation: &'static str,
    method: Method,
    path: String,
    key: &'a str,
    body: Option<VirtualMachine>,
}

impl AzureClient {
    /// The virtual machine of this name; `None` when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn vm(&self, name: &str) -> Result<Option<VmFacts>, AzureError> {
        let path = format!("{}?$expand=instanceView", self.vm_id(name));
        let vm: Option<VirtualMachine> = self.read("VirtualMachines_Get", path).await?;
        vm.as_ref().map(facts).transpose()
    }
    /// Names of all virtual machines of the resource group.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn vm_names(&self) -> Result<Vec<String>, AzureError> {
        let mut names = Vec::new();
        let mut next = Some(self.all_vms().to_string());
        while let Some(path) = next {
            let page: Option<List<VirtualMachine>> = self.read("VirtualMachines_List", path).await?;
            let page = page.unwrap_or_else(|| List::single(Vec::new()));
            names.extend(page.value.into_iter().filter_map(|vm| vm.name));
            next = page.next_link;
        }
        Ok(names)
    }
    /// The resource group of the subscription's machine of this name, whichever it is; `None` when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn group_of(&self, name: &str) -> Result<Option<String>, AzureError> {
        let mut next = Some(ResourceId { group: None, ..self.all_vms() }.to_string());
        while let Some(path) = next {
            let page: Option<List<VirtualMachine>> = self.read("VirtualMachines_ListAll", path).await?;
            let page = page.unwrap_or_else(|| List::single(Vec::new()));
            let ids = page.value.iter().filter_map(|vm| ResourceId::parse(vm.id.as_deref()?));
            if let Some(id) = ids.into_iter().find(|id| id.name().eq_ignore_ascii_case(name)) {
                return Ok(id.group);
            }
            next = page.next_link;
        }
        Ok(None)
    }
    /// Makes the machine and starts it; fine when it is there already with these disks.
    ///
    /// # Errors
    /// [`AzureError`]; a machine of this name with other disks is [`AzureError::Refused`] with 409.
    pub async fn create_vm(&self, vm: &NewVm, key: &str) -> Result<VmFacts, AzureError> {
        let goal = Goal {
            operation: "VirtualMachines_CreateOrUpdate",
            method: Method::PUT,
            path: self.vm_id(&vm.name).to_string(),
            key,
            body: Some(vm.document(self)),
        };
        let same = |f: &VmFacts| {
            f.disks.iter().map(|d| d.to_ascii_lowercase()).eq(vm.disks().map(|d| d.to_ascii_lowercase()))
        };
        let seen = self.vm(&vm.name).await?;
        if let Some(other) = seen.as_ref().filter(|f| !same(f)) {
            let message = format!("{} exists with the disks {}", other.name, other.disks.join(", "));
            return Err(AzureError::Refused { status: 409, code: "ResourceExists".to_owned(), message });
        }
        let made =
            |f: Option<&VmFacts>| f.is_some_and(|f| same(f) && f.provisioning == Provisioning::Succeeded);
        let facts = self.converge(&vm.name, Some(seen), goal, made).await?;
        facts.ok_or_else(|| AzureError::Garbled(format!("{} vanished", vm.name)))
    }
    /// Starts the machine; fine when it runs.
    ///
    /// # Errors
    /// [`AzureError`]; 404 when there is none.
    pub async fn start_vm(&self, name: &str, key: &str) -> Result<(), AzureError> {
        let running = |f: Option<&VmFacts>| f.is_some_and(|f| f.power == Power::Running);
        self.converge(name, None, self.action("VirtualMachines_Start", name, "start", key), running)
            .await
            .map(|_| ())
    }
    /// Stops the machine: gracefully (Azure waits for the guest, then forces), or at once. Fine when it is
    /// off.
    ///
    /// # Errors
    /// [`AzureError`]; 404 when there is none.
    pub async fn stop_vm(&self, name: &str, graceful: bool, key: &str) -> Result<(), AzureError> {
        let off = |f: Option<&VmFacts>| f.is_some_and(|f| f.power.is_off());
        let action = if graceful { "powerOff?skipShutdown=false" } else { "powerOff?skipShutdown=true" };
        self.converge(name, None, self.action("VirtualMachines_PowerOff", name, action, key), off)
            .await
            .map(|_| ())
    }
    /// Stops the machine if it runs (gracefully) and gives its host back.
    ///
    /// # Errors
    /// [`AzureError`]; 404 when there is none.
    pub async fn deallocate_vm(&self, name: &str, key: &str) -> Result<(), AzureError> {
        let gone = |f: Option<&VmFacts>| f.is_some_and(|f| f.power == Power::Deallocated);
        let goal = self.action("VirtualMachines_Deallocate", name, "deallocate", key);
        self.converge(name, None, goal, gone).await.map(|_| ())
    }
    /// Stops the guest hard and starts it again: what helps a machine that hangs.
    ///
    /// # Errors
    /// [`AzureError`]; 404 when there is none.
    pub async fn restart_vm(&self, name: &str, key: &str) -> Result<(), AzureError> {
        let goal = self.action("VirtualMachines_Restart", name, "restart", key);
        self.change(&Ask::change(goal.operation, goal.method, goal.path, key)).await
    }
    /// Deletes the machine, not its disks; fine when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn delete_vm(&self, name: &str, key: &str) -> Result<(), AzureError> {
        let goal = Goal {
            operation: "VirtualMachines_Delete",
            method: Method::DELETE,
            path: self.vm_id(name).to_string(),
            key,
            body: None,
        };
        self.converge(name, None, goal, |f| f.is_none()).await.map(|_| ())
    }

    /// ARM id of the list of the resource group's machines.
    fn all_vms(&self) -> ResourceId {
        let mut id = self.vm_id("");
        id.path.pop();
        id
    }

    fn action<'a>(&self, operation: &'static str, name: &str, action: &str, key: &'a str) -> Goal<'a> {
        let path = format!("{}/{action}", self.vm_id(name));
        Goal { operation, method: Method::POST, path, key, body: None }
    }

    /// Looks (unless the caller just did: `seen`); makes the change unless it is there; looks
    /// again. A lost answer is answered by what is seen.
    async fn converge(
        &self,
        name: &str,
        seen: Option<Option<VmFacts>>,
        goal: Goal<'_>,
        reached: impl Fn(Option<&VmFacts>) -> bool,
    ) -> Result<Option<VmFacts>, AzureError> {
        let mut seen = match seen {
            Some(seen) => seen,
            None => self.vm(name).await?,
        };
        for attempt in 1..=TRIES {
            if reached(seen.as_ref()) {
                return Ok(seen);
            }
            // The service answers a repeated key with the operation it already ran; when that one's effect
            // is gone again (somebody stopped the machine), only a new key makes a new operation.
            let key = if attempt == 1 { goal.key.to_owned() } else { format!("{}~{attempt}", goal.key) };
            let mut ask = Ask::change(goal.operation, goal.method.clone(), goal.path.clone(), &key);
            if let Some(body) = &goal.body {
                ask = ask.with(body)?;
            }
            let done = self.change(&ask).await;
            seen = self.vm(name).await?;
            match done {
                Ok(()) => {}
                Err(_) if reached(seen.as_ref()) => {}
                Err(error) => return Err(error),
            }
        }
        if reached(seen.as_ref()) {
            return Ok(seen);
        }
        Err(AzureError::Garbled(format!("{} is reported done, but {name} shows otherwise", goal.operation)))
    }
}
