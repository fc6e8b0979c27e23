//! The operator's client of the northbound API: nothing but HTTP and JSON, as any tool would use it.

use super::view::{Item, Job, JobView, List, Point, Resource};
use bytes::Bytes;
use failback_orchestrator::config::Vault;
use failback_wire::error::Report;
use failback_wire::http::{Call, Http, HttpError, Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Any version: the service only requires that one is named.
const API_VERSION: &str = "2025-08-01";
/// Token of the operator.
pub const OPERATOR_TOKEN: &str = "operator";

/// How a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// 200, 201 or 204: done already.
    Done,
    /// 202: the id of the job it became.
    Accepted(String),
    /// 4xx: the codes of the error and its details, and the error itself.
    Refused(Vec<String>, Option<Report>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No reply came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A reply came that the API does not promise.
    #[error("{0}")]
    Unexpected(String),
}

/// The client.
#[derive(Clone)]
pub struct Client {
    http: Http,
    host: String,
    vault: String,
    fabric: String,
    container: String,
}

impl Client {
    /// Speaks to the orchestrator at `host` about this vault.
    pub fn new(http: Http, host: &str, vault: &Vault) -> Self {
        let base = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.RecoveryServices/vaults/{}",
            vault.subscription, vault.resource_group, vault.name
        );
        let fabric = format!("{base}/replicationFabrics/{}", vault.fabric);
        let container = format!("{fabric}/replicationProtectionContainers/{}", vault.container);
        Self { http, host: host.to_owned(), vault: base, fabric, container }
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        request_id: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, http::HeaderMap, Bytes), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}?api-version={API_VERSION}", self.host))
            .header("authorization", format!("Bearer {OPERATOR_TOKEN}"))
            .header("content-type", "application/json");
        if let Some(id) = request_id {
            request = request.header("x-ms-client-request-id", id);
        }
        let body = body.filter(|b| !b.is_null()).map(Value::to_string).unwrap_or_default();
        let request = request.body(Bytes::from(body)).map_err(|e| unexpected(&e))?;
        let timeout = Duration::from_secs(60);
        let reply = self.http.send(Call { operation, timeout, request }).await?;
        let (parts, body) = reply.into_parts();
        Ok((parts.status, parts.headers, body))
    }

    /// Sends an operation; `request_id` makes a repeated request the same request.
    ///
    /// # Errors
    /// When no reply came, or one that is neither 2xx nor 4xx.
    pub async fn operate(
        &self,
        method: Method,
        path: &str,
        request_id: &str,
        body: &Value,
    ) -> Result<Answer, ClientError> {
        let (status, headers, reply) =
            self.send("asr.operate", method, path, Some(request_id), Some(body)).await?;
        if status.is_client_error() {
            return Ok(refusal(&read(&reply)?));
        }
        if matches!(status, StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT) {
            return Ok(Answer::Done);
        }
        let location = headers.get("location").and_then(|l| l.to_str().ok());
        let both = headers.contains_key("azure-asyncoperation");
        match location.and_then(|l| l.split('?').next()?.rsplit('/').next()) {
            Some(job) if status == StatusCode::ACCEPTED && both => Ok(Answer::Accepted(job.to_owned())),
            _ => Err(ClientError::Unexpected(format!("{path} was answered {status} without both headers"))),
        }
    }

    /// The path of a replicated item.
    pub fn item_path(&self, item: &str) -> String {
        format!("{}/replicationProtectedItems/{item}", self.container)
    }
    /// The path of an operation on the configuration server.
    pub fn fabric_path(&self, verb: &str) -> String {
        format!("{}/{verb}", self.fabric)
    }
    /// The path of a recovery plan.
    pub fn plan_path(&self, plan: &str) -> String {
        format!("{}/replicationRecoveryPlans/{plan}", self.vault)
    }
    /// The path of a job.
    pub fn job_path(&self, job: &str) -> String {
        format!("{}/replicationJobs/{job}", self.vault)
    }
    /// The path of a mapping of the protection container.
    pub fn mapping_path(&self, mapping: &str) -> String {
        format!("{}/replicationProtectionContainerMappings/{mapping}", self.container)
    }
    /// The path of a policy.
    pub fn policy_path(&self, policy: &str) -> String {
        format!("{}/replicationPolicies/{policy}", self.vault)
    }

    async fn get<T: DeserializeOwned>(&self, operation: &'static str, path: &str) -> Result<T, ClientError> {
        let (status, _, body) = self.send(operation, Method::GET, path, None, None).await?;
        if status.is_success() { read(&body) } else { Err(answered(path, status, &body)) }
    }

    /// A job.
    ///
    /// # Errors
    /// When no reply came, or no job.
    pub async fn job(&self, job: &str) -> Result<JobView, ClientError> {
        let path = format!("{}/replicationJobs/{job}", self.vault);
        let job: Resource<Job> = self.get("asr.job", &path).await?;
        Ok(job.properties.into())
    }

    /// A replicated item's properties; `None` when there is no such item.
    ///
    /// # Errors
    /// When no reply came, or neither.
    pub(super) async fn item(&self, item: &str) -> Result<Option<Item>, ClientError> {
        let path = self.item_path(item);
        let (status, _, body) = self.send("asr.item", Method::GET, &path, None, None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(read::<Resource<Item>>(&body)?.properties)),
            status => Err(answered(&path, status, &body)),
        }
    }

    /// The fabric's properties: its health, and that of its servers.
    ///
    /// # Errors
    /// When no reply came, or no fabric.
    pub async fn fabric(&self) -> Result<Value, ClientError> {
        let mut fabric: Value = self.get("asr.fabric", &self.fabric).await?;
        Ok(fabric["properties"].take())
    }

    /// The vault's health, by its parts.
    ///
    /// # Errors
    /// When no reply came, or no health.
    pub async fn vault_health(&self) -> Result<Value, ClientError> {
        let path = format!("{}/replicationVaultHealth", self.vault);
        let mut health: Value = self.get("asr.vault-health", &path).await?;
        Ok(health["properties"].take())
    }

    /// The vault's events about the health of what has this name, oldest first: (code, severity).
    ///
    /// # Errors
    /// When no reply came, or no list.
    pub async fn health_events(&self, of: &str) -> Result<Vec<(String, String)>, ClientError> {
        let value: Value = self.get("asr.events", &format!("{}/replicationEvents", self.vault)).await?;
        let all = value["value"].as_array().into_iter().flatten().rev().map(|event| &event["properties"]);
        let own = all
            .filter(|event| event["affectedObjectFriendlyName"] == of && event["eventType"] != "JobStatus");
        Ok(own.map(|event| (text(&event["eventCode"]), text(&event["severity"]))).collect())
    }

    /// What the container lists as protectable: its status, and the codes of what stands against it.
    ///
    /// # Errors
    /// When no reply came, or no list.
    pub async fn protectable(&self) -> Result<BTreeMap<String, (String, BTreeSet<String>)>, ClientError> {
        let path = format!("{}/replicationProtectableItems", self.container);
        let value: Value = self.get("asr.protectable", &path).await?;
        let one = |item: &Value| {
            let about = &item["properties"];
            let codes = about["protectionReadinessErrors"].as_array().into_iter().flatten().map(text);
            (text(&item["name"]), (text(&about["protectionStatus"]), codes.collect()))
        };
        Ok(value["value"].as_array().into_iter().flatten().map(one).collect())
    }

    /// An item's recovery points, oldest first: (id, type).
    ///
    /// # Errors
    /// When no reply came, or no item.
    pub async fn points(&self, item: &str) -> Result<Vec<(String, String)>, ClientError> {
        let path = format!("{}/recoveryPoints", self.item_path(item));
        let points: List<Point> = self.get("asr.points", &path).await?;
        Ok(points.value.into_iter().map(|point| (point.name, point.properties.recovery_point_type)).collect())
    }
}

fn unexpected(error: &dyn std::fmt::Display) -> ClientError {
    ClientError::Unexpected(error.to_string())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|e| unexpected(&e))
}

fn answered(path: &str, status: StatusCode, body: &[u8]) -> ClientError {
    ClientError::Unexpected(format!("{path} was answered {status}: {}", String::from_utf8_lossy(body)))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn refusal(value: &Value) -> Answer {
    let error = &value["error"];
    let details: Vec<&Value> = error["details"].as_array().into_iter().flatten().collect();
    let mut codes: Vec<String> = details.iter().map(|d| text(&d["code"])).collect();
    if codes.is_empty() {
        codes.push(text(&error["code"]));
    }
    let first = details.first().copied().unwrap_or(error);
    let report = Report {
        code: codes[0].clone(),
        message: text(&error["message"]),
        possible_causes: text(&first["possibleCauses"]),
        recommended_action: text(&first["recommendedAction"]),
        entity: text(&first["target"]),
        inner: Vec::new(),
        beneath: Vec::new(),
    };
    Answer::Refused(codes, Some(report))
}

/// Bodies of the operations, in the shapes of `providerSpecificDetails` that each direction wants.
pub mod body {
    use super::{Value, json};
    use crate::scenario::model::PolicySettings;
    use crate::scenario::text::Spanned;
    use crate::scenario::units::Period;

    /// `{"properties": {"failoverDirection": …, "providerSpecificDetails": …}}`
    fn properties(direction: &str, details: &Value) -> Value {
        json!({ "properties": { "failoverDirection": direction, "providerSpecificDetails": details } })
    }
    /// Failover to Azure.
    pub fn failover(planned: bool, details: &Value, shutdown: bool) -> Value {
        let mut body = properties("PrimaryToRecovery", details);
        body["properties"]["sourceSiteOperations"] = json!(if shutdown { "Required" } else { "NotRequired" });
        if planned {
            body["properties"].as_object_mut().map(|p| p.remove("sourceSiteOperations"));
        }
        body
    }
    /// A replication policy: what is given, in minutes.
    pub fn policy(settings: &PolicySettings) -> Value {
        let minutes = |period: &Option<Spanned<Period>>| period.as_ref().map(|p| p.duration().as_secs() / 60);
        json!({ "properties": { "providerSpecificInput": {
            "instanceType": "InMageAzureV2",
            "recoveryPointHistory": minutes(&settings.retention),
            "crashConsistentFrequencyInMinutes": minutes(&settings.crash_consistent_every),
            "appConsistentFrequencyInMinutes": minutes(&settings.app_consistent_every),
            "multiVmSyncStatus": "Enable",
            "diskType": settings.disk_tier,
        }}})
    }
    /// Test failover, into the network of this id, or into none.
    pub fn test_failover(details: &Value, network: Option<String>) -> Value {
        let mut body = properties("PrimaryToRecovery", details);
        let kind = if network.is_some() { "VmNetworkAsInput" } else { "NoNetworkAttachAsInput" };
        body["properties"]["networkType"] = json!(kind);
        if let Some(network) = network {
            body["properties"]["networkId"] = json!(network);
        }
        body
    }
    /// Another recovery point, by its id.
    pub fn change_point(id: &str) -> Value {
        let details = json!({ "instanceType": "InMageAzureV2" });
        json!({ "properties": { "providerSpecificDetails": details, "recoveryPointId": id } })
    }
    /// Failback: roles are swapped, a single item still says `PrimaryToRecovery` (G3), a plan the opposite.
    pub fn failback(plan: bool, details: &Value) -> Value {
        let direction = if plan { "RecoveryToPrimary" } else { "PrimaryToRecovery" };
        properties(direction, details)
    }
}
