//! Change maps: which 4 KiB blocks of an image differ from its base, 32 KiB per GiB (E5).
//!
//! A map holds only between the two images it was made of, as they were: it says so in its header, and whoever
//! uses it compares (E7, E21). In a file: a header of fixed length, one bit per block, and xxh3-128 of both.

use super::crew::Crew;
use super::digest::{self, Fields};
use super::error::{Error, Refusal};
use super::file::{Identity, Image};
use super::plan::{Plan, Work};
use super::{Options, Step, Watch};
use crate::bitmap::Bitmap;
use crate::disk::BLOCK;
use std::fs;
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::Path;

const MAGIC: [u8; 8] = *b"FBLABMAP";
const VERSION: u32 = 1;
/// Magic, version, block size, size of the image, blocks changed, both identities.
const HEADER: usize = 8 + 4 + 4 + 8 + 8 + 2 * Identity::LEN;

/// Which blocks of an image differ from its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeMap {
    /// Size of both images in bytes.
    pub size: u64,
    /// The base, as it was.
    pub base: Identity,
    /// The image, as it was.
    pub image: Identity,
    /// The blocks that differ.
    pub changed: Bitmap,
}

/// Why bytes are no change map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// They begin otherwise.
    #[error("this is no change map")]
    NotAMap,
    /// Another version of this program wrote it.
    #[error("this change map is of version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// It counts in other blocks.
    #[error("this change map counts blocks of {0} bytes, not of {BLOCK}")]
    Block(u32),
    /// It was cut off, or bytes of it changed.
    #[error("this change map is damaged")]
    Damaged,
}

impl ChangeMap {
    /// As a file holds it.
    pub fn encode(&self) -> Vec<u8> {
        let bits = blocks(self.size).div_ceil(8) as usize;
        let mut bytes = Vec::with_capacity(HEADER + bits + digest::LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(BLOCK as u32).to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.changed.count().to_le_bytes());
        self.base.encode(&mut bytes);
        self.image.encode(&mut bytes);
        bytes.resize(HEADER + bits, 0);
        for block in self.changed.iter() {
            bytes[HEADER + (block / 8) as usize] |= 1 << (block % 8);
        }
        digest::sealed(bytes)
    }
    /// Reads untrusted bytes. Needs memory in proportion to them, not to what they claim.
    ///
    /// # Errors
    /// When they are no whole map of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, MapError> {
        let mut fields = Fields(bytes);
        if fields.take() != Some(MAGIC) {
            return Err(MapError::NotAMap);
        }
        let version = fields.u32().ok_or(MapError::Damaged)?;
        if version != VERSION {
            return Err(MapError::Version(version));
        }
        let block = fields.u32().ok_or(MapError::Damaged)?;
        if block != BLOCK as u32 {
            return Err(MapError::Block(block));
        }
        let body = digest::unsealed(bytes).ok_or(MapError::Damaged)?;
        Self::sound(&body[bytes.len() - fields.0.len()..]).ok_or(MapError::Damaged)
    }
    /// What follows the block size, once the digest is right.
    fn sound(rest: &[u8]) -> Option<Self> {
        let mut fields = Fields(rest);
        let (size, count) = (fields.u64()?, fields.u64()?);
        let (base, image) = (Identity::decode(&mut fields)?, Identity::decode(&mut fields)?);
        let bits = fields.0;
        if blocks(size).div_ceil(8) != bits.len() as u64 {
            return None;
        }
        let mut changed = Bitmap::new(blocks(size));
        for (at, byte) in bits.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            (0..8).filter(|bit| byte & (1 << bit) != 0).for_each(|bit| {
                changed.set(at as u64 * 8 + bit);
            });
        }
        // Bits beyond the end are not counted by the bitmap.
        let ones: u64 = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
        (changed.count() == count && ones == count).then_some(Self { size, base, image, changed })
    }
    /// Reads a map from a file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no sound map.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let fail = Error::io("read", path);
        let mut file = fs::File::open(path).map_err(&fail)?;
        let bad = |why| Error::from(Refusal::BadMap { path: path.to_path_buf(), why });
        // A disk image named by mistake is not read to its end.
        let mut bytes = vec![0; MAGIC.len()];
        file.read_exact(&mut bytes).map_err(|_| bad(MapError::NotAMap))?;
        if bytes != MAGIC {
            return Err(bad(MapError::NotAMap));
        }
        file.read_to_end(&mut bytes).map_err(&fail)?;
        Self::decode(&bytes).map_err(bad)
    }
    /// Writes the map to a file, whole or not at all.
    ///
    /// # Errors
    /// [`Refusal::WouldOverwrite`] when the file holds anything but a map; when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        Self::writable(path)?;
        let mut aside = path.as_os_str().to_owned();
        aside.push(".part");
        let aside = Path::new(&aside);
        let fail = Error::io("write", path);
        let mut file = fs::File::create(aside).map_err(&fail)?;
        file.write_all(&self.encode()).and_then(|()| file.sync_all()).map_err(&fail)?;
        fs::rename(aside, path).map_err(&fail)
    }
    /// Whether a map may be written there.
    ///
    /// # Errors
    /// [`Refusal::WouldOverwrite`] when something else is there.
    pub fn writable(path: &Path) -> Result<(), Error> {
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() && (meta.len() == 0 || is_map(path)) => Ok(()),
            Ok(_) => Err(Refusal::WouldOverwrite(path.to_path_buf()).into()),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(Error::io("write", path)(cause)),
        }
    }
    /// Runs of changed blocks, in bytes, ascending.
    pub fn extents(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let (block, mut rest) = (BLOCK as u64, self.changed.iter().peekable());
        std::iter::from_fn(move || {
            let first = rest.next()?;
            let mut end = first + 1;
            while rest.next_if_eq(&end).is_some() {
                end += 1;
            }
            Some(first * block..(end * block).min(self.size))
        })
    }
    /// Bytes of changed blocks.
    pub fn bytes(&self) -> u64 {
        self.extents().map(|range| range.end - range.start).sum()
    }
    /// xxh3-128 of the encoded form: names the map in a state file.
    pub(super) fn name(&self) -> u128 {
        digest::digest(&self.encode())
    }
}

/// True for a file that begins like a change map.
pub fn is_map(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == MAGIC
}

fn blocks(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64)
}

/// Compares an image with its base, block by block; what is a hole in both is not read.
///
/// # Errors
/// When one cannot be read, is no raw image, was written meanwhile, or when their sizes differ.
pub fn compare(base: &Path, image: &Path, options: &Options, watch: Watch<'_>) -> Result<ChangeMap, Error> {
    let (base, image) = (Image::open(base, true)?, Image::open(image, true)?);
    let size = image.size;
    if base.size != size {
        return Err(
            Refusal::Sizes { path: base.path, size: base.size, other: image.path, theirs: size }.into()
        );
    }
    let begun = Step::Begun { what: "map", why: "comparing both images", total: size, resumed: 0 };
    if watch(begun).is_break() {
        return Err(Error::Stopped);
    }
    let mut changed = Bitmap::new(blocks(size));
    let mut plan = Plan::of_pair(&base, &image);
    let crew = Crew::new(options.threads);
    while let Some(works) = plan.window(options.window)? {
        let start = works[0].range().start;
        let compare = |work: &Work, buffers: &mut super::crew::Buffers| {
            super::verify::differing(&base, &image, work, buffers)
        };
        let runs = crew.each(&works, &compare, &mut |done| watch(Step::Done(start + done)))?;
        for range in runs.into_iter().flatten() {
            let block = BLOCK as u64;
            (range.start / block..range.end.div_ceil(block)).for_each(|at| {
                changed.set(at);
            });
        }
    }
    for side in [&base, &image] {
        if side.identity_now()? != side.identity {
            return Err(Error::SourceChanged(side.path.clone()));
        }
    }
    Ok(ChangeMap { size, base: base.identity, image: image.identity, changed })
}

#[cfg(test)]
mod tests;
