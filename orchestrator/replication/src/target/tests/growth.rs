//! Disks that grow, or join, under a session (P37): points from before stay good, or are not offered.

use super::*;

/// The session in its next epoch, with disks of these sizes in blocks.
fn resized(bench: &mut Bench, sizes: &[(&str, u64)]) {
    let mut next = spec(bench.target.intake().spec.epoch + 1);
    let disk = |(name, blocks): &(&str, u64)| SessionDisk {
        disk: DiskId::new(*name),
        size: blocks * BLOCK as u64,
        target: TargetDisk::Vmdk(VmdkUuid::new(*name)),
    };
    next.disks = sizes.iter().map(disk).collect();
    assert!(bench.target.take_up(next).unwrap());
    for (name, _) in sizes {
        bench.apply(Body::SyncDone { disk: DiskId::new(*name) }, u64::MAX).unwrap();
    }
}

#[test]
fn a_larger_disk_is_rolled_to_a_point_from_before_it_grew() {
    let mut bench = Bench::new().synced();
    bench.put("a", 0, 1).unwrap();
    let before = bench.mark(1).unwrap();
    let a = bench.disks[&DiskId::new("a")].clone();
    a.grow(1024);
    assert_eq!(
        bench.put("a", 1, 2),
        Err(TargetError::Resized(DiskId::new("a"))),
        "nobody agreed on that size"
    );
    bench.target.roll(&before.point, &bench.disks).unwrap();

    resized(&mut bench, &[("a", 1024), ("b", 8)]);
    bench.put("a", 1000, 3).unwrap();
    let after = bench.mark(2).unwrap();
    for (point, fill) in [(&before, 0), (&after, 3), (&before, 0)] {
        bench.target.roll(&point.point, &bench.disks).unwrap();
        assert_eq!(a.read(1000), Page::new(&[fill; BLOCK]));
        assert_eq!(a.read(0), Page::new(&[1; BLOCK]));
    }
}

#[test]
fn points_that_lack_a_disk_are_not_offered() {
    let mut bench = Bench::new().synced();
    let before = bench.mark(1).unwrap();
    bench.disks.insert(DiskId::new("c"), Disk::new(8));
    resized(&mut bench, &[("a", 8), ("b", 8), ("c", 8)]);
    assert_eq!(bench.target.view().points, []);
    let refused = bench.target.roll(&before.point, &bench.disks);
    assert_eq!(refused, Err(TargetError::NoSuchPoint(before.point.clone())));
    bench.put("c", 0, 1).unwrap();
    let after = bench.mark(2).unwrap();
    assert_eq!(bench.target.view().points, [after]);

    resized(&mut bench, &[("a", 8), ("b", 8)]);
    assert_eq!(bench.target.view().points.len(), 2, "without the disk all of them count");
}
