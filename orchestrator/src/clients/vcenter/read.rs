//! Reading the inventory.

use super::link::Session;
use super::{Connected, DatastoreFacts, HostFacts, Mount, Power, Result, VcenterClient, VcenterError};
use super::{VmFacts, VmdkFacts};
use failback_wire::ids::VmdkUuid;
use failback_wire::vim::{Element, FilterSpec, MoRef, PropSpec, Selection, VimRequest};
use std::collections::BTreeMap;

const VM: &[&str] = &[
    "name",
    "config.uuid",
    "config.instanceUuid",
    "config.changeVersion",
    "config.guestId",
    "config.firmware",
    "config.hardware.memoryMB",
    "config.hardware.device",
    "config.extraConfig",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
    "guest.toolsRunningStatus",
    "snapshot",
    "datastore",
];
const HOST: &[&str] =
    &["name", "runtime.connectionState", "summary.hardware.memorySize", "summary.quickStats", "datastore"];
/// What a host runs.
const PRODUCT: &str = "summary.config.product.name";
const DATASTORE: &[&str] = &["name", "summary", "host"];

/// An object and the properties that were read of it.
pub(super) struct Seen {
    pub object: MoRef,
    props: BTreeMap<String, Element>,
}

impl Seen {
    pub(super) fn text(&self, path: &str) -> &str {
        self.props.get(path).map_or("", |e| e.text.as_str())
    }
    pub(super) fn element(&self, path: &str) -> Option<&Element> {
        self.props.get(path)
    }
    pub(super) fn reference(&self, path: &str) -> Result<MoRef> {
        let element = self.props.get(path).ok_or_else(|| missing(&self.object, path))?;
        MoRef::read(element).map_err(|_| missing(&self.object, path))
    }
    fn references(&self, path: &str) -> Vec<MoRef> {
        let items = self.props.get(path).into_iter().flat_map(|e| &e.children);
        items.filter_map(|e| MoRef::read(e).ok()).collect()
    }
}

fn missing(object: &MoRef, path: &str) -> VcenterError {
    VcenterError::Garbled(format!("{object} has no {path}"))
}

fn number<T: std::str::FromStr + Default>(text: Option<&str>) -> T {
    text.and_then(|t| t.trim().parse().ok()).unwrap_or_default()
}

impl VcenterClient {
    /// Logs in and sees what the account is good for.
    ///
    /// # Errors
    /// [`VcenterError::Unavailable`], [`VcenterError::InvalidLogin`] …
    pub async fn check_connected(&self) -> Result<Connected> {
        let session = self.link.open().await?;
        let service = &session.service;
        let root = self.one(&service.root, &["effectiveRole"]).await?;
        let roles = root.element("effectiveRole").into_iter().flat_map(|e| &e.children);
        let roles: Vec<&str> = roles.map(|r| r.text.trim()).collect();
        // -2 is vCenter's built-in read-only role, -5 no access.
        let read_only = !roles.is_empty() && roles.iter().all(|r| *r == "-2" || *r == "-5");
        // -1 is its administrator.
        let administrator = roles.contains(&"-1");
        Ok(Connected { about: service.about.clone(), read_only, administrator })
    }

    /// Those of these privileges that the account lacks on the whole inventory (P8).
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn missing(&self, privileges: &[&str]) -> Result<Vec<String>> {
        let answers = self.link.read("HasPrivilegeOnEntity", |service| {
            let request = VimRequest::new("HasPrivilegeOnEntity", service.authorization.clone())
                .arg(service.root.element("entity"))
                .arg(Element::leaf("sessionId", &service.session));
            privileges.iter().fold(request, |request, id| request.arg(Element::leaf("privId", *id)))
        });
        let answers = answers.await?;
        if answers.len() != privileges.len() {
            return Err(VcenterError::Garbled(format!("{} answers", answers.len())));
        }
        let lacks = privileges.iter().zip(&answers).filter(|(_, granted)| granted.text.trim() != "true");
        Ok(lacks.map(|(id, _)| (*id).to_owned()).collect())
    }

    /// The virtual machine of this BIOS UUID.
    ///
    /// # Errors
    /// [`VcenterError::NotFound`] when there is none.
    pub async fn vm_by_uuid(&self, uuid: &str) -> Result<VmFacts> {
        let found = self.link.read("FindByUuid", |service| {
            VimRequest::new("FindByUuid", service.search.clone())
                .arg(Element::leaf("uuid", uuid))
                .arg(Element::leaf("vmSearch", true))
                .arg(Element::leaf("instanceUuid", false))
        });
        match found.await?.first().map(MoRef::read) {
            Some(Ok(vm)) => self.vm(&vm).await,
            Some(Err(error)) => Err(VcenterError::Garbled(error.to_string())),
            None => Err(VcenterError::NotFound(format!("a virtual machine of UUID {uuid}"))),
        }
    }

    /// The virtual machine of this name.
    ///
    /// # Errors
    /// [`VcenterError::NotFound`] when there is none.
    pub async fn vm_by_name(&self, name: &str) -> Result<VmFacts> {
        let session = self.link.open().await?;
        for folder in session.folders.get_or_try_init(|| self.vm_folders(&session)).await? {
            let found = self.link.read("FindChild", |service| {
                VimRequest::new("FindChild", service.search.clone())
                    .arg(folder.element("entity"))
                    .arg(Element::leaf("name", name))
            });
            let child = found.await?.first().and_then(|child| MoRef::read(child).ok());
            if let Some(vm) = child.filter(|child| child.kind == "VirtualMachine") {
                return self.vm(&vm).await;
            }
        }
        // It may lie in a folder further down: that takes a look at every one of them.
        let all = self.view("VirtualMachine", &["name"]).await?;
        match all.into_iter().find(|vm| vm.text("name") == name) {
            Some(vm) => self.vm(&vm.object).await,
            None => Err(VcenterError::NotFound(format!("a virtual machine named {name}"))),
        }
    }

    /// The folders of virtual machines of all datacenters.
    async fn vm_folders(&self, session: &Session) -> Result<Vec<MoRef>> {
        const FOLDERS: &str = "folders";
        let mut spec = FilterSpec::of_object(&session.service.root, &[]);
        spec.props = vec![PropSpec { kind: "Datacenter".into(), all: false, paths: vec!["vmFolder".into()] }];
        spec.objects[0].select.push(Selection::Traversal {
            name: Some(FOLDERS.into()),
            kind: "Folder".into(),
            path: "childEntity".into(),
            skip: false,
            select: vec![Selection::Named(FOLDERS.into())],
        });
        self.retrieve(&spec).await?.iter().map(|seen| seen.reference("vmFolder")).collect()
    }

    /// The virtual machine itself, with its host, at one instant.
    ///
    /// # Errors
    /// [`VcenterError::NotFound`] when it is gone.
    pub async fn vm(&self, vm: &MoRef) -> Result<VmFacts> {
        let mut spec = FilterSpec::of_object(vm, VM);
        spec.props.push(host_of_vm());
        spec.objects[0].select.push(Selection::Traversal {
            name: None,
            kind: "VirtualMachine".into(),
            path: "runtime.host".into(),
            skip: false,
            select: Vec::new(),
        });
        let seen = self.retrieve(&spec).await?;
        let found =
            seen.iter().find(|s| s.object == *vm).ok_or_else(|| VcenterError::NotFound(vm.to_string()))?;
        vm_facts(found, &seen)
    }

    /// Names of the virtual machines on a host (P36).
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn names_on(&self, host: &MoRef) -> Result<Vec<String>> {
        let mut spec = FilterSpec::of_object(host, &[]);
        let paths = vec!["name".to_owned()];
        spec.props = vec![PropSpec { kind: "VirtualMachine".into(), all: false, paths }];
        spec.objects[0].select.push(Selection::Traversal {
            name: None,
            kind: "HostSystem".into(),
            path: "vm".into(),
            skip: false,
            select: Vec::new(),
        });
        let seen = self.retrieve(&spec).await?;
        Ok(seen.iter().map(|vm| vm.text("name").to_owned()).collect())
    }

    /// All virtual machines, in vCenter's order, at one instant.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn vms(&self) -> Result<Vec<VmFacts>> {
        let hosts = self.view("HostSystem", &["name", "runtime.connectionState", PRODUCT]).await?;
        let vms = self.view("VirtualMachine", VM).await?;
        vms.iter().map(|vm| vm_facts(vm, &hosts)).collect()
    }

    /// All hosts, by name.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn hosts(&self) -> Result<Vec<HostFacts>> {
        let hosts = self.view("HostSystem", HOST).await?;
        let mut hosts: Vec<HostFacts> = hosts.into_iter().map(|host| host_facts(&host)).collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(hosts)
    }

    /// All datastores, by name.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn datastores(&self) -> Result<Vec<DatastoreFacts>> {
        let stores = self.view("Datastore", DATASTORE).await?;
        let mut stores: Vec<DatastoreFacts> = stores.into_iter().map(|s| datastore_facts(&s)).collect();
        stores.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(stores)
    }

    /// Properties of one object.
    pub(super) async fn one(&self, object: &MoRef, paths: &[&str]) -> Result<Seen> {
        let seen = self.retrieve(&FilterSpec::of_object(object, paths)).await?;
        seen.into_iter().next().ok_or_else(|| VcenterError::NotFound(object.to_string()))
    }

    /// Properties of all objects of a type.
    async fn view(&self, kind: &str, paths: &[&str]) -> Result<Vec<Seen>> {
        let view = self.link.read("CreateContainerView", |service| {
            VimRequest::new("CreateContainerView", service.views.clone())
                .arg(service.root.element("container"))
                .arg(Element::leaf("type", kind))
                .arg(Element::leaf("recursive", true))
        });
        let view = view.await?;
        let view = view.first().and_then(|v| MoRef::read(v).ok());
        let view = view.ok_or_else(|| VcenterError::Garbled("no view was created".into()))?;
        let seen = self.retrieve(&FilterSpec::of_view(&view, kind, paths)).await;
        // A view that is left behind ends with the session.
        let _ = self.link.read("DestroyView", |_| VimRequest::new("DestroyView", view.clone())).await;
        seen
    }

    async fn retrieve(&self, spec: &FilterSpec) -> Result<Vec<Seen>> {
        let first = self.link.read("RetrievePropertiesEx", |service| {
            VimRequest::new("RetrievePropertiesEx", service.collector.clone())
                .arg(spec.element("specSet"))
                .arg(Element::new("options"))
        });
        let mut page = first.await?;
        let mut seen = Vec::new();
        while !page.is_empty() {
            let result = page.swap_remove(0);
            let token = result.text_at("token").map(str::to_owned);
            for content in result.children.into_iter().filter(|child| child.name == "objects") {
                seen.push(read_content(content)?);
            }
            let Some(token) = token else { break };
            let next = self.link.read("ContinueRetrievePropertiesEx", |service| {
                VimRequest::new("ContinueRetrievePropertiesEx", service.collector.clone())
                    .arg(Element::leaf("token", &token))
            });
            page = next.await?;
        }
        Ok(seen)
    }
}

fn host_of_vm() -> PropSpec {
    let paths = ["name", "runtime.connectionState", PRODUCT];
    PropSpec { kind: "HostSystem".into(), all: false, paths: paths.map(str::to_owned).to_vec() }
}

fn read_content(content: Element) -> Result<Seen> {
    let object = content.child("obj").and_then(|o| MoRef::read(o).ok());
    let object = object.ok_or_else(|| VcenterError::Garbled("an object without a reference".into()))?;
    let props = content.children.into_iter().filter(|child| child.name == "propSet").filter_map(|set| {
        let name = set.text_at("name")?.trim().to_owned();
        Some((name, set.children.into_iter().find(|child| child.name == "val")?))
    });
    Ok(Seen { object, props: props.collect() })
}

fn vm_facts(vm: &Seen, all: &[Seen]) -> Result<VmFacts> {
    let host_ref = vm.reference("runtime.host")?;
    let host = all.iter().find(|s| s.object == host_ref);
    let devices = vm.element("config.hardware.device").map_or(&[][..], |e| &e.children);
    let mut disks: Vec<VmdkFacts> = devices.iter().filter_map(vmdk_facts).collect();
    disks.sort_by_key(|d| (d.controller, d.unit));
    let controllers = devices.iter().filter_map(|d| {
        let kind = d.xsi_type.as_deref()?;
        let scsi = kind.contains("SCSI") || kind.contains("Lsi") || kind.contains("BusLogic");
        scsi.then(|| (number(d.text_at("key")), kind.to_owned()))
    });
    let extra = vm.element("config.extraConfig").into_iter().flat_map(|e| &e.children);
    let extra = extra.filter_map(|o| Some((o.text_at("key")?.to_owned(), o.text_at("value")?.to_owned())));
    let mut snapshots = Vec::new();
    for root in vm.element("snapshot").into_iter().flat_map(|s| s.all("rootSnapshotList")) {
        collect_snapshots(root, &mut snapshots);
    }
    Ok(VmFacts {
        moref: vm.object.clone(),
        name: vm.text("name").to_owned(),
        uuid: vm.text("config.uuid").to_owned(),
        instance_uuid: vm.text("config.instanceUuid").to_owned(),
        power: match vm.text("runtime.powerState") {
            "poweredOn" => Power::On,
            "poweredOff" => Power::Off,
            "suspended" => Power::Suspended,
            other => return Err(VcenterError::Garbled(format!("unknown power state {other:?}"))),
        },
        connection_state: vm.text("runtime.connectionState").to_owned(),
        host: host.map(|h| h.text("name").to_owned()).unwrap_or_default(),
        host_connected: host.is_some_and(|h| h.text("runtime.connectionState") == "connected"),
        hypervisor: host.map(|h| h.text(PRODUCT).to_owned()).unwrap_or_default(),
        host_ref,
        snapshots,
        disks,
        tools_running: vm.text("guest.toolsRunningStatus") == "guestToolsRunning",
        guest_id: vm.text("config.guestId").to_owned(),
        uefi: vm.text("config.firmware") == "efi",
        memory_mb: number(Some(vm.text("config.hardware.memoryMB"))),
        extra_config: extra.collect(),
        controllers: controllers.collect(),
        datastores: vm.references("datastore"),
        change_version: vm.text("config.changeVersion").to_owned(),
    })
}

fn vmdk_facts(device: &Element) -> Option<VmdkFacts> {
    if device.xsi_type.as_deref() != Some("VirtualDisk") {
        return None;
    }
    let backing = device.child("backing")?;
    let kilobytes = || number::<u64>(device.text_at("capacityInKB")).saturating_mul(1024);
    Some(VmdkFacts {
        uuid: VmdkUuid::new(backing.text_at("uuid").unwrap_or_default()),
        path: backing.text_at("fileName").unwrap_or_default().to_owned(),
        key: number(device.text_at("key")),
        capacity: device.text_at("capacityInBytes").map_or_else(kilobytes, |t| number(Some(t))),
        controller: number(device.text_at("controllerKey")),
        unit: number(device.text_at("unitNumber")),
        rdm: backing.xsi_type.as_deref().is_some_and(|t| t.contains("RawDiskMapping")),
    })
}

fn collect_snapshots(tree: &Element, names: &mut Vec<String>) {
    names.push(tree.text_at("name").unwrap_or_default().to_owned());
    for child in tree.all("childSnapshotList") {
        collect_snapshots(child, names);
    }
}

fn host_facts(host: &Seen) -> HostFacts {
    let stats = host.element("summary.quickStats");
    HostFacts {
        moref: host.object.clone(),
        name: host.text("name").to_owned(),
        connected: host.text("runtime.connectionState") == "connected",
        memory_mb: number::<u64>(Some(host.text("summary.hardware.memorySize"))) >> 20,
        used_mb: number(stats.and_then(|s| s.text_at("overallMemoryUsage"))),
        datastores: host.references("datastore"),
    }
}

fn datastore_facts(store: &Seen) -> DatastoreFacts {
    let summary = |path: &str| store.element("summary").and_then(|s| s.text_at(path));
    let mounts = store.element("host").map_or(&[][..], |e| &e.children);
    let mount = |m: &Element| {
        Some(Mount {
            host: m.child("key").and_then(|key| MoRef::read(key).ok())?,
            accessible: m.text_at("mountInfo.accessible") == Some("true"),
            writable: m.text_at("mountInfo.accessMode") == Some("readWrite"),
        })
    };
    DatastoreFacts {
        moref: store.object.clone(),
        name: store.text("name").to_owned(),
        kind: summary("type").unwrap_or_default().to_owned(),
        capacity: number(summary("capacity")),
        free: number(summary("freeSpace")),
        mounts: mounts.iter().filter_map(mount).collect(),
    }
}
