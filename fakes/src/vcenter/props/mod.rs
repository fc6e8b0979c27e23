//! Properties of managed objects, derived from the model whenever someone reads them.

mod entity;
mod service;
mod vm;

use super::guests::GuestPower;
use super::model::{Model, fixed};
use super::session::Session;
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::vim::{Lookup, MoRef, Value};
use std::collections::BTreeMap;

/// The inventory as one session sees it now.
pub(super) struct Eyes<'a> {
    pub model: &'a Model,
    pub sessions: &'a BTreeMap<String, Session>,
    pub session: &'a Session,
    pub clock: Clock,
    pub guests: &'a dyn GuestPower,
}

/// Properties of one object that were derived already, by name.
#[derive(Default)]
pub(super) struct Properties(BTreeMap<String, Option<Value>>);

/// Properties of `ManagedEntity`, in order.
const ENTITY: &[&str] =
    &["parent", "overallStatus", "configStatus", "effectiveRole", "name", "recentTask", "tag"];

/// The number in `vm-42`, when the prefix is right.
pub(super) fn number(id: &str, prefix: &str) -> Option<u64> {
    id.strip_prefix(prefix)?.strip_prefix('-')?.parse().ok()
}

/// Whether an object of type `kind` is one of type `of`.
pub(super) fn is_a(kind: &str, of: &str) -> bool {
    let entity = matches!(
        kind,
        "Folder"
            | "Datacenter"
            | "ClusterComputeResource"
            | "ResourcePool"
            | "HostSystem"
            | "Datastore"
            | "VirtualMachine"
    );
    kind == of
        || of == "ManagedObject"
        || (of == "ManagedEntity" && entity)
        || (of == "ComputeResource" && kind == "ClusterComputeResource")
        || (of == "ExtensibleManagedObject" && (entity || kind == "Task" || kind == "VirtualMachineSnapshot"))
}

/// Properties of its own that a type has, in order; those of `ManagedEntity` come before them.
fn own_properties(kind: &str) -> Option<(bool, &'static [&'static str])> {
    Some(match kind {
        "Folder" => (true, &["childType", "childEntity"]),
        "Datacenter" => {
            (true, &["vmFolder", "hostFolder", "datastoreFolder", "networkFolder", "datastore", "network"])
        }
        "ClusterComputeResource" => (true, &["resourcePool", "host", "datastore", "network", "summary"]),
        "ResourcePool" => (true, &["owner", "resourcePool", "vm"]),
        "HostSystem" => (true, &["runtime", "summary", "vm", "datastore", "network", "datastoreBrowser"]),
        "Datastore" => (true, &["info", "summary", "host", "vm", "browser"]),
        "VirtualMachine" => (true, vm::PROPERTIES),
        "VirtualMachineSnapshot" => (false, &["config", "childSnapshot", "vm"]),
        "Task" => (false, &["info"]),
        "ContainerView" => (false, &["container", "type", "recursive", "view"]),
        "SessionManager" => (false, &["sessionList", "currentSession", "defaultLocale"]),
        "ServiceInstance" => (false, &["serverClock", "content"]),
        "TaskManager" => (false, &["recentTask", "maxCollector"]),
        "HostDatastoreBrowser" => (false, &["datastore"]),
        "PropertyCollector" => (false, &["filter"]),
        "PropertyFilter" => (false, &[]),
        "SearchIndex" | "ViewManager" | "VirtualDiskManager" | "AuthorizationManager" => (false, &[]),
        _ => return None,
    })
}

/// Properties that exist, but are never set here, and optional fields of data objects: asking for them is
/// no mistake.
fn declared_but_unset(kind: &str, name: &str) -> bool {
    let names: &[&str] = match kind {
        "VirtualMachine" => &[
            "snapshot",
            "layout",
            "storage",
            "parentVApp",
            "capability",
            "environmentBrowser",
            "resourceConfig",
        ],
        "VirtualMachineRuntimeInfo" => &[
            "bootTime",
            "question",
            "host",
            "suspendTime",
            "cleanPowerOff",
            "memoryOverhead",
            "dasVmProtection",
        ],
        "GuestInfo" => {
            &["hostName", "ipAddress", "net", "disk", "guestFamily", "guestFullName", "toolsVersion"]
        }
        "VirtualMachineConfigInfo" => &[
            "annotation",
            "locationId",
            "managedBy",
            "repConfig",
            "vAppConfig",
            "swapPlacement",
            "consolePreferences",
        ],
        "VirtualMachineSnapshotInfo" => &["currentSnapshot"],
        "VirtualMachineGuestSummary" => &["hostName", "ipAddress"],
        "VirtualMachineConfigSummary" => &["annotation", "managedBy"],
        "TaskInfo" => &[
            "description",
            "locked",
            "error",
            "result",
            "progress",
            "startTime",
            "completeTime",
            "changeTag",
            "parentTaskKey",
            "rootTaskKey",
            "activationId",
            "name",
            "entity",
            "entityName",
        ],
        "HostRuntimeInfo" => &["bootTime", "standbyMode", "healthSystemRuntime"],
        "HostListSummary" => &["managementServerIp", "host", "hardware"],
        "DatastoreSummary" => &["uncommitted", "maintenanceMode", "datastore"],
        "SessionManager" => &["message", "messageLocaleList", "supportedLocaleList", "currentSession"],
        _ => &[],
    };
    let of_entity = &["customValue", "configIssue", "permission", "disabledMethod", "declaredAlarmState"];
    let of_entity = own_properties(kind).is_some_and(|(entity, _)| entity) && of_entity.contains(&name);
    let extensible = matches!(name, "value" | "availableField") && is_a(kind, "ExtensibleManagedObject");
    let host = kind == "HostSystem" && matches!(name, "config" | "hardware" | "configManager" | "capability");
    of_entity || extensible || host || names.contains(&name)
}

impl Eyes<'_> {
    /// Whether the object exists for this session.
    pub(super) fn exists(&self, object: &MoRef) -> bool {
        let id = object.id.as_str();
        let model = self.model;
        match object.kind.as_str() {
            "VirtualMachine" => number(id, "vm").is_some_and(|n| model.vms.contains_key(&n)),
            "HostSystem" => number(id, "host").is_some_and(|n| model.hosts.contains_key(&n)),
            "Datastore" => number(id, "datastore").is_some_and(|n| model.datastores.contains_key(&n)),
            "HostDatastoreBrowser" => number(id, "datastoreBrowser")
                .is_some_and(|n| model.datastores.contains_key(&n) || model.hosts.contains_key(&n)),
            "VirtualMachineSnapshot" => {
                number(id, "snapshot").is_some_and(|n| model.vm_of_snapshot(n).is_some())
            }
            "Task" => number(id, "task").is_some_and(|n| model.tasks.contains_key(&n)),
            "Folder" => {
                [fixed::ROOT, fixed::VMS, fixed::HOSTS, fixed::DATASTORES, fixed::NETWORKS].contains(&id)
            }
            "Datacenter" => id == fixed::DATACENTER,
            "ClusterComputeResource" | "ComputeResource" => id == fixed::CLUSTER,
            "ResourcePool" => id == fixed::POOL,
            "ContainerView" => self.session.views.contains_key(id),
            "PropertyCollector" => self.session.collectors.contains_key(id),
            "PropertyFilter" => self.session.collectors.values().any(|c| c.filters.contains_key(id)),
            other => service::SINGLETONS.contains(&(other, id)),
        }
    }

    /// The names of all properties of a type that are read when all are asked for.
    pub(super) fn properties(kind: &str) -> Vec<&'static str> {
        let Some((entity, own)) = own_properties(kind) else { return Vec::new() };
        let base = if entity { ENTITY } else { &[] };
        base.iter().chain(own).copied().collect()
    }

    /// What lies at a property path of an object that exists.
    pub(super) fn lookup(&self, object: &MoRef, path: &str) -> Lookup {
        self.lookup_among(&mut Properties::default(), object, path)
    }

    /// The same, for one path among several of one object: what was derived for one of them serves the others.
    pub(super) fn lookup_among(&self, known: &mut Properties, object: &MoRef, path: &str) -> Lookup {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        if !Self::properties(&object.kind).contains(&name) {
            let known = declared_but_unset(&object.kind, name);
            return if known { Lookup::Unset } else { Lookup::Invalid };
        }
        let value = known.0.entry(name.to_owned()).or_insert_with(|| self.property(object, name));
        match (value, rest) {
            (None, _) => Lookup::Unset,
            (Some(value), None) => Lookup::Found(value.clone()),
            (Some(Value::Obj(obj)), Some(rest)) => obj.lookup(rest, &declared_but_unset),
            (Some(_), Some(_)) => Lookup::Invalid,
        }
    }

    /// A property by its name; `None` when it is unset.
    fn property(&self, object: &MoRef, name: &str) -> Option<Value> {
        let id = object.id.as_str();
        match object.kind.as_str() {
            "VirtualMachine" => self.vm_property(number(id, "vm")?, name),
            "HostSystem" => self.host_property(number(id, "host")?, name),
            "Datastore" => self.datastore_property(number(id, "datastore")?, name),
            "VirtualMachineSnapshot" => self.snapshot_property(number(id, "snapshot")?, name),
            "Task" => self.task_property(number(id, "task")?, name),
            "Folder" | "Datacenter" | "ClusterComputeResource" | "ResourcePool" => self.fixture(object, name),
            _ => self.service_property(object, name),
        }
    }

    /// `2026-01-05T08:00:00.000000Z`
    fn time(&self, at: VirtualMs) -> Value {
        Value::Time(self.clock.iso(at))
    }
    /// The roles the account has: -1 administrator, -2 read-only, 1000 a custom one.
    fn effective_role(&self) -> Value {
        use super::config::Privileges;
        let role = match self.session.privileges {
            Privileges::Full => -1,
            Privileges::ReadOnly => -2,
            Privileges::Without(_) => 1000,
        };
        Value::List("int", vec![Value::Int(role)])
    }
    fn recent_tasks(&self, entity: Option<&MoRef>) -> Value {
        let tasks = self.model.tasks.iter().rev();
        let mut tasks: Vec<u64> =
            tasks.filter(|(_, t)| entity.is_none_or(|e| t.entity == *e)).take(5).map(|(id, _)| *id).collect();
        tasks.reverse();
        Value::refs(tasks.into_iter().map(super::model::task_ref))
    }
    fn status(green: bool) -> Value {
        Value::of_enum("ManagedEntityStatus", if green { "green" } else { "red" })
    }
}

/// The `ServiceContent`, for those who have no session yet.
pub(super) fn service_content() -> failback_wire::vim::Obj {
    service::content(service::about())
}
