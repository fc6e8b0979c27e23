//! What several workflows do alike: each function converges when called again, and turns a client's error
//! into a step's error with the right class.

pub(crate) mod added;
pub(crate) mod agent;
pub(crate) mod azure;
pub(super) mod copies;
pub(crate) mod points;
pub(super) mod session;
pub(crate) mod vcenter;

use super::{StepCtx, StepError};
use crate::catalogue::execution::{CS_UPDATE_FAILED, DEFECT};
use crate::clients::component::ComponentError;
use crate::journal::Fact;
use failback_wire::error::{Class, ErrorDoc};
use failback_wire::http::StatusCode;
use failback_wire::proto::cs::{Filed, OsFamily, Protection};

/// A call of our own protocol failed during what `doc` describes: it is tried again unless the callee said no.
pub(super) fn peer_error(doc: &ErrorDoc, entity: &str, error: &ComponentError) -> StepError {
    let class = match error {
        ComponentError::Unavailable(_) | ComponentError::Ambiguous(_) | ComponentError::Garbled { .. } => {
            Class::Retry
        }
        ComponentError::Refused { status, code, .. } => {
            let later = status.is_server_error()
                || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
                || code == "disk-not-attached";
            if later { Class::Retry } else { Class::Operator }
        }
    };
    StepError::new(doc, entity, error.to_string()).with_class(class)
}

/// The item lacks what an earlier step must have told.
pub(super) fn defect(c: &StepCtx<'_>, what: &str) -> StepError {
    StepError::new(&DEFECT, c.item.name.as_str(), format!("{what} is not known"))
}

/// Remember `value` as `key`, for later steps and attempts.
pub(super) fn note(key: impl Into<String>, value: impl Into<String>) -> Fact {
    Fact::Note { key: key.into(), value: value.into() }
}

/// Puts the machine's row at the configuration server: which way it replicates now.
pub(super) async fn put_row(c: &StepCtx<'_>, direction: &str, policy: &str) -> Result<Filed, StepError> {
    // A physical machine is known by its name (P35).
    let uuid = c.item.vm.as_ref().map_or(c.item.name.as_str(), |vm| vm.uuid.as_str());
    put_row_of(c, uuid, direction, policy).await
}

/// The same, naming the virtual machine on-premises.
pub(super) async fn put_row_of(
    c: &StepCtx<'_>,
    vm_uuid: &str,
    direction: &str,
    policy: &str,
) -> Result<Filed, StepError> {
    let row = Protection {
        os: c.item.os.unwrap_or(OsFamily::Windows),
        vm_uuid: vm_uuid.to_owned(),
        direction: direction.to_owned(),
        policy: policy.to_owned(),
    };
    let done = c.services.cs.put_machine(&c.item.name, &row).await;
    done.map_err(|error| peer_error(&CS_UPDATE_FAILED, c.item.name.as_str(), &error))
}
