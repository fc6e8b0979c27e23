//! How fast a machine changes data, as its agent measures it: what disk types and the way to Azure are sized for.

use failback_wire::clock::VirtualMs;
use failback_wire::ids::DiskId;
use std::collections::{BTreeMap, VecDeque};

/// How long the writes of a disk are counted together, in seconds.
const MINUTE: u64 = 60;

/// Bytes written lately, by the second.
#[derive(Clone, Debug)]
struct Window {
    /// How many seconds it spans.
    seconds: u64,
    /// Seconds in which something was written, and how much.
    written: VecDeque<(u64, u64)>,
    sum: u64,
    most: u64,
}

impl Window {
    fn of(seconds: u64) -> Self {
        Self { seconds, written: VecDeque::new(), sum: 0, most: 0 }
    }
    fn add(&mut self, second: u64, bytes: u64) {
        while let Some((_, old)) = self.written.front().filter(|(then, _)| then + self.seconds <= second) {
            self.sum -= old;
            self.written.pop_front();
        }
        match self.written.back_mut().filter(|(last, _)| *last == second) {
            Some((_, sum)) => *sum += bytes,
            None => self.written.push_back((second, bytes)),
        }
        self.sum += bytes;
        self.most = self.most.max(self.sum);
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
#[derive(Clone, Debug)]
pub struct Churn {
    machine: Window,
    disks: BTreeMap<DiskId, Window>,
}

impl Default for Churn {
    fn default() -> Self {
        Self { machine: Window::of(1), disks: BTreeMap::new() }
    }
}

impl Churn {
    /// So many bytes were written to this disk.
    pub fn wrote(&mut self, disk: &DiskId, bytes: u64, now: VirtualMs) {
        let second = now.0 / 1000;
        self.machine.add(second, bytes);
        match self.disks.get_mut(disk) {
            Some(window) => window.add(second, bytes),
            None => {
                let window = self.disks.entry(disk.clone()).or_insert_with(|| Window::of(MINUTE));
                window.add(second, bytes);
            }
        }
    }
    /// The highest rates so far.
    pub fn rates(&self) -> Rates {
        let busiest = self.disks.values().map(|window| window.most).max().unwrap_or(0);
        Rates { peak: self.machine.most, disk: busiest / MINUTE }
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
        churn.wrote(&a, 60, VirtualMs(62_000));
        assert_eq!(churn.rates(), Rates { peak: 900, disk: 20 });
        churn.forget();
        assert_eq!(churn.rates(), Rates::default());
    }

    #[test]
    fn a_minute_may_begin_at_any_second() {
        let a = DiskId::new("a");
        let mut churn = Churn::default();
        for at in [45_000, 60_000, 75_000] {
            churn.wrote(&a, 600, VirtualMs(at));
        }
        assert_eq!(churn.rates(), Rates { peak: 600, disk: 30 });
        churn.wrote(&a, 600, VirtualMs(140_000));
        assert_eq!(
            churn.rates(),
            Rates { peak: 600, disk: 30 },
            "what is older than a minute counts no more"
        );
    }
}
