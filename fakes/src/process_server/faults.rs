//! What can befall a process server.

use super::{Addressing, ProcessServer, Service};
use failback_wire::event::{Actor, What};
use failback_wire::ids::{SessionId, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change of a process server's state. Externally tagged, as scenario files write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum ProcessServerFault {
    /// Its services stop: no heartbeats, nothing is passed on, and every call is answered 503 (806, P13).
    StopServices,
    /// Its services run again.
    StartServices,
    /// The cache has only this size from now on, for others fill its volume (E14).
    CacheSize {
        /// Bytes.
        bytes: u64,
    },
    /// Its bandwidth is throttled: it passes on at most this many bytes a second, of all sessions together (E15). A
    /// person throttles it to 512 Kbps at least; a line may be slower.
    Throttle {
        /// Bytes a second; at least 1, by an operator 64000.
        bytes_per_second: u64,
    },
    /// Its bandwidth is not throttled any more.
    Unthrottle,
    /// One of its services stops: without `cxprocessserver` or `process-server` no data comes in or goes out, without
    /// the one that reports no heartbeat is sent (P13).
    StopService {
        /// Which.
        service: Service,
    },
    /// The service is started, and set to start automatically.
    StartService {
        /// Which.
        service: Service,
    },
    /// How busy it is with the machines that it serves now, in percent (P14): less as soon as it serves fewer.
    Load {
        /// Of its processors.
        cpu: u8,
        /// Of its memory.
        memory: u8,
    },
    /// A person gives it processors and memory. It begins with what up to a hundred machines need: 8 and 16 GB [CAP].
    Hardware {
        /// Processors it has then; default: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpus: Option<u32>,
        /// Memory it has then, in GB; default: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_gb: Option<u32>,
    },
    /// Its address is not static, or is translated on the way to it (P12); or neither.
    Address {
        /// The IPv4 address is static.
        r#static: bool,
        /// It is translated.
        nat: bool,
    },
    /// What agents send is refused, for the cache folder cannot be written (78028).
    BlockUploads,
    /// The cache folder can be written again.
    AllowUploads,
    /// It is updated to this component version (P16).
    Update {
        /// `9.63`.
        version: String,
    },
    /// The cache's files are lost: what was received and not passed on is gone.
    CacheLost,
}

impl ProcessServer {
    /// Changes the state as `fault` says, on behalf of `by`.
    ///
    /// # Errors
    /// When there is nothing to change.
    pub fn apply_fault(&self, fault: &ProcessServerFault, by: Actor) -> Result<(), String> {
        let mut state = self.lock();
        match fault {
            ProcessServerFault::StopServices => state.serving = false,
            ProcessServerFault::StartServices => {
                state.serving = true;
                state.wake_all();
            }
            ProcessServerFault::StopService { service } => {
                if self.config.site == Site::Azure && *service == Service::Tmansvc {
                    return Err("a process server in Azure has no tmansvc".to_owned());
                }
                state.condition.stopped.insert(*service);
            }
            ProcessServerFault::StartService { service } => {
                if !state.condition.stopped.remove(service) {
                    return Err(format!("{} runs", service.name()));
                }
                state.wake_all();
            }
            ProcessServerFault::Load { cpu, memory } => {
                let sessions = state.sessions.len();
                state.condition.load((*cpu).min(100), (*memory).min(100), sessions);
            }
            ProcessServerFault::Hardware { cpus, memory_gb } => {
                if cpus == &Some(0) || memory_gb == &Some(0) {
                    return Err("a server needs a processor and memory".to_owned());
                }
                let condition = &mut state.condition;
                condition.processors.have = cpus.unwrap_or(condition.processors.have);
                condition.memory.have = memory_gb.unwrap_or(condition.memory.have);
            }
            ProcessServerFault::Address { r#static, nat } => {
                state.condition.addressing = Addressing { is_static: *r#static, nat: *nat };
            }
            ProcessServerFault::BlockUploads => state.condition.uploads_blocked = true,
            ProcessServerFault::AllowUploads => state.condition.uploads_blocked = false,
            ProcessServerFault::CacheSize { bytes } => state.cache_bytes = *bytes,
            ProcessServerFault::Throttle { bytes_per_second } => {
                state.throttle.limit(Some(*bytes_per_second));
                state.limits.notify_waiters();
            }
            ProcessServerFault::Update { version } => version.clone_into(&mut state.version),
            ProcessServerFault::Unthrottle => {
                state.throttle.limit(None);
                state.limits.notify_waiters();
            }
            ProcessServerFault::CacheLost => {
                let held = state.sessions.iter().filter(|(_, s)| !s.relay.drained());
                let ids: Vec<SessionId> = held.map(|(id, _)| id.clone()).collect();
                if ids.is_empty() {
                    return Err("the cache is empty".to_owned());
                }
                for id in &ids {
                    state.relay(id, |relay| relay.require_resync("the process server's cache was lost"));
                    state.emit(What::Note {
                        text: format!("cached frames of session {id} are lost, by {by:?}"),
                    });
                }
            }
        }
        Ok(())
    }
}
