//! Who asks for the newest recovery point comes up from it, unless it belongs to a group (R4, R5).

use crate::common::*;
use failback_oracle::Oracle;
use failback_wire::event::What;
use failback_wire::ids::Site::Azure;

/// The cycle, in which the first failover is the product's own operation and goes to the older of two points.
fn stream() -> Vec<What> {
    let request = accepted("UnplannedFailover", "web01", "j1");
    let script = cycle().replace(&request, accepted("failover", "web01", "j1"));
    let script = script.replace(&chosen("web01-fwd", "p2", 2, Azure), chosen("web01-fwd", "p1", 1, Azure));
    script.until(&ended("j1", "Succeeded")).0
}

/// What is found when somebody asked, before the failover or behind its acceptance, for the newest point or another one.
fn found(asked: &[(bool, bool)]) -> Vec<&'static str> {
    let mut oracle = Oracle::new(&setup());
    let (before, behind): (Vec<_>, Vec<_>) = asked.iter().partition(|(early, _)| *early);
    before.iter().for_each(|(_, newest)| oracle.asks_newest(&web01(), *newest));
    for (n, what) in stream().iter().enumerate() {
        oracle.take(&event(n as u64 * 1000, n as u64, what.clone()));
        if *what == accepted("failover", "web01", "j1") {
            behind.iter().for_each(|(_, newest)| oracle.asks_newest(&web01(), *newest));
        }
    }
    oracle.violations().iter().map(|v| v.invariant).collect()
}

#[test]
fn the_newest_that_was_asked_for_is_not_the_older_one() {
    assert_eq!(found(&[(true, true)]), ["chosen-point"]);
    assert_eq!(found(&[]), [""; 0]);
    assert_eq!(found(&[(true, true), (true, false)]), [""; 0], "the last word before it counts");
}

#[test]
fn what_is_asked_for_while_it_runs_does_not_count() {
    assert_eq!(found(&[(true, true), (false, false)]), ["chosen-point"]);
    assert_eq!(found(&[(true, false), (false, true)]), [""; 0]);
}
