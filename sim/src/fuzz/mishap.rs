//! What may befall the world at a time, whatever the product does then; and what ends it.
//!
//! Each passes: it ends by itself, or somebody takes it back. A new one is a row of [`MISHAPS`].

use super::draw::Draw;
use super::walk::Rest;
use crate::explore::kind::{at, name};
use crate::explore::state::{Passing, STATES};
use crate::scenario::fault::{
    AzureFault, Change, ConfigurationServerFault, GuestFault, LinkChange, OnProcessServer,
    ProcessServerFault, VcenterFault, When,
};
use crate::scenario::inventory::{CONFIGURATION_SERVER, Inventory, ORCHESTRATOR, VCENTER};
use crate::scenario::model::{Arm, Crash, Ends, Step};
use crate::scenario::units::Period;
use failback_fakes::guest::GuestSite;
use failback_fakes::vcenter::{DatastoreAccess, Privileges};
use failback_orchestrator::config::Config;
use failback_wire::operation::Role;

/// Where a mishap happens.
pub struct Scene<'a> {
    /// The estate.
    pub inventory: &'a Inventory,
    /// The machine it is about.
    pub machine: &'a str,
    /// Where that rests.
    pub rest: Rest,
    /// What else is drawn.
    pub draw: Draw,
}

/// What may happen.
#[derive(Debug)]
pub struct Mishap {
    /// Its name.
    pub name: &'static str,
    /// It is over within a minute, before anybody asks for anything: both sides may not be switched on at once.
    pub brief: bool,
    does: fn(&Scene<'_>) -> Option<What>,
}

enum What {
    Changes(Box<(Change, Option<Change>)>),
    Dies(String),
}

fn changes(change: Change, end: Option<Change>) -> What {
    What::Changes(Box::new((change, end)))
}

impl Scene<'_> {
    fn site(&self) -> GuestSite {
        if self.rest.in_azure() { GuestSite::Azure } else { GuestSite::OnPremises }
    }
    fn target(&self) -> Option<String> {
        let os = self.inventory.machines.iter().find(|machine| machine.name == self.machine)?.os;
        self.inventory.master_targets.iter().find(|target| target.os == os).map(|target| target.id.clone())
    }
    fn server(&self) -> Option<String> {
        let servers = self.inventory.process_servers.iter().map(|server| server.id.clone());
        self.draw.pick("server", servers, String::clone)
    }
    fn state(&self, called: &str) -> Option<What> {
        let state = STATES.iter().find(|state| state.name == called)?;
        let node = match state.of {
            Role::ProcessServer => self.server()?,
            Role::MasterTarget => self.target()?,
            Role::Agent if self.rest.in_azure() => format!("{}@azure", self.machine),
            Role::Agent => format!("{}@on-premises", self.machine),
            Role::Operator | Role::Orchestrator | Role::Vcenter | Role::ConfigurationServer | Role::Azure => {
                String::new()
            }
        };
        let (change, end): Passing = (state.change)(self.inventory, &node)?;
        Some(changes(change, end))
    }
}

fn vcenter(fault: VcenterFault, end: Option<VcenterFault>) -> Option<What> {
    Some(changes(Change::Vcenter(at(fault)), end.map(|end| Change::Vcenter(at(end)))))
}

fn guest(fault: GuestFault, end: Option<GuestFault>) -> Option<What> {
    Some(changes(Change::Guest(at(fault)), end.map(|end| Change::Guest(at(end)))))
}

fn azure(fault: AzureFault, end: AzureFault) -> Option<What> {
    Some(changes(Change::Azure(at(fault)), Some(Change::Azure(at(end)))))
}

fn link(fault: LinkChange, end: LinkChange) -> Option<What> {
    Some(changes(Change::Link(at(fault)), Some(Change::Link(at(end)))))
}

fn server(scene: &Scene<'_>, fault: ProcessServerFault, end: Option<ProcessServerFault>) -> Option<What> {
    let named = name(&scene.server()?);
    let on = |change| Change::ProcessServer(OnProcessServer { name: named.clone(), change: at(change) });
    Some(changes(on(fault), end.map(on)))
}

fn snapshot(vm: String) -> Option<What> {
    let (taken, gone) = (vm.clone(), vm);
    let fault = VcenterFault::Snapshot { vm: taken, name: "before-the-update".to_owned() };
    vcenter(fault, Some(VcenterFault::RemoveSnapshots { vm: gone }))
}

macro_rules! mishaps {
    ($($name:literal $(($brief:ident))? => $does:expr;)*) => {
        &[$(Mishap { name: $name, brief: mishaps!(@ $($brief)?), does: $does }),*]
    };
    (@ brief) => { true };
    (@) => { false };
}

/// Everything that may befall the world.
pub static MISHAPS: &[Mishap] = mishaps! {
    "vcenter-down" => |scene| scene.state("vcenter-down");
    "host-lost" => |scene| scene.state("host-lost");
    "datastore-gone" => |scene| scene.state("datastore-gone");
    "no-privileges" => |scene| scene.state("no-privileges");
    "configuration-server-stopped" => |scene| scene.state("configuration-server-stopped");
    "database-lost" => |scene| scene.state("database-lost");
    "process-server-stopped" => |scene| scene.state("process-server-stopped");
    "uploads-blocked" => |scene| scene.state("uploads-blocked");
    "master-target-stopped" => |scene| scene.state("master-target-stopped");
    "retention-gone" => |scene| scene.state("retention-gone");
    "agent-stopped" => |scene| scene.state("agent-stopped");
    "delete-lock" => |scene| scene.state("delete-lock");
    "no-machines" => |scene| scene.state("no-machines");
    "vpn-down" => |_| link(LinkChange::VpnDown, LinkChange::VpnUp);
    "port-blocked" => |scene| {
        let named = name(&scene.server()?);
        link(LinkChange::BlockPort { server: named.clone() }, LinkChange::OpenPort { server: named })
    };
    "throttled" => |scene| server(
        scene,
        ProcessServerFault::Throttle { bytes_per_second: 64_000 },
        Some(ProcessServerFault::Unthrottle),
    );
    "cache-lost" => |scene| server(scene, ProcessServerFault::CacheLost, None);
    "cache-small" => |scene| server(
        scene,
        ProcessServerFault::CacheSize { bytes: 64 << 10 },
        Some(ProcessServerFault::CacheSize { bytes: 1 << 30 }),
    );
    "snapshot-of-the-master-target" => |scene| snapshot(scene.target()?);
    "snapshot-of-the-machine" => |scene| snapshot(scene.machine.to_owned());
    "read-only-datastore" => |scene| {
        let datastore = scene.inventory.machines.first()?.datastore.clone();
        let access = |access| VcenterFault::DatastoreAccess { datastore: datastore.clone(), access, host: None };
        vcenter(access(DatastoreAccess::ReadOnly), Some(access(DatastoreAccess::ReadWrite)))
    };
    "wrong-password" => |_| {
        let Config { vcenter: account, .. } = Config::default();
        let to = |password: &str| VcenterFault::AccountPassword {
            user: account.user.clone(),
            password: password.to_owned(),
        };
        vcenter(to("another"), Some(to(&account.password)))
    };
    "account-locked-out" => |_| {
        let account = |privileges| VcenterFault::AccountPrivileges {
            user: Config::default().vcenter.user,
            privileges,
        };
        vcenter(account(Privileges::ReadOnly), Some(account(Privileges::Full)))
    };
    "power-cut-at-home" (brief) => |scene| {
        let vm = scene.machine.to_owned();
        let cut = VcenterFault::PowerOff { vm: vm.clone() };
        (!scene.rest.in_azure()).then(|| vcenter(cut, Some(VcenterFault::PowerOn { vm })))?
    };
    "stopped-in-azure" (brief) => |scene| {
        let vm = scene.machine.to_owned();
        let stop = AzureFault::StopVm { vm: vm.clone() };
        scene.rest.in_azure().then(|| azure(stop, AzureFault::StartVm { vm }))?
    };
    "hangs-in-azure" (brief) => |scene| {
        let vm = scene.machine.to_owned();
        let hang = AzureFault::HangVm { vm: vm.clone() };
        scene.rest.in_azure().then(|| azure(hang, AzureFault::RestartVm { vm }))?
    };
    "powered-on-at-home" (brief) => |scene| {
        let vm = scene.machine.to_owned();
        let on = VcenterFault::PowerOn { vm: vm.clone() };
        scene.rest.in_azure().then(|| vcenter(on, Some(VcenterFault::PowerOff { vm })))?
    };
    "writers-broken" => |scene| {
        let broken = |broken| GuestFault::VssBroken { machine: scene.machine.to_owned(), broken };
        guest(broken(true), Some(broken(false)))
    };
    "antivirus" => |scene| {
        let by = |interferes| GuestFault::Antivirus { machine: scene.machine.to_owned(), interferes };
        guest(by(true), Some(by(false)))
    };
    "clock-off" => |scene| {
        let skew = |minutes| GuestFault::TimeSkew { machine: scene.machine.to_owned(), minutes };
        guest(skew(9), Some(skew(0)))
    };
    "agent-restarted-twice" (brief) => |scene| {
        let (machine, site) = (scene.machine.to_owned(), scene.site());
        let stop = GuestFault::StopAgent { machine: machine.clone(), site };
        guest(stop, Some(GuestFault::StartAgent { machine, site }))
    };
    "burst" => |scene| {
        let blocks = scene.draw.between("blocks", 10, 200) as u32;
        guest(GuestFault::Burst { machine: scene.machine.to_owned(), blocks }, None)
    };
    "refreshed" => |_| {
        let refresh = Change::ConfigurationServer(at(ConfigurationServerFault::Refresh));
        Some(changes(refresh, None))
    };
    "orchestrator-dies" => |_| Some(What::Dies(ORCHESTRATOR.to_owned()));
    "configuration-server-dies" => |_| Some(What::Dies(CONFIGURATION_SERVER.to_owned()));
    "process-server-dies" => |scene| scene.server().map(What::Dies);
    "master-target-dies" => |scene| scene.target().map(What::Dies);
    "guest-dies" => |scene| {
        let site = if scene.rest.in_azure() { "azure" } else { "on-premises" };
        Some(What::Dies(format!("{}@{site}", scene.machine)))
    };
    "vcenter-dies" => |_| Some(What::Dies(VCENTER.to_owned()));
};

impl Mishap {
    /// The step that lets it happen a while later, or nothing where it cannot; and how long it lasts in all.
    pub fn step(&self, id: &str, scene: &Scene<'_>) -> Option<(Step, Period)> {
        let draw = &scene.draw;
        let (after, lasts) = if self.brief {
            (Period(1000), Period(1000 * draw.between("lasts", 1, 40)))
        } else {
            (Period(1000 * draw.between("after", 1, 420)), Period::minutes(draw.between("lasts", 1, 30)))
        };
        let arm = Arm {
            id: Some(name(id)),
            fault: None,
            crash: None,
            when: Some(When::After(at(after))),
            ends: None,
        };
        let arm = match (self.does)(scene)? {
            What::Changes(both) => {
                let (fault, end) = *both;
                let ends = end.map(|by| Ends { after: at(lasts), by });
                Arm { fault: Some(fault), ends, ..arm }
            }
            What::Dies(node) => {
                let crash = Crash { node: name(&node), restart_after: Some(at(lasts)) };
                Arm { crash: Some(crash), ..arm }
            }
        };
        Some((Step::Arm(Box::new(arm)), Period(after.0 + lasts.0)))
    }
}
