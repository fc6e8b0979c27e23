//! The checksum of a whole image, put together from those of its pieces, holes included.

/// crc32c of `len` zeros behind bytes whose crc32c is `crc`.
pub(super) fn zeros_behind(crc: u32, len: u64) -> u32 {
    let (mut crc, mut rest) = (crc, len);
    // Zeros by powers of two: the checksum of 2 n zeros follows from that of n.
    let (mut power, mut power_crc) = (1, crc32c::crc32c(&[0]));
    while rest != 0 {
        if rest & 1 == 1 {
            crc = crc32c::crc32c_combine(crc, power_crc, power);
        }
        rest >>= 1;
        if rest != 0 {
            power_crc = crc32c::crc32c_combine(power_crc, power_crc, power);
            power *= 2;
        }
    }
    crc
}

/// crc32c of `len` bytes with the crc32c `piece` behind bytes whose crc32c is `crc`.
pub(super) fn bytes_behind(crc: u32, piece: u32, len: u64) -> u32 {
    crc32c::crc32c_combine(crc, piece, len as usize)
}

#[cfg(test)]
mod tests {
    use super::{bytes_behind, zeros_behind};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_and_zeros_make_the_whole(a in prop::collection::vec(any::<u8>(), 0..300), zeros in 0usize..9000) {
            let mut whole = a.clone();
            whole.resize(a.len() + zeros, 0);
            whole.extend_from_slice(&a);
            let piece = crc32c::crc32c(&a);
            let crc = zeros_behind(piece, zeros as u64);
            prop_assert_eq!(bytes_behind(crc, piece, a.len() as u64), crc32c::crc32c(&whole));
        }
    }
}
