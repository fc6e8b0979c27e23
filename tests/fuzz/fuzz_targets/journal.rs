//! Records of a journal, one by one: decoding never panics, and says no more than the bytes hold.
#![no_main]

use bytes::Bytes;
use failback_replication::journal::record::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = Bytes::copy_from_slice(bytes);
    while let Ok((_, _, len)) = decode(&rest) {
        assert!(len > 0 && len <= rest.len());
        rest = rest.slice(len..);
    }
});
