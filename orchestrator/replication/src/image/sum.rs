//! The checksum of a whole image, put together from those of its pieces, holes included.
//!
//! A CRC is linear: what `n` zero bytes do to its register is a matrix of bits. The matrices of all powers of
//! two are at hand, so that any number of zeros takes a few steps, and pieces may be summed in any order.

/// crc32c of `len` zeros behind bytes whose crc32c is `crc`.
pub(super) fn zeros_behind(crc: u32, len: u64) -> u32 {
    // The register is the checksum with all bits turned.
    !shifted(!crc, len)
}

/// crc32c of `len` bytes with the crc32c `piece` behind bytes whose crc32c is `crc`.
pub(super) fn bytes_behind(crc: u32, piece: u32, len: u64) -> u32 {
    shifted(crc, len) ^ piece
}

/// What becomes of a register's bits behind so many zero bytes: one image per bit.
type Matrix = [u32; 32];

/// `POWERS[n]` is for 2^n zero bytes.
static POWERS: [Matrix; 64] = powers();

const fn powers() -> [Matrix; 64] {
    let mut powers = [[0; 32]; 64];
    let mut bit = 0;
    while bit < 32 {
        powers[0][bit] = behind_one(1 << bit);
        bit += 1;
    }
    let mut n = 1;
    while n < 64 {
        bit = 0;
        while bit < 32 {
            powers[n][bit] = applied(&powers[n - 1], powers[n - 1][bit]);
            bit += 1;
        }
        n += 1;
    }
    powers
}

/// The register behind one zero byte, by the polynomial of Castagnoli.
const fn behind_one(register: u32) -> u32 {
    let (mut register, mut step) = (register, 0);
    while step < 8 {
        register = if register & 1 == 1 { register >> 1 ^ 0x82f6_3b78 } else { register >> 1 };
        step += 1;
    }
    register
}

const fn applied(matrix: &Matrix, register: u32) -> u32 {
    let (mut rest, mut sum) = (register, 0);
    while rest != 0 {
        sum ^= matrix[rest.trailing_zeros() as usize];
        rest &= rest - 1;
    }
    sum
}

fn shifted(register: u32, len: u64) -> u32 {
    (0..64).filter(|n| len >> n & 1 == 1).fold(register, |register, n| applied(&POWERS[n], register))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc::crc32c;
    use proptest::prelude::*;

    proptest! {
        /// Against the other implementation that this crate has.
        #[test]
        fn pieces_and_zeros_make_the_whole(a in prop::collection::vec(any::<u8>(), 0..300), zeros in 0usize..9000) {
            let mut whole = a.clone();
            whole.resize(a.len() + zeros, 0);
            whole.extend_from_slice(&a);
            let crc = zeros_behind(crc32c(&a), zeros as u64);
            prop_assert_eq!(bytes_behind(crc, crc32c(&a), a.len() as u64), ::crc32c::crc32c(&whole));
        }

        #[test]
        fn zeros_add_up(crc: u32, a in 0u64..1 << 60, b in 0u64..1 << 60) {
            prop_assert_eq!(zeros_behind(zeros_behind(crc, a), b), zeros_behind(crc, a + b));
        }
    }
}
