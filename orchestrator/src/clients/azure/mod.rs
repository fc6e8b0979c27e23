//! The client of Azure Resource Manager: virtual machines and managed disks of the recovery site.
//!
//! Every changing call takes a `key`: the caller's name for "this attempt at this step". It travels as
//! `x-ms-client-request-id`, so a repeat with the same key, also after a restart, joins the operation that
//! is already under way instead of starting another. Every call converges: it looks first, does what is
//! missing, and looks again.

mod call;
mod disks;
mod sas;
mod vms;

#[cfg(test)]
mod tests;

pub use disks::{DiskFacts, NewDisk};
pub use vms::{NewVm, Power, Provisioning, VmFacts};

use failback_wire::arm::{ResourceId, compute};
use failback_wire::http::{Http, HttpError};
use std::time::Duration;

/// How a call to Azure can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AzureError {
    /// Azure is out of reach; nothing was changed by the last request.
    #[error("Azure is unreachable: {0}")]
    Unavailable(HttpError),
    /// No usable reply to a change, and reading the state back did not show it. It may still come.
    #[error("Azure's answer was lost: {0}")]
    Ambiguous(HttpError),
    /// Azure said no; nothing was changed.
    #[error("Azure refused with {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// ARM error code.
        code: String,
        /// For people.
        message: String,
    },
    /// Azure accepted the operation and then failed it.
    #[error("the operation failed in Azure with {code}: {message}")]
    OperationFailed {
        /// ARM error code.
        code: String,
        /// For people.
        message: String,
    },
    /// What Azure answered is not what the protocol promises.
    #[error("Azure's answer makes no sense: {0}")]
    Garbled(String),
    /// The operation did not end in time. It goes on in Azure.
    #[error("{operation} did not end within {} s", after.as_secs())]
    Deadline {
        /// Which operation.
        operation: &'static str,
        /// The limit.
        after: Duration,
    },
}

impl AzureError {
    /// The code that Azure gave, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::OperationFailed { code, .. } => Some(code),
            Self::Unavailable(_) | Self::Ambiguous(_) | Self::Garbled(_) | Self::Deadline { .. } => None,
        }
    }
    /// True when the same call, with the same key, may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(error) | Self::Ambiguous(error) => *error != HttpError::Dead,
            Self::Garbled(_) | Self::Deadline { .. } => true,
            Self::Refused { status, code, .. } => {
                *status >= 500 || *status == 408 || *status == 429 || code == call::CONFLICT
            }
            Self::OperationFailed { .. } => false,
        }
    }
}

impl From<HttpError> for AzureError {
    fn from(error: HttpError) -> Self {
        if error.is_ambiguous() { Self::Ambiguous(error) } else { Self::Unavailable(error) }
    }
}

/// How patient the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Deadline of one HTTP call.
    pub call: Duration,
    /// How often one request is sent before its failure is reported.
    pub attempts: u32,
    /// Wait before the second attempt; doubles each time.
    pub back_off: Duration,
    /// Wait between two looks at an operation, unless the service names another.
    pub poll: Duration,
    /// Deadline of a whole operation.
    pub operation: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(60),
            attempts: 4,
            back_off: Duration::from_secs(2),
            poll: Duration::from_secs(10),
            operation: Duration::from_secs(30 * 60),
        }
    }
}

/// The client. Clones share the connection.
#[derive(Clone)]
pub struct AzureClient {
    http: Http,
    origin: String,
    subscription: String,
    group: String,
    token: String,
    patience: Patience,
}

impl AzureClient {
    /// Calls go to `arm_host` (https, unless it names a scheme) with `token` as bearer; all names are those
    /// of resources in `resource_group`.
    pub fn new(
        http: Http,
        arm_host: impl Into<String>,
        subscription: impl Into<String>,
        resource_group: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        let host: String = arm_host.into();
        let origin = if host.contains("://") { host } else { format!("https://{host}") };
        Self {
            http,
            origin: origin.trim_end_matches('/').to_owned(),
            subscription: subscription.into(),
            group: resource_group.into(),
            token: token.into(),
            patience: Patience::default(),
        }
    }
    /// The same client, with other limits.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
    /// ARM id of the virtual machine of this name.
    pub fn vm_id(&self, name: &str) -> ResourceId {
        self.compute_id(compute::VIRTUAL_MACHINES, name)
    }
    /// ARM id of the managed disk of this name.
    pub fn disk_id(&self, name: &str) -> ResourceId {
        self.compute_id(compute::DISKS, name)
    }
    /// ARM id of a subnet.
    pub fn subnet_id(&self, network: &str, subnet: &str) -> ResourceId {
        failback_wire::arm::network::subnet_id(&self.subscription, &self.group, network, subnet)
    }
    fn compute_id(&self, kind: &str, name: &str) -> ResourceId {
        ResourceId::new(&self.subscription, &self.group, compute::NAMESPACE, kind, name)
    }
}
