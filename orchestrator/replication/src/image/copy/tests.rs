//! Which zeros become holes.

use super::*;

#[test]
fn long_zeros_are_holes_and_short_ones_are_not() {
    let data = |blocks: usize| vec![7; blocks * BLOCK];
    let zeros = |blocks: usize| vec![0; blocks * BLOCK];
    let runs = |pieces: &[Vec<u8>]| -> Vec<(usize, usize)> {
        zero_runs(&pieces.concat()).into_iter().map(|run| (run.start, run.end)).collect()
    };
    assert_eq!(runs(&[data(1), zeros(15), data(1)]), []);
    assert_eq!(runs(&[data(1), zeros(16), data(1)]), [(BLOCK, 17 * BLOCK)]);
    assert_eq!(runs(&[zeros(16), data(1), zeros(17)]), [(0, 16 * BLOCK), (17 * BLOCK, 34 * BLOCK)]);
    assert_eq!(runs(&[zeros(1)]), [(0, BLOCK)], "all of it");
    assert_eq!(runs(&[zeros(2), vec![0; 100]]), [(0, 2 * BLOCK + 100)], "an image need not end with a block");
    assert_eq!(runs(&[]), []);
}
