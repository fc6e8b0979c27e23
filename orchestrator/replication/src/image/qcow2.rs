//! qcow2 images as sources, read through the `imago` crate; never written.
//!
//! Only images that are whole by themselves: one that leans on a backing file or keeps its data elsewhere is
//! refused, since an image must not make us open what it names. Encrypted ones are refused here, as the library
//! would hand out what it finds undeciphered.

use super::error::{Error, Refusal};
use imago::file::File as Storage;
use imago::qcow2::Qcow2 as Driver;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder as _, Mapping};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

/// What the first bytes of such an image are.
pub(super) const MAGIC: &[u8] = b"QFI\xfb";
/// Data found in one go, so that looking for it stays cheap however large the image is.
const AHEAD: u64 = 1 << 30;

/// An open qcow2 image.
#[derive(Debug)]
pub(super) struct Qcow2(FormatAccess<Storage>);

impl Qcow2 {
    /// Reads the image that begins like this.
    ///
    /// # Errors
    /// [`Refusal::Qcow2`] when it is not whole by itself, or encrypted; when the library cannot read it.
    pub(super) fn open(path: &Path, file: &File, begin: &[u8]) -> Result<Self, Error> {
        let refused = |why| Err(Refusal::Qcow2 { path: path.to_path_buf(), why }.into());
        let field = |at: usize| begin.get(at..).and_then(|rest| rest.first_chunk::<4>());
        match (field(8), field(12), field(32)) {
            (Some([0, 0, 0, 0]), Some([0, 0, 0, 0]), Some([0, 0, 0, 0])) => {}
            (Some([0, 0, 0, 0]), Some([0, 0, 0, 0]), Some(_)) => return refused("is encrypted"),
            (Some(_), Some(_), Some(_)) => return refused("has a backing file"),
            (None, _, _) | (_, None, _) | (_, _, None) => return refused("is cut off"),
        }
        let opened = || {
            let storage = Storage::try_from(file.try_clone()?)?;
            Driver::<Storage>::builder(storage).open(DenyImplicitOpenGate::default())
        };
        match opened() {
            Ok(driver) => Ok(Self(FormatAccess::new(driver))),
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                refused("keeps data in another file")
            }
            Err(cause) => Err(Error::io("read", path)(cause)),
        }
    }
    /// Size of the disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.0.size()
    }
    /// Fills `to` from `at` on.
    pub(super) fn read(&self, to: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read(to, at)
    }
    /// The next range at or behind `from` that may hold data.
    pub(super) fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        let (mut at, mut start) = (from, None);
        while at < self.size() && start.is_none_or(|start| at - start < AHEAD) {
            let (mapping, len) = self.0.get_mapping(at, self.size() - at)?;
            let zeros = matches!(mapping, Mapping::Zero { .. } | Mapping::Eof { .. });
            match start {
                Some(start) if zeros => return Ok(Some(start..at)),
                None if !zeros => start = Some(at),
                Some(_) | None => {}
            }
            if len == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            at += len;
        }
        Ok(start.map(|start| start..at))
    }
}
