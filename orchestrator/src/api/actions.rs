//! Actions of recovery plans on the wire (L3): read and checked, and shown again.

use crate::journal::{ActionKind, Edge, FailoverType, Leg, PlanAction, Stage};
use failback_wire::arm::asr::{ActionDetails, PRIMARY_TO_RECOVERY, PlanAction as Wire, RECOVERY_TO_PRIMARY};

const TYPES: [(&str, FailoverType); 3] = [
    ("UnplannedFailover", FailoverType::Unplanned),
    ("PlannedFailover", FailoverType::Planned),
    ("TestFailover", FailoverType::Test),
];
/// A plan keeps the directions it was made with (G3): the way home is always `RecoveryToPrimary`.
const DIRECTIONS: [(&str, Leg); 2] =
    [(PRIMARY_TO_RECOVERY, Leg::Forward), (RECOVERY_TO_PRIMARY, Leg::Reverse)];
const KINDS: [(&str, ActionKind); 3] = [
    ("ManualActionDetails", ActionKind::Manual),
    ("ScriptActionDetails", ActionKind::Script),
    ("AutomationRunbookActionDetails", ActionKind::Runbook),
];

/// Those of `table` that the words name; words for what the lab has no plans of are passed over.
fn named<T: Copy>(words: &[String], table: &[(&str, T)]) -> Vec<T> {
    let is_named = |word: &str| words.iter().any(|given| given.eq_ignore_ascii_case(word));
    table.iter().filter(|(word, _)| is_named(word)).map(|(_, value)| *value).collect()
}

fn words<T: PartialEq>(values: &[T], table: &[(&str, T)]) -> Vec<String> {
    table.iter().filter(|(_, value)| values.contains(value)).map(|(word, _)| (*word).to_owned()).collect()
}

/// Reads an action.
///
/// # Errors
/// Why it could never take place.
pub(super) fn read(wire: &Wire, stage: Stage, edge: Edge) -> Result<PlanAction, String> {
    let name = &wire.action_name;
    let details = &wire.custom_details;
    let kind = named(std::slice::from_ref(&details.instance_type), &KINDS).first().copied();
    let (types, legs) = (named(&wire.failover_types, &TYPES), named(&wire.failover_directions, &DIRECTIONS));
    let Some(kind) = kind else { return Err(format!("{name} is of kind {:?}", details.instance_type)) };
    if name.trim().is_empty() {
        return Err("an action has no name".to_owned());
    }
    if types.is_empty() || legs.is_empty() {
        return Err(format!("{name} belongs to no failover type or direction"));
    }
    let text = match kind {
        ActionKind::Manual => &details.description,
        ActionKind::Script => &details.path,
        ActionKind::Runbook => &details.runbook_id,
    };
    let text = text.clone().unwrap_or_default();
    Ok(PlanAction { name: name.clone(), stage, edge, kind, text, types, legs })
}

/// Shows the actions of one group.
pub(super) fn show(actions: &[PlanAction], stage: Stage, edge: Edge) -> Vec<Wire> {
    let here = actions.iter().filter(|action| action.stage == stage && action.edge == edge);
    here.map(view).collect()
}

fn view(action: &PlanAction) -> Wire {
    let text = |kind: ActionKind| (action.kind == kind).then(|| action.text.clone());
    Wire {
        action_name: action.name.clone(),
        failover_types: words(&action.types, &TYPES),
        failover_directions: words(&action.legs, &DIRECTIONS),
        custom_details: ActionDetails {
            instance_type: words(&[action.kind], &KINDS).concat(),
            description: text(ActionKind::Manual),
            path: text(ActionKind::Script),
            runbook_id: text(ActionKind::Runbook),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{read, view};
    use crate::journal::{ActionKind, Edge, FailoverType, Leg, Stage};
    use failback_wire::arm::asr::{ActionDetails, PlanAction};

    fn wire(kind: &str, types: &[&str], directions: &[&str]) -> PlanAction {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        PlanAction {
            action_name: "check".into(),
            failover_types: words(types),
            failover_directions: words(directions),
            custom_details: ActionDetails {
                instance_type: kind.into(),
                description: Some("look at it".into()),
                ..ActionDetails::default()
            },
        }
    }

    #[test]
    fn an_action_is_shown_as_it_was_given() {
        let given = wire("ManualActionDetails", &["UnplannedFailover"], &["RecoveryToPrimary"]);
        let action = read(&given, Stage::Boot(1), Edge::After).unwrap();
        assert_eq!((action.kind, action.text.as_str()), (ActionKind::Manual, "look at it"));
        assert_eq!(
            (action.types.as_slice(), action.legs.as_slice()),
            (&[FailoverType::Unplanned][..], &[Leg::Reverse][..])
        );
        assert_eq!(view(&action), given);
    }

    #[test]
    fn what_could_never_take_place_is_refused() {
        let both = ["PrimaryToRecovery", "RecoveryToPrimary"];
        for (kind, types, directions) in [
            ("SomethingElse", &["UnplannedFailover"][..], &both[..]),
            ("ManualActionDetails", &["Commit"][..], &both[..]),
            ("ManualActionDetails", &["PlannedFailover"][..], &[][..]),
        ] {
            assert!(read(&wire(kind, types, directions), Stage::Shutdown, Edge::Before).is_err());
        }
    }
}
