//! The renewal of the configuration server's certificate in the portal (P6).

use super::{Call, Reply, fabrics, json};
use crate::catalogue::control::{CERTIFICATE_NOT_RENEWABLE, CS_DISCONNECTED};
use crate::service::Refusal;
use failback_wire::http::StatusCode;

/// Renews the certificate while it is valid; afterwards only the tool on the server itself can. Answered at once with
/// the fabric: the real service may also take its time over it.
pub(super) async fn renew(call: &Call) -> Reply {
    let (services, entity) = (call.me.services(), call.names.config().fabric.as_str());
    match services.cs.renew_certificate().await {
        Ok(_) => Ok(json(&fabrics::get(call, entity)?)),
        Err(error) => {
            let doc = match error.is_refusal("certificate-expired") {
                true => &CERTIFICATE_NOT_RENEWABLE,
                false => &CS_DISCONNECTED,
            };
            Err(Refusal::new(StatusCode::BAD_REQUEST, doc, entity, error.to_string()))
        }
    }
}
