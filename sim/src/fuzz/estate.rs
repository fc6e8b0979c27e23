//! The estate of a case: a few small machines.

use super::draw::Draw;
use super::features::Features;
use crate::explore::kind::{at, name};
use crate::scenario::estate::{
    Bystander, Datastore, DatastoreKind, DiskSpec, Estate, LinkKind, Machine, Os, Plan, ProcessServer, Side,
    SiteKind, Vcenter, Workload,
};
use crate::scenario::units::{Period, Size};

const NAMES: [&str; 3] = ["web01", "app01", "db01"];
/// The plan, where there is one.
pub const PLAN: &str = "shop";
/// The process servers in Azure; the second where there are two.
pub const SERVERS: [&str; 2] = ["ps-azure", "ps-azure-two"];

/// The estate of a case.
pub fn estate(draw: &Draw, features: &Features) -> Estate {
    let draw = draw.part("estate");
    let names = NAMES.iter().take(features.machines as usize);
    let mut estate = Estate::of(names.map(|name| machine(&draw.part(name), name, features)).collect());
    if features.avs {
        (estate.site, estate.network.kind) = (SiteKind::Avs, LinkKind::ExpressRoute);
        let store = Datastore {
            name: name("vsan-datastore"),
            kind: DatastoreKind::Vsan,
            capacity: None,
            hosts: None,
        };
        estate.vcenter = Vcenter { datastores: Some(vec![store]), ..Vcenter::default() };
    }
    if features.two_servers {
        estate.process_servers = Some(SERVERS.map(ProcessServer::named).to_vec());
    }
    if features.bystanders {
        let of = |who: &str, site| Bystander { name: name(who), site };
        estate.bystanders = vec![of("print01", Side::OnPremises), of("wiki", Side::Azure)];
    }
    if features.plan {
        estate.plans = vec![plan(&draw, features)];
    }
    estate.policy.compress = draw.one_in("compress", 6);
    if draw.one_in("retention", 6) {
        estate.policy.retention = at(Period::hours(draw.between("hours", 2, 6)));
    }
    estate
}

fn machine(draw: &Draw, named: &str, features: &Features) -> Machine {
    let mut machine = Machine::named(named);
    // A replication group is of one family (P29).
    let linux = if features.group { features.linux } else { draw.one_in("linux", 3) };
    if linux {
        machine.os = Os::Linux;
    }
    let count = [1, 1, 1, 2, 3][draw.below("disks", 5) as usize];
    let size = |n: u64| Size::mib([1, 1, 2, 4, 8][draw.below(&format!("size-{n}"), 5) as usize]);
    machine.disks = Some((0..count).map(|n| DiskSpec::of(size(n))).collect());
    machine.workload = Workload { writes_per_minute: draw.below("writes", 3) as u32 };
    if features.group {
        machine.group = Some(name("shop-group"));
    }
    if draw.one_in("slow", 4) {
        machine.registration_delay = Some(at(Period::minutes(draw.between("delay", 1, 14))));
    }
    if draw.one_in("little-log", 6) {
        machine.change_log = at(Size::mib(1));
    }
    machine
}

/// Members of a replication group are in one boot group (L1).
fn plan(draw: &Draw, features: &Features) -> Plan {
    let members: Vec<&str> = NAMES.iter().take(features.machines as usize).copied().collect();
    let one = features.group || draw.one_in("one-group", 2);
    let named = |members: &[&str]| members.iter().map(|member| name(member)).collect::<Vec<_>>();
    let groups = if one { vec![named(&members)] } else { members.chunks(1).rev().map(named).collect() };
    Plan { name: name(PLAN), groups, actions: Vec::new() }
}
