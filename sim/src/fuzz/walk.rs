//! The steps of a case: the way through the life cycle, and what happens while machines rest on it.

use super::ask::{Who, ask, foolish, of_items_only};
use super::draw::Draw;
use super::estate::{PLAN, SERVERS};
use super::features::{Extra, Features};
use super::mishap::Scene;
use crate::explore::kind::{at, name};
use crate::scenario::estate::Side;
use crate::scenario::expect::{DataExpect, Equals, Expect, ItemExpect, Power, VmExpect};
use crate::scenario::fault::{Change, ConfigurationServerFault, VcenterFault};
use crate::scenario::inventory::Inventory;
use crate::scenario::model::{
    DEFAULT_WITHIN, Ending, ItemState, MoveProcessServer, PointPick, RecoveryPoint, Step, Verb, WaitUntil,
    Write,
};
use crate::scenario::step::OperationKind as Kind;
use crate::scenario::units::Period;

/// Where machines rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// They replicate to Azure.
    Protected,
    /// They have failed over.
    FailedOver,
    /// They are to stay in Azure for now.
    FailoverCommitted,
    /// They replicate home.
    ReverseProtected,
    /// They have failed back.
    FailedBack,
    /// They are at home.
    FailbackCommitted,
}

impl Rest {
    /// All, in the order of the life cycle.
    pub const ALL: [Self; 6] = [
        Self::Protected,
        Self::FailedOver,
        Self::FailoverCommitted,
        Self::ReverseProtected,
        Self::FailedBack,
        Self::FailbackCommitted,
    ];
    /// Production is in Azure.
    pub fn in_azure(self) -> bool {
        matches!(self, Self::FailedOver | Self::FailoverCommitted | Self::ReverseProtected)
    }
    /// What leads on.
    fn onward(self) -> Kind {
        match self {
            Self::Protected => Kind::Failover,
            Self::FailedOver | Self::FailedBack => Kind::Commit,
            Self::FailoverCommitted => Kind::ReprotectHome,
            Self::ReverseProtected => Kind::Failback,
            Self::FailbackCommitted => Kind::ReprotectAzure,
        }
    }
    /// What must be so in the end: the state, the side of production, the power at home and in Azure.
    fn shows(self) -> (ItemState, Side, Power, Power) {
        match self {
            Self::Protected => (ItemState::Protected, Side::OnPremises, Power::On, Power::Absent),
            Self::FailedOver => (ItemState::FailedOver, Side::Azure, Power::Off, Power::On),
            Self::FailoverCommitted => (ItemState::FailoverCommitted, Side::Azure, Power::Off, Power::On),
            Self::ReverseProtected => (ItemState::ReverseProtected, Side::Azure, Power::Off, Power::On),
            Self::FailedBack => (ItemState::FailedBack, Side::OnPremises, Power::On, Power::Off),
            Self::FailbackCommitted => {
                (ItemState::FailbackCommitted, Side::OnPremises, Power::On, Power::Absent)
            }
        }
    }
}

/// How far cases go; most of them home.
const LEGS: [usize; 12] = [5, 5, 5, 5, 5, 5, 4, 3, 2, 6, 6, 8];

/// Walks the machines through the life cycle.
pub struct Walk<'a> {
    draw: Draw,
    features: &'a Features,
    inventory: &'a Inventory,
    steps: Vec<Step>,
    mishaps: u32,
    server: &'static str,
    /// What the disks of the active copies must equal; nothing as long as they never moved.
    equals: Option<Equals>,
    deleted: bool,
}

/// The steps of a case, and what must hold in the end.
pub fn walk(draw: &Draw, features: &Features, inventory: &Inventory) -> (Vec<Step>, Expect) {
    let draw = draw.part("walk");
    let (steps, server) = (Vec::new(), SERVERS[0]);
    let mut walk =
        Walk { draw, features, inventory, steps, mishaps: 0, server, equals: None, deleted: false };
    let legs = LEGS[walk.draw.below("legs", LEGS.len() as u64) as usize];
    // A database that is lost is restored from here.
    let backup = Change::ConfigurationServer(at(ConfigurationServerFault::BackupNow));
    walk.steps.push(Step::Operator(backup));
    for leg in 0..legs {
        walk.leg(leg);
    }
    walk.meanwhile(legs);
    let rest = rest(legs);
    (std::mem::take(&mut walk.steps), walk.ends(rest))
}

/// Where machines rest after so many legs.
fn rest(leg: usize) -> Rest {
    Rest::ALL[leg % Rest::ALL.len()]
}

impl Walk<'_> {
    fn machines(&self) -> Vec<String> {
        self.inventory.machines.iter().map(|machine| machine.name.clone()).collect()
    }
    fn everyone(&self) -> Vec<Who> {
        if self.features.plan {
            return vec![Who::Plan(PLAN.to_owned())];
        }
        self.machines().into_iter().map(Who::Item).collect()
    }
    fn wait(&mut self, period: Period) {
        self.steps.push(Step::Wait(at(period)));
    }
    fn some_minutes(&mut self, draw: &Draw, most: u64) {
        // Off the grid of points: nothing is to happen by chance in the very same moment.
        self.wait(Period(1000 * (60 * draw.between("minutes", 1, most) + 7 + draw.below("seconds", 40))));
    }

    /// What happens at a place of rest, and what leads on from there.
    fn leg(&mut self, leg: usize) {
        self.meanwhile(leg);
        let (from, draw) = (rest(leg), self.draw.part(&format!("leg-{leg}")));
        if from == Rest::FailoverCommitted && self.features.alternate && !self.deleted {
            self.deleted = true;
            for vm in self.machines() {
                self.steps.push(Step::Operator(Change::Vcenter(at(VcenterFault::DeleteVm { vm }))));
            }
        }
        let races = self.features.does(Extra::Race) && draw.one_in("race", 3);
        if races {
            self.race(from, &draw.part("race"));
        }
        if matches!(from, Rest::FailoverCommitted | Rest::FailbackCommitted) {
            // The agents of the copies that run register (P32).
            self.wait(Period(1000 * (15 * 60 + draw.below("seconds", 60))));
        }
        for who in self.everyone() {
            self.onward(from, &who, &draw, races);
        }
        let replicates = match from {
            Rest::FailoverCommitted => Some(ItemState::ReverseProtected),
            Rest::FailbackCommitted => Some(ItemState::Protected),
            Rest::Protected | Rest::FailedOver | Rest::ReverseProtected | Rest::FailedBack => None,
        };
        for machine in self.machines().iter().filter(|_| replicates.is_some()) {
            let points = Some(at(draw.between("points", 1, 2) as u32));
            let within = at(DEFAULT_WITHIN);
            let item = name(machine);
            let wait = WaitUntil { item, state: replicates, health: None, points, app_points: None, within };
            self.steps.push(Step::WaitUntil(wait));
        }
    }

    /// Leads on, as it is meant to. Not as planned where the same was tried before: that may have failed, and stopped the
    /// replication.
    fn onward(&mut self, from: Rest, who: &Who, draw: &Draw, again: bool) {
        let Some(mut step) = ask(from.onward(), who, Ending::Succeeded) else { return };
        let single = matches!(who, Who::Item(_));
        if let Step::Failover(failover) = &mut step {
            failover.point = if self.features.points { point(draw, single) } else { RecoveryPoint::Latest };
            self.equals = Some(equals(failover.point));
            failover.verb = if again { Verb::Unplanned } else { verb(draw) };
            failover.shutdown_source = !draw.one_in("left-running", 10);
        }
        if let Step::Failback(failback) = &mut step {
            failback.point = RecoveryPoint::Latest;
            if self.features.points && single && draw.one_in("oldest", 3) {
                failback.point = RecoveryPoint::Custom(PointPick::Oldest);
            }
            self.equals = Some(equals(failback.point));
            failback.verb = if again { Verb::Unplanned } else { verb(draw) };
        }
        if let Step::Reprotect(reprotect) = &mut step
            && reprotect.to == Side::OnPremises
            && self.features.two_servers
        {
            self.server = SERVERS[draw.below("server", 2) as usize];
            reprotect.using.process_server = Some(name(self.server));
        }
        self.steps.push(step);
    }

    /// Asks for what leads on, does not wait for it, and asks for something else meanwhile.
    fn race(&mut self, from: Rest, draw: &Draw) {
        let Some(who) = draw.pick("who", self.everyone(), |who| format!("{who:?}")) else { return };
        let kinds = [Kind::Cancel, from.onward(), Kind::Restart];
        let other = kinds[draw.below("other", 3) as usize];
        let Some(first) = ask(from.onward(), &who, Ending::Started) else { return };
        let Some(second) = ask(other, &who, Ending::Anything) else { return };
        self.steps.push(first);
        if draw.one_in("wait", 2) {
            self.wait(Period(1000 * draw.between("seconds", 1, 200)));
        }
        self.steps.push(second);
        // What was started comes to its end.
        self.wait(Period(1000 * (60 * draw.between("minutes", 3, 20) + 7)));
    }

    /// What happens where machines rest.
    fn meanwhile(&mut self, leg: usize) {
        let (at_rest, draw) = (rest(leg), self.draw.part(&format!("rest-{leg}")));
        self.some_minutes(&draw, 9);
        for mishap in self.features.mishaps.iter().filter(|mishap| draw.one_in(mishap.name, 4)) {
            self.mishap(mishap, at_rest, &draw.part(mishap.name));
        }
        for extra in &self.features.extras {
            let of = draw.part(&format!("{extra:?}"));
            if of.one_in("there", 3) {
                self.extra(*extra, at_rest, &of);
            }
        }
    }

    fn mishap(&mut self, mishap: &super::mishap::Mishap, rest: Rest, draw: &Draw) {
        let Some(machine) = draw.pick("machine", self.machines(), String::clone) else { return };
        // Nobody can switch on what was deleted.
        let gone = self.deleted && matches!(rest, Rest::FailoverCommitted | Rest::ReverseProtected);
        if gone && mishap.brief {
            return;
        }
        self.mishaps += 1;
        let scene = Scene { inventory: self.inventory, machine: &machine, rest, draw: draw.clone() };
        let Some((step, lasts)) = mishap.step(&format!("mishap-{}", self.mishaps), &scene) else { return };
        self.steps.push(step);
        if mishap.brief {
            self.wait(Period(lasts.0 + 60_000));
        }
    }

    fn extra(&mut self, extra: Extra, rest: Rest, draw: &Draw) {
        let Some(who) = draw.pick("who", self.everyone(), |who| format!("{who:?}")) else { return };
        let machine = draw.pick("machine", self.machines(), String::clone).unwrap_or_default();
        let replicates = matches!(rest, Rest::Protected | Rest::ReverseProtected);
        match extra {
            Extra::Test if rest == Rest::Protected => {
                self.steps.extend(ask(Kind::TestFailover, &who, Ending::Succeeded));
                self.some_minutes(draw, 12);
                self.steps.extend(ask(Kind::CleanUpTest, &who, Ending::Succeeded));
            }
            Extra::ChangePoint if rest == Rest::FailedOver => {
                self.steps.extend(ask(Kind::ChangePoint, &Who::Item(machine), Ending::Succeeded));
                self.equals = Some(Equals::Point);
            }
            Extra::MoveServer if rest == Rest::ReverseProtected && self.features.two_servers => {
                let to = SERVERS.into_iter().find(|server| *server != self.server).unwrap_or(self.server);
                let (from, to) = (name(std::mem::replace(&mut self.server, to)), name(to));
                let (expect, within) = (Ending::Succeeded, at(DEFAULT_WITHIN));
                self.steps.push(Step::MoveProcessServer(MoveProcessServer {
                    item: None,
                    from,
                    to,
                    expect,
                    within,
                }));
                self.some_minutes(draw, 8);
            }
            Extra::Resynchronise if replicates => {
                self.steps.extend(ask(Kind::Resynchronise, &Who::Item(machine), Ending::Succeeded));
                self.some_minutes(draw, 8);
            }
            Extra::Write => {
                let blocks = at(draw.between("blocks", 1, 64) as u32);
                self.steps.push(Step::Write(Write { machine: name(&machine), blocks }));
                self.some_minutes(draw, 8);
            }
            Extra::Foolish => self.foolish(rest, draw, &who, machine),
            Extra::Test | Extra::ChangePoint | Extra::MoveServer | Extra::Resynchronise | Extra::Race => {}
        }
    }

    fn foolish(&mut self, rest: Rest, draw: &Draw, who: &Who, machine: String) {
        for n in 0..draw.between("count", 1, 2) {
            let Some(kind) = draw.pick(&format!("kind-{n}"), foolish(rest), ToString::to_string) else {
                continue;
            };
            let alone = of_items_only(kind) || draw.one_in(&format!("alone-{n}"), 3);
            let item = Who::Item(machine.clone());
            self.steps.extend(ask(kind, if alone { &item } else { who }, Ending::Anything));
        }
    }

    /// What must hold where machines come to rest.
    fn ends(&self, rest: Rest) -> Expect {
        let (state, active, home, azure) = rest.shows();
        // What was deleted at home is there again when it has failed back. What could not be shut down runs on until a
        // reprotect (C4, C19).
        let gone = self.deleted && rest == Rest::ReverseProtected;
        let there = !gone && !matches!(rest, Rest::FailedOver | Rest::FailoverCommitted);
        let mut expect = Expect::default();
        for machine in self.machines() {
            let named = name(&machine);
            let item = ItemExpect { state: Some(state), active: Some(active), ..ItemExpect::default() };
            let on_premises = there.then_some(home);
            let vm = VmExpect { on_premises, azure: Some(azure), ..VmExpect::default() };
            expect.items.insert(named.clone(), item);
            expect.vms.insert(named.clone(), vm);
            if let Some(equals) = self.equals {
                expect.data.insert(named, DataExpect { equals, lost: None });
            }
        }
        expect
    }
}

fn verb(draw: &Draw) -> Verb {
    if draw.one_in("planned", 4) { Verb::Planned } else { Verb::Unplanned }
}

fn point(draw: &Draw, single: bool) -> RecoveryPoint {
    let points = [
        RecoveryPoint::Latest,
        RecoveryPoint::LatestProcessed,
        RecoveryPoint::CrashConsistent,
        RecoveryPoint::Custom(PointPick::Oldest),
    ];
    // A plan has no list to choose from.
    points[draw.below("point", if single { 4 } else { 2 }) as usize]
}

/// A point by its id is one of those on offer when it was asked for.
fn equals(point: RecoveryPoint) -> Equals {
    if point == RecoveryPoint::Latest { Equals::Latest } else { Equals::Point }
}
