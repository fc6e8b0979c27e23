//! Properties of the service's own objects: sessions, tasks, views.

use super::Eyes;
use crate::vcenter::model::{datastore_ref, fixed, host_ref, task_ref, vm_ref};
use crate::vcenter::operation::Progress;
use crate::vcenter::session::{DEFAULT_COLLECTOR, Session, View};
use failback_wire::vim::{MoRef, Obj, Value};

/// Objects there is one of.
pub(super) const SINGLETONS: &[(&str, &str)] = &[
    ("ServiceInstance", "ServiceInstance"),
    ("SessionManager", "SessionManager"),
    ("ViewManager", "ViewManager"),
    ("SearchIndex", "SearchIndex"),
    ("TaskManager", "TaskManager"),
    ("VirtualDiskManager", "virtualDiskManager"),
    ("AuthorizationManager", "AuthorizationManager"),
];

/// The `ServiceContent`: only managers that exist here.
pub(in crate::vcenter) fn content(about: Obj) -> Obj {
    let one = |kind: &str, id: &str| MoRef::new(kind, id);
    Obj::new("ServiceContent")
        .set("rootFolder", one("Folder", fixed::ROOT))
        .set("propertyCollector", one("PropertyCollector", DEFAULT_COLLECTOR))
        .set("viewManager", one("ViewManager", "ViewManager"))
        .set("about", about)
        .set("sessionManager", one("SessionManager", "SessionManager"))
        .set("authorizationManager", one("AuthorizationManager", "AuthorizationManager"))
        .set("taskManager", one("TaskManager", "TaskManager"))
        .set("searchIndex", one("SearchIndex", "SearchIndex"))
        .set("virtualDiskManager", one("VirtualDiskManager", "virtualDiskManager"))
}

/// The `AboutInfo`.
pub(in crate::vcenter) fn about() -> Obj {
    Obj::new("AboutInfo")
        .set("name", "VMware vCenter Server")
        .set("fullName", "VMware vCenter Server 8.0.3 (simulated by Failback Lab)")
        .set("vendor", "VMware, Inc.")
        .set("version", "8.0.3")
        .set("build", "24022515")
        .set("localeVersion", "INTL")
        .set("localeBuild", "000")
        .set("osType", "linux-x64")
        .set("productLineId", "vpx")
        .set("apiType", "VirtualCenter")
        .set("apiVersion", "8.0.3.0")
        .set("instanceUuid", "6f1d0c4e-0b8e-4b59-9a57-0d6f3b1c2a10")
        .set("licenseProductName", "VMware VirtualCenter Server")
        .set("licenseProductVersion", "8.0")
}

impl Eyes<'_> {
    /// A `UserSession`.
    pub(in crate::vcenter) fn user_session(&self, session: &Session) -> Obj {
        Obj::new("UserSession")
            .set("key", &session.key)
            .set("userName", &session.user)
            .set("fullName", &session.user)
            .set("loginTime", self.time(session.login))
            .set("lastActiveTime", self.time(session.last))
            .set("locale", "en_US")
            .set("messageLocale", "en_US")
            .set("extensionSession", false)
            .set("ipAddress", "192.0.2.1")
            .set("userAgent", &session.agent)
            .set("callCount", session.calls)
    }

    pub(super) fn task_property(&self, id: u64, name: &str) -> Option<Value> {
        let task = self.model.tasks.get(&id)?;
        if name != "info" {
            return None;
        }
        let (state, error, result) = match &task.progress {
            Progress::Queued => ("queued", None, None),
            Progress::Running => ("running", None, None),
            Progress::Success(result) => ("success", None, result.clone()),
            Progress::Error(fault) => ("error", Some(fault.value()), None),
        };
        let begun = !matches!(task.progress, Progress::Queued);
        let ended = task.ended();
        let reason = Obj::narrow("TaskReasonUser").set("userName", &task.user);
        let info = Obj::new("TaskInfo")
            .set("key", format!("task-{id}"))
            .set("task", task_ref(id))
            .set("name", task.method)
            .set("descriptionId", task.description)
            .set("entity", &task.entity)
            .set("entityName", &task.entity_name)
            .set("state", Value::of_enum("TaskInfoState", state))
            .set("cancelled", task.cancelled)
            .set("cancelable", !ended)
            .opt("error", error)
            .opt("result", result.map(Value::any_of))
            .opt("progress", task.percent(self.clock.now()))
            .set("reason", reason)
            .set("queueTime", self.time(task.queued))
            .opt("startTime", begun.then(|| self.time(task.start)))
            .opt("completeTime", ended.then(|| self.time(task.end)))
            .set("eventChainId", id as i32);
        Some(info.into())
    }

    pub(super) fn service_property(&self, object: &MoRef, name: &str) -> Option<Value> {
        let id = object.id.as_str();
        Some(match (object.kind.as_str(), name) {
            ("ContainerView", _) => return self.view_property(self.session.views.get(id)?, name),
            ("SessionManager", "sessionList") => {
                Value::objects("UserSession", self.sessions.values().map(|s| self.user_session(s)))
            }
            ("SessionManager", "currentSession") => self.user_session(self.session).into(),
            ("SessionManager", "defaultLocale") => "en_US".into(),
            ("ServiceInstance", "serverClock") => self.time(self.clock.now()),
            ("ServiceInstance", "content") => content(about()).into(),
            ("TaskManager", "recentTask") => self.recent_tasks(None),
            ("TaskManager", "maxCollector") => Value::Int(32),
            ("HostDatastoreBrowser", "datastore") => return self.browsed(id),
            ("PropertyCollector", "filter") => {
                let collector = self.session.collectors.get(id)?;
                Value::refs(collector.filters.keys().map(|f| MoRef::new("PropertyFilter", f.as_str())))
            }
            _ => return None,
        })
    }

    fn view_property(&self, view: &View, name: &str) -> Option<Value> {
        Some(match name {
            "container" => Value::Ref(view.container.clone()),
            "type" => {
                let kinds = view.kinds.iter().map(|k| k.as_str().into());
                Value::List("string", kinds.collect())
            }
            "recursive" => view.recursive.into(),
            "view" => Value::refs(self.viewed(view)),
            _ => return None,
        })
    }

    /// The objects a container view shows.
    fn viewed(&self, view: &View) -> Vec<MoRef> {
        let shown = |kind: &str| view.kinds.is_empty() || view.kinds.iter().any(|k| super::is_a(kind, k));
        let wanted = |r: &MoRef| shown(&r.kind);
        // Whoever looks for hosts need not walk past all virtual machines.
        let vms = shown("VirtualMachine");
        let children = |r: &MoRef| match r.id == fixed::VMS && !vms {
            true => Vec::new(),
            false => self.children(r),
        };
        let mut found = Vec::new();
        let mut next = children(&view.container);
        while !next.is_empty() {
            found.extend(next.iter().filter(|r| wanted(r)).cloned());
            next = if view.recursive { next.iter().flat_map(children).collect() } else { Vec::new() };
        }
        found
    }

    /// The child of a container that has this name.
    pub(in crate::vcenter) fn child_named(&self, container: &MoRef, name: &str) -> Option<MoRef> {
        if container.id == fixed::VMS {
            return self.model.vm_named(name).map(vm_ref);
        }
        let named = |r: &MoRef| self.property(r, "name") == Some(Value::from(name));
        self.children(container).into_iter().find(named)
    }

    fn children(&self, container: &MoRef) -> Vec<MoRef> {
        let folder = |id: &str| MoRef::new("Folder", id);
        let model = self.model;
        match container.id.as_str() {
            fixed::ROOT => vec![MoRef::new("Datacenter", fixed::DATACENTER)],
            fixed::DATACENTER => {
                [fixed::VMS, fixed::HOSTS, fixed::DATASTORES, fixed::NETWORKS].map(folder).to_vec()
            }
            fixed::VMS => model.vms.keys().map(|id| vm_ref(*id)).collect(),
            fixed::HOSTS => vec![MoRef::new("ClusterComputeResource", fixed::CLUSTER)],
            fixed::CLUSTER => {
                let pool = MoRef::new("ResourcePool", fixed::POOL);
                model.hosts.keys().map(|id| host_ref(*id)).chain([pool]).collect()
            }
            fixed::DATASTORES => model.datastores.keys().map(|id| datastore_ref(*id)).collect(),
            _ => Vec::new(),
        }
    }
}
