//! Gathering facts: read-only calls, each with a limit. Nothing here changes anything.

use super::asked::{allowed, asked_for};
use super::{
    AzureFacts, CsFacts, DatastoreFacts, DiskFacts, Facts, ItemFacts, PolicyFacts, RequestFacts, Seen,
    TargetVmFacts, VcenterFacts, VmFacts,
};
use crate::catalogue::warning::ADDED_DISK_STAYS;
use crate::clients::azure::{AzureClient, AzureError};
use crate::clients::component::ComponentError;
use crate::clients::cs::OTHER_VAULT;
use crate::clients::vcenter::{self, Power, VcenterClient, VcenterError};
use crate::config::AlternateVcenter;
use crate::journal::{AzureVm, Health, Item, Leg, Operation, PolicyKind};
use crate::rules::privileges::NEEDED;
use crate::service::Services;
use crate::workflow::{Member, UNKNOWN_SESSION, added_disks, agent_address, noted_path};
use failback_wire::ids::{DiskId, MachineName, Site};
use failback_wire::proto::agent::AgentStatus;
use failback_wire::proto::cs::{Component, OsFamily};
use failback_wire::proto::session::{Point, ServerHealth, SessionSpec};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

use Operation::{ChangePoint, CleanUpTest, TestFailover};
use Operation::{CommitBack, Disable, EnableProtection, Failback, Failover, Reprotect, ReprotectForward};
use Operation::{MoveServer, Resynchronise};
use std::sync::Arc;

/// The longest one system may take to answer all that is asked of it.
const LIMIT: Duration = Duration::from_secs(90);

/// Gathers the facts of one request. A system that stayed silent once is not asked again for the next
/// machine of a plan.
pub struct Gathering<'a> {
    services: &'a Services,
    operation: Operation,
    by_plan: bool,
    silent: BTreeMap<String, String>,
}

impl<'a> Gathering<'a> {
    /// Facts for `operation`, asked for by a plan or for a single item.
    pub fn new(services: &'a Services, operation: Operation, by_plan: bool) -> Self {
        Self { services, operation, by_plan, silent: BTreeMap::new() }
    }

    /// Everything the rules may look at for this machine.
    pub async fn member(&mut self, name: &MachineName, member: &Member) -> Facts {
        let request = self.request(member);
        let cs = self.cs(name).await;
        let target = self.server(&cs, Component::MasterTarget, &request, member).await;
        let relay = self.server(&cs, Component::ProcessServer, &request, member).await;
        let vcenter = self.vcenter(name, member, &request).await;
        let leg = member.item.as_ref().map_or(Leg::Forward, |item| item.leg);
        let mut azure = self.azure(member).await;
        let agent = self.agent((name, leg), &vcenter, &azure).await;
        let nearby = self.nearby(name, &azure, &agent, (&cs, request.process_server.as_deref())).await;
        if let Seen::Known(azure) = &mut azure {
            azure.nearby = nearby;
        }
        Facts {
            operation: self.operation,
            now: self.services.ctx.now(),
            env: self.services.ctx.env,
            settings: self.services.config.knobs.settings,
            item: self.item(name, member),
            policy: self.policy(member),
            azure,
            agent,
            points: self.points(member).await,
            request,
            cs,
            vcenter,
            target,
            relay,
        }
    }

    /// True when the process server reaches the agent that we do not. Asked only of a machine that is in another subnet.
    async fn nearby(
        &self,
        name: &MachineName,
        azure: &Seen<AzureFacts>,
        agent: &Seen<AgentStatus>,
        (cs, relay): (&Seen<CsFacts>, Option<&str>),
    ) -> bool {
        let doubtful =
            azure.known().is_some_and(|azure| azure.misplaced.is_some()) && agent.silent().is_some();
        let row = relay.filter(|_| doubtful).and_then(|id| cs.known()?.server(id));
        let Some(row) = row else { return false };
        let reach = [agent_address(self.services, name, Site::Azure).await];
        let health = timeout(LIMIT, self.services.sessions.health(&row.address, &reach)).await;
        health.is_ok_and(|health| health.is_ok_and(|health| health.unreached.is_empty()))
    }

    fn needs(&self, operations: &[Operation]) -> bool {
        operations.contains(&self.operation)
    }

    /// Asks `host`, within the limit, unless it stayed silent before.
    async fn ask<T, F>(&mut self, host: &str, question: F) -> Seen<T>
    where
        F: Future<Output = Seen<T>>,
    {
        if let Some(why) = self.silent.get(host) {
            return Seen::Silent(why.clone());
        }
        let late = || Seen::Silent(format!("{host} did not answer within {} s", LIMIT.as_secs()));
        let seen = timeout(LIMIT, question).await.unwrap_or_else(|_| late());
        if let Seen::Silent(why) = &seen {
            self.silent.insert(host.to_owned(), why.clone());
        }
        seen
    }

    fn request(&self, member: &Member) -> RequestFacts {
        let (input, item) = (&member.input, member.item.as_ref());
        let target =
            item.filter(|item| item.leg == Leg::Reverse || !self.needs(&[MoveServer, Resynchronise]));
        let target = target.and_then(|item| item.master_target.as_ref()).map(|server| server.id.clone());
        let relay = item.and_then(|item| item.process_server.as_ref()).map(|server| server.id.clone());
        RequestFacts {
            by_plan: self.by_plan,
            verb: input.verb,
            choice: input.point.clone(),
            master_target: input.master_target.clone().or(target),
            process_server: input.process_server.clone().or(relay),
            retention_drive: input.retention.clone(),
            datastore: input.datastore.clone(),
            exclude: input.exclude.clone(),
            azure_name: input.azure_name.clone(),
            from_server: input.from_server.clone(),
            include: input.include.clone(),
        }
    }

    fn item(&self, name: &MachineName, member: &Member) -> ItemFacts {
        let item = member.item.as_ref();
        let disk = |disk: &crate::journal::ItemDisk| DiskFacts {
            disk: disk.disk.clone(),
            uuid: disk.vmdk.clone(),
            rdm: disk.rdm,
            noted: item.is_some_and(|item| noted_path(item, &disk.disk).is_some()),
        };
        let critical = member.health == Health::Critical;
        let (kept, left) = asked_for(self.operation, item.map(|item| &**item), &member.input);
        ItemFacts {
            name: name.clone(),
            os: item.and_then(|item| item.os).unwrap_or(OsFamily::Windows),
            platform: item.map(|item| item.platform.clone()).unwrap_or_default(),
            state: item.map_or("unprotected", |item| item.state.as_str()).to_owned(),
            allowed: allowed(self.operation, item.map(|item| &**item), &self.services.config.knobs.settings),
            critical: if critical { member.errors.clone() } else { Vec::new() },
            group: item.and_then(|item| item.group.clone()),
            leg: item.map_or(Leg::Forward, |item| item.leg),
            process_server: item.and_then(|item| item.process_server.as_ref()).map(|s| s.id.clone()),
            // One that has no VMDK yet has nothing to match (P37).
            disks: kept.into_iter().filter(|disk| !disk.vmdk.as_str().is_empty()).map(disk).collect(),
            left_out: left.into_iter().map(|disk| disk.disk.clone()).collect(),
            source_since: item.and_then(|item| item.last_failover),
            registered_after: item.and_then(|item| item.chosen.as_ref()).map(|chosen| chosen.time),
            cs: item.and_then(|item| item.cs.clone()),
            unknown: item.is_none(),
            vm_name: vm_name(name, member),
            home_host: item.and_then(|item| item.home_host.clone()),
            keeps_address: item.is_some_and(|item| item.keeps_address),
            without_vmdk: item.map(|item| without_vmdk(item)).unwrap_or_default(),
            resuming: item.is_some_and(|item| item.halfway.is_some()),
            halfway: item.and_then(|item| item.halfway),
            leaves_disks: item.is_some_and(|item| item.warnings.contains_key(ADDED_DISK_STAYS.code)),
            anew: item.is_some_and(|item| item.may_replicate_home_anew()),
        }
    }

    fn policy(&self, member: &Member) -> Option<PolicyFacts> {
        let kind = match self.operation {
            EnableProtection | ReprotectForward => PolicyKind::Forward,
            Reprotect => PolicyKind::Failback,
            Failover
            | Operation::Commit
            | Failback
            | CommitBack
            | Disable
            | Operation::Purge
            | Operation::CompleteMigration
            | TestFailover
            | CleanUpTest
            | ChangePoint
            | MoveServer
            | Resynchronise => return None,
        };
        let found = member.policy.as_ref();
        Some(PolicyFacts {
            name: member.input.policy.clone()?,
            fits: found.is_some_and(|policy| policy.kind == kind),
            associated: found.is_some_and(|policy| policy.mapping.is_some()),
        })
    }

    async fn cs(&mut self, name: &MachineName) -> Seen<CsFacts> {
        if !self.needs(&[
            EnableProtection,
            Reprotect,
            Failback,
            ReprotectForward,
            Disable,
            MoveServer,
            Resynchronise,
        ]) {
            return Seen::Unasked;
        }
        let cs = &self.services.cs;
        let question = async {
            let facts = async {
                let (status, row) = (cs.status().await?, cs.machine(name).await?);
                Ok(CsFacts { status, row, servers: cs.servers().await? })
            };
            facts.await.map_or_else(unanswered, Seen::Known)
        };
        self.ask("configuration server", question).await
    }

    /// Asks a server itself, where the configuration server says it listens, or where it last did.
    async fn server(
        &mut self,
        cs: &Seen<CsFacts>,
        component: Component,
        request: &RequestFacts,
        member: &Member,
    ) -> Seen<ServerHealth> {
        let is_target = component == Component::MasterTarget;
        let needed: &[Operation] = match is_target {
            true => &[Reprotect, Failback, MoveServer, Resynchronise],
            false => &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer, Resynchronise],
        };
        let id = if is_target { &request.master_target } else { &request.process_server };
        let (true, Some(id)) = (self.needs(needed), id) else { return Seen::Unasked };
        let address = |id: &str| cs.known().and_then(|cs| cs.server(id)).map(|row| row.address.clone());
        let listed = address(id);
        let item = member.item.as_ref();
        let last = item.and_then(|item| match is_target {
            true => item.master_target.as_ref(),
            false => item.process_server.as_ref(),
        });
        let last = last.filter(|server| server.id == *id).map(|server| server.address.clone());
        // One that is not listed may still run: its id is its host name. A master target that could not register knows
        // why (P9).
        let own = (!is_target || cs.known().is_some()).then(|| id.clone());
        let moves_home = item.is_some_and(|item| item.leg == Leg::Reverse) && self.needs(&[MoveServer]);
        let homeward = moves_home || self.needs(&[Reprotect, Failback]);
        let reach: Vec<String> = match is_target || !homeward {
            true => Vec::new(),
            // What it passes on must get to the site (P11, P12).
            false => {
                let target = request.master_target.as_deref().and_then(|id| {
                    let row = cs.known()?.server(id).filter(|row| row.component == Component::MasterTarget);
                    row.map(|row| row.address.clone())
                });
                [self.services.config.cs.host.clone()].into_iter().chain(target).collect()
            }
        };
        let Some(address) = listed.or(last).or(own) else { return Seen::Unasked };
        let sessions = &self.services.sessions;
        let question = async {
            let health = sessions.health(&address, &reach).await;
            health.map_or_else(|e| Seen::Silent(e.to_string()), Seen::Known)
        };
        self.ask(&address, question).await
    }

    async fn azure(&mut self, member: &Member) -> Seen<AzureFacts> {
        let left = member.left.as_ref().filter(|_| self.needs(&[EnableProtection]));
        let asks = [Failover, Reprotect, Failback, CommitBack, TestFailover, CleanUpTest, ChangePoint];
        let item = member.item.as_ref();
        // What replicates home is served by the process server of its network in Azure.
        let moves = self.needs(&[MoveServer]) && item.is_some_and(|item| item.leg == Leg::Reverse);
        if !self.needs(&asks) && !moves && left.is_none() {
            return Seen::Unasked;
        }
        let name = item.map(|item| item.azure.as_ref().map_or(&item.azure_name, |vm| &vm.name));
        let name = left.map(|vm| &vm.name).or(name).cloned().unwrap_or_default();
        let azure = &self.services.azure;
        let made = item.and_then(|item| item.azure.as_ref());
        let disks = made.filter(|_| self.needs(&[Reprotect]));
        let services = self.services;
        let question = async {
            let sizes = match sizes(azure, disks).await {
                Ok(sizes) => sizes,
                Err(error) => return Seen::Silent(error.to_string()),
            };
            match azure.vm(&name).await {
                // A machine that is not where it was made may be elsewhere.
                Ok(None) if made.is_some() => match azure.group_of(&name).await {
                    Ok(moved_to) => {
                        let power = "missing".to_owned();
                        Seen::Known(AzureFacts { power, moved_to, ..AzureFacts::default() })
                    }
                    Err(error) => Seen::Silent(error.to_string()),
                },
                Ok(None) => Seen::Known(AzureFacts { power: "missing".to_owned(), ..AzureFacts::default() }),
                Ok(Some(vm)) => Seen::Known(AzureFacts {
                    exists: true,
                    running: vm.power == crate::clients::azure::Power::Running,
                    answers: vm.guest_ready,
                    nearby: false,
                    misplaced: vm
                        .subnet
                        .as_deref()
                        .and_then(|id| misplaced(services, item.map(|item| &**item), id)),
                    network: vm.subnet.as_deref().and_then(network_of),
                    power: format!("{:?}", vm.power).to_lowercase(),
                    sizes,
                    moved_to: None,
                    added: item.map(|item| added_disks(item, &vm.disks)).unwrap_or_default(),
                }),
                Err(error) => Seen::Silent(error.to_string()),
            }
        };
        self.ask("Azure", question).await
    }

    /// A machine that is to be protected is asked when vCenter has none of its name: it may be a physical one. One that
    /// comes home is asked what disks are for that were added in Azure.
    async fn agent(
        &mut self,
        (name, leg): (&MachineName, Leg),
        vcenter: &Seen<VcenterFacts>,
        azure: &Seen<AzureFacts>,
    ) -> Seen<AgentStatus> {
        let has_more = azure.known().is_some_and(|azure| !azure.added.is_empty());
        let no_vm = vcenter.known().is_some_and(|vcenter| vcenter.vm.is_none());
        let site = match self.operation {
            MoveServer | Resynchronise => leg.source(),
            EnableProtection if no_vm => Site::OnPremises,
            Failback if has_more => Site::Azure,
            Reprotect => Site::Azure,
            ReprotectForward => Site::OnPremises,
            EnableProtection
            | Failover
            | Operation::Commit
            | Failback
            | CommitBack
            | Disable
            | Operation::Purge
            | Operation::CompleteMigration
            | TestFailover
            | CleanUpTest
            | ChangePoint => return Seen::Unasked,
        };
        let services = self.services;
        let question = async {
            let address = agent_address(services, name, site).await;
            let status = services.agents.status(&address).await;
            status.map_or_else(|e| Seen::Silent(e.to_string()), Seen::Known)
        };
        self.ask(&format!("{name}@{site}"), question).await
    }

    async fn points(&mut self, member: &Member) -> Seen<Vec<Arc<Point>>> {
        let spec: Option<SessionSpec> = match self.operation {
            Failover | TestFailover | ChangePoint => {
                member.item.as_ref().and_then(|item| item.forward.clone())
            }
            Failback => member.item.as_ref().and_then(|item| item.reverse.clone()),
            EnableProtection
            | Operation::Commit
            | Reprotect
            | CommitBack
            | ReprotectForward
            | Disable
            | Operation::Purge
            | Operation::CompleteMigration
            | CleanUpTest
            | MoveServer
            | Resynchronise => return Seen::Unasked,
        };
        let Some(spec) = spec else { return Seen::Known(Vec::new()) };
        let sessions = &self.services.sessions;
        let question = async {
            match sessions.get(&spec.target, &spec.session).await {
                Ok(view) => Seen::Known(view.points),
                Err(error) if error.is_refusal(UNKNOWN_SESSION) => Seen::Known(Vec::new()),
                Err(error) => Seen::Silent(error.to_string()),
            }
        };
        self.ask(&spec.target, question).await
    }

    async fn vcenter(
        &mut self,
        name: &MachineName,
        member: &Member,
        request: &RequestFacts,
    ) -> Seen<VcenterFacts> {
        // To give its disks back, a master target must hold them.
        let held = member.item.as_ref().is_some_and(|item| item.disks_away().is_some());
        let needed = self.needs(&[EnableProtection, Reprotect, Failback, CommitBack]);
        if !(needed || self.needs(&[Disable]) && held) {
            return Seen::Unasked;
        }
        let services = self.services;
        let question = async {
            let there = member.item.as_ref().and_then(|item| item.vm.as_ref()).is_some_and(|vm| vm.alternate);
            match look_at(services.vcenter_at(there), name, member, request).await {
                Ok(facts) if there => Seen::Known(facts),
                Ok(facts) => self::elsewhere(services, request, facts).await,
                Err(error @ (VcenterError::InvalidLogin { .. } | VcenterError::NoPermission { .. })) => {
                    Seen::Refused(error.to_string())
                }
                Err(error) => Seen::Silent(error.to_string()),
            }
        };
        self.ask("vCenter", question).await
    }
}

/// A configuration server of another vault refuses, any other is silent.
fn unanswered<T>(error: ComponentError) -> Seen<T> {
    match error.is_refusal(OTHER_VAULT) {
        true => Seen::Refused(error.to_string()),
        false => Seen::Silent(error.to_string()),
    }
}

/// Disks of the item that have no VMDK, and were not added in Azure.
fn without_vmdk(item: &Item) -> Vec<DiskId> {
    let outside = |disk: &&crate::journal::ItemDisk| {
        disk.vmdk.as_str().is_empty() && !item.added.contains_key(&disk.disk)
    };
    item.disks.iter().filter(outside).map(|disk| disk.disk.clone()).collect()
}

/// The machine's name in vCenter: as it was found, or else as it is asked for.
fn vm_name(name: &MachineName, member: &Member) -> String {
    let found = member.item.as_ref().and_then(|item| item.vm.as_ref()).map(|vm| vm.name.clone());
    found.or_else(|| member.input.vm_name.clone()).unwrap_or_else(|| name.to_string())
}

/// The subnet of this ARM id, when failed-over machines are put into another.
fn misplaced(services: &Services, item: Option<&Item>, id: &str) -> Option<String> {
    let azure = &services.config.azure;
    let network = item.and_then(|item| item.network.as_deref()).unwrap_or(&azure.network);
    let made = services.azure.subnet_id(network, &azure.subnet).to_string();
    let other = !made.eq_ignore_ascii_case(id);
    other.then(|| id.rsplit_once('/').map_or(id, |(_, name)| name).to_owned())
}

/// The virtual network in the ARM id of a subnet.
fn network_of(subnet: &str) -> Option<String> {
    let mut parts = subnet.rsplit('/');
    parts.nth(2).map(str::to_owned)
}

/// Bytes of the managed disks that are there.
async fn sizes(azure: &AzureClient, vm: Option<&AzureVm>) -> Result<BTreeMap<DiskId, u64>, AzureError> {
    let mut sizes = BTreeMap::new();
    for (disk, name) in vm.iter().flat_map(|vm| &vm.disks) {
        if let Some(found) = azure.disk(name).await? {
            sizes.insert(disk.clone(), found.bytes);
        }
    }
    Ok(sizes)
}

fn found(result: Result<vcenter::VmFacts, VcenterError>) -> Result<Option<vcenter::VmFacts>, VcenterError> {
    match result {
        Ok(vm) => Ok(Some(vm)),
        Err(VcenterError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A master target that the original vCenter does not know may be in the other one. What is there counts where the
/// setting lets a machine come home to it, which needs that it is gone from where it was (P5).
async fn elsewhere(
    services: &Services,
    request: &RequestFacts,
    mut facts: VcenterFacts,
) -> Seen<VcenterFacts> {
    let wanted = request.master_target.as_ref().filter(|_| facts.target_vm.is_none());
    let (Some(id), Some(other)) = (wanted, &services.alternate_vcenter) else { return Seen::Known(facts) };
    let look = async |v: &VcenterClient| {
        let Some(target) = found(v.vm_by_name(id).await)? else { return Ok(None) };
        let (stores, names) = (v.datastores().await?, v.names_on(&target.host_ref).await?);
        Ok::<_, VcenterError>(Some((target, stores, names)))
    };
    let seen = look(other).await;
    let Ok(Some((target, stores, names))) = seen else { return Seen::Known(facts) };
    facts.elsewhere = true;
    if services.config.knobs.settings.alternate_vcenter == AlternateVcenter::Allow && facts.vm.is_none() {
        let mount = |store: &vcenter::DatastoreFacts| {
            let found = store.mounts.iter().find(|mount| mount.host == target.host_ref);
            found.map(|mount| datastore(store, mount))
        };
        facts.datastores = stores.iter().filter_map(mount).collect();
        facts.unmounted = unmounted(&stores, &target);
        facts.target_vm = Some(target_facts(&target));
        facts.names_on_host = names;
    }
    Seen::Known(facts)
}

/// Reads what the rules want to know of vCenter.
async fn look_at(
    v: &VcenterClient,
    name: &MachineName,
    member: &Member,
    request: &RequestFacts,
) -> Result<VcenterFacts, VcenterError> {
    let connected = v.check_connected().await?;
    let missing = match connected.administrator || connected.read_only {
        true => Vec::new(),
        false => v.missing(NEEDED).await?,
    };
    let known = member.item.as_ref().and_then(|item| item.vm.as_ref());
    let wanted = member.input.vm_name.as_deref().unwrap_or(name.as_str());
    // What came from a physical machine has no virtual one before it replicates home, whatever is named like it.
    let physical = member.item.as_ref().is_some_and(|item| item.platform.physical);
    let vm = match known {
        Some(known) => found(v.vm_by_uuid(&known.uuid).await)?,
        None if physical => None,
        None => found(v.vm_by_name(wanted).await)?,
    };
    let target = match &request.master_target {
        Some(id) => found(v.vm_by_name(id).await)?,
        None => None,
    };
    let stores = v.datastores().await?;
    let names = |refs: &[failback_wire::vim::MoRef]| {
        stores.iter().filter(|store| refs.contains(&store.moref)).map(|store| store.name.clone()).collect()
    };
    let on_host = |store: &vcenter::DatastoreFacts| {
        let target = target.as_ref()?;
        store.mounts.iter().find(|mount| mount.host == target.host_ref).map(|mount| datastore(store, mount))
    };
    // A stranger of the machine's name on the master target's host stands in the way of a new machine (P36).
    let names_on_host = match (&vm, &target) {
        (None, Some(target)) => v.names_on(&target.host_ref).await?,
        (Some(_), _) | (None, None) => Vec::new(),
    };
    // The machine's own last: they count where a UUID is there twice (P26).
    let disks = target.iter().chain(&vm).flat_map(|vm| &vm.disks);
    Ok(VcenterFacts {
        elsewhere: false,
        can_write: !connected.read_only,
        missing,
        sizes: disks.map(|disk| (disk.uuid.clone(), disk.capacity)).collect(),
        datastores: stores.iter().filter_map(on_host).collect(),
        unmounted: target.as_ref().map(|target| unmounted(&stores, target)).unwrap_or_default(),
        vm: vm.map(|vm| VmFacts {
            on: vm.power == Power::On,
            host_connected: vm.host_connected,
            disks: vm.disks.iter().map(|disk| disk.uuid.clone()).collect(),
            datastores: names(&vm.datastores),
            enable_uuid: vm.enable_uuid(),
            snapshots: vm.snapshots,
        }),
        target_vm: target.as_ref().map(target_facts),
        names_on_host,
    })
}

fn datastore(store: &vcenter::DatastoreFacts, mount: &vcenter::Mount) -> DatastoreFacts {
    DatastoreFacts {
        name: store.name.clone(),
        kind: store.kind.clone(),
        accessible: mount.accessible,
        writable: mount.writable,
    }
}

/// Names of the datastores that the host of this machine does not mount.
fn unmounted(stores: &[vcenter::DatastoreFacts], target: &vcenter::VmFacts) -> Vec<String> {
    let is_there =
        |store: &&vcenter::DatastoreFacts| store.mounts.iter().any(|mount| mount.host == target.host_ref);
    stores.iter().filter(|store| !is_there(store)).map(|store| store.name.clone()).collect()
}

fn target_facts(vm: &vcenter::VmFacts) -> TargetVmFacts {
    TargetVmFacts {
        on: vm.power == Power::On,
        snapshots: vm.snapshots.clone(),
        disks: vm.disks.iter().map(|disk| disk.uuid.clone()).collect(),
        controllers: vm.controllers.values().cloned().collect(),
        enable_uuid: vm.enable_uuid(),
        tools: vm.tools_running,
        host_connected: vm.host_connected,
        hypervisor: vm.hypervisor.clone(),
    }
}
