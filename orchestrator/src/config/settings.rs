//! What the public documentation leaves open or says in two ways: a choice for each, the cautious one or the one of
//! its newest page by default.

/// The choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether disks may come home to vSAN.
    pub vsan: Vsan,
    /// Most machines a replication group may hold (G1). Only another provider's limit is documented, which is taken.
    pub group_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { vsan: Vsan::default(), group_size: 16 }
    }
}

/// Whether disks may come home to vSAN (P23). One page shows it in the list and lets the job fail, another one supports
/// it; a private cloud of Azure has nothing else, so it is allowed by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vsan {
    /// Yes.
    #[default]
    Allow,
    /// Only disks that lie there already.
    OriginalOnly,
    /// No.
    Refuse,
}
