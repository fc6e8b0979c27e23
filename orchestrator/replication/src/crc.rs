//! The checksum of what lies or travels somewhere: crc32c.

use crc_fast::{CrcAlgorithm, Digest, checksum};

/// crc32c of some bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// crc32c of these pieces, back to back.
pub fn crc32c_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    pieces.into_iter().for_each(|piece| digest.update(piece));
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc32c() {
        // The check value of the catalogue of CRC algorithms, and RFC 3720's zeros.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c_of([b"123".as_slice(), b"", b"456789"]), 0xe306_9283);
    }
}
