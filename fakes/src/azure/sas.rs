//! Shared access signatures: what opens a blob to whoever holds the URL.
//!
//! The fields are Azure's (`sv sr sp se sig`, and `skoid` for who signed). The signature is the lab's own
//! hash, not Azure's HMAC: nothing here keeps a secret, it keeps signatures from being made up.

use super::model::key;
use super::refusal::Refusal;
use failback_wire::arm::{date, percent_encode, query_value};
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::event::Actor;
use failback_wire::http::StatusCode;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The protocol version signatures name.
const VERSION: &str = "2026-10-06";
/// What only the service knows.
const SECRET: u64 = 0x5eed_b10b_5eed_b10b;

/// What a signature allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// On whose behalf it was signed.
    pub(super) by: Actor,
    /// `/blob/account/container[/blob]`.
    pub(super) scope: String,
    /// It opens the container and all in it.
    pub(super) container: bool,
    /// Letters of `racwdl`.
    pub(super) permissions: String,
    /// Until when, as a date.
    pub(super) expires: String,
}

fn actor_word(actor: Actor) -> &'static str {
    match actor {
        Actor::Product => "product",
        Actor::Operator => "operator",
        Actor::Guest => "guest",
        Actor::Fault => "fault",
        Actor::Setup => "setup",
    }
}

fn signature(grant: &Grant) -> String {
    let kind = if grant.container { "c" } else { "b" };
    let by = actor_word(grant.by);
    let text = [kind, &key(&grant.scope), &grant.permissions, &grant.expires, by].join("\n");
    format!("{:032x}", xxh3_128_with_seed(text.as_bytes(), SECRET))
}

/// The query that proves `grant`.
pub(super) fn sign(grant: &Grant) -> String {
    let kind = if grant.container { "c" } else { "b" };
    format!(
        "sv={VERSION}&sr={kind}&sp={}&se={}&skoid={}&sig={}",
        grant.permissions,
        percent_encode(&grant.expires),
        actor_word(grant.by),
        signature(grant)
    )
}

/// The grant a query proves for `scope`, now.
pub(super) fn verify(
    query: Option<&str>,
    scope: &str,
    clock: &Clock,
    now: VirtualMs,
) -> Result<Grant, Refusal> {
    let failed = |why: &str| Refusal::new(StatusCode::FORBIDDEN, "AuthenticationFailed", why);
    let field =
        |name: &str| query_value(query, name).ok_or_else(|| failed("A field of the signature is missing."));
    let container = field("sr")? == "c";
    let signer = field("skoid")?;
    let all = [Actor::Product, Actor::Operator, Actor::Guest, Actor::Fault, Actor::Setup];
    let by = all.into_iter().find(|a| actor_word(*a) == signer).ok_or_else(|| failed("Unknown signer."))?;
    let scope = if container { container_of(scope) } else { scope };
    let (permissions, expires) = (field("sp")?, field("se")?);
    let grant = Grant { by, scope: scope.to_owned(), container, permissions, expires };
    if field("sig")? != signature(&grant) {
        return Err(failed("Signature did not match."));
    }
    match date::parse(&grant.expires) {
        Some(until) if until > clock.calendar(now) => Ok(grant),
        Some(_) | None => Err(failed("Signature not valid in the specified time frame.")),
    }
}

/// `/blob/account/container` of a scope below it.
fn container_of(scope: &str) -> &str {
    scope.match_indices('/').nth(3).map_or(scope, |(at, _)| &scope[..at])
}
