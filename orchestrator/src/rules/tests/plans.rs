//! A plan is refused as a whole, before any machine is touched.

use super::build::{known, point, sound};
use crate::facts::{MemberFacts, PlanFacts, RequestFacts, Slots};
use crate::journal::Operation::{self, Failback, Reprotect};
use crate::journal::PointChoice;
use crate::rules::check;
use crate::rules::plan::check_plan;
use failback_wire::env::Env;
use failback_wire::error::Report;
use failback_wire::event::PointKind;
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::Point;
use std::collections::BTreeMap;
use std::sync::Arc;

fn plan(operation: Operation, groups: &[&[&str]]) -> PlanFacts {
    let groups: Vec<Vec<MachineName>> =
        groups.iter().map(|group| group.iter().map(|name| MachineName::from(*name)).collect()).collect();
    let request = RequestFacts {
        master_target: Some("mt".into()),
        process_server: Some("ps".into()),
        retention_drive: Some("R:".into()),
        datastore: Some("ds1".into()),
        ..RequestFacts::default()
    };
    let member =
        MemberFacts { group: None, os: OsFamily::Windows, request: Some(request), points: None, slots: None };
    let members = groups.iter().flatten().map(|name| (name.clone(), member.clone())).collect();
    PlanFacts {
        plan: "plan".into(),
        env: Env::new(0),
        operation,
        groups,
        members,
        replication_groups: BTreeMap::new(),
    }
}

fn codes(reports: &[Report]) -> Vec<&str> {
    reports.iter().map(|report| report.code.as_str()).collect()
}

fn refused(facts: &PlanFacts) -> Vec<String> {
    check_plan(facts, &BTreeMap::new()).into_iter().map(|report| report.code).collect()
}

#[test]
fn a_master_target_has_room_for_all_of_a_plan() {
    let wanting = |wanted: usize| {
        let mut facts = plan(Reprotect, &[&["a"], &["b"]]);
        facts.members.values_mut().for_each(|member| member.slots = Some(Slots { taken: 2, wanted }));
        refused(&facts)
    };
    assert_eq!(wanting(29), Vec::<String>::new());
    assert_eq!(wanting(30), ["FB1305"]);
    assert_eq!(wanting(58), ["FB1305"], "each would just fit alone");
    // Too many for one machine alone: its own rule says so.
    assert_eq!(wanting(59), Vec::<String>::new());
}

#[test]
fn replication_groups_are_whole_and_uniform() {
    let mut facts = plan(Reprotect, &[&["a", "b"]]);
    facts.members.values_mut().for_each(|member| member.group = Some("g".into()));
    facts.replication_groups.insert("g".into(), vec!["a".into(), "b".into()]);
    assert_eq!(refused(&facts), Vec::<String>::new());
    facts.replication_groups.insert("g".into(), vec!["a".into(), "b".into(), "c".into()]);
    assert_eq!(refused(&facts), ["FB1705"]);
    facts.replication_groups.clear();
    facts.members.get_mut(&MachineName::from("a")).unwrap().os = OsFamily::Linux;
    assert_eq!(refused(&facts), ["FB1707"]);
}

#[test]
fn reprotect_needs_inputs_for_every_machine() {
    let mut facts = plan(Reprotect, &[&["a", "b"]]);
    facts.members.get_mut(&MachineName::from("b")).unwrap().request.as_mut().unwrap().datastore = None;
    let reports = check_plan(&facts, &BTreeMap::new());
    assert_eq!(codes(&reports), ["FB1706"]);
    assert_eq!(reports[0].entity, "b");
}

#[test]
fn a_group_needs_a_common_application_consistent_point() {
    let mut facts = plan(Failback, &[&["a", "b"]]);
    facts.replication_groups.insert("g".into(), vec!["a".into(), "b".into()]);
    for (member, at) in facts.members.values_mut().zip([100, 160]) {
        member.group = Some("g".into());
        let tagged =
            |at| Arc::new(Point { group: true, ..(*point("p", PointKind::Application, at)).clone() });
        member.points = Some(vec![tagged(40), tagged(at)]);
        member.request.as_mut().unwrap().choice = PointChoice::Application;
    }
    assert_eq!(refused(&facts), Vec::<String>::new(), "both have the tag of minute 40");
    facts.members.values_mut().for_each(|member| drop(member.points.as_mut().unwrap().remove(0)));
    assert_eq!(refused(&facts), ["FB1604"]);
    facts.members.values_mut().for_each(|member| member.request = Some(RequestFacts::default()));
    assert_eq!(refused(&facts), Vec::<String>::new(), "latest keeps no consistency (R4)");
}

#[test]
fn one_refused_member_refuses_the_plan() {
    let facts = plan(Failback, &[&["a", "b", "c", "d", "e"]]);
    let mut members = BTreeMap::new();
    for name in facts.groups.iter().flatten() {
        let mut member = sound(Failback);
        member.item.name = name.clone();
        if name.as_str() == "d" {
            known(&mut member.points).clear();
        }
        members.insert(name.clone(), check(&member).refusals);
    }
    let reports = check_plan(&facts, &members);
    assert_eq!(codes(&reports), ["FB1704", "FB1601"]);
    assert_eq!(reports[1].entity, "d");
    assert_eq!(reports[0].inner.len(), 1);
}
