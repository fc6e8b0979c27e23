//! Who the server is: its installation, its clones, and its end.

use super::{ConfigurationServer, Database};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::CsStatus;

impl ConfigurationServer {
    /// The name of its installation: `cs-1`, and one more with every set-up from nothing.
    pub(super) fn instance(&self) -> String {
        format!("{}-{}", self.config.id, self.lock().instance)
    }

    /// What it says about itself.
    pub(super) fn status(&self, ctx: &Ctx) -> CsStatus {
        let (clone, adapters, registered_adapters) = {
            let state = self.lock();
            (state.clone.clone(), state.adapters, state.registered_adapters)
        };
        CsStatus {
            version: self.version(),
            registered_address: self.config.host.clone(),
            address: self.address(),
            generation: self.generation(),
            instance: self.instance(),
            clones: clone.into_iter().collect(),
            certificate_expires: self.certificate_expires(ctx.now()),
            adapters,
            registered_adapters,
            hidden: self.hidden(ctx),
        }
    }

    /// A copy of its virtual machine runs at `address`, or none does any more.
    pub fn set_clone(&self, address: Option<&str>) {
        self.lock().clone = address.map(str::to_owned);
        let text = match address {
            Some(address) => format!("a clone of the configuration server runs at {address}"),
            None => "no clone of the configuration server runs".to_owned(),
        };
        self.note(&text);
    }

    /// Its machine gets one more network adapter, which the server does not use before it is registered again (P7).
    pub fn add_adapter(&self) {
        self.lock().adapters += 1;
        self.note("the configuration server has one more network adapter");
    }

    /// The server registers with its vault again, with all the adapters it has (P7).
    pub fn register_again(&self) {
        let mut state = self.lock();
        state.registered_adapters = state.adapters;
        drop(state);
        self.note("the configuration server is registered again");
    }

    /// The server is gone, and all its backups with it.
    pub fn delete(&self) {
        self.note("the configuration server is deleted, and there is no backup");
        self.stop();
        let mut state = self.lock();
        state.database = Database::Lost;
        state.backups.clear();
    }
}
