//! Frames: what decodes encodes again to the same frame, and a relay that takes it knows how long it is.
#![no_main]

use bytes::Bytes;
use failback_replication::frame::{decode, encode, encode_as, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    let inspected = inspect(&bytes);
    if let Ok((frame, len)) = decode(&bytes) {
        assert_eq!(inspected.map(|head| head.len), Ok(len));
        for pack in [false, true] {
            let mut again = Vec::new();
            encode_as(&frame, pack, &mut again);
            assert_eq!(decode(&again.into()).map(|(frame, _)| frame), Ok(frame.clone()));
        }
        encode(&frame, &mut Vec::new());
    }
});
