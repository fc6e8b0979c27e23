//! How a call to vCenter can fail.

use failback_wire::http::HttpError;

/// How a call to vCenter can fail. No credentials are ever part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VcenterError {
    /// Nothing answers, or its service is down (HTTP 503). The request had no effect.
    #[error("vCenter is not available: {0}")]
    Unavailable(String),
    /// The session ended and a new one did not help.
    #[error("vCenter does not accept the session")]
    NotAuthenticated,
    /// Wrong user or password.
    #[error("vCenter refuses the account {user}")]
    InvalidLogin {
        /// The account.
        user: String,
    },
    /// The account lacks a privilege (P8).
    #[error("the account lacks the privilege {privilege} on {object}")]
    NoPermission {
        /// The privilege.
        privilege: String,
        /// On what.
        object: String,
    },
    /// What was asked for does not exist.
    #[error("{0} does not exist in vCenter")]
    NotFound(String),
    /// The machine has snapshots, which what was asked for would leave behind (P17). Nothing was done.
    #[error("{names} on {vm}")]
    Snapshots {
        /// The machine's name.
        vm: String,
        /// The snapshots, parents first.
        names: String,
    },
    /// A task ended with an error.
    #[error("the vCenter task {operation} failed with {fault}: {message}")]
    TaskFailed {
        /// The method that started it.
        operation: String,
        /// Type of the fault: `FileLocked`, `InsufficientHostMemoryCapacityFault`, `HostNotConnected` …
        fault: String,
        /// What vCenter says about it.
        message: String,
    },
    /// The call was answered with a fault; nothing was done.
    #[error("vCenter refuses {operation} with {fault}: {message}")]
    Fault {
        /// The method.
        operation: String,
        /// Type of the fault.
        fault: String,
        /// What vCenter says about it.
        message: String,
    },
    /// The reply makes no sense.
    #[error("the reply of vCenter makes no sense: {0}")]
    Garbled(String),
    /// No reply came; the request may have taken effect.
    #[error("it is unknown whether the call took effect: {0}")]
    Ambiguous(HttpError),
}

impl VcenterError {
    /// The fault's type, when vCenter named one.
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::TaskFailed { fault, .. } | Self::Fault { fault, .. } => Some(fault),
            Self::InvalidLogin { .. } => Some("InvalidLogin"),
            Self::NoPermission { .. } => Some("NoPermission"),
            Self::NotAuthenticated => Some("NotAuthenticated"),
            Self::Unavailable(_)
            | Self::NotFound(_)
            | Self::Snapshots { .. }
            | Self::Garbled(_)
            | Self::Ambiguous(_) => None,
        }
    }
}
