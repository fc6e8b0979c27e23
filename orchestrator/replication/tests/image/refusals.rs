//! What is refused, and that it touches nothing.

use crate::files::{Folder, Piece, content, make};
use failback_replication::disk::BLOCK;
use failback_replication::image::{self, Error, Mode, Options, Refusal, map};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

fn sync(
    source: &Path,
    destination: &Path,
    mode: Option<Mode<'_>>,
    options: &Options,
) -> Result<image::Report, Error> {
    image::sync(source, destination, mode, options, &mut |_| ControlFlow::Continue(()))
}

fn refused(source: &Path, destination: &Path, mode: Option<Mode<'_>>) -> Refusal {
    match sync(source, destination, mode, &Options::default()) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// A source of four blocks and a destination of so many others.
fn pair(name: &str, blocks: u64) -> Folder {
    let folder = Folder::new(name);
    make(&folder.source(), &[Piece::Data(1, 4)], 0);
    make(&folder.destination(), &[Piece::Data(2, blocks)], 0);
    folder
}

/// Nothing of the destination has changed, and no state file lies beside it.
fn untouched(folder: &Folder, blocks: usize) {
    assert!(content(&folder.destination()) == vec![2; blocks * BLOCK]);
    assert!(!folder.state().exists());
}

#[test]
fn a_smaller_destination() {
    let folder = pair("smaller", 3);
    let refusal = refused(&folder.source(), &folder.destination(), None);
    assert!(matches!(refusal, Refusal::Smaller { size: 12_288, needed: 16_384, .. }), "{refusal:?}");
    untouched(&folder, 3);
}

#[test]
fn the_source_itself_by_any_name() {
    let folder = pair("itself", 4);
    let (link, symlink) = (folder.file("link"), folder.file("symlink"));
    fs::hard_link(folder.source(), &link).unwrap();
    std::os::unix::fs::symlink(folder.source(), &symlink).unwrap();
    for name in [folder.source(), link, symlink] {
        for (a, b) in [(&folder.source(), &name), (&name, &folder.source())] {
            assert_eq!(refused(a, b, Some(Mode::Full)), Refusal::SameFile(b.clone()));
        }
    }
    assert!(content(&folder.source()) == vec![1; 4 * BLOCK]);
}

#[test]
fn one_that_another_sync_uses() {
    let folder = pair("busy", 4);
    let file = fs::File::open(folder.destination()).unwrap();
    file.lock_shared().unwrap();
    let busy = Refusal::Busy(folder.destination());
    assert_eq!(refused(&folder.source(), &folder.destination(), None), busy);
    file.unlock().unwrap();
    file.lock().unwrap();
    assert_eq!(refused(&folder.destination(), &folder.file("third"), None), busy, "nor is it a source");
    assert!(!folder.file("third").exists());
    untouched(&folder, 4);
}

/// As QEMU locks the image of a running machine.
#[cfg(target_os = "linux")]
#[test]
fn one_that_a_machine_uses() {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let folder = pair("machine", 4);
    let file = fs::File::open(folder.destination()).unwrap();
    let lock = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 100,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    assert_eq!(refused(&folder.source(), &folder.destination(), None), Refusal::Busy(folder.destination()));
    untouched(&folder, 4);
}

#[test]
fn what_is_no_image() {
    let folder = pair("no-image", 4);
    let what = |path: &Path| {
        let refusal = refused(path, &folder.destination(), None);
        let Refusal::NotADisk { what, .. } = refusal else { panic!("{refusal:?}") };
        what
    };
    assert_eq!(what(&folder.file("")), "a folder");
    assert_eq!(what(Path::new("/dev/null")), "a character device");
    let refusal = refused(&folder.source(), Path::new("/dev/null"), None);
    assert!(matches!(refusal, Refusal::NotADisk { .. }), "{refusal:?}");
    let gone = sync(&folder.file("gone"), &folder.destination(), None, &Options::default());
    assert!(matches!(gone, Err(Error::Io { doing: "read", .. })), "{gone:?}");
    untouched(&folder, 4);
}

#[test]
fn other_formats() {
    let folder = pair("formats", 4);
    let refused = |source: &Path, destination: &Path, wanted: &str, hint: &str| {
        let refusal = refused(source, destination, Some(Mode::Full));
        let Refusal::Format { format, .. } = &refusal else { panic!("{refusal:?}") };
        assert!(*format == wanted && refusal.hint().contains(hint), "{refusal}: {}", refusal.hint());
    };
    for (begin, format, hint) in [
        (&b"QFI\xfb"[..], "qcow2", "qemu-img convert -O raw"),
        (b"KDMV", "VMDK", "qemu-img convert -O raw"),
        (b"# Disk DescriptorFile", "VMDK descriptor, not an", "like "),
    ] {
        let other = folder.file("other");
        fs::write(&other, [begin, &[0; 20_000]].concat()).unwrap();
        refused(&folder.source(), &other, format, hint);
        if format != "qcow2" {
            refused(&other, &folder.destination(), format, hint);
        }
    }
    untouched(&folder, 4);
}

#[test]
fn an_unfinished_copy_as_a_source_or_under_a_map() {
    let folder = pair("unfinished", 4);
    let mapped = folder.file("map");
    compare(&folder, &mapped);
    fs::write(folder.state(), b"torn").unwrap();
    let refusal = refused(&folder.destination(), &folder.file("third"), None);
    assert_eq!(refusal, Refusal::SourceUnfinished(folder.destination()));
    let refusal = refused(&folder.source(), &folder.destination(), Some(Mode::Map(&mapped)));
    assert_eq!(refusal, Refusal::Unfinished(folder.destination()));
    assert!(content(&folder.destination()) == vec![2; 4 * BLOCK]);
    assert_eq!(fs::read(folder.state()).unwrap(), b"torn");
}

fn compare(folder: &Folder, to: &Path) {
    let (base, image) = (folder.destination(), folder.source());
    let map = map::compare(&base, &image, &Options::default(), &mut |_| ControlFlow::Continue(()));
    map.unwrap().save(to).unwrap();
}

#[test]
fn a_map_of_other_images() {
    let folder = pair("stale", 4);
    let mapped = folder.file("map");
    compare(&folder, &mapped);
    let by_map = Some(Mode::Map(&mapped));
    // The base changed.
    make(&folder.destination(), &[Piece::Data(2, 4)], 0);
    assert_eq!(
        refused(&folder.source(), &folder.destination(), by_map),
        Refusal::MapStale(folder.destination())
    );
    compare(&folder, &mapped);
    // The image changed.
    make(&folder.source(), &[Piece::Data(3, 4)], 0);
    assert_eq!(refused(&folder.source(), &folder.destination(), by_map), Refusal::MapStale(folder.source()));
    // The image was resized.
    make(&folder.source(), &[Piece::Data(3, 3)], 0);
    let refusal = refused(&folder.source(), &folder.destination(), by_map);
    assert!(matches!(refusal, Refusal::MapSize { mapped: 16_384, size: 12_288, .. }), "{refusal:?}");
    untouched(&folder, 4);
    // Nothing is there that it could be the base of.
    make(&folder.source(), &[Piece::Data(3, 4)], 0);
    compare(&folder, &mapped);
    let refusal = refused(&folder.source(), &folder.file("none"), by_map);
    assert_eq!(refusal, Refusal::NoBase(folder.file("none")));
    assert!(!folder.file("none").exists());
}

/// An empty file is good enough for everything else.
#[test]
fn an_empty_file_is_the_base_of_no_map() {
    let folder = pair("empty-base", 4);
    let mapped = folder.file("map");
    compare(&folder, &mapped);
    make(&folder.destination(), &[], 0);
    for force in [false, true] {
        let options = Options { force, ..Options::default() };
        let ended = sync(&folder.source(), &folder.destination(), Some(Mode::Map(&mapped)), &options);
        let refused =
            matches!(&ended, Err(Error::Refused(Refusal::NoBase(at))) if *at == folder.destination());
        assert!(refused, "{ended:?}");
    }
    untouched(&folder, 0);
}

#[test]
fn whoever_trusts_a_map_says_so() {
    let folder = pair("trusted", 4);
    let mapped = folder.file("map");
    compare(&folder, &mapped);
    make(&folder.destination(), &[Piece::Data(2, 4)], 0);
    let options = Options { force: true, verify: true, ..Options::default() };
    sync(&folder.source(), &folder.destination(), Some(Mode::Map(&mapped)), &options).unwrap();
    assert!(content(&folder.destination()) == vec![1; 4 * BLOCK]);
}

#[test]
fn a_map_that_is_none() {
    let folder = pair("bad-map", 4);
    let mapped = folder.file("map");
    compare(&folder, &mapped);
    let good = fs::read(&mapped).unwrap();
    let why = |bytes: &[u8]| {
        fs::write(&mapped, bytes).unwrap();
        let refusal = refused(&folder.source(), &folder.destination(), Some(Mode::Map(&mapped)));
        let Refusal::BadMap { why, .. } = refusal else { panic!("{refusal:?}") };
        why
    };
    assert_eq!(why(b""), map::MapError::NotAMap);
    assert_eq!(why(&[0; 4096]), map::MapError::NotAMap);
    assert_eq!(why(&good[..good.len() - 1]), map::MapError::Damaged);
    let mut newer = good.clone();
    newer[8] = 2;
    assert_eq!(why(&newer), map::MapError::Version(2));
    untouched(&folder, 4);
}

#[test]
fn a_map_never_overwrites_an_image() {
    let folder = pair("overwrite", 4);
    let options = Options::default();
    let map =
        map::compare(&folder.destination(), &folder.source(), &options, &mut |_| ControlFlow::Continue(()));
    let refusal = map.unwrap().save(&folder.destination());
    assert!(matches!(refusal, Err(Error::Refused(Refusal::WouldOverwrite(_)))), "{refusal:?}");
    untouched(&folder, 4);
}
