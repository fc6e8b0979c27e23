//! What agents tell with their heartbeats, as findings: missing application-consistent points, churn beyond what the
//! disk type takes, an initial replication that something in the guest holds up.

use super::{Health, Services};
use crate::catalogue::disks::{NOT_PROTECTED, NOT_REPLICATED_HOME};
use crate::catalogue::documented::{APP_POINT_MISSING, HIGH_CHURN, INITIAL_SYNC_PROBLEM};
use crate::catalogue::guest::{RESYNC_FAILED, RESYNC_REQUIRED};
use crate::catalogue::warning::{ADDED_DISK_LATE, ADDED_DISK_STAYS};
use crate::config::DiskTier;
use crate::journal::{Item, Leg, ProtectionState};
use crate::workflow::Finding;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::ids::DiskId;
use failback_wire::proto::agent::fact;
use failback_wire::proto::cs::OsFamily;
use std::collections::BTreeMap;

/// What a disk of some type takes, by the average size of the writes to it (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChurnLimit {
    /// The type of the disk.
    tier: DiskTier,
    /// Writes of at least this many KiB on average; smaller ones count with the first row of the type.
    average_kib: u64,
    /// MB per second.
    mb_per_second: u64,
    /// GB per day.
    gb_per_day: u64,
}

const fn limit(tier: DiskTier, average_kib: u64, mb_per_second: u64, gb_per_day: u64) -> ChurnLimit {
    ChurnLimit { tier, average_kib, mb_per_second, gb_per_day }
}

/// The table of the capacity planner.
static CHURN_LIMITS: &[ChurnLimit] = &[
    limit(DiskTier::Standard, 8, 2, 168),
    limit(DiskTier::P10, 8, 2, 168),
    limit(DiskTier::P10, 16, 4, 336),
    limit(DiskTier::P10, 32, 8, 672),
    limit(DiskTier::P20, 8, 5, 421),
    limit(DiskTier::P20, 16, 20, 1684),
];

/// MB per second that all disks of a machine may peak at.
const MACHINE_PEAK: u64 = 54;
/// Average size of the writes of the lab's guests, in KiB.
const LAB_WRITES: u64 = 4;
const MB: u64 = 1_000_000;

/// What a disk of this type takes of the lab's guests.
fn sustained(tier: DiskTier) -> Option<&'static ChurnLimit> {
    let mut of = CHURN_LIMITS.iter().filter(|row| row.tier == tier);
    of.clone().rfind(|row| row.average_kib <= LAB_WRITES).or_else(|| of.next())
}

fn warning(doc: &ErrorDoc, item: &Item, detail: String) -> Finding {
    let report = Report::new(doc, item.name.as_str(), detail);
    Finding { report, health: Health::Warning, since: None, at_once: true }
}

/// Findings of what the agent of the item's source told last.
pub(super) fn findings(
    services: &Services,
    item: &Item,
    facts: &BTreeMap<String, String>,
    tier: DiskTier,
) -> Vec<Finding> {
    let app = facts.get(fact::APP_POINT).map(|why| warning(&APP_POINT_MISSING, item, why.clone()));
    let first_copy = item.state == ProtectionState::InitialReplicationInProgress;
    let held = facts.get(fact::SENDING).filter(|_| first_copy);
    let held = held.map(|why| warning(&INITIAL_SYNC_PROBLEM, item, why.clone()));
    // Held back for long, it is as bad as an agent that reaches nobody (ours).
    let stuck = held.clone().map(|held| Finding { health: Health::Critical, at_once: false, ..held });
    let failed = facts.get(fact::RESYNC_FAILED);
    let failed =
        failed.map(|why| Finding { health: Health::Critical, ..warning(&RESYNC_FAILED, item, why.clone()) });
    let waits = facts.get(fact::RESYNC).map(|why| warning(&RESYNC_REQUIRED, item, why.clone()));
    let left = facts.get(fact::UNREPLICATED).and_then(|ids| unreplicated(services, item, ids));
    let all = [failed, waits, app, stuck, held, left, churn(item, facts, tier)];
    all.into_iter().flatten().collect()
}

/// Disks of the source that its session does not cover (P37). Those that were excluded when protection was enabled, or
/// left out by the reprotect, were numbered with the others then; what a Windows machine had got in Azure before it stays
/// there, as the reprotect has said.
fn unreplicated(services: &Services, item: &Item, ids: &str) -> Option<Finding> {
    // Those that a physical machine left out are in no list (P35).
    if item.leg == Leg::Forward && item.platform.physical {
        return None;
    }
    let doc = match (item.leg, item.os) {
        (Leg::Forward, _) => &NOT_PROTECTED,
        (Leg::Reverse, Some(OsFamily::Linux)) => &NOT_REPLICATED_HOME,
        (Leg::Reverse, _) if item.warnings.contains_key(ADDED_DISK_STAYS.code) => return None,
        (Leg::Reverse, Some(OsFamily::Windows)) => &ADDED_DISK_LATE,
        (Leg::Reverse, None) => return None,
    };
    let numbered = item.disks.len() + item.left.len() + item.excluded.len();
    let excluded: Vec<DiskId> = (0..numbered).map(|index| DiskId::nth(&item.name, index)).collect();
    let is_new = |id: &&str| !excluded.iter().any(|known| known.as_str() == *id);
    let new: Vec<&str> = ids.split(',').filter(is_new).collect();
    let counts = !new.is_empty() && services.ctx.env.holds("P37");
    counts.then(|| warning(doc, item, new.join(", ")))
}

/// Churn beyond a limit (78188). The way home ends at a datastore, which has no such type: only the peak counts there.
fn churn(item: &Item, facts: &BTreeMap<String, String>, tier: DiskTier) -> Option<Finding> {
    let rate = |name: &str| facts.get(name).and_then(|rate| rate.parse::<u64>().ok()).unwrap_or(0);
    let (peak, disk) = (rate(fact::CHURN_PEAK), rate(fact::CHURN_DISK));
    let most = match item.leg {
        Leg::Forward => sustained(tier),
        Leg::Reverse => None,
    };
    let detail = match most.filter(|most| disk > most.mb_per_second * MB) {
        _any if peak > MACHINE_PEAK * MB => {
            format!("{} MB in a second; a machine may peak at {MACHINE_PEAK} MB/s", peak / MB)
        }
        Some(most) => format!(
            "{} MB/s on a disk for a minute; its type takes {} MB/s, {} GB a day",
            disk / MB,
            most.mb_per_second,
            most.gb_per_day
        ),
        None => return None,
    };
    Some(warning(&HIGH_CHURN, item, detail))
}

#[cfg(test)]
mod tests {
    use super::sustained;
    use crate::config::DiskTier;

    #[test]
    fn small_writes_count_with_the_first_row_of_their_type() {
        let all = DiskTier::ALL;
        let all = all.map(|tier| sustained(tier).map(|row| (row.mb_per_second, row.gb_per_day)));
        assert_eq!(all, [Some((2, 168)), Some((2, 168)), Some((5, 421))]);
    }
}
