//! Properties of hosts, datastores and the fixtures around them.

use super::{Eyes, number};
use crate::vcenter::config::{DatastoreAccess, DatastoreKind};
use crate::vcenter::model::{Datastore, Host, datastore_ref, fixed, host_ref, vm_ref};
use failback_wire::vim::{MoRef, Obj, Value};

fn folder(id: &str) -> Value {
    MoRef::new("Folder", id).into()
}

impl Eyes<'_> {
    fn all_hosts(&self) -> Value {
        Value::refs(self.model.hosts.keys().map(|id| host_ref(*id)))
    }
    fn all_datastores(&self) -> Value {
        Value::refs(self.model.datastores.keys().map(|id| datastore_ref(*id)))
    }
    fn all_vms(&self) -> Value {
        Value::refs(self.model.vms.keys().map(|id| vm_ref(*id)))
    }

    pub(super) fn fixture(&self, object: &MoRef, name: &str) -> Option<Value> {
        let id = object.id.as_str();
        let common = match name {
            "overallStatus" | "configStatus" => Some(Self::status(true)),
            "effectiveRole" => Some(self.effective_role()),
            "recentTask" => Some(self.recent_tasks(Some(object))),
            "tag" => Some(Value::List("Tag", Vec::new())),
            "network" => Some(Value::refs([])),
            _ => None,
        };
        if common.is_some() {
            return common;
        }
        let datacenter = || MoRef::new("Datacenter", fixed::DATACENTER);
        Some(match (id, name) {
            (fixed::ROOT, "name") => "Datacenters".into(),
            (fixed::VMS, "name") => "vm".into(),
            (fixed::HOSTS, "name") => "host".into(),
            (fixed::DATASTORES, "name") => "datastore".into(),
            (fixed::NETWORKS, "name") => "network".into(),
            (fixed::DATACENTER, "name") => self.model.datacenter.as_str().into(),
            (fixed::CLUSTER, "name") => "cluster".into(),
            (fixed::POOL, "name") => "Resources".into(),
            (fixed::ROOT, "parent") => return None,
            (fixed::DATACENTER, "parent") => folder(fixed::ROOT),
            (fixed::CLUSTER, "parent") => folder(fixed::HOSTS),
            (fixed::POOL, "parent" | "owner") => MoRef::new("ClusterComputeResource", fixed::CLUSTER).into(),
            (_, "parent") => datacenter().into(),
            (_, "childType") => Value::List("string", vec![child_type(id).into()]),
            (fixed::ROOT, "childEntity") => Value::refs([datacenter()]),
            (fixed::VMS, "childEntity") | (fixed::POOL, "vm") => self.all_vms(),
            (fixed::HOSTS, "childEntity") => {
                Value::refs([MoRef::new("ClusterComputeResource", fixed::CLUSTER)])
            }
            (fixed::DATASTORES, "childEntity") | (_, "datastore") => self.all_datastores(),
            (_, "childEntity" | "resourcePool") if id != fixed::CLUSTER => Value::refs([]),
            (fixed::DATACENTER, "vmFolder") => folder(fixed::VMS),
            (fixed::DATACENTER, "hostFolder") => folder(fixed::HOSTS),
            (fixed::DATACENTER, "datastoreFolder") => folder(fixed::DATASTORES),
            (fixed::DATACENTER, "networkFolder") => folder(fixed::NETWORKS),
            (fixed::CLUSTER, "resourcePool") => MoRef::new("ResourcePool", fixed::POOL).into(),
            (fixed::CLUSTER, "host") => self.all_hosts(),
            (fixed::CLUSTER, "summary") => self.cluster_summary().into(),
            _ => return None,
        })
    }

    fn cluster_summary(&self) -> Obj {
        let memory: u64 = self.model.hosts.values().map(|h| h.memory_mb).sum();
        let up = self.model.hosts.values().filter(|h| h.connected).count();
        Obj::narrow("ClusterComputeResourceSummary")
            .set("totalCpu", 48_000)
            .set("totalMemory", (memory << 20) as i64)
            .set("numHosts", self.model.hosts.len() as i32)
            .set("numEffectiveHosts", up as i32)
            .set("overallStatus", Self::status(true))
    }

    pub(super) fn host_property(&self, id: u64, name: &str) -> Option<Value> {
        let host = self.model.hosts.get(&id)?;
        Some(match name {
            "parent" => MoRef::new("ClusterComputeResource", fixed::CLUSTER).into(),
            "overallStatus" | "configStatus" => Self::status(host.connected),
            "effectiveRole" => self.effective_role(),
            "name" => host.name.as_str().into(),
            "recentTask" => self.recent_tasks(Some(&host_ref(id))),
            "tag" => Value::List("Tag", Vec::new()),
            "runtime" => host_runtime(host).into(),
            "summary" => self.host_summary(id, host).into(),
            "vm" => {
                let vms = self.model.vms.iter().filter(|(_, vm)| vm.host == id);
                Value::refs(vms.map(|(id, _)| vm_ref(*id)))
            }
            "datastore" => self.all_datastores(),
            "network" => Value::refs([]),
            "datastoreBrowser" => MoRef::new("HostDatastoreBrowser", format!("datastoreBrowser-{id}")).into(),
            _ => return None,
        })
    }

    fn host_summary(&self, id: u64, host: &Host) -> Obj {
        let hardware = Obj::new("HostHardwareSummary")
            .set("vendor", "Failback Lab")
            .set("model", "simulated")
            .set("uuid", format!("00000000-0000-4000-8000-{id:012x}"))
            .set("memorySize", (host.memory_mb << 20) as i64)
            .set("cpuModel", "simulated")
            .set("cpuMhz", 2400)
            .set("numCpuPkgs", Value::of_enum("xsd:short", "2"))
            .set("numCpuCores", Value::of_enum("xsd:short", "20"))
            .set("numCpuThreads", Value::of_enum("xsd:short", "40"))
            .set("numNics", 2)
            .set("numHBAs", 2);
        let config = Obj::new("HostConfigSummary")
            .set("name", &host.name)
            .set("port", 443)
            .set("vmotionEnabled", true)
            .set("product", Obj::new("AboutInfo").set("name", host.hypervisor.product()));
        let stats =
            Obj::new("HostListSummaryQuickStats").set("overallMemoryUsage", self.model.used_mb(id) as i32);
        Obj::new("HostListSummary")
            .set("host", host_ref(id))
            .set("hardware", hardware)
            .set("runtime", host_runtime(host))
            .set("config", config)
            .set("quickStats", stats)
            .set("overallStatus", Self::status(host.connected))
            .set("rebootRequired", false)
    }

    pub(super) fn datastore_property(&self, id: u64, name: &str) -> Option<Value> {
        let store = self.model.datastores.get(&id)?;
        Some(match name {
            "parent" => folder(fixed::DATASTORES),
            "overallStatus" | "configStatus" => Self::status(accessible(store)),
            "effectiveRole" => self.effective_role(),
            "name" => store.name.as_str().into(),
            "recentTask" => self.recent_tasks(Some(&datastore_ref(id))),
            "tag" => Value::List("Tag", Vec::new()),
            "info" => datastore_info(id, store).into(),
            "summary" => self.datastore_summary(id, store).into(),
            "host" => {
                let mounts = store.mounted(self.model.hosts.keys()).map(|host| host_mount(host, id, store));
                Value::objects("DatastoreHostMount", mounts)
            }
            "vm" => {
                let uses = |path: &str| self.model.datastore_of(path) == Some(id);
                let vms = self.model.vms.iter();
                let vms =
                    vms.filter(|(_, vm)| uses(&vm.vmx) || vm.hardware.disks.iter().any(|d| uses(&d.path)));
                Value::refs(vms.map(|(id, _)| vm_ref(*id)))
            }
            "browser" => MoRef::new("HostDatastoreBrowser", format!("datastoreBrowser-{id}")).into(),
            _ => return None,
        })
    }

    fn datastore_summary(&self, id: u64, store: &Datastore) -> Obj {
        Obj::new("DatastoreSummary")
            .set("datastore", datastore_ref(id))
            .set("name", &store.name)
            .set("url", url(id))
            .set("capacity", store.capacity as i64)
            .set("freeSpace", store.free as i64)
            .set("accessible", accessible(store))
            .set("multipleHostAccess", self.model.hosts.len() > 1)
            .set("type", kind_name(store.kind))
            .set("maintenanceMode", "normal")
    }

    /// The datastores a browser searches.
    pub(super) fn browsed(&self, id: &str) -> Option<Value> {
        let n = number(id, "datastoreBrowser")?;
        let own = self.model.datastores.contains_key(&n);
        Some(if own { Value::refs([datastore_ref(n)]) } else { self.all_datastores() })
    }
}

fn child_type(folder: &str) -> &'static str {
    match folder {
        fixed::ROOT => "Datacenter",
        fixed::VMS => "VirtualMachine",
        fixed::HOSTS => "ComputeResource",
        fixed::DATASTORES => "Datastore",
        _ => "Network",
    }
}

fn url(id: u64) -> String {
    format!("ds:///vmfs/volumes/{id:08x}/")
}

fn accessible(store: &Datastore) -> bool {
    store.access != DatastoreAccess::None
}

fn kind_name(kind: DatastoreKind) -> &'static str {
    match kind {
        DatastoreKind::Vmfs => "VMFS",
        DatastoreKind::Vsan => "vsan",
        DatastoreKind::Nfs => "NFS",
    }
}

fn host_runtime(host: &Host) -> Obj {
    let state = if host.connected { "connected" } else { "disconnected" };
    // Of a lost host vCenter does not know whether it runs.
    let power = if host.connected { "poweredOn" } else { "unknown" };
    Obj::new("HostRuntimeInfo")
        .set("connectionState", Value::of_enum("HostSystemConnectionState", state))
        .set("powerState", Value::of_enum("HostSystemPowerState", power))
        .set("inMaintenanceMode", false)
}

fn datastore_info(id: u64, store: &Datastore) -> Obj {
    let kind = match store.kind {
        DatastoreKind::Vmfs => "VmfsDatastoreInfo",
        DatastoreKind::Nfs => "NasDatastoreInfo",
        DatastoreKind::Vsan => "VsanDatastoreInfo",
    };
    Obj::narrow(kind)
        .set("name", &store.name)
        .set("url", url(id))
        .set("freeSpace", store.free as i64)
        .set("maxFileSize", 68_169_720_922_112_i64)
}

fn host_mount(host: u64, id: u64, store: &Datastore) -> Obj {
    let access = store.access_on(host);
    let mode = if access == DatastoreAccess::ReadOnly { "readOnly" } else { "readWrite" };
    let mount = Obj::new("HostMountInfo")
        .set("path", format!("/vmfs/volumes/{id:08x}"))
        .set("accessMode", Value::of_enum("HostMountMode", mode))
        .set("mounted", true)
        .set("accessible", access != DatastoreAccess::None);
    Obj::new("DatastoreHostMount").set("key", host_ref(host)).set("mountInfo", mount)
}
