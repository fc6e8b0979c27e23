//! What a case has at all. Cases that have a few things meet more of what those do to each other than cases that have a
//! little of everything (swarm testing).

use super::draw::Draw;
use super::mishap::{MISHAPS, Mishap};
use crate::explore::kind::Kind;

/// What a case has.
#[derive(Clone, Debug)]
pub struct Features {
    /// How many machines, 1 to 3.
    pub machines: u64,
    /// Machines are in one replication group.
    pub group: bool,
    /// Those are Linux machines.
    pub linux: bool,
    /// A plan moves them.
    pub plan: bool,
    /// The datacentre is an Azure VMware Solution private cloud.
    pub avs: bool,
    /// Machines are deleted at home while they are in Azure.
    pub alternate: bool,
    /// There are machines of others.
    pub bystanders: bool,
    /// Calls travel as HTTP/1.1.
    pub http1: bool,
    /// There are two process servers in Azure.
    pub two_servers: bool,
    /// Other points than the latest are chosen.
    pub points: bool,
    /// What is done while machines rest.
    pub extras: Vec<Extra>,
    /// What befalls the world.
    pub mishaps: Vec<&'static Mishap>,
    /// What befalls calls and nodes.
    pub kinds: Vec<Kind>,
}

/// What may be done while machines rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// A test failover, cleaned up.
    Test,
    /// Another point before the commit.
    ChangePoint,
    /// Another process server.
    MoveServer,
    /// A resynchronisation.
    Resynchronise,
    /// Guests write.
    Write,
    /// What cannot be done here is asked for.
    Foolish,
    /// What leads on is asked for and not waited for.
    Race,
}

const EXTRAS: [Extra; 7] = [
    Extra::Test,
    Extra::ChangePoint,
    Extra::MoveServer,
    Extra::Resynchronise,
    Extra::Write,
    Extra::Foolish,
    Extra::Race,
];

impl Features {
    /// Those of a case.
    pub fn draw(draw: &Draw) -> Self {
        let draw = draw.part("features");
        let machines = [1, 1, 1, 1, 2, 3][draw.below("machines", 6) as usize];
        let group = machines > 1 && draw.one_in("group", 3);
        let by_hand = draw.one_in("by-hand", 3);
        let mishaps = draw.some("mishaps", 4, MISHAPS, |mishap| mishap.name.to_owned());
        let kinds = draw.some("kinds", 2, Kind::all(), |kind| kind.name().to_owned());
        // Who switches machines on and off by hand can always switch them back.
        let in_the_way = |kind: &Kind| ["host-lost", "datastore-gone", "no-machines"].contains(&kind.name());
        Self {
            machines,
            group,
            linux: draw.one_in("linux", 3),
            plan: group || draw.one_in("plan", if machines > 1 { 2 } else { 6 }),
            avs: draw.one_in("avs", 5),
            alternate: draw.one_in("alternate", 4),
            bystanders: draw.one_in("bystanders", 3),
            http1: draw.one_in("http1", 16),
            two_servers: draw.one_in("two-servers", 3),
            points: draw.one_in("points", 3),
            extras: draw.some("extras", 3, EXTRAS, |extra| format!("{extra:?}")),
            mishaps: mishaps.into_iter().filter(|mishap| mishap.brief == by_hand).collect(),
            kinds: kinds.into_iter().filter(|kind| !by_hand || !in_the_way(kind)).collect(),
        }
    }
    /// It does this while machines rest.
    pub fn does(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }
}
