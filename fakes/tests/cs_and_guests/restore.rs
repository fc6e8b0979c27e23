//! Losing the configuration server's database, and the ways back.

use super::set::{CS, Set, minutes, protection, vm, web01};
use crate::support::SECRET;
use failback_fakes::cs::{BackupChoice, ConfigurationServerFault};
use failback_fakes::guest::GuestPower;
use failback_wire::event::Actor;
use failback_wire::http::{HttpError, Method, StatusCode};
use failback_wire::ids::Site;
use failback_wire::proto::Refusal;
use failback_wire::proto::cs::CsStatus;
use serde_json::Value;

/// A machine that is protected, registered and backed up.
async fn protected() -> Set {
    let set = Set::new(3);
    set.guests.power_on(&vm(Site::OnPremises), set.disks.clone());
    minutes(16).await;
    set.cs.put_machine(&web01(), &protection()).unwrap();
    set.cs.backup_now().unwrap();
    set
}

fn apply(set: &Set, yaml_like: &str) -> Result<(), String> {
    let fault: ConfigurationServerFault = serde_json::from_str(yaml_like).unwrap();
    set.cs.apply_fault(&fault, Actor::Fault)
}

#[tokio::test(start_paused = true)]
async fn without_its_database_the_server_answers_but_knows_nothing() {
    let set = protected().await;
    apply(&set, r#""lose-database""#).unwrap();
    for path in ["/v1/status", "/v1/machines/web01", "/v1/servers"] {
        let (status, no): (_, Refusal) =
            set.lab.call(Method::GET, &format!("{CS}{path}"), SECRET, None::<&()>).await.unwrap();
        assert_eq!((status, no.code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "database-lost"));
    }
    assert!(set.cs.backup_now().is_err());
    assert_eq!(set.cs.backups().len(), 2, "backups lie elsewhere");
    set.cs.stop();
    set.cs.start().unwrap();
    assert_eq!(set.row().await.0, StatusCode::SERVICE_UNAVAILABLE, "a restart brings nothing back");
}

#[tokio::test(start_paused = true)]
async fn a_restore_on_the_registered_address_knows_what_the_backup_knew() {
    let set = protected().await;
    let rows = set.cs.observe()["database"]["registrations"].clone();
    apply(&set, r#""lose-database""#).unwrap();
    minutes(30).await;
    apply(&set, r#"{"restore": {"backup": "latest"}}"#).unwrap();
    let row = set.row().await.1.unwrap();
    assert_eq!(row.protection, protection());
    assert_eq!(row.registrations.len(), 1);
    assert_eq!(set.cs.observe()["database"]["registrations"], rows);
    let url = format!("{CS}/v1/status");
    let (_, status): (_, CsStatus) = set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap();
    assert_eq!((status.generation, status.address.as_str()), (2, CS));
    assert_eq!(status.instance, "cs-1", "still the same server");
    let heartbeat = row.registrations[0].last_heartbeat;
    minutes(6).await;
    assert!(set.row().await.1.unwrap().registrations[0].last_heartbeat > heartbeat, "the agent found it");
    assert_eq!(set.registrations(), 1, "nobody had to register again");
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_on_another_address_nobody_finds_it() {
    let set = protected().await;
    apply(&set, r#"{"restore": {"backup": "latest", "address": "10.0.0.99"}}"#).unwrap();
    let url = format!("{CS}/v1/status");
    let old = set.lab.call::<Value>(Method::GET, &url, SECRET, None::<&()>).await;
    assert_eq!(old, Err(HttpError::Unreachable { host: CS.to_owned() }));
    let url = "10.0.0.99/v1/status";
    let (_, status): (_, CsStatus) = set.lab.call(Method::GET, url, SECRET, None::<&()>).await.unwrap();
    assert_eq!((status.registered_address.as_str(), status.address.as_str()), (CS, "10.0.0.99"));
    // The copy in Azure boots and knows only the registered address.
    set.guests.power_off(&vm(Site::OnPremises));
    set.guests.power_on(&vm(Site::Azure), set.disks.clone());
    minutes(60).await;
    assert!(!set.status(Site::Azure).await.registered);
    assert_eq!(set.registrations(), 1);
    // Back on the registered address it finds the server within a minute.
    apply(&set, r#"{"restore": {"backup": "latest"}}"#).unwrap();
    minutes(1).await;
    assert!(set.status(Site::Azure).await.registered);
    assert_eq!(set.row().await.1.unwrap().registrations.len(), 2, "one row for each copy");
}

#[tokio::test(start_paused = true)]
async fn a_backup_older_than_the_protection_lacks_the_row() {
    let set = protected().await;
    apply(&set, r#"{"restore": {"backup": "oldest"}}"#).unwrap();
    assert_eq!(set.row().await.0, StatusCode::NOT_FOUND);
    // The agent, unknown to the backup, registers again; that brings no protection back.
    minutes(6).await;
    assert_eq!(set.registrations(), 2);
    assert_eq!(set.cs.observe()["database"]["registrations"].as_array().unwrap().len(), 1);
    assert_eq!(set.row().await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn backups_follow_the_schedule_across_restarts() {
    let set = Set::new(3);
    minutes(12 * 60).await;
    set.cs.stop();
    minutes(18 * 60).await;
    assert_eq!(set.cs.backups().len(), 1, "no schedule while it is down");
    set.cs.start().unwrap();
    minutes(1).await;
    assert_eq!(set.cs.backups().len(), 2, "the missed one is made up for");
    minutes(24 * 60).await;
    let times: Vec<_> = set.cs.backups().iter().map(|backup| backup.at.0 / 3_600_000).collect();
    assert_eq!(times, [0, 30, 54]);
    assert!(set.cs.restore(BackupChoice::Nth(4), None).is_err());
    assert!(set.cs.restore(BackupChoice::Nth(0), None).is_err());
    assert!(set.cs.is_running(), "a restore that cannot begin changes nothing");
    set.cs.restore(BackupChoice::Nth(2), None).unwrap();
    assert_eq!(set.cs.generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_initialised_server_is_empty() {
    let set = protected().await;
    apply(&set, r#""initialise""#).unwrap();
    assert_eq!(set.row().await.0, StatusCode::NOT_FOUND);
    assert_eq!(set.cs.generation(), 2);
    minutes(6).await;
    assert_eq!(set.registrations(), 2, "agents register again");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_row_is_gone_and_the_registration_stays() {
    let set = protected().await;
    apply(&set, r#"{"delete-machine": {"machine": "web01"}}"#).unwrap();
    assert_eq!(set.row().await.0, StatusCode::NOT_FOUND);
    assert_eq!(set.cs.observe()["database"]["registrations"].as_array().unwrap().len(), 1);
    assert!(apply(&set, r#"{"delete-machine": {"machine": "web01"}}"#).is_err());
}

#[test]
fn faults_read_as_scenarios_write_them_and_nothing_else() {
    let parse = serde_json::from_str::<ConfigurationServerFault>;
    assert_eq!(
        parse(r#"{"restore": {"backup": {"nth": 2}, "address": "10.0.0.6"}}"#).unwrap(),
        ConfigurationServerFault::Restore {
            backup: BackupChoice::Nth(2),
            address: Some("10.0.0.6".to_owned())
        }
    );
    assert!(parse(r#"{"restore": {"backup": "latest", "ip": "10.0.0.6"}}"#).is_err());
    assert!(parse(r#""explode""#).is_err());
}
