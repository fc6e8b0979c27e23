//! The story of a run: which events make a line of it, and how the line reads.

use failback_wire::event::{Actor, DiskRef, Event, VmRef, What};

fn vm(vm: &VmRef) -> String {
    format!("{} ({})", vm.name, vm.site)
}

fn disk(disk: &DiskRef) -> String {
    match disk {
        DiskRef::Vmdk(uuid) => format!("vmdk {uuid}"),
        DiskRef::Managed(name) => format!("managed disk {name}"),
        DiskRef::Blob(name) => format!("blob {name}"),
    }
}

/// Enough of a GUID to tell one from another.
fn short(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// A recovery point as `session-mark`, the session shortened.
fn point(id: &str) -> String {
    format!("{}-{}", short(id), id.rsplit('-').next().unwrap_or_default())
}

/// True for what the world holds before the run begins.
fn is_setup(what: &What) -> bool {
    matches!(
        what,
        What::VmCreated { by: Actor::Setup, .. }
            | What::PowerChanged { by: Actor::Setup, .. }
            | What::DiskCreated { by: Actor::Setup, .. }
            | What::DiskAttached { by: Actor::Setup, .. }
    )
}

/// The line of `event`, if it belongs in the story: what an operator would see or do, not every write.
pub fn line(event: &Event) -> Option<String> {
    let text = (!is_setup(&event.what)).then(|| story(&event.what)).flatten()?;
    // Whole seconds: the story does not change with every call that is saved; the hash knows the rest.
    let at = event.at.to_string();
    let at = at.split('.').next().unwrap_or(&at);
    Some(format!("{at} {:<14} {text}", event.node.as_str()))
}

fn story(what: &What) -> Option<String> {
    let text = match what {
        What::GuestWrote { .. }
        | What::MarkCut { .. }
        | What::DiskWritten { .. }
        | What::PointStored { .. }
        | What::PointPruned { .. }
        | What::PointOffered { .. }
        | What::PointWithdrawn { .. }
        | What::NodeStarted { .. }
        | What::TaskStarted { .. } => return None,
        What::GuestBooted { copy } => format!("{copy} booted"),
        What::GuestStopped { copy, clean: true } => format!("{copy} shut down"),
        What::GuestStopped { copy, clean: false } => format!("{copy} lost power"),
        What::AgentRegistered { copy } => format!("agent of {copy} registered"),
        What::ToolsChanged { copy, enabled: true } => format!("VMware Tools enabled in {copy}"),
        What::ToolsChanged { copy, enabled: false } => format!("VMware Tools disabled in {copy}"),
        What::GuestChanged { copy, change } => format!("{copy}: {change}"),
        What::GuestLogged { copy, event } => format!("event {event} in the log of {copy}"),
        What::VmCreated { vm: v, .. } => format!("virtual machine {} created", vm(v)),
        What::VmDeleted { vm: v, .. } => format!("virtual machine {} deleted", vm(v)),
        What::PowerChanged { vm: v, on: true, .. } => format!("{} powered on", vm(v)),
        What::PowerChanged { vm: v, on: false, .. } => format!("{} powered off", vm(v)),
        What::VmChanged { vm: v, change, .. } => format!("{}: {change}", vm(v)),
        What::DiskAdded { copy, disk, .. } => format!("{copy} finds the new disk {disk}"),
        What::DiskCreated { disk: d, .. } => format!("{} created", disk(d)),
        What::DiskDeleted { disk: d, .. } => format!("{} deleted", disk(d)),
        What::DiskAttached { disk: d, vm: v, .. } => format!("{} attached to {}", disk(d), vm(v)),
        What::DiskDetached { disk: d, vm: v, .. } => format!("{} detached from {}", disk(d), vm(v)),
        What::DiskExtended { disk: d, bytes, .. } => format!("{} extended to {bytes} bytes", disk(d)),
        What::SnapshotTaken { vm: v, name, .. } => format!("snapshot `{name}` taken of {}", vm(v)),
        What::SnapshotRemoved { vm: v, name, .. } => format!("snapshot `{name}` of {} removed", vm(v)),
        What::SessionPhase { session, machine, phase } => {
            format!("session {} of {machine}: {phase}", short(session.as_str()))
        }
        What::Rolled { session, point: to, .. } => {
            format!("disks of session {} rolled to {}", short(session.as_str()), point(to.as_str()))
        }
        What::RequestAccepted { operation, target, job } => {
            format!("{operation} of {target} accepted as job {}", short(job.as_str()))
        }
        What::RequestRefused { operation, target, codes } => {
            format!("{operation} of {target} refused: {}", codes.join(", "))
        }
        What::JobStarted { job, scenario, target } => {
            format!("job {} {scenario} of {target} began", short(job.as_str()))
        }
        What::TaskEnded { job, task, state, code } => {
            let code = code.as_ref().map(|c| format!(" {c}")).unwrap_or_default();
            format!("job {} {task}: {state}{code}", short(job.as_str()))
        }
        What::JobEnded { job, state, code } => {
            let code = code.as_ref().map(|c| format!(" {c}")).unwrap_or_default();
            format!("job {} ended: {state}{code}", short(job.as_str()))
        }
        What::ItemChanged { item, state, active, health, .. } => {
            format!("{item} is {state}, active {active}, health {health}")
        }
        What::PointChosen { item, point: from, to, .. } => {
            format!("{item} comes up {to} from point {}", point(from.as_str()))
        }
        What::Warned { item, code } => format!("warning {code} on {item}"),
        What::StepStarted { step, text } => format!("step {step}: {text}"),
        What::StepEnded { step, outcome } => format!("step {step} {outcome}"),
        What::FaultArmed { fault } => format!("fault armed: {fault}"),
        What::FaultFired { fault } => format!("fault fired: {fault}"),
        What::FaultCleared { fault } => format!("fault cleared: {fault}"),
        What::NodeCrashed { node } => format!("{node} crashed"),
        What::Note { text } => text.clone(),
    };
    Some(text)
}
