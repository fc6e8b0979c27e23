//! Waiting for tasks, through lost replies and outages, up to a deadline.

use super::link::Service;
use super::{Result, VcenterClient, VcenterError};
use failback_wire::http::HttpError;
use failback_wire::vim::{Element, FilterSpec, MoRef, TaskInfo, VimRequest};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long one wait may take before the client asks anew, in seconds.
const MAX_WAIT: u64 = 30;
/// How long vCenter may be silent before the client gives up on a task.
const OUTAGE: Duration = Duration::from_secs(60);
/// Pause before asking again.
const PAUSE: Duration = Duration::from_secs(1);

const STATE: &str = "info.state";
const ERROR: &str = "info.error";
const RESULT: &str = "info.result";

impl VcenterClient {
    /// Starts a task and waits for it; what it returned.
    pub(super) async fn run(
        &self,
        method: &'static str,
        request: impl Fn(&Service) -> VimRequest,
    ) -> Result<Option<Element>> {
        let started = self.link.effect(method, request).await?;
        let task = started.first().and_then(|t| MoRef::read(t).ok()).filter(|t| t.kind == "Task");
        let task = task.ok_or_else(|| {
            let detail = format!("{method} returned no task");
            VcenterError::Ambiguous(HttpError::Garbled { host: self.link.host().to_owned(), detail })
        })?;
        self.wait(method, &task).await
    }

    async fn wait(&self, method: &str, task: &MoRef) -> Result<Option<Element>> {
        let deadline = Instant::now() + self.deadline;
        let mut silent_since = None;
        loop {
            let error = match self.watch(task, deadline).await {
                Ok(Some(TaskInfo::Success(result))) => return Ok(result),
                Ok(Some(TaskInfo::Error(fault))) => {
                    return Err(VcenterError::TaskFailed {
                        operation: method.to_owned(),
                        fault: fault.kind,
                        message: fault.message,
                    });
                }
                // The deadline is over.
                Ok(Some(TaskInfo::Queued | TaskInfo::Running) | None) => {
                    let (host, after) = (self.link.host().to_owned(), self.deadline);
                    return Err(VcenterError::Ambiguous(HttpError::TimedOut { host, after }));
                }
                // vCenter does not remember the task: only the state can tell what became of it.
                Err(VcenterError::NotFound(_)) => {
                    let host = self.link.host().to_owned();
                    return Err(VcenterError::Ambiguous(HttpError::Closed { host }));
                }
                Err(
                    error @ (VcenterError::Unavailable(_)
                    | VcenterError::Ambiguous(_)
                    | VcenterError::Garbled(_)
                    | VcenterError::NotAuthenticated),
                ) => error,
                // Somebody cancelled the wait, not the task.
                Err(error @ VcenterError::Fault { .. }) if error.fault() == Some("RequestCanceled") => error,
                Err(error) => return Err(error),
            };
            let since = *silent_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= OUTAGE || Instant::now() >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, %task, "asking again for the task");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Watches a task with a collector of its own until it ends; `None` when the deadline came first.
    async fn watch(&self, task: &MoRef, deadline: Instant) -> Result<Option<TaskInfo>> {
        let collector = self.link.read("CreatePropertyCollector", |service| {
            VimRequest::new("CreatePropertyCollector", service.collector.clone())
        });
        let collector = collector.await?;
        let collector = collector.first().and_then(|c| MoRef::read(c).ok());
        let collector = collector.ok_or_else(|| VcenterError::Garbled("no collector was created".into()))?;
        let watched = self.watch_with(&collector, task, deadline).await;
        // One that is left behind ends with the session.
        let destroy = |_: &Service| VimRequest::new("DestroyPropertyCollector", collector.clone());
        let _ = self.link.effect("DestroyPropertyCollector", destroy).await;
        watched
    }

    async fn watch_with(
        &self,
        collector: &MoRef,
        task: &MoRef,
        deadline: Instant,
    ) -> Result<Option<TaskInfo>> {
        let spec = FilterSpec::of_object(task, &[STATE, ERROR, RESULT]);
        let filter = self.link.read("CreateFilter", |_| {
            VimRequest::new("CreateFilter", collector.clone())
                .arg(spec.element("spec"))
                .arg(Element::leaf("partialUpdates", false))
        });
        filter.await?;
        let mut version = String::new();
        let mut known: BTreeMap<String, Element> = BTreeMap::new();
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs();
            let options =
                Element::new("options").with(Element::leaf("maxWaitSeconds", left.clamp(1, MAX_WAIT)));
            // A version is acknowledged by the next request only: asking again is safe.
            let update = self.link.read("WaitForUpdatesEx", |_| {
                VimRequest::new("WaitForUpdatesEx", collector.clone())
                    .arg(Element::leaf("version", &version))
                    .arg(options.clone())
            });
            let update = update.await?;
            let Some(update) = update.first() else { continue };
            if let Some(next) = update.text_at("version") {
                next.clone_into(&mut version);
            }
            take_changes(update, task, &mut known)?;
            let Some(state) = known.get(STATE) else { continue };
            let info = TaskInfo::read(state.text.trim(), known.get(ERROR), known.get(RESULT))
                .map_err(|e| VcenterError::Garbled(e.to_string()))?;
            if matches!(info, TaskInfo::Success(_) | TaskInfo::Error(_)) {
                return Ok(Some(info));
            }
        }
        Ok(None)
    }
}

/// Takes note of what an update tells about the task.
fn take_changes(update: &Element, task: &MoRef, known: &mut BTreeMap<String, Element>) -> Result<()> {
    for object in update.all("filterSet").flat_map(|f| f.all("objectSet")) {
        let about = object.child("obj").and_then(|o| MoRef::read(o).ok());
        if about.as_ref() != Some(task) {
            continue;
        }
        if object.text_at("kind") == Some("leave") {
            return Err(VcenterError::NotFound(task.to_string()));
        }
        for change in object.all("changeSet") {
            let Some(name) = change.text_at("name") else { continue };
            match change.child("val") {
                Some(val) => known.insert(name.to_owned(), val.clone()),
                None => known.remove(name),
            };
        }
    }
    Ok(())
}
