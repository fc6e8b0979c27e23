//! Who the configuration server is, by which certificate, and what it shows of vCenter.

use super::set::{CS, Set, minutes, vm, web01};
use crate::support::SECRET;
use failback_fakes::cs::{ConfigurationServerFault, LIFETIME};
use failback_fakes::guest::GuestPower;
use failback_fakes::vcenter::Newcomer;
use failback_wire::clock::VirtualMs;
use failback_wire::event::Actor;
use failback_wire::http::{Method, StatusCode};
use failback_wire::ids::Site;
use failback_wire::proto::Refusal;
use failback_wire::proto::cs::{CsStatus, Hidden};
use std::sync::Arc;

fn apply(set: &Set, json: &str) -> Result<(), String> {
    let fault: ConfigurationServerFault = serde_json::from_str(json).unwrap();
    set.cs.apply_fault(&fault, Actor::Operator)
}

async fn status(set: &Set) -> CsStatus {
    let url = format!("{CS}/v1/status");
    set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn an_installation_has_one_name_whatever_is_restored() {
    let set = Set::new(3);
    assert_eq!(status(&set).await.instance, "cs-1");
    apply(&set, r#"{"clone": {"address": "10.0.0.6"}}"#).unwrap();
    assert_eq!(status(&set).await.clones, ["10.0.0.6"]);
    apply(&set, r#""remove-clone""#).unwrap();
    assert!(status(&set).await.clones.is_empty());
    apply(&set, r#""initialise""#).unwrap();
    assert_eq!(status(&set).await.instance, "cs-2");
    apply(&set, r#"{"restore": {"backup": "oldest"}}"#).unwrap();
    assert_eq!(status(&set).await.instance, "cs-1", "the old one is back");
    apply(&set, r#""delete""#).unwrap();
    assert!(apply(&set, r#"{"restore": {"backup": "latest"}}"#).is_err(), "its backups are gone too");
    apply(&set, r#""initialise""#).unwrap();
    assert_eq!(status(&set).await.instance, "cs-3");
}

#[tokio::test(start_paused = true)]
async fn with_an_expired_certificate_nobody_registers_until_the_tool_has_run() {
    let set = Set::new(3);
    tokio::time::sleep(LIFETIME).await;
    set.guests.power_on(&vm(Site::OnPremises), set.disks.clone());
    minutes(30).await;
    assert_eq!(set.registrations(), 0);
    let url = format!("{CS}/v1/certificate");
    let (code, no): (_, Refusal) = set.lab.call(Method::POST, &url, SECRET, None::<&()>).await.unwrap();
    assert_eq!((code, no.code.as_str()), (StatusCode::FORBIDDEN, "certificate-expired"));
    apply(&set, r#""renew-certs""#).unwrap();
    minutes(4).await;
    assert_eq!(set.registrations(), 0, "the tool takes its time");
    minutes(13).await;
    assert_eq!(set.registrations(), 1);
    let (code, renewed): (_, CsStatus) = set.lab.call(Method::POST, &url, SECRET, None::<&()>).await.unwrap();
    assert_eq!(code, StatusCode::OK);
    assert!(renewed.certificate_expires > VirtualMs(0).plus(LIFETIME * 2), "for another three years");
}

#[tokio::test(start_paused = true)]
async fn mixed_up_registrations_are_made_anew_once_they_are_deleted() {
    let set = Set::new(3);
    assert!(apply(&set, r#"{"confuse-registrations": {"machine": "web01"}}"#).is_err(), "there is none");
    set.cs.put_machine(&web01(), &super::set::protection()).unwrap();
    set.guests.power_on(&vm(Site::OnPremises), set.disks.clone());
    minutes(16).await;
    apply(&set, r#"{"confuse-registrations": {"machine": "web01"}}"#).unwrap();
    assert_eq!(set.row().await.1.unwrap().registrations[0].site, Site::Azure);
    apply(&set, r#"{"delete-registrations": {"machine": "web01"}}"#).unwrap();
    assert!(set.row().await.1.unwrap().registrations.is_empty());
    minutes(6).await;
    assert_eq!(set.row().await.1.unwrap().registrations[0].site, Site::OnPremises);
}

#[tokio::test(start_paused = true)]
async fn a_new_virtual_machine_is_shown_in_twenty_minutes_and_its_copy_never() {
    let set = Set::new(3);
    let newcomer = |name: &str, twin: Option<&str>| Newcomer {
        name: name.to_owned(),
        created: VirtualMs(60_000),
        twin: twin.map(str::to_owned),
    };
    let all = vec![newcomer("new", None), newcomer("copy", Some("web01"))];
    set.cs.discover(Arc::new(move || all.clone()));
    minutes(10).await;
    let unseen = |vm: &str| Hidden { vm: vm.to_owned(), twin: None };
    assert_eq!(status(&set).await.hidden, [unseen("new"), unseen("copy")]);
    let duplicate = [Hidden { vm: "copy".to_owned(), twin: Some("web01".to_owned()) }];
    apply(&set, r#""refresh""#).unwrap();
    assert_eq!(status(&set).await.hidden, duplicate, "a refresh discovers at once");
    minutes(12).await;
    assert_eq!(status(&set).await.hidden, duplicate);
}
