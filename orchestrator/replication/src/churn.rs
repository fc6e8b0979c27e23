//! How fast a machine changes data, as its agent measures it: what disk types and the way to Azure are sized for.

use failback_wire::clock::VirtualMs;
use failback_wire::ids::DiskId;
use std::collections::BTreeMap;

/// Bytes written in an interval of a length that the user of it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    number: u64,
    bytes: u64,
    most: u64,
}

impl Bucket {
    fn add(&mut self, number: u64, bytes: u64) {
        if self.number != number {
            *self = Self { number, bytes: 0, most: self.most };
        }
        self.bytes += bytes;
        self.most = self.most.max(self.bytes);
    }
}

/// Rates since somebody last asked, in bytes per second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// All disks together, in the busiest second.
    pub peak: u64,
    /// The busiest disk, over the busiest minute.
    pub disk: u64,
}

/// Measures.
#[derive(Clone, Debug, Default)]
pub struct Churn {
    machine: Bucket,
    disks: BTreeMap<DiskId, Bucket>,
}

impl Churn {
    /// So many bytes were written to this disk.
    pub fn wrote(&mut self, disk: &DiskId, bytes: u64, now: VirtualMs) {
        self.machine.add(now.0 / 1000, bytes);
        let minute = now.0 / 60_000;
        match self.disks.get_mut(disk) {
            Some(bucket) => bucket.add(minute, bytes),
            None => self.disks.entry(disk.clone()).or_default().add(minute, bytes),
        }
    }
    /// The highest rates so far.
    pub fn rates(&self) -> Rates {
        let busiest = self.disks.values().map(|bucket| bucket.most).max().unwrap_or(0);
        Rates { peak: self.machine.most, disk: busiest / 60 }
    }
    /// From now on only what is written from now on counts.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Churn, Rates};
    use failback_wire::clock::VirtualMs;
    use failback_wire::ids::DiskId;

    #[test]
    fn the_busiest_second_and_minute_count() {
        let (a, b) = (DiskId::new("a"), DiskId::new("b"));
        let mut churn = Churn::default();
        churn.wrote(&a, 600, VirtualMs(500));
        churn.wrote(&b, 300, VirtualMs(900));
        churn.wrote(&a, 600, VirtualMs(2000));
        churn.wrote(&a, 60, VirtualMs(61_000));
        assert_eq!(churn.rates(), Rates { peak: 900, disk: 20 });
        churn.forget();
        assert_eq!(churn.rates(), Rates::default());
    }
}
