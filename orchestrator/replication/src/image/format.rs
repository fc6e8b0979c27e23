//! Which image formats are not raw, by the bytes they begin with.

/// As far as any of them must be read.
pub(super) const PROBE: usize = 512;

/// Offset, bytes, name.
const MAGICS: [(usize, &[u8], &str); 10] = [
    (0, super::qcow2::MAGIC, "qcow2"),
    (0, b"QED\0", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK descriptor, not an"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
];

/// The format that an image begins like; `None` for raw.
pub(super) fn other_than_raw(begin: &[u8]) -> Option<&'static str> {
    let is = |at: usize, magic: &[u8]| begin.get(at..).is_some_and(|rest| rest.starts_with(magic));
    MAGICS.iter().find(|(at, magic, _)| is(*at, magic)).map(|(_, _, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::{PROBE, other_than_raw};

    #[test]
    fn magics_are_found_and_zeros_are_raw() {
        assert_eq!(other_than_raw(b"QFI\xfb\0\0\0\x03"), Some("qcow2"));
        assert_eq!(other_than_raw(b"KDMV\x01\0\0\0"), Some("VMDK"));
        assert_eq!(other_than_raw(b"vhdxfile"), Some("VHDX"));
        let mut vdi = [0; PROBE];
        vdi[0x40..0x44].copy_from_slice(&0xbeda_107fu32.to_le_bytes());
        assert_eq!(other_than_raw(&vdi), Some("VDI"));
        assert_eq!(other_than_raw(&[0; PROBE]), None);
        assert_eq!(other_than_raw(b""), None);
        assert_eq!(other_than_raw(b"QF"), None, "shorter than any magic");
    }
}
