//! What lies on the disks of a world when it begins.

use failback_fakes::guest::fill;
use failback_replication::disk::Disk;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Blocks that a thread keeps at most: 32 MiB.
const KEPT: u64 = 8192;

/// Blocks of a disk, what its content is drawn from, and how many blocks hold something.
type Layout = (u64, u64, u64);

thread_local! {
    /// Worlds of one scenario begin alike, and an explorer builds thousands of them: their first disks share the pages,
    /// which know their hashes already. One thread's are not another's, or both would count who holds them.
    static LAID: RefCell<BTreeMap<Layout, Disk>> = const { RefCell::new(BTreeMap::new()) };
}

/// A disk of so many blocks with `wanted` of them laid out, the same for the same `seed`.
pub(super) fn laid_out(blocks: u64, seed: u64, wanted: u64) -> Disk {
    let anew = || {
        let disk = Disk::new(blocks);
        fill(&disk, seed, wanted);
        disk
    };
    if wanted > KEPT {
        return anew();
    }
    LAID.with_borrow_mut(|laid| {
        let layout = (blocks, seed, wanted);
        let kept: u64 = laid.keys().map(|(.., wanted)| wanted).sum();
        if !laid.contains_key(&layout) && kept + wanted > KEPT {
            laid.clear();
        }
        laid.entry(layout).or_insert_with(anew).fork()
    })
}
