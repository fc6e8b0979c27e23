//! What the copies of an item's disks hold, by generation (E8): all disks of a machine move together.

use failback_replication::lineage::{Generation, Lineage};
use failback_wire::ids::{JobId, Site};
use serde::{Deserialize, Serialize};

use super::state::Leg;

/// The lineages of an item's copies. The side that production moves to begins a generation; a target that has
/// reached its first recovery point has taken over its source's lineage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// The VMDKs.
    pub home: Lineage,
    /// The seed blobs that the way to Azure fills.
    pub seeds: Lineage,
    /// The managed disks of the virtual machine in Azure; blank while there is none.
    pub azure: Lineage,
}

impl Copies {
    /// Protection begins: what the machine at home holds has a name from now on.
    pub fn protected_by(&mut self, job: &JobId) {
        if self.home.current().is_none() {
            self.home.begin(Generation::named(job.as_str()));
        }
    }
    /// The target of this leg holds a first recovery point on every disk.
    pub fn followed(&mut self, leg: Leg) {
        match leg {
            Leg::Forward => self.seeds = self.home.clone(),
            Leg::Reverse => self.home = self.azure.clone(),
        }
    }
    /// Production moved to this side by this job. Managed disks are made from the seeds.
    pub fn moved_by(&mut self, job: &JobId, to: Site) {
        let new = Generation::named(job.as_str());
        match to {
            Site::OnPremises => self.home.begin(new),
            Site::Azure => {
                self.azure = self.seeds.clone();
                self.azure.begin(new);
            }
        }
    }
    /// The machine at home may have run while production was in Azure, as this job found out.
    pub fn home_ran(&mut self, job: &JobId) {
        self.home.begin(Generation::named(&format!("{job}/home")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failback_replication::lineage::{Decision, Identity, Mode, Refusal, Why, decide};

    fn outcome(from: &Lineage, to: &Lineage) -> Result<Decision, Refusal> {
        let copy = |unique: &str, lineage: &Lineage| Identity {
            disk: "web01-disk0".into(),
            unique: unique.into(),
            size: 4096,
            lineage: lineage.clone(),
        };
        decide(&copy("from", from), Some(&copy("to", to)), None, false)
    }

    #[test]
    fn a_round_trip_goes_from_generation_to_generation() {
        let mut copies = Copies::default();
        let again = || Ok(Decision { mode: Mode::Checksum, why: Why::NoMap });
        copies.protected_by(&"enable".into());
        copies.protected_by(&"enable-again".into());
        let blank = Ok(Decision { mode: Mode::Full, why: Why::Blank });
        assert_eq!(outcome(&copies.home, &copies.seeds), blank);
        copies.followed(Leg::Forward);
        copies.moved_by(&"failover".into(), Site::Azure);
        assert_eq!(outcome(&copies.azure, &copies.home), again());
        copies.followed(Leg::Reverse);
        copies.moved_by(&"failback".into(), Site::OnPremises);
        copies.azure = Lineage::default();
        assert_eq!(outcome(&copies.home, &copies.seeds), again(), "the seeds are two generations old");
        assert_eq!(copies.home.history().len(), 2);
    }

    #[test]
    fn a_machine_at_home_that_ran_meanwhile_parts_from_azure_until_it_follows_again() {
        let mut copies = Copies::default();
        copies.protected_by(&"enable".into());
        copies.followed(Leg::Forward);
        copies.moved_by(&"failover".into(), Site::Azure);
        copies.home_ran(&"reprotect".into());
        copies.home_ran(&"reprotect".into());
        let refused = outcome(&copies.azure, &copies.home);
        let ancestor = Generation::named("enable");
        assert_eq!(refused, Err(Refusal::SplitBrain { disk: "web01-disk0".into(), ancestor }));
        copies.followed(Leg::Reverse);
        assert!(outcome(&copies.azure, &copies.home).is_ok());
    }
}
