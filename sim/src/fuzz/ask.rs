//! Requests, sensible and foolish.

use super::walk::Rest;
use crate::explore::kind::name;
use crate::scenario::estate::Side;
use crate::scenario::model::{
    Cancel, CancelBy, ChangeRecoveryPoint, CleanUpTestFailover, Commit, DEFAULT_WITHIN, EnableProtection,
    Ending, Failback, Failover, PointPick, RecoveryPoint, Reprotect, ReprotectInputs, RestartJob,
    Resynchronise, Step, TestFailover, Verb,
};
use crate::scenario::step::OperationKind as Kind;
use crate::scenario::text::{Name, Spanned};
use std::collections::BTreeMap;

/// Whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A machine.
    Item(String),
    /// A plan.
    Plan(String),
}

impl Who {
    fn names(&self) -> (Option<Name>, Option<Name>) {
        match self {
            Self::Item(item) => (Some(name(item)), None),
            Self::Plan(plan) => (None, Some(name(plan))),
        }
    }
}

/// Where requests make no sense, or come too early or too late. None of them does harm where it is taken after all.
#[rustfmt::skip]
static FOOLISH: &[(Kind, &[Rest])] = &[
    (Kind::Failover, &[Rest::FailedOver, Rest::FailoverCommitted, Rest::FailedBack, Rest::FailbackCommitted]),
    (Kind::Failback, &[Rest::Protected, Rest::FailedOver, Rest::FailoverCommitted, Rest::FailedBack,
        Rest::FailbackCommitted]),
    (Kind::Commit, &[Rest::Protected, Rest::FailoverCommitted, Rest::ReverseProtected, Rest::FailbackCommitted]),
    (Kind::ReprotectHome, &[Rest::Protected, Rest::FailedOver, Rest::FailedBack, Rest::FailbackCommitted]),
    (Kind::ReprotectAzure, &[Rest::Protected, Rest::FailedOver, Rest::FailoverCommitted, Rest::ReverseProtected,
        Rest::FailedBack]),
    (Kind::TestFailover, &[Rest::FailedOver, Rest::FailoverCommitted, Rest::ReverseProtected, Rest::FailedBack,
        Rest::FailbackCommitted]),
    (Kind::CleanUpTest, &Rest::ALL),
    (Kind::ChangePoint, &[Rest::Protected, Rest::FailoverCommitted, Rest::ReverseProtected, Rest::FailedBack,
        Rest::FailbackCommitted]),
    (Kind::Resynchronise, &[Rest::FailedOver, Rest::FailoverCommitted, Rest::FailedBack, Rest::FailbackCommitted]),
    (Kind::Restart, &Rest::ALL),
    (Kind::Cancel, &Rest::ALL),
    (Kind::EnableProtection, &Rest::ALL),
];

/// What is foolish where machines rest.
pub(super) fn foolish(rest: Rest) -> impl Iterator<Item = Kind> {
    FOOLISH.iter().filter(move |(_, rests)| rests.contains(&rest)).map(|(kind, _)| *kind)
}

/// True for what can be asked of single machines only.
pub(super) fn of_items_only(kind: Kind) -> bool {
    matches!(kind, Kind::ChangePoint | Kind::Resynchronise | Kind::EnableProtection)
}

/// Asks for this; nothing for what no case asks for.
pub(super) fn ask(kind: Kind, who: &Who, expect: Ending) -> Option<Step> {
    let (item, plan) = who.names();
    let within = Spanned::unplaced(DEFAULT_WITHIN);
    let point = RecoveryPoint::Latest;
    Some(match kind {
        Kind::Failover => {
            let (address, verb) = (None, Verb::Unplanned);
            Step::Failover(Failover {
                item,
                plan,
                point,
                shutdown_source: true,
                address,
                verb,
                expect,
                within,
            })
        }
        Kind::Failback => {
            Step::Failback(Failback { item, plan, point, verb: Verb::Unplanned, expect, within })
        }
        Kind::Commit => Step::Commit(Commit { item, plan, expect, within }),
        Kind::ReprotectHome | Kind::ReprotectAzure => {
            let to = if kind == Kind::ReprotectHome { Side::OnPremises } else { Side::Azure };
            let (using, members) = (ReprotectInputs::default(), BTreeMap::new());
            Step::Reprotect(Reprotect { item, plan, to, using, members, expect, within })
        }
        Kind::TestFailover => {
            let (network, address) = (None, None);
            Step::TestFailover(TestFailover { item, plan, point, network, address, expect, within })
        }
        Kind::CleanUpTest => Step::CleanUpTestFailover(CleanUpTestFailover { item, plan, expect, within }),
        Kind::ChangePoint => {
            let point = PointPick::Oldest;
            Step::ChangeRecoveryPoint(ChangeRecoveryPoint { item: Some(item?), point, expect, within })
        }
        Kind::Resynchronise => Step::Resynchronise(Resynchronise { item: item?, expect, within }),
        Kind::Restart => Step::RestartJob(RestartJob { item, plan, expect, within }),
        Kind::Cancel => Step::Cancel(Cancel { item, plan, ask: CancelBy::Target, expect, within }),
        Kind::EnableProtection => {
            let (policy, group, process_server, azure_name) = (None, None, None, None);
            let (item, every_disk) = (item?, false);
            Step::EnableProtection(EnableProtection {
                item,
                policy,
                group,
                process_server,
                azure_name,
                every_disk,
                expect,
                within,
            })
        }
        Kind::MoveServer
        | Kind::DisableProtection
        | Kind::RemoveProtection
        | Kind::CompleteMigration
        | Kind::Policy
        | Kind::RenewCertificate
        | Kind::SavePlan
        | Kind::DeletePlan
        | Kind::Confirm => return None,
    })
}
