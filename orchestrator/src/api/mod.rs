//! The northbound API: Site Recovery's ARM surface, as far as the failback cycle needs it.
//!
//! Paths match in any case, an api-version and a bearer token must be present, operations answer 202 with
//! both long-running headers, lists fit one page. Refusals are 4xx with every reason in `details`.

mod actions;
mod certificate;
mod errors;
mod events;
mod fabrics;
mod ids;
mod input;
mod items;
mod jobs;
mod plans;
mod policies;
mod protectable;
mod route;

#[cfg(test)]
mod tests;

use crate::journal::{self, Job, Operation, Target};
use crate::service::{Action, Ask, Orchestrator, Refusal};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use failback_wire::arm::error::json_reply;
use failback_wire::arm::{self, API_VERSION, CLIENT_REQUEST_ID, List, OperationState, OperationStatus};
use failback_wire::http::{HeaderMap, MAX_BODY, Method, Response, StatusCode, header};
use failback_wire::ids::JobId;
use ids::Names;
use input::Asked;
use route::Route;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Orchestrator {
    /// The northbound API of this epoch.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }
}

async fn serve(State(me): State<Arc<Orchestrator>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    me.serves().await;
    let reply = match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(body) => match Call::new(me, &head.method, &head.uri, &head.headers, body) {
            // These ask somebody else before they answer.
            Ok(call) if call.route == Route::RenewCertificate && call.method == Method::POST => {
                certificate::renew(&call).await
            }
            Ok(call) if call.method == Method::GET && call.route.is_protectable() => {
                // Large, and seldom asked: every other answer would carry its weight.
                Box::pin(protectable::answer(&call)).await
            }
            call => call.and_then(|call| call.answer()),
        },
        Err(_) => Err(Refusal::bad("body", "the body is too long or was cut off")),
    };
    reply.unwrap_or_else(errors::reply).map(Body::from)
}

/// One request, with what its reply needs.
pub(crate) struct Call {
    me: Arc<Orchestrator>,
    names: Names,
    route: Route,
    method: Method,
    body: Bytes,
    origin: String,
    version: String,
    client_request: Option<String>,
}

type Reply = Result<Response<Bytes>, Refusal>;

impl Call {
    fn new(
        me: Arc<Orchestrator>,
        method: &Method,
        uri: &::http::Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        if token.is_none_or(|token| token.trim().is_empty()) {
            return Err(errors::unauthenticated());
        }
        let version = arm::query_value(uri.query(), API_VERSION).filter(|version| !version.is_empty());
        let version = version.ok_or_else(errors::no_version)?;
        let names = Names::new(&me.services().config.vault);
        let route = Route::parse(uri.path(), &names).ok_or_else(|| Refusal::missing(uri.path()))?;
        let host = uri.authority().map(::http::uri::Authority::as_str).or_else(|| text("host"));
        let scheme = uri.scheme_str().unwrap_or("http");
        let origin = format!("{scheme}://{}", host.unwrap_or(me.services().ctx.node().as_str()));
        let client_request = text(CLIENT_REQUEST_ID).map(str::to_owned);
        Ok(Self { me, names, route, method: method.clone(), body, origin, version, client_request })
    }

    fn answer(&self) -> Reply {
        let get = self.method == Method::GET;
        let post = self.method == Method::POST;
        let put = self.method == Method::PUT;
        let delete = self.method == Method::DELETE;
        match &self.route {
            Route::Items if get => Ok(json(&List::single(items::list(self)))),
            Route::Item(name) if get => Ok(json(&items::get(self, name)?)),
            Route::Item(name) if put => {
                let asked = self.told(Action::Enable, name, input::enable(&self.body, name))?;
                self.accept(Action::Enable, Target::Item(name.as_str().into()), asked)
            }
            Route::Item(name) if delete => self.leave(name, Action::Purge),
            Route::ItemAction(name, Action::Disable) if post => {
                let action = self.told(Action::Disable, name, input::leaving(&self.body, name))?;
                self.leave(name, action)
            }
            Route::ItemAction(name, action) if post => self.operate(name, *action),
            Route::Points(name) if get => Ok(json(&List::single(items::points(self, name)?))),
            Route::Point(name, point) if get => {
                let mut points = items::points(self, name)?;
                points.retain(|known| known.name.eq_ignore_ascii_case(point));
                points.pop().map(|point| json(&point)).ok_or_else(|| Refusal::missing(point))
            }
            Route::Status(op) if get => self.status(op),
            Route::Results(op) if get => self.results(op),
            Route::Jobs if get => Ok(json(&List::single(jobs::list(self)))),
            Route::Job(id) if get => Ok(json(&jobs::get(self, id)?)),
            Route::JobAction(id, verb) if post && verb == "restart" => self.restart(id),
            Route::JobAction(id, verb) if post => jobs::act(self, id, verb),
            Route::CancelItem(name) if post => {
                let item = items::find(self, name)?;
                self.cancel_failover(&Target::Item(item.name.clone()))?;
                Ok(json(&items::get(self, name)?))
            }
            Route::CancelPlan(name) if post => {
                self.cancel_failover(&Target::Plan(plans::find(self, name)?.name))?;
                Ok(json(&plans::get(self, name)?))
            }
            Route::MoveServer if post => self.move_server(),
            Route::Fabric(_) | Route::VaultHealth | Route::Events | Route::Event(_) if get => self.watched(),
            Route::Policies | Route::Policy(_) | Route::Mappings | Route::Mapping(..) => self.policies(),
            Route::Plans if get => Ok(json(&List::single(plans::list(self)))),
            Route::Plan(name) => self.plan(name),
            Route::PlanAction(name, action) if post => self.operate_plan(name, *action),
            Route::Items
            | Route::Item(_)
            | Route::ItemAction(..)
            | Route::CancelItem(_)
            | Route::CancelPlan(_)
            | Route::Points(_)
            | Route::Point(..)
            | Route::Status(_)
            | Route::Results(_)
            | Route::Jobs
            | Route::Job(_)
            | Route::JobAction(..)
            | Route::Fabric(_)
            | Route::VaultHealth
            | Route::Events
            | Route::Event(_)
            | Route::Protectables
            | Route::Protectable(_)
            | Route::RenewCertificate
            | Route::MoveServer
            | Route::Plans
            | Route::PlanAction(..) => Err(errors::method(&self.method)),
        }
    }

    /// A recovery plan itself.
    fn plan(&self, name: &str) -> Reply {
        let method = &self.method;
        if *method == Method::GET {
            Ok(json(&plans::get(self, name)?))
        } else if *method == Method::PUT || *method == Method::PATCH {
            Ok(json(&plans::save(self, name, *method == Method::PATCH)?))
        } else if *method == Method::DELETE {
            plans::delete(self, name).map(|()| no_content())
        } else {
            Err(errors::method(method))
        }
    }

    /// What there is to watch beside items, plans and jobs.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these four routes come here")]
    fn watched(&self) -> Reply {
        match &self.route {
            Route::Fabric(name) => Ok(json(&fabrics::get(self, name)?)),
            Route::VaultHealth => Ok(json(&fabrics::vault(self))),
            Route::Events => Ok(json(&List::single(events::list(self)))),
            Route::Event(name) => Ok(json(&events::get(self, name)?)),
            _ => Err(errors::method(&self.method)),
        }
    }

    /// Policies, and which of them the configuration server has.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these four routes come here")]
    fn policies(&self) -> Reply {
        let method = &self.method;
        let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
        match &self.route {
            Route::Policies if *method == get => Ok(json(&List::single(policies::list(self)))),
            Route::Policy(name) if *method == get => Ok(json(&policies::get(self, name)?)),
            Route::Policy(name) if *method == put => Ok(json(&policies::save(self, name, false)?)),
            Route::Policy(name) if *method == Method::PATCH => Ok(json(&policies::save(self, name, true)?)),
            Route::Policy(name) if *method == delete => policies::delete(self, name).map(|()| no_content()),
            Route::Mappings if *method == get => Ok(json(&List::single(policies::mappings(self)))),
            Route::Mapping(name, false) if *method == get => Ok(json(&policies::mapping(self, name)?)),
            Route::Mapping(name, false) if *method == put => Ok(json(&policies::associate(self, name)?)),
            Route::Mapping(name, removes)
                if *method == Method::POST && *removes || *method == delete && !*removes =>
            {
                policies::dissociate(self, name).map(|()| no_content())
            }
            _ => Err(errors::method(method)),
        }
    }

    fn operate(&self, name: &str, action: Action) -> Reply {
        let item = self.told(action, name, items::find(self, name))?;
        let asked = if self.again(action, item.name.as_str()) {
            BTreeMap::new()
        } else {
            self.told(
                action,
                name,
                input::single(&self.body, action, &item, &self.me.services().config.knobs.settings),
            )?
        };
        self.accept(action, Target::Item(item.name.clone()), asked)
    }

    /// An operation after which the item is no more: asked again, it may be gone already.
    fn leave(&self, name: &str, action: Action) -> Reply {
        let name = match items::find(self, name) {
            Ok(item) => item.name.clone(),
            Err(_) if self.again(action, name) => name.into(),
            Err(refusal) => return self.told(action, name, Err(refusal)),
        };
        self.accept(action, Target::Item(name), BTreeMap::new())
    }

    fn operate_plan(&self, name: &str, action: Action) -> Reply {
        let plan = self.told(action, name, plans::find(self, name))?;
        let asked = if self.again(action, &plan.name) {
            BTreeMap::new()
        } else {
            let read = |state: &journal::State| input::plan(&self.body, action, &plan, &state.items);
            self.told(action, name, self.me.journal().read(read))?
        };
        self.accept(action, Target::Plan(plan.name), asked)
    }

    /// Moves machines from one process server to another (P13).
    fn move_server(&self) -> Reply {
        const NAME: &str = "reassociateGateway";
        let action = Action::MoveServer;
        let key = self.dedupe(action, NAME);
        let known = self.me.journal().read(|state| state.requests.get(key.as_ref()?).cloned());
        // Sent again, it finds its machines moved.
        if let Some(job) = known.and_then(|id| self.me.job(&id)) {
            return Ok(self.running(&job.request.job, &job.request.target).reply());
        }
        let read = |state: &journal::State| input::moving(&self.body, &state.items);
        let (target, asked) = self.told(action, NAME, self.me.journal().read(read))?;
        self.accept_as(key, action, target, asked)
    }

    /// Passes a result on; a refusal is told to those who watch.
    fn told<T>(&self, action: Action, target: &str, result: Result<T, Refusal>) -> Result<T, Refusal> {
        result.inspect_err(|refusal| self.me.refused(action, target, refusal))
    }

    fn cancel_failover(&self, target: &Target) -> Result<(), Refusal> {
        self.me.cancel_failover(target, self.client_request.as_deref())
    }

    /// Key under which a repeated request finds its job; none without a name from the client.
    fn dedupe(&self, action: Action, target: &str) -> Option<String> {
        self.client_request.as_ref().map(|id| format!("{action:?} {target} {id}"))
    }

    /// Key under which a repeated request finds that it was done, where no job tells.
    fn once(&self) -> Option<String> {
        let method = &self.method;
        self.client_request.as_ref().map(|id| format!("{method} {:?} {id}", self.route))
    }

    /// True when this very request already became a job: then its inputs were good, and the item has
    /// moved on since.
    fn again(&self, action: Action, target: &str) -> bool {
        let key = self.dedupe(action, target);
        key.is_some_and(|key| self.me.journal().read(|state| state.requests.contains_key(&key)))
    }

    fn accept(&self, action: Action, target: Target, inputs: Asked) -> Reply {
        self.accept_as(self.dedupe(action, target.name()), action, target, inputs)
    }

    fn accept_as(&self, dedupe: Option<String>, action: Action, target: Target, inputs: Asked) -> Reply {
        let client_request = self.client_request.clone();
        let ask = Ask { action, inputs, client_request, dedupe, target };
        let id = self.me.submit(&ask)?;
        Ok(self.running(&id, &ask.target).reply())
    }

    /// What ended badly is asked for again, as it was; the new job answers.
    fn restart(&self, id: &str) -> Reply {
        let job = self.job(id)?;
        let new = self.me.restart(&job, self.client_request.clone())?;
        Ok(self.running(&new, &job.request.target).reply())
    }

    fn running(&self, id: &JobId, target: &Target) -> arm::Accepted {
        let query = format!("?{API_VERSION}={}", arm::percent_encode(&self.version));
        let vault = self.names.vault();
        let resource = self.resource(target);
        arm::Accepted {
            status_url: format!("{}{vault}/replicationOperationStatus/{id}{query}", self.origin),
            result_url: Some(format!("{}{resource}/operationresults/{id}{query}", self.origin)),
            retry_after: self.me.services().config.knobs.retry_after.map(u64::from),
            request_id: Some(self.names.job(id.as_str())),
        }
    }

    fn resource(&self, target: &Target) -> String {
        match target {
            Target::Item(name) => self.names.item(name.as_str()),
            Target::Plan(name) => self.names.plan(name),
            Target::ProcessServer(_) => self.names.fabric(),
        }
    }

    fn fabric(&self) -> Reply {
        Ok(json(&fabrics::get(self, &self.names.config().fabric)?))
    }

    fn job(&self, id: &str) -> Result<Job, Refusal> {
        let id = JobId::new(id.to_ascii_lowercase());
        self.me.job(&id).ok_or_else(|| Refusal::missing(id.as_str()))
    }

    fn date(&self, at: failback_wire::clock::VirtualMs) -> String {
        self.me.services().ctx.clock.dotnet(at)
    }

    fn status(&self, op: &str) -> Reply {
        let job = self.job(op)?;
        let status = match job.outcome() {
            None => OperationState::InProgress,
            Some(crate::journal::Outcome::Succeeded) => OperationState::Succeeded,
            Some(crate::journal::Outcome::Failed) => OperationState::Failed,
            Some(crate::journal::Outcome::Cancelled) => OperationState::Canceled,
        };
        let error =
            matches!(status, OperationState::Failed | OperationState::Canceled).then(|| errors::of_job(&job));
        Ok(json(&OperationStatus {
            id: None,
            name: job.request.job.to_string(),
            status,
            start_time: Some(self.date(job.accepted)),
            end_time: job.ended.map(|at| self.date(at)),
            percent_complete: None,
            properties: None,
            error,
        }))
    }

    fn results(&self, op: &str) -> Reply {
        let job = self.job(op)?;
        match job.outcome() {
            None => Ok(self.running(&job.request.job, &job.request.target).reply()),
            Some(crate::journal::Outcome::Failed | crate::journal::Outcome::Cancelled) => {
                Ok(errors::of_job(&job).reply(StatusCode::BAD_REQUEST))
            }
            Some(crate::journal::Outcome::Succeeded) if job.request.operation.ends().is_some() => {
                Ok(no_content())
            }
            Some(crate::journal::Outcome::Succeeded) => match &job.request.target {
                // Whatever was moved, it was asked of the fabric.
                Target::Item(_) if job.request.operation == Operation::MoveServer => self.fabric(),
                Target::ProcessServer(_) => self.fabric(),
                Target::Item(name) => Ok(json(&items::get(self, name.as_str())?)),
                Target::Plan(name) => Ok(json(&plans::get(self, name)?)),
            },
        }
    }
}

fn no_content() -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

fn json<T: serde::Serialize>(body: &T) -> Response<Bytes> {
    json_reply(StatusCode::OK, body)
}
