//! qcow2 images as sources.

use crate::files::{Folder, Piece, content, holes, make};
use failback_replication::disk::BLOCK;
use failback_replication::image::{self, Error, Mode, Options, Refusal};
use proptest::prelude::*;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

const CLUSTER: usize = 64 << 10;

/// What a cluster of the disk is.
#[derive(Clone, Copy, Debug)]
enum Cluster {
    /// Not allocated.
    Hole,
    /// Marked as zeros.
    Zero,
    /// One byte all over.
    Data(u8),
}

/// A qcow2 image of version 3 with these clusters, by hand; the disk ends so many bytes before the last one does.
fn qcow2(clusters: &[Cluster], cut: usize) -> Vec<u8> {
    let size = (clusters.len() * CLUSTER - cut) as u64;
    let mut bytes = vec![0; 5 * CLUSTER];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, b"QFI\xfb\0\0\0\x03");
    put(20, &16u32.to_be_bytes());
    put(24, &size.to_be_bytes());
    put(36, &1u32.to_be_bytes());
    put(40, &(3 * CLUSTER as u64).to_be_bytes());
    put(48, &(CLUSTER as u64).to_be_bytes());
    put(56, &1u32.to_be_bytes());
    put(96, &4u32.to_be_bytes());
    put(100, &104u32.to_be_bytes());
    // One refcount block, one L2 table; data begins in the sixth cluster.
    put(CLUSTER, &(2 * CLUSTER as u64).to_be_bytes());
    put(3 * CLUSTER, &((1 << 63) | (4 * CLUSTER as u64)).to_be_bytes());
    let mut next = 5;
    for (at, cluster) in clusters.iter().enumerate() {
        let entry = match cluster {
            Cluster::Hole => 0,
            Cluster::Zero => 1,
            Cluster::Data(byte) => {
                bytes.extend_from_slice(&vec![*byte; CLUSTER]);
                next += 1;
                (1 << 63) | ((next - 1) * CLUSTER as u64)
            }
        };
        bytes[4 * CLUSTER + 8 * at..][..8].copy_from_slice(&entry.to_be_bytes());
    }
    for used in 0..next as usize {
        bytes[2 * CLUSTER + 2 * used..][..2].copy_from_slice(&1u16.to_be_bytes());
    }
    bytes
}

fn raw(clusters: &[Cluster], cut: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = clusters
        .iter()
        .flat_map(|cluster| match cluster {
            Cluster::Hole | Cluster::Zero => vec![0; CLUSTER],
            Cluster::Data(byte) => vec![*byte; CLUSTER],
        })
        .collect();
    bytes.truncate(bytes.len() - cut);
    bytes
}

fn sync(source: &Path, destination: &Path) -> Result<image::Report, Error> {
    let options = Options { verify: true, ..Options::default() };
    image::sync(source, destination, None, &options, &mut |_| ControlFlow::Continue(()))
}

fn clusters() -> impl Strategy<Value = Vec<Cluster>> {
    let cluster = prop_oneof![Just(Cluster::Hole), Just(Cluster::Zero), (1u8..4).prop_map(Cluster::Data)];
    prop::collection::vec(cluster, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_inside_is_synced(clusters in clusters(), cut in 0usize..100, stale: bool) {
        let folder = Folder::new("qcow2");
        fs::write(folder.source(), qcow2(&clusters, cut * 512)).unwrap();
        let wanted = raw(&clusters, cut * 512);
        if stale {
            fs::write(folder.destination(), vec![9; wanted.len()]).unwrap();
        }
        sync(&folder.source(), &folder.destination()).unwrap();
        prop_assert!(content(&folder.destination()) == wanted);
        let told = image::verify(
            &folder.destination(), &folder.source(), &Options::default(), &mut |_| ControlFlow::Continue(()),
        ).unwrap();
        prop_assert_eq!(told, None);
    }

    /// Whatever the metadata say, it is an image or an error; and what is wrong does not end up as a copy.
    #[test]
    fn damage_is_an_error_or_another_image(clusters in clusters(), places in prop::collection::vec((0usize..4 * CLUSTER + 200, any::<u8>()), 1..4)) {
        let folder = Folder::new("qcow2-damage");
        let mut bytes = qcow2(&clusters, 0);
        for (place, byte) in places {
            // Most of it is padding; what counts lies at the beginning of each cluster.
            bytes[place / CLUSTER * CLUSTER + place % CLUSTER % 110] = byte;
        }
        // A disk that claims to be huge would only take long.
        bytes[24..29].fill(0);
        fs::write(folder.source(), bytes).unwrap();
        match sync(&folder.source(), &folder.destination()) {
            Ok(_) => prop_assert!(!folder.state().exists()),
            Err(Error::Refused(_)) => prop_assert!(!folder.destination().exists()),
            Err(Error::Io { .. }) => {}
            Err(other) => return Err(TestCaseError::fail(format!("{other}"))),
        }
    }
}

#[test]
fn holes_and_zeros_are_holes() {
    let folder = Folder::new("qcow2-holes");
    let clusters = [Cluster::Data(1), Cluster::Hole, Cluster::Zero, Cluster::Data(2)];
    fs::write(folder.source(), qcow2(&clusters, 0)).unwrap();
    make(&folder.destination(), &[Piece::Data(9, 64)], 0);
    image::sync(&folder.source(), &folder.destination(), Some(Mode::Full), &Options::default(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let cluster = CLUSTER as u64;
    assert_eq!(holes(&folder.destination()).first(), Some(&(cluster..3 * cluster)));
    assert_eq!(image::allocated(&folder.source()).unwrap().bytes, 2 * cluster);
}

#[test]
fn one_that_is_not_whole_by_itself_is_refused() {
    let folder = Folder::new("qcow2-refused");
    let good = qcow2(&[Cluster::Data(1)], 0);
    let refused = |at: usize, field: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        fs::write(folder.source(), bytes).unwrap();
        let ended = sync(&folder.source(), &folder.destination());
        assert!(!folder.destination().exists());
        match ended {
            Err(Error::Refused(Refusal::Qcow2 { why, .. })) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(8, &(BLOCK as u64).to_be_bytes()), "has a backing file");
    assert_eq!(refused(32, &2u32.to_be_bytes()), "is encrypted");
    fs::write(folder.source(), &good[..30]).unwrap();
    let cut = sync(&folder.source(), &folder.destination());
    assert!(matches!(cut, Err(Error::Refused(Refusal::Qcow2 { why: "is cut off", .. }))), "{cut:?}");
}
