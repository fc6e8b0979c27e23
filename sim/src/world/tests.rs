//! A world ends with its run.

use super::*;
use crate::scenario::load::load;
use crate::switchboard::WireKind;
use std::path::Path;

#[test]
fn a_world_leaves_nothing_behind() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/day.scenario.yaml");
    let loaded = load(&[file], false);
    let inventory = &loaded.scenarios[0].inventory;
    for wire in [WireKind::Direct, WireKind::Http1] {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        // The recorder is held by all that can emit an event: by every node.
        let recorder = runtime.block_on(async {
            let options = WorldOptions { seed: 1, wire, keep_log: false, crash: None, run_twice: false };
            let world = World::build(inventory, options, Arc::new(Board::default()));
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Arc::downgrade(&world.recorder)
        });
        drop(runtime);
        assert!(recorder.upgrade().is_none(), "something still holds the world on {wire:?}");
    }
}
