//! Resource Manager: reads a request, asks the model, answers in ARM's forms.
//!
//! Success codes are those the SDKs accept: PUT of a machine 201 or 200 with the document, PUT of a disk
//! 202 with the document, actions 202 without one, DELETE 202 or 204. Where an operation runs, the reply
//! carries both headers.

use super::Azure;
use super::model::{Model, Plan, Target, key};
use super::operations::{self, Begun};
use super::refusal::Refusal;
use super::sas::{self, Grant};
use super::views;
use bytes::Bytes;
use failback_wire::arm::compute::{
    DISKS, GrantAccess, ManagedDisk, NAMESPACE, SNAPSHOTS, ServiceSas, ServiceSasRequest, VIRTUAL_MACHINES,
    VirtualMachine,
};
use failback_wire::arm::error::json_reply;
use failback_wire::arm::{API_VERSION, Accepted, CLIENT_REQUEST_ID, List, ResourceId, lro, query_value};
use failback_wire::event::Actor;
use failback_wire::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use failback_wire::node::Ctx;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The version the fake names in the URLs it makes.
const VERSION: &str = "2025-04-01";

/// A request to ARM, read.
struct Asked<'a> {
    ctx: &'a Ctx,
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    by: Actor,
}

impl Asked<'_> {
    fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|e| Refusal::bad("InvalidRequestContent", e.to_string()))
    }
    fn flag(&self, name: &str) -> Option<String> {
        query_value(self.query.as_deref(), name).map(|v| v.to_ascii_lowercase())
    }
    /// What makes two changes the same request.
    fn replay_key(&self) -> Option<String> {
        let id = self.headers.get(CLIENT_REQUEST_ID)?.to_str().ok()?;
        Some(format!("{id} {} {}", self.method, self.path.to_ascii_lowercase()))
    }
}

impl Asked<'_> {
    /// What the reply to a repeated change carries.
    fn shown_again(&self) -> Shown {
        let vm = self.path.to_ascii_lowercase().contains("/virtualmachines/");
        match (self.method == Method::PUT, vm) {
            (true, true) => Shown::Vm { new: false },
            (true, false) => Shown::Volume,
            (false, _) => Shown::Nothing,
        }
    }
}

/// What the reply to a change carries beside the operation's headers.
enum Shown {
    /// Nothing: an action, or a deletion.
    Nothing,
    /// The document, with 201 (new) or 200.
    Vm { new: bool },
    /// The document, with 202; 200 when nothing was to be done.
    Volume,
}

impl Azure {
    /// Who bears the request's token.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<Actor> {
        let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| self.config.tokens.get(token.trim()).copied()).flatten()
    }

    /// Answers one request to ARM.
    pub(super) fn arm_request(self: &Arc<Self>, ctx: &Ctx, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let echo = parts.headers.get(CLIENT_REQUEST_ID).cloned();
        let unauthorised = || {
            Refusal::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", "The token is missing or unknown.")
        };
        let versioned = query_value(parts.uri.query(), API_VERSION).is_some_and(|v| !v.is_empty());
        let mut reply = match self.bearer(&parts.headers) {
            None => unauthorised().arm(),
            Some(_) if !versioned => {
                let message = "The api-version query parameter (?api-version=) is required for all requests.";
                Refusal::bad("MissingApiVersionParameter", message).arm()
            }
            Some(by) => {
                let asked = Asked {
                    ctx,
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().map(str::to_owned),
                    headers: parts.headers,
                    body,
                    by,
                };
                self.dispatch(&asked).unwrap_or_else(Refusal::arm)
            }
        };
        if let Some(id) = echo {
            reply.headers_mut().insert(CLIENT_REQUEST_ID, id);
        }
        reply
    }

    fn dispatch(self: &Arc<Self>, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        let no_such = || {
            let message = format!("The request path '{}' is not known.", asked.path);
            Refusal::new(StatusCode::NOT_FOUND, "InvalidResourceType", message)
        };
        let id = ResourceId::parse(&asked.path).ok_or_else(no_such)?;
        if !id.subscription.eq_ignore_ascii_case(&self.config.subscription) {
            let message = format!("The subscription '{}' could not be found.", id.subscription);
            return Err(Refusal::new(StatusCode::NOT_FOUND, "SubscriptionNotFound", message));
        }
        if let Some(group) = id.group.as_ref().filter(|g| !self.has_group(g)) {
            let message = format!("Resource group '{group}' could not be found.");
            return Err(Refusal::new(StatusCode::NOT_FOUND, "ResourceGroupNotFound", message));
        }
        let lower: Vec<String> = id.path.iter().map(|p| p.to_ascii_lowercase()).collect();
        let parts: Vec<&str> = lower.iter().map(String::as_str).collect();
        let compute = id.namespace.eq_ignore_ascii_case(NAMESPACE);
        match (parts.as_slice(), asked.method.as_str()) {
            (["locations", _, "operations", op], "GET") if compute => self.operation_status(asked, op),
            (["locations", _, "operationresults", op], "GET") if compute => self.operation_result(asked, op),
            (["storageaccounts", account, "listservicesas"], "POST") => self.service_sas(asked, account),
            ([_], "GET") if compute => self.list_resources(asked, &id).ok_or_else(no_such)?,
            (["virtualmachines", _, rest @ ..], _) if compute && id.group.is_some() => {
                self.vm_request(asked, &id, rest).ok_or_else(no_such)?
            }
            (["disks" | "snapshots", _, rest @ ..], _) if compute && id.group.is_some() => {
                self.volume_request(asked, &id, rest).ok_or_else(no_such)?
            }
            _other => Err(no_such()),
        }
    }

    fn has_group(&self, group: &str) -> bool {
        self.config.groups.iter().any(|g| g.eq_ignore_ascii_case(group))
    }

    fn list_resources(&self, asked: &Asked<'_>, id: &ResourceId) -> Option<Result<Response<Bytes>, Refusal>> {
        let clock = &asked.ctx.clock;
        let ours = |group: &str| id.group.as_ref().is_none_or(|g| g.eq_ignore_ascii_case(group));
        let kind = id.name();
        let reply = self.with(|m| {
            if kind.eq_ignore_ascii_case(VIRTUAL_MACHINES) {
                let vms = m.vms.iter().filter(|(_, vm)| ours(&vm.group));
                let value: Vec<_> =
                    vms.map(|(k, vm)| m.vm_document(&self.config, clock, k, vm, None)).collect();
                return Some(json_reply(StatusCode::OK, &List::single(value)));
            }
            let of = [(DISKS, &m.disks), (SNAPSHOTS, &m.snapshots)];
            let (kind, volumes) = of.into_iter().find(|(k, _)| kind.eq_ignore_ascii_case(k))?;
            let volumes = volumes.iter().filter(|(_, v)| ours(&v.group));
            let document = |(key, v): (&String, _)| {
                m.volume_document(&self.config, clock, &Target::volume(kind, key), v)
            };
            Some(json_reply(StatusCode::OK, &List::single(volumes.map(document).collect::<Vec<_>>())))
        });
        reply.map(Ok)
    }

    fn vm_request(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        id: &ResourceId,
        rest: &[&str],
    ) -> Option<Result<Response<Bytes>, Refusal>> {
        let name = id.path.get(1)?.as_str();
        let group = id.group.as_deref().unwrap_or_default();
        let config = &self.config;
        let (clock, guests) = (&asked.ctx.clock, &*self.guests);
        let power =
            |plan: Plan| self.change(asked, |m, a| Ok((m.power_vm(config, a, name, plan)?, Shown::Nothing)));
        let graceful = asked.flag("skipShutdown").as_deref() != Some("true");
        let elsewhere = self.with(|m| m.vm(name).is_ok_and(|vm| !vm.group.eq_ignore_ascii_case(group)));
        if elsewhere {
            return Some(Err(Refusal::not_found(VIRTUAL_MACHINES, name)));
        }
        let reply = match (asked.method.as_str(), rest) {
            ("GET", []) => {
                let expand = asked.flag("$expand").is_some_and(|e| e.contains("instanceview"));
                self.with(|m| {
                    let document =
                        m.vm_document(config, clock, &key(name), m.vm(name)?, expand.then_some(guests));
                    Ok(json_reply(StatusCode::OK, &document))
                })
            }
            ("GET", ["instanceview"]) => self
                .with(|m| Ok(json_reply(StatusCode::OK, &m.instance_view(&key(name), m.vm(name)?, guests)))),
            ("PUT", []) => self.change(asked, |m, a| {
                let document: VirtualMachine = asked.body()?;
                let (begun, new) = m.put_vm(config, a, (group, name), document)?;
                Ok((begun, Shown::Vm { new }))
            }),
            ("DELETE", []) => self.change(asked, |m, a| Ok((m.delete_vm(config, a, name)?, Shown::Nothing))),
            ("POST", ["start"]) => power(Plan::StartVm),
            ("POST", ["poweroff"]) => power(Plan::StopVm { deallocate: false, graceful }),
            ("POST", ["deallocate"]) => power(Plan::StopVm { deallocate: true, graceful: true }),
            ("POST", ["restart"]) => power(Plan::RestartVm),
            _other => return None,
        };
        Some(reply)
    }

    fn volume_request(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        id: &ResourceId,
        rest: &[&str],
    ) -> Option<Result<Response<Bytes>, Refusal>> {
        let name = id.path.get(1)?.as_str();
        let group = id.group.as_deref().unwrap_or_default();
        let target = Target::volume(&id.path[0], name);
        let config = &self.config;
        let elsewhere = |m: &mut Model| m.volume(&target).is_ok_and(|v| !v.group.eq_ignore_ascii_case(group));
        if self.with(elsewhere) {
            return Some(Err(Refusal::not_found(target.kind(), name)));
        }
        let reply = match (asked.method.as_str(), rest) {
            ("GET", []) => self.with(|m| {
                let document = m.volume_document(config, &asked.ctx.clock, &target, m.volume(&target)?);
                Ok(json_reply(StatusCode::OK, &document))
            }),
            ("PUT", []) => self.change(asked, |m, a| {
                let document: ManagedDisk = asked.body()?;
                Ok((m.put_volume(config, a, (group, target.clone(), name), document)?, Shown::Volume))
            }),
            ("DELETE", []) => {
                self.change(asked, |m, a| Ok((m.delete_volume(config, a, target.clone())?, Shown::Nothing)))
            }
            ("POST", ["begingetaccess"]) => self.change(asked, |m, a| {
                let grant: GrantAccess = asked.body()?;
                Ok((m.access_volume(config, a, target.clone(), Some(&grant))?, Shown::Nothing))
            }),
            ("POST", ["endgetaccess"]) => self.change(asked, |m, a| {
                Ok((m.access_volume(config, a, target.clone(), None)?, Shown::Nothing))
            }),
            _other => return None,
        };
        Some(reply)
    }

    /// Makes a change, or finds the operation that the same request made before.
    fn change(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        change: impl FnOnce(&mut Model, &operations::Asked<'_>) -> Result<(Begun, Shown), Refusal>,
    ) -> Result<Response<Bytes>, Refusal> {
        let replay = asked.replay_key();
        let now = asked.ctx.now();
        let timing = &self.config.timing;
        let (fresh, reply) = self.with(|m| {
            let before = replay.as_ref().and_then(|k| m.requests.get(k)).and_then(|id| m.operations.get(id));
            // What failed may be asked for again; what succeeded long ago is another request.
            let before = before
                .filter(|op| op.error.is_none() && op.ended.is_none_or(|at| now.since(at) < timing.replay));
            let before = before.map(|op| Begun::Operation(op.id.clone()));
            if let Some(reply) = before.and_then(|op| self.reply(m, asked, &op, &asked.shown_again()).ok()) {
                return Ok((None, reply));
            }
            let (begun, shown) = change(m, &operations::Asked { now, by: asked.by, timing })?;
            let reply = self.reply(m, asked, &begun, &shown)?;
            let Begun::Operation(id) = begun else { return Ok((None, reply)) };
            if let Some(replay) = replay {
                m.requests.insert(replay, id.clone());
            }
            Ok((Some(id), reply))
        })?;
        if let Some(id) = fresh {
            self.drive(asked.ctx, id);
        }
        Ok(reply)
    }

    fn reply(
        &self,
        m: &Model,
        asked: &Asked<'_>,
        begun: &Begun,
        shown: &Shown,
    ) -> Result<Response<Bytes>, Refusal> {
        let clock = &asked.ctx.clock;
        let id = ResourceId::parse(&asked.path);
        let (kind, name) = match id.as_ref().map(|id| id.path.as_slice()) {
            Some([kind, name, ..]) => (kind.as_str(), name.as_str()),
            Some(_) | None => ("", ""),
        };
        let accepted = match begun {
            Begun::Operation(id) => Some(self.accepted(id)),
            Begun::Nothing => None,
        };
        let mut reply = match shown {
            Shown::Nothing => return Ok(accepted.map_or_else(no_content, |a| a.reply())),
            Shown::Vm { new } => {
                let document = m.vm_document(&self.config, clock, &key(name), m.vm(name)?, None);
                json_reply(if *new { StatusCode::CREATED } else { StatusCode::OK }, &document)
            }
            Shown::Volume => {
                let target = Target::volume(kind, name);
                let document = m.volume_document(&self.config, clock, &target, m.volume(&target)?);
                json_reply(if accepted.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK }, &document)
            }
        };
        if let Some(accepted) = accepted {
            // A machine's PUT ends in the resource itself: it has no Location.
            let result_url = accepted.result_url.clone().filter(|_| matches!(shown, Shown::Volume));
            Accepted { result_url, ..accepted }.add_headers(reply.headers_mut());
        }
        Ok(reply)
    }

    /// Where an operation is asked for.
    fn accepted(&self, operation: &str) -> Accepted {
        let c = &self.config;
        let base = format!(
            "{}://{}/subscriptions/{}/providers/{NAMESPACE}/locations/{}",
            c.scheme, c.arm_host, c.subscription, c.location
        );
        Accepted {
            status_url: format!("{base}/operations/{operation}?{API_VERSION}={VERSION}"),
            result_url: Some(format!("{base}/operationresults/{operation}?{API_VERSION}={VERSION}")),
            retry_after: c.retry_after,
            request_id: Some(operation.to_owned()),
        }
    }

    fn operation_status(&self, asked: &Asked<'_>, id: &str) -> Result<Response<Bytes>, Refusal> {
        let clock = &asked.ctx.clock;
        self.with(|m| {
            let operation = m.operations.get(id).ok_or_else(|| Refusal::not_found("operations", id))?;
            let uri = m.access_uri(&self.config, operation, |at| clock.dotnet(at));
            let output = uri.and_then(|uri| serde_json::to_value(uri).ok());
            Ok(json_reply(StatusCode::OK, &views::status(clock, operation, output)))
        })
    }

    fn operation_result(&self, asked: &Asked<'_>, id: &str) -> Result<Response<Bytes>, Refusal> {
        let clock = &asked.ctx.clock;
        self.with(|m| {
            let operation = m.operations.get(id).ok_or_else(|| Refusal::not_found("operations", id))?;
            if operation.is_running() {
                let mut reply = no_content();
                *reply.status_mut() = StatusCode::ACCEPTED;
                if let Ok(url) = self.accepted(id).result_url.unwrap_or_default().parse() {
                    reply.headers_mut().insert(lro::LOCATION, url);
                }
                return Ok(reply);
            }
            if let Some((code, message)) = &operation.error {
                return Err(Refusal::conflict(code, message));
            }
            if let Some(uri) = m.access_uri(&self.config, operation, |at| clock.dotnet(at)) {
                return Ok(json_reply(StatusCode::OK, &uri));
            }
            let document = match (&operation.plan, &operation.target) {
                (Plan::CreateVolume, target) => m.volume(target).ok().map(|volume| {
                    json_reply(StatusCode::OK, &m.volume_document(&self.config, clock, target, volume))
                }),
                (Plan::CreateVm | Plan::UpdateVm, Target::Vm(vm)) => m.vms.get(vm).map(|found| {
                    json_reply(StatusCode::OK, &m.vm_document(&self.config, clock, vm, found, None))
                }),
                (Plan::DeleteVm | Plan::DeleteVolume, _) => Some(no_content()),
                _action => Some(json_reply(StatusCode::OK, &serde_json::Value::Null)),
            };
            document.ok_or_else(|| Refusal::not_found(operation.target.kind(), &operation.resource))
        })
    }

    fn service_sas(&self, asked: &Asked<'_>, account: &str) -> Result<Response<Bytes>, Refusal> {
        if !account.eq_ignore_ascii_case(self.config.account()) {
            let message = format!("The storage account '{account}' was not found.");
            return Err(Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", message));
        }
        let request: ServiceSasRequest = asked.body()?;
        let container = request.signed_resource == "c";
        let depth = request.canonicalized_resource.matches('/').count();
        let root = format!("/blob/{}/", self.config.account());
        let fits = if container { depth == 3 } else { depth >= 4 };
        if !request.canonicalized_resource.starts_with(&root) || !fits {
            return Err(Refusal::bad(
                "InvalidParameter",
                "canonicalizedResource names no blob of this account.",
            ));
        }
        let grant = Grant {
            by: asked.by,
            scope: request.canonicalized_resource,
            container,
            permissions: request.signed_permission,
            expires: request.signed_expiry,
        };
        Ok(json_reply(StatusCode::OK, &ServiceSas { service_sas_token: sas::sign(&grant) }))
    }
}

fn no_content() -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}
