//! Choosing the recovery point a failover settles on (R3 to R5).

use super::super::{StepCtx, StepError};
use super::session;
use crate::catalogue::machine::{NO_COMMON_POINT, NO_POINT, NO_POINT_OF_TYPE, POINT_UNKNOWN};
use crate::catalogue::warning::NOT_GROUP_CONSISTENT;
use crate::journal::{Chosen, Fact, Item, PointChoice};
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::error::{Class, Report};
use failback_wire::event::PointKind;
use failback_wire::ids::Site;
use failback_wire::proto::session::{Point, SessionSpec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Note that says: nothing more is coming in this session; its points are final.
pub(in crate::workflow) const DRAINED: &str = "drained";

/// When the points that all members of a group cut together, of this kind or any, were cut.
pub(crate) fn common_times(members: &[Vec<Arc<Point>>], kind: Option<PointKind>) -> BTreeSet<VirtualMs> {
    let times = |points: &Vec<Arc<Point>>| -> BTreeSet<VirtualMs> {
        let fits = |point: &&Arc<Point>| point.group && kind.is_none_or(|kind| point.kind == kind);
        points.iter().filter(fits).map(|point| point.time).collect()
    };
    let mut members = members.iter().map(times);
    let first = members.next().unwrap_or_default();
    members.fold(first, |common, times| common.intersection(&times).copied().collect())
}

/// The other members of the item's replication group that take part in this job.
fn mates<'a>(c: &'a StepCtx<'_>) -> impl Iterator<Item = &'a Arc<Item>> {
    let mine =
        |mate: &&Arc<Item>| mate.name != c.item.name && mate.group.is_some() && mate.group == c.item.group;
    c.members.iter().filter(mine)
}

/// The newest point of the wanted kind that every member of the group in this job has too. Waits until the points of all
/// of them are final, so that all members choose alike.
async fn newest_common(c: &StepCtx<'_>, own: &[Arc<Point>]) -> Result<VirtualMs, StepError> {
    let name = c.item.name.as_str();
    let mut all = vec![own.to_vec()];
    for mate in mates(c).filter(|_| !c.ctx.env.planted(Canary::GroupMarkMissing)) {
        let spec = mate.session().filter(|_| mate.notes.contains_key(DRAINED));
        let Some(spec) = spec else {
            let detail = format!("the points of {} are not final yet", mate.name);
            return Err(StepError::new(&NO_COMMON_POINT, name, detail).with_class(Class::Wait));
        };
        all.push(session::settled(c, spec, mate.notes.get(DRAINED)).await?.points);
    }
    let newest = common_times(&all, c.input.point.kind()).pop_last();
    newest.ok_or_else(|| StepError::new(&NO_COMMON_POINT, name, "").with_class(Class::Operator))
}

/// One of these points, as the request says, for an item by itself.
///
/// # Errors
/// When there is none.
pub(in crate::workflow) fn pick(c: &StepCtx<'_>, points: &[Arc<Point>]) -> Result<Arc<Point>, StepError> {
    let choice = &c.input.point;
    own(choice, points).cloned().ok_or_else(|| none(c, choice, points))
}

/// The point of this machine that the choice means, were it in no group.
fn own<'a>(choice: &PointChoice, points: &'a [Arc<Point>]) -> Option<&'a Arc<Point>> {
    if let PointChoice::Custom(wanted) = choice {
        return points.iter().find(|point| point.point == *wanted);
    }
    let fits = |point: &&Arc<Point>| choice.kind().is_none_or(|kind| point.kind == kind);
    points.iter().filter(fits).max_by_key(|point| point.time)
}

fn none(c: &StepCtx<'_>, choice: &PointChoice, points: &[Arc<Point>]) -> StepError {
    let doc = match choice {
        _none if points.is_empty() => &NO_POINT,
        PointChoice::Custom(_) => &POINT_UNKNOWN,
        PointChoice::Crash | PointChoice::Application | PointChoice::MultiVmApplication => &NO_POINT_OF_TYPE,
        PointChoice::Latest | PointChoice::LatestProcessed | PointChoice::MultiVmProcessed => &NO_POINT,
    };
    let name = c.item.name.as_str();
    StepError::new(doc, name, name).with_class(Class::Operator)
}

/// Settles on a point of the item's session, as the request says.
pub(in crate::workflow) async fn choose(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
    points: &[Arc<Point>],
    to: Site,
) -> Result<Vec<Fact>, StepError> {
    let name = c.item.name.as_str();
    let any_will_do = c.input.point == PointChoice::Application && !c.ctx.env.holds("R3");
    let choice = if any_will_do { &PointChoice::Latest } else { &c.input.point };
    let grouped = mates(c).next().is_some() && c.ctx.env.holds("R4");
    let point = match grouped && choice.is_common() {
        true => {
            let (time, kind) = (newest_common(c, points).await?, choice.kind());
            let fits = |point: &&Arc<Point>| point.group && kind.is_none_or(|kind| point.kind == kind);
            points.iter().filter(fits).find(|point| point.time == time)
        }
        false => own(choice, points),
    };
    let point = point.ok_or_else(|| none(c, choice, points))?;
    let newest = points.last().filter(|_| c.ctx.env.planted(Canary::MarkOfNewest));
    let chosen = Chosen {
        session: spec.session.clone(),
        point: point.point.clone(),
        mark: newest.unwrap_or(point).mark,
        kind: point.kind,
        time: point.time,
        to,
    };
    let mut facts = vec![Fact::Chosen(chosen)];
    if grouped && !c.input.point.is_common() {
        facts.push(Fact::Warning(Report::new(&NOT_GROUP_CONSISTENT, name, "")));
    }
    Ok(facts)
}

/// The choice that an attempt made in the session `spec` no longer counts. An attempt that failed before it
/// settled on a point leaves what an earlier failover settled on.
pub(in crate::workflow) fn unchoose(c: &StepCtx<'_>, spec: &SessionSpec) -> Vec<Fact> {
    let made_here = c.item.chosen.as_ref().is_some_and(|chosen| chosen.session == spec.session);
    if made_here { vec![Fact::Unchosen] } else { Vec::new() }
}
