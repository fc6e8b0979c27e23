//! `failback-lab disk` as its users meet it: killed and run again, refused, told apart by exit codes.
#![cfg(unix)]

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Child, Stdio};
use support::{Ran, command, root, run, scratch};

const MIB: u64 = 1 << 20;

/// An image of 24 MiB: data but for a hole of 4 MiB, written zeros of 2 MiB, and a last block that is cut short.
fn image(path: &Path, seed: u64) {
    let file = File::create(path).expect("an image");
    for mib in (0..24).filter(|mib| !(8..12).contains(mib)) {
        let byte = |at: u64| (at.wrapping_mul(seed | 1).wrapping_add(mib) >> 3) as u8;
        let bytes: Vec<u8> = match mib {
            14..16 => vec![0; MIB as usize],
            _ => (0..MIB).map(byte).collect(),
        };
        file.write_all_at(&bytes, mib * MIB).expect("room");
    }
    file.set_len(24 * MIB + 1000).expect("room");
}

fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).expect("an image") == fs::read(b).expect("an image")
}

/// Starts a sync, and comes back once it has done so many bytes; it waits there for its end.
fn held(folder: &Path, args: &[&str], at: u64) -> Child {
    let at = at.to_string();
    let args = [&["disk", "sync"], args, &["--window", "1000000", "--hold-at", &at]].concat();
    let mut command = command(folder, &args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut lines = stderr.lines().map(|line| line.expect("text"));
    assert!(lines.any(|line| line == "held"), "it ended before it was held");
    child
}

/// Ends a process as nothing can prepare for.
fn kill(mut child: Child) {
    child.kill().expect("SIGKILL");
    assert_eq!(child.wait().expect("an end").code(), None, "it ended by itself");
}

#[test]
fn killed_and_run_again_it_ends_equal() {
    for (mode, name) in [
        (&[][..], "checksum"),
        (&["--full"], "full"),
        (&["--checksum"], "checksum"),
        (&["--map", "m"], "map"),
    ] {
        for threads in ["1", "3"] {
            let folder = scratch("disk-kill");
            image(&folder.join("a.img"), 1);
            image(&folder.join("b.img"), 99);
            let ran = run(&folder, &["disk", "map", "b.img", "a.img", "--out", "m"]);
            assert_eq!(ran.code, Some(0), "{ran}");
            let args = [&["a.img", "b.img", "--threads", threads], mode].concat();
            // Four times, each of them farther.
            for at in [1, 5 * MIB, 11 * MIB, 16 * MIB] {
                kill(held(&folder, &args, at));
                assert!(folder.join("b.img.failback-sync").exists(), "{name}, killed at {at}");
            }
            let ran = run(&folder, &[&["disk", "sync", "--verify"], &args[..]].concat());
            assert_eq!(ran.code, Some(0), "{ran}");
            assert!(ran.stderr.starts_with(&format!("{name}: ")), "{ran}");
            assert!(ran.stderr.contains("; an earlier one got to "), "{ran}");
            assert!(ran.stdout.contains("\nverified: both sides have root hash "), "{ran}");
            assert!(same(&folder.join("a.img"), &folder.join("b.img")), "{name}");
            assert!(!folder.join("b.img.failback-sync").exists(), "{name}");
        }
    }
}

#[test]
fn killed_while_it_creates_and_run_again() {
    let folder = scratch("disk-create");
    image(&folder.join("a.img"), 1);
    kill(held(&folder, &["a.img", "b.img"], 7 * MIB));
    // A torn mark says only that the destination is incomplete.
    fs::write(folder.join("b.img.failback-sync"), "torn").expect("room");
    let ran = run(&folder, &["disk", "sync", "b.img", "c.img"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(2),
            "\
error: b.img is an unfinished copy: a sync to it did not end
  hint: finish that sync first; b.img.failback-sync says how far it came\n"
        )
    );
    assert!(!folder.join("c.img").exists());
    let ran = run(&folder, &["disk", "sync", "a.img", "b.img"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.starts_with("checksum: ") && !ran.stderr.contains("an earlier one"), "{ran}");
    assert!(same(&folder.join("a.img"), &folder.join("b.img")));
    let blocks = |name: &str| fs::metadata(folder.join(name)).expect("an image").blocks();
    assert!(blocks("b.img") <= blocks("a.img"), "holes stay holes");
}

#[test]
fn two_at_once_are_one_too_many() {
    let folder = scratch("disk-two");
    image(&folder.join("a.img"), 1);
    let first = held(&folder, &["a.img", "b.img"], MIB);
    let before = fs::read(folder.join("b.img.failback-sync")).expect("a mark");
    for args in [["a.img", "b.img"], ["b.img", "c.img"]] {
        let ran = run(&folder, &[&["disk", "sync"], &args[..]].concat());
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.starts_with("error: b.img is in use\n  hint: "), "{ran}");
    }
    assert_eq!(fs::read(folder.join("b.img.failback-sync")).expect("a mark"), before);
    kill(first);
}

/// The most memory that a process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it still runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_disk() {
    let folder = scratch("disk-memory");
    let file = File::create(folder.join("a.img")).expect("an image");
    file.set_len(1 << 40).expect("a file system that knows holes");
    for n in 0..64 {
        file.write_all_at(&[7; MIB as usize], n << 34).expect("room");
    }
    let child = held(&folder, &["a.img", "b.img"], 1 << 40);
    let peak = peak(&child);
    assert!(peak < 64 << 10, "{peak} KiB");
    kill(child);
    let ran = run(&folder, &["disk", "sync", "a.img", "b.img", "--verify"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(
        fs::metadata(folder.join("b.img")).expect("an image").blocks() * 512 < 66 * MIB,
        "holes stay holes"
    );
}

#[test]
fn a_map_takes_an_image_to_the_next_one() {
    let folder = scratch("disk-map");
    let (old, new) = (folder.join("old.img"), folder.join("new.img"));
    image(&old, 1);
    fs::copy(&old, &new).expect("room");
    let file = File::options().write(true).open(&new).expect("an image");
    for at in [4096, 8192, 9 * MIB, 24 * MIB + 990] {
        file.write_all_at(b"changed", at).expect("room");
    }
    let ran = run(&folder, &["disk", "map", "old.img", "new.img", "--out", "m"]);
    let summary = "map: 12.98 KiB of 24.00 MiB changed, in 3 extents of 4 blocks of 4 KiB\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), summary), "{ran}");
    assert_eq!(run(&folder, &["disk", "map", "m"]).stdout, summary);
    let ran = run(&folder, &["disk", "verify", "old.img", "new.img"]);
    let told = "they differ, first at byte 4096; 4 blocks of 4 KiB in all\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(20), told), "{ran}");
    let ran = run(&folder, &["disk", "sync", "new.img", "old.img", "--map", "m", "--verify"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(same(&old, &new));
    let ran = run(&folder, &["disk", "verify", "old.img", "new.img"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "equal\n"), "{ran}");
    // The map has been used: the base is no longer what it was.
    let ran = run(&folder, &["disk", "sync", "new.img", "old.img", "--map", "m"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.starts_with("error: old.img is not as it was when the map was made\n"), "{ran}");
    let ran = run(&folder, &["disk", "map", "new.img"]);
    assert!(ran.stdout.starts_with("image: ") && ran.stdout.contains(" of 24.00 MiB allocated"), "{ran}");
}

#[test]
fn refusals_are_2_and_touch_nothing() {
    let folder = scratch("disk-refusals");
    image(&folder.join("a.img"), 1);
    fs::write(folder.join("small.img"), [5; 8192]).expect("room");
    fs::write(folder.join("b.vmdk"), [&b"KDMV"[..], &[0; 8192]].concat()).expect("room");
    std::os::unix::fs::symlink("a.img", folder.join("link.img")).expect("a link");
    let refused = |args: &[&str], text: &str| {
        let ran = run(&folder, &[&["disk"], args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}\n{ran}");
        assert!(ran.stderr.starts_with(&format!("error: {text}")), "{args:?}\n{ran}");
        assert!(ran.stderr.contains("\n  hint: ") || ran.stderr.contains("--help"), "{args:?}\n{ran}");
        assert_eq!(ran.stdout, "", "{args:?}");
    };
    refused(&["sync", "a.img", "small.img"], "small.img holds 8192 bytes, the source 25166824");
    refused(&["sync", "a.img", "link.img", "--force"], "link.img is the source itself");
    refused(&["sync", "a.img", "."], ". is a folder, not a disk image");
    refused(&["sync", "/dev/zero", "b.img", "--force"], "/dev/zero is a character device, not a disk image");
    refused(
        &["sync", "a.img", "b.vmdk"],
        "b.vmdk is a VMDK image; raw images are read and written, qcow2 is only read",
    );
    refused(
        &["sync", "b.vmdk", "b.img"],
        "b.vmdk is a VMDK image; raw images are read and written, qcow2 is only read",
    );
    refused(&["sync", "a.img", "small.img", "--map", "a.img"], "a.img: this is no change map");
    refused(
        &["sync", "a.img", "b.img", "--map", "m", "--full"],
        "the argument '--map <FILE>' cannot be used with",
    );
    refused(&["map", "a.img", "a.img", "--out", "small.img"], "small.img exists and is no change map");
    refused(&["map", "a.img", "small.img"], "a.img has 25166824 bytes, ");
    assert_eq!(fs::read(folder.join("small.img")).expect("an image"), [5; 8192]);
    let left = fs::read_dir(&folder).expect("the folder").count();
    assert_eq!(left, 4, "no other file was made");
}

#[test]
fn what_cannot_be_read_or_written_is_74() {
    let folder = scratch("disk-io");
    image(&folder.join("a.img"), 1);
    let failed = |args: &[&str], text: &str| {
        let ran: Ran = run(&folder, &[&["disk"], args].concat());
        assert_eq!(ran.code, Some(74), "{args:?}\n{ran}");
        assert!(ran.stderr.contains(&format!("error: cannot {text}: ")), "{args:?}\n{ran}");
    };
    failed(&["sync", "gone.img", "b.img"], "read gone.img");
    failed(&["sync", "a.img", "no/such/folder/b.img"], "create no/such/folder/b.img");
    failed(&["verify", "a.img", "gone.img"], "read gone.img");
    failed(&["map", "gone.img"], "read gone.img");
    failed(&["map", "a.img", "a.img", "--out", "no/such/folder/m"], "write no/such/folder/m");
}

#[test]
fn images_of_different_sizes_differ() {
    let folder = scratch("disk-sizes");
    fs::write(folder.join("a.img"), [5; 8192]).expect("room");
    fs::write(folder.join("b.img"), [5; 8200]).expect("room");
    let ran = run(&folder, &["disk", "verify", "a.img", "b.img"]);
    assert_eq!(ran.code, Some(20), "{ran}");
    assert!(ran.stdout.contains("sizes differ: a.img has 8192 bytes, b.img has 8200\n"), "{ran}");
    let ran = run(&folder, &["disk", "sync", "a.img", "b.img"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.contains("note: b.img is 8 B larger"), "{ran}");
}

#[test]
fn help_teaches() {
    insta::assert_snapshot!("help-disk", run(&root(), &["disk", "--help"]));
    insta::assert_snapshot!("help-disk-sync", run(&root(), &["disk", "sync", "--help"]));
    insta::assert_snapshot!("help-disk-verify", run(&root(), &["disk", "verify", "--help"]));
    insta::assert_snapshot!("help-disk-map", run(&root(), &["disk", "map", "--help"]));
}
