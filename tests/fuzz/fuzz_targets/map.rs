//! Files of change maps: what decodes encodes again to the same bytes.
#![no_main]

use failback_replication::image::map::ChangeMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(map) = ChangeMap::decode(bytes) {
        assert_eq!(map.encode(), bytes);
    }
});
