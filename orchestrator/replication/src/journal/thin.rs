//! Which points the forward retention keeps.

use failback_wire::clock::VirtualMs;
use failback_wire::event::PointKind;
use failback_wire::ids::PointId;
use failback_wire::proto::session::Point;
use std::sync::Arc;

/// Points that the forward retention lets go of (R7): all but the newest past `retention_s`; of those older
/// than two hours, all but one an hour (retention up to a day), two hours (up to a week) or, past a week,
/// four hours. The one that stays is the first application-consistent one, else the first. `points` are
/// oldest first.
pub fn thinned<'a>(
    points: impl DoubleEndedIterator<Item = &'a Arc<Point>>,
    now: VirtualMs,
    retention_s: u64,
) -> Vec<PointId> {
    const HOUR: u64 = 3600;
    let mut gone = Vec::new();
    let mut keeper: Option<(u64, &Point)> = None;
    let mut rest = points;
    // The newest stays, whatever its age.
    let Some(_newest) = rest.next_back() else { return gone };
    for point in rest {
        let age = now.since(point.time).as_secs();
        if age > retention_s {
            gone.push(point.point.clone());
            continue;
        }
        let step = match (retention_s, age) {
            (_, age) if age <= 2 * HOUR => break,
            (keep, _) if keep <= 24 * HOUR => HOUR,
            (_, age) if age <= 7 * 24 * HOUR => 2 * HOUR,
            (_, _) => 4 * HOUR,
        };
        let bucket = point.time.0 / 1000 / step;
        match keeper {
            Some((b, kept)) if b == bucket => {
                let better = point.kind == PointKind::Application && kept.kind == PointKind::Crash;
                gone.push(if better { kept.point.clone() } else { point.point.clone() });
                if better {
                    keeper = Some((bucket, point));
                }
            }
            Some(_) | None => keeper = Some((bucket, point)),
        }
    }
    gone
}
