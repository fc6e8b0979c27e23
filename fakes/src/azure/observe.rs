//! The whole subscription as one document, for comparing two runs at the same virtual time.

use super::Azure;
use super::model::{Model, Volume};
use super::replication;
use failback_replication::disk::Disk;
use serde_json::{Map, Value, json};

fn hash(disk: &Disk) -> Value {
    Value::from(format!("{:?}", disk.root_hash()))
}

fn volume(volume: &Volume) -> Value {
    json!({
        "group": volume.group,
        "ready": volume.ready,
        "owner": volume.owner,
        "bytes": volume.content.bytes(),
        "content": hash(&volume.content),
        "access": volume.access.as_ref().map(|a| json!({"write": a.write, "until": a.until})),
    })
}

fn keyed<'a, K: ToString + 'a, V>(
    items: impl Iterator<Item = (&'a K, V)>,
    show: impl Fn(V) -> Value,
) -> Value {
    Value::Object(items.map(|(key, item)| (key.to_string(), show(item))).collect::<Map<_, _>>())
}

fn vms(model: &Model) -> Value {
    keyed(model.vms.iter(), |vm| {
        json!({
            "group": vm.group,
            "power": vm.power.word(),
            "hung": vm.hung,
            "failed": vm.failed,
            "disks": vm.slots().map(|s| &s.disk).collect::<Vec<_>>(),
        })
    })
}

fn blobs(model: &Model) -> Value {
    let labelled: Vec<(String, Value)> = model
        .blobs
        .0
        .iter()
        .map(|(name, blob)| {
            let snapshots = keyed(blob.snapshots.iter(), |s| hash(&s.content));
            let value = json!({"bytes": blob.length, "content": hash(&blob.content), "snapshots": snapshots});
            (name.label(), value)
        })
        .collect();
    Value::Object(labelled.into_iter().collect())
}

impl Azure {
    /// Machines with power, disks, snapshots and blobs with the hashes of their content, who holds what,
    /// granted access, operations under way (with no ids: those count requests), what is armed.
    pub fn observe(&self) -> Value {
        self.with(|m| {
            let operations: Vec<Value> = m
                .busy
                .iter()
                .filter_map(|(target, id)| Some((target, m.operations.get(id)?)))
                .map(|(target, op)| {
                    let what = format!("{:?} {target:?}", op.plan.operation(target));
                    json!({"what": what, "by": op.by, "started": op.started, "due": op.due})
                })
                .collect();
            let armed: Vec<Value> = m
                .armed
                .iter()
                .map(|a| json!({"operation": a.operation, "code": a.code, "times": a.times}))
                .collect();
            json!({
                "vms": vms(m),
                "disks": keyed(m.disks.iter(), volume),
                "snapshots": keyed(m.snapshots.iter(), volume),
                "blobs": blobs(m),
                "sessions": replication::observe(m),
                "operations": operations,
                "armed": armed,
                "denial": m.denial,
                "cardQuota": m.card_quota,
                "networks": m.networks.keys().collect::<Vec<_>>(),
            })
        })
    }
}
