//! The methods: what each needs, what it is called in a task, and what it answers.

use super::Vcenter;
use super::inventory::by_inventory_path;
use super::model::{Model, fixed, host_ref, vm_ref};
use super::operation::Operation;
use super::props::number;
use super::refusal;
use super::requests::{METHODS, id_of, operation, required};
use super::session::{Collector, Filter, Seen, View};
use super::tasks::Submission;
use failback_wire::vim::{Element, Fault, FilterSpec, Lookup, MoRef, Value, VimRequest};
use std::sync::Arc;

type Reply = Result<Vec<Element>, Fault>;

/// A page of `RetrievePropertiesEx` when the client does not say.
const PAGE: usize = 5000;

fn one(value: impl Into<Value>) -> Vec<Element> {
    value.into().field("returnval")
}

fn entity_name(model: &Model, entity: &MoRef) -> String {
    let number = |prefix| number(&entity.id, prefix);
    let vm = number("vm").and_then(|id| model.vms.get(&id)).map(|vm| vm.name.clone());
    let host = || number("host").and_then(|id| model.hosts.get(&id)).map(|h| h.name.clone());
    vm.or_else(host).unwrap_or_else(|| model.datacenter.clone())
}

impl Vcenter {
    fn check(&self, session: &str, object: &MoRef, privileges: &[&str]) -> Result<(), Fault> {
        let state = self.lock();
        let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(object))?;
        if !eyes.exists(object) {
            return Err(refusal::gone(object));
        }
        match privileges.iter().find(|p| !eyes.session.may(p)) {
            Some(missing) => Err(refusal::no_permission(object, missing)),
            None => Ok(()),
        }
    }

    /// Every method that answers at once.
    pub(super) fn call(self: &Arc<Self>, session: &str, request: &VimRequest) -> Reply {
        let this = &request.this;
        match (this.kind.as_str(), &*request.method) {
            (_, method) if method.ends_with("_Task") => self.start_task(session, request),
            (_, "Fetch" | "DestroyView" | "DestroyPropertyFilter") => self.call_object(session, request),
            ("PropertyCollector", _) => self.call_collector(session, request),
            ("ServiceInstance", "CurrentTime") => {
                let state = self.lock();
                let now = state.ctx.as_ref().map(|ctx| ctx.clock.iso(ctx.now())).unwrap_or_default();
                Ok(one(Value::Time(now)))
            }
            ("SessionManager", "Logout") => {
                self.lock().sessions.remove(session);
                self.changed.notify_waiters();
                Ok(Vec::new())
            }
            ("SessionManager", "SessionIsActive") => {
                let key = required(request, "sessionID")?;
                let active = self.lock().sessions.contains_key(key);
                Ok(one(active))
            }
            ("ViewManager", "CreateContainerView") => self.create_view(session, request),
            ("AuthorizationManager", "HasPrivilegeOnEntity") => self.has_privileges(session, request),
            ("SearchIndex", _) => self.call_search(session, request),
            ("VirtualMachine", "ShutdownGuest") => self.shutdown_guest(session, request),
            ("VirtualMachine", "UnregisterVM") => {
                self.check(session, this, &["VirtualMachine.Inventory.Unregister"])?;
                let vm = id_of(request, "VirtualMachine", "vm")?;
                self.apply(self.actor(session), |apply| apply.unregister(vm))?;
                Ok(Vec::new())
            }
            ("Task", "CancelTask") => {
                self.check(session, this, &["System.View"])?;
                self.cancel_task(id_of(request, "Task", "task")?)?;
                Ok(Vec::new())
            }
            ("VirtualDiskManager", "QueryVirtualDiskUuid") => {
                self.check(session, this, &["System.Read"])?;
                let path = required(request, "name")?;
                let state = self.lock();
                let vmdk = state.model.vmdks.get(path).ok_or_else(|| refusal::file_not_found(path))?;
                Ok(one(spaced(vmdk.uuid.as_str())))
            }
            (_, method) => Err(refusal::no_method(method)),
        }
    }

    /// For each privilege asked for, whether the account has it; an account has the same everywhere.
    fn has_privileges(&self, session: &str, request: &VimRequest) -> Reply {
        let entity = request.moref("entity").ok_or_else(|| refusal::invalid_argument("entity"))?;
        self.check(session, &entity, &["System.View"])?;
        let state = self.lock();
        let key = required(request, "sessionId")?;
        let about = state.sessions.get(key).ok_or_else(|| refusal::not_found("The session"))?;
        let granted = request.all("privId").map(|id| about.may(id.text.trim()));
        Ok(granted.flat_map(one).collect())
    }

    fn actor(&self, session: &str) -> failback_wire::event::Actor {
        let state = self.lock();
        state.sessions.get(session).map_or(failback_wire::event::Actor::Operator, |s| s.actor)
    }

    fn start_task(self: &Arc<Self>, session: &str, request: &VimRequest) -> Reply {
        let (description, privileges, mut operation) = operation(request)?;
        self.check(session, &request.this, &privileges)?;
        let (actor, user, entity, name) = {
            let state = self.lock();
            let mut entity = request.this.clone();
            if let Operation::Revert { vm, snapshot: Some(snapshot) } = &mut operation {
                *vm = state.model.vm_of_snapshot(*snapshot).unwrap_or_default();
                entity = vm_ref(*vm);
            }
            if let Operation::RemoveSnapshot { snapshot, .. } = &operation {
                entity = vm_ref(state.model.vm_of_snapshot(*snapshot).unwrap_or_default());
            }
            // Clients insist on a managed entity here.
            if entity.kind == "HostDatastoreBrowser" {
                entity = MoRef::new("Datacenter", fixed::DATACENTER);
            }
            if let Operation::Revert { vm, snapshot: None } = &operation {
                let vm = state.model.vms.get(vm).ok_or_else(|| refusal::gone(&request.this))?;
                vm.current.ok_or_else(|| refusal::not_found("The snapshot"))?;
            }
            let session =
                state.sessions.get(session).ok_or_else(|| refusal::not_authenticated(&request.this))?;
            let name = entity_name(&state.model, &entity);
            (session.actor, session.user.clone(), entity, name)
        };
        let method = METHODS.iter().find(|m| **m == request.method).copied();
        let method = method.ok_or_else(|| refusal::no_method(&request.method))?;
        let submission = Submission { method, description, entity, entity_name: name, operation };
        Ok(one(self.submit(submission, actor, &user)))
    }

    fn shutdown_guest(self: &Arc<Self>, session: &str, request: &VimRequest) -> Reply {
        self.check(session, &request.this, &["VirtualMachine.Interact.PowerOff"])?;
        let id = id_of(request, "VirtualMachine", "vm")?;
        let actor = self.actor(session);
        let ctx = {
            let mut state = self.lock();
            let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(&request.this))?;
            let vm = eyes.model.vms.get(&id).ok_or_else(|| refusal::gone(&request.this))?;
            if !eyes.model.hosts.get(&vm.host).is_some_and(|h| h.connected) {
                return Err(refusal::host_not_connected());
            }
            if !vm.powered {
                return Err(refusal::invalid_power_state(true, false));
            }
            if !eyes.tools_run(vm) {
                return Err(refusal::tools_unavailable());
            }
            let (host, shuts_down) = (vm.host, vm.shutting_down.is_some());
            self.look(&mut state, |apply| apply.licensed_host(host))?;
            if shuts_down {
                return Ok(Vec::new());
            }
            state.model.vms.edit(id, |vm| vm.shutting_down = Some(actor));
            state.ctx.clone()
        };
        if let Some(ctx) = ctx {
            ctx.spawn(Arc::clone(self).await_shutdown(id));
        }
        Ok(Vec::new())
    }

    fn create_view(&self, session: &str, request: &VimRequest) -> Reply {
        let container = request.moref("container").ok_or_else(|| refusal::invalid_argument("container"))?;
        self.check(session, &container, &["System.View"])?;
        let mut state = self.lock();
        let found = state.sessions.get_mut(session);
        let found = found.ok_or_else(|| refusal::not_authenticated(&request.this))?;
        let id = found.object_id("view");
        let kinds = request.all("type").map(|t| t.text.trim().to_owned()).collect();
        let view = View { container, kinds, recursive: request.flag("recursive") };
        found.views.insert(id.clone(), view);
        Ok(one(MoRef::new("ContainerView", id)))
    }

    /// Methods of whatever object.
    fn call_object(&self, session: &str, request: &VimRequest) -> Reply {
        let this = &request.this;
        self.check(session, this, &["System.Read"])?;
        let mut state = self.lock();
        if request.method == "Fetch" {
            let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(this))?;
            return match eyes.lookup(this, required(request, "prop")?) {
                Lookup::Found(value) => Ok(vec![value.any("returnval")]),
                Lookup::Unset => Ok(Vec::new()),
                Lookup::Invalid => Err(refusal::invalid_property(required(request, "prop")?)),
            };
        }
        let found = state.sessions.get_mut(session).ok_or_else(|| refusal::not_authenticated(this))?;
        match (this.kind.as_str(), &*request.method) {
            ("ContainerView", "DestroyView") => found.views.remove(&this.id).is_some(),
            ("PropertyFilter", "DestroyPropertyFilter") => {
                found.collector_of_filter(&this.id).and_then(|c| c.filters.remove(&this.id)).is_some()
            }
            (_, method) => return Err(refusal::no_method(method)),
        };
        Ok(Vec::new())
    }

    fn call_search(&self, session: &str, request: &VimRequest) -> Reply {
        self.check(session, &request.this, &["System.Read"])?;
        let state = self.lock();
        let model = &state.model;
        let found = match &*request.method {
            "FindByUuid" => {
                let uuid = required(request, "uuid")?;
                let instance = request.flag("instanceUuid");
                let vms = model.vms.iter().filter(|_| request.flag("vmSearch"));
                let same = |known: &str| known.eq_ignore_ascii_case(uuid);
                let mut vms = vms.filter(|(_, vm)| same(if instance { &vm.instance_uuid } else { &vm.uuid }));
                vms.next().map(|(id, _)| vm_ref(*id))
            }
            "FindByInventoryPath" => by_inventory_path(model, required(request, "inventoryPath")?),
            "FindChild" => {
                let entity = request.moref("entity").ok_or_else(|| refusal::invalid_argument("entity"))?;
                let name = required(request, "name")?;
                let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(&entity))?;
                eyes.child_named(&entity, name)
            }
            "FindByDatastorePath" => {
                let path = required(request, "path")?;
                model.vms.iter().find(|(_, vm)| vm.vmx == path).map(|(id, _)| vm_ref(*id))
            }
            "FindByDnsName" if !request.flag("vmSearch") => {
                model.host_named(required(request, "dnsName")?).map(host_ref)
            }
            "FindByDnsName" => model.vm_named(required(request, "dnsName")?).map(vm_ref),
            method => return Err(refusal::no_method(method)),
        };
        Ok(found.map(one).unwrap_or_default())
    }

    fn call_collector(&self, session: &str, request: &VimRequest) -> Reply {
        let this = &request.this;
        self.check(session, this, &["System.Read"])?;
        let read = |name: &str| -> Result<Vec<FilterSpec>, Fault> {
            request.all(name).map(|s| FilterSpec::read(s).map_err(refusal::invalid_request)).collect()
        };
        let mut state = self.lock();
        let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(this))?;
        match &*request.method {
            "RetrieveProperties" => eyes.retrieve(&read("specSet")?, "returnval"),
            "RetrievePropertiesEx" => {
                let max = request.get("options").and_then(|o| o.text_at("maxObjects"));
                let max = max.and_then(|m| m.trim().parse().ok()).filter(|m| *m > 0).unwrap_or(PAGE);
                let contents = eyes.retrieve(&read("specSet")?, "objects")?;
                Ok(page(&mut state, session, contents, max))
            }
            "ContinueRetrievePropertiesEx" => {
                let token = required(request, "token")?;
                let found = state.sessions.get_mut(session);
                let rest = found.and_then(|s| s.pages.remove(token));
                let rest = rest.ok_or_else(|| refusal::invalid_property("token"))?;
                Ok(page(&mut state, session, rest, PAGE))
            }
            "CreateFilter" => {
                let spec = read("spec")?.into_iter().next();
                let spec = spec.ok_or_else(|| refusal::invalid_argument("spec"))?;
                // Asking for something that does not exist is refused now, not while waiting.
                eyes.see(&spec)?;
                if let Some(gone) = spec.objects.iter().find(|o| !eyes.exists(&o.obj)) {
                    return Err(refusal::gone(&gone.obj));
                }
                let filter = Filter { spec, acknowledged: Seen::new(), told: Seen::new() };
                let found =
                    state.sessions.get_mut(session).ok_or_else(|| refusal::not_authenticated(this))?;
                let id = found.object_id("filter");
                let collector = found.collectors.get_mut(&this.id).ok_or_else(|| refusal::gone(this))?;
                collector.filters.insert(id.clone(), filter);
                drop(state);
                self.changed.notify_waiters();
                Ok(one(MoRef::new("PropertyFilter", id)))
            }
            "CreatePropertyCollector" => {
                let found =
                    state.sessions.get_mut(session).ok_or_else(|| refusal::not_authenticated(this))?;
                let id = found.object_id("collector");
                found.collectors.insert(id.clone(), Collector::default());
                Ok(one(MoRef::new("PropertyCollector", id)))
            }
            "DestroyPropertyCollector" | "CancelWaitForUpdates" => {
                let found =
                    state.sessions.get_mut(session).ok_or_else(|| refusal::not_authenticated(this))?;
                if request.method == "DestroyPropertyCollector" {
                    found.collectors.remove(&this.id);
                } else if let Some(collector) = found.collectors.get_mut(&this.id) {
                    collector.cancels += 1;
                }
                drop(state);
                self.changed.notify_waiters();
                Ok(Vec::new())
            }
            method => Err(refusal::no_method(method)),
        }
    }
}

/// The first `max` contents as a `RetrieveResult`; the rest waits under a token.
fn page(state: &mut super::State, session: &str, mut contents: Vec<Element>, max: usize) -> Vec<Element> {
    if contents.is_empty() {
        return Vec::new();
    }
    let rest = contents.split_off(max.min(contents.len()));
    let token = state.sessions.get_mut(session).filter(|_| !rest.is_empty()).map(|s| {
        let token = s.object_id("page");
        s.pages.insert(token.clone(), rest);
        Element::leaf("token", token)
    });
    vec![Element::new("returnval").with_all(token).with_all(contents)]
}

/// `60 00 C2 9a …-…`: how the disk manager writes a UUID.
fn spaced(uuid: &str) -> String {
    let digits: Vec<char> = uuid.chars().filter(|c| *c != '-').collect();
    let bytes: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    match bytes.split_at_checked(8) {
        Some((high, low)) => format!("{}-{}", high.join(" "), low.join(" ")),
        None => bytes.join(" "),
    }
}
