//! Twin comparison: differences found, listed ones masked, nothing more.

use failback_oracle::twin::{Difference, MASK, compare};
use serde_json::{Value, json};

fn world() -> Value {
    json!({
        "vcenter": {
            "vms": { "web01": { "on": true, "disks": ["6000C29a-0", "6000C29a-1"], "snapshots": [] } },
            "sessions": [{ "user": "asr", "last_used": 100 }],
            "locks": { "6000C29a-0": "web01" },
        },
        "azure": { "disks": { "web01-disk0": { "lease": null } }, "request_id": "a-1" },
        "cs": { "rows": ["web01"], "call_log": ["GET /v1/machines/web01"] },
        "jobs": { "j1": "Succeeded" },
        "calls": 7,
    })
}

fn paths(a: &Value, b: &Value) -> Vec<String> {
    compare(a, b, MASK).into_iter().map(|d| d.path).collect()
}

#[test]
fn equal_worlds_have_no_difference() {
    assert_eq!(compare(&world(), &world(), &[]), []);
}

#[test]
fn what_a_request_may_leave_is_masked() {
    let mut after = world();
    after["jobs"]["j2"] = json!("Refused");
    after["calls"] = json!(9);
    after["vcenter"]["sessions"][0]["last_used"] = json!(200);
    after["azure"]["request_id"] = json!("a-2");
    after["cs"]["call_log"] = json!(["GET /v1/machines/web01", "GET /v1/status"]);
    assert_eq!(compare(&world(), &after, MASK), []);
    assert_eq!(compare(&world(), &after, &[]).len(), 5, "each is a difference without the mask");
}

#[test]
fn effects_are_found_where_they_are() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change)] = &[
        ("vcenter/vms/web01/on", |w| w["vcenter"]["vms"]["web01"]["on"] = json!(false)),
        ("vcenter/vms/web01/disks/1", |w| w["vcenter"]["vms"]["web01"]["disks"] = json!(["6000C29a-0"])),
        ("vcenter/vms/web01/snapshots/0", |w| w["vcenter"]["vms"]["web01"]["snapshots"] = json!(["asr"])),
        ("vcenter/vms/db01", |w| w["vcenter"]["vms"]["db01"] = json!({})),
        ("vcenter/sessions/1", |w| {
            w["vcenter"]["sessions"] = json!([{ "user": "asr", "last_used": 1 }, { "user": "asr" }])
        }),
        ("vcenter/locks/6000C29a-0", |w| w["vcenter"]["locks"]["6000C29a-0"] = json!("mt-windows")),
        ("azure/disks/web01-disk0/lease", |w| w["azure"]["disks"]["web01-disk0"]["lease"] = json!("l1")),
        ("cs/rows/0", |w| w["cs"]["rows"] = json!([])),
    ];
    for (path, change) in cases {
        let mut after = world();
        change(&mut after);
        assert_eq!(paths(&world(), &after), [*path]);
        assert_eq!(paths(&after, &world()), [*path], "either way round");
    }
}

#[test]
fn a_difference_shows_both_sides() {
    let found = compare(&json!({ "on": true }), &json!({ "on": false, "new": null }), &[]);
    let new = Difference { path: "new".into(), a: None, b: Some(Value::Null) };
    let on = Difference { path: "on".into(), a: Some(json!(true)), b: Some(json!(false)) };
    assert_eq!(found, [new, on]);
}

#[test]
fn a_changed_type_is_one_difference() {
    assert_eq!(paths(&json!({ "disks": { "a": 1, "b": 2 } }), &json!({ "disks": [1, 2] })), ["disks"]);
}

#[test]
fn patterns_cover_what_they_name_and_below() {
    let (a, b) = (json!({ "x": { "y": { "z": 1 } } }), json!({ "x": { "y": { "z": 2 } } }));
    for pattern in ["x", "x/y", "x/y/z", "*/y", "x/*/z", "**/z", "**", "x/**", "x/**/z", "**/y/**"] {
        assert_eq!(compare(&a, &b, &[pattern]), [], "{pattern}");
    }
    for pattern in ["y", "*/z", "x/z", "x/y/z/w", "**/w", "", "x/*/*/z"] {
        assert_eq!(compare(&a, &b, &[pattern]).len(), 1, "{pattern}");
    }
}
