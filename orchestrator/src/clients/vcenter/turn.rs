//! One change of a virtual machine at a time: vCenter refuses a second one while the first runs, and a change that was
//! made up from an older state.

use failback_wire::vim::MoRef;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is to change which virtual machine; shared by all sessions of one client.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<MoRef, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits, first come first served, until nobody of this client changes `vm`; until the guard is dropped nobody else
    /// does. True when somebody did: what was seen before is of the past then.
    pub(super) async fn take(&self, vm: &MoRef) -> (OwnedMutexGuard<()>, bool) {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Machines nobody is waiting for are forgotten.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(vm.clone()).or_default())
        };
        match Arc::clone(&turn).try_lock_owned() {
            Ok(guard) => (guard, false),
            Err(_) => (turn.lock_owned().await, true),
        }
    }
}
