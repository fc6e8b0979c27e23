//! Which points the forward retention keeps.

use failback_wire::clock::VirtualMs;
use failback_wire::event::PointKind;

/// Points that the forward retention lets go of (R7): all but the newest past `retention_s`; of those older
/// than two hours, all but one an hour (retention up to a day), two hours (up to a week) or, past a week,
/// four hours. The one that stays is the first application-consistent one, else the first. `points` are
/// oldest first, each as when it was cut and of what kind; the answer is their places, ascending.
pub fn thinned(
    points: impl DoubleEndedIterator<Item = (VirtualMs, PointKind)>,
    now: VirtualMs,
    retention_s: u64,
) -> Vec<usize> {
    const HOUR: u64 = 3600;
    let mut gone = Vec::new();
    let mut keeper: Option<(u64, usize, PointKind)> = None;
    let mut rest = points;
    // The newest stays, whatever its age.
    let Some(_newest) = rest.next_back() else { return gone };
    for (place, (time, kind)) in rest.enumerate() {
        let age = now.since(time).as_secs();
        if age > retention_s {
            gone.push(place);
            continue;
        }
        let step = match (retention_s, age) {
            (_, age) if age <= 2 * HOUR => break,
            (keep, _) if keep <= 24 * HOUR => HOUR,
            (_, age) if age <= 7 * 24 * HOUR => 2 * HOUR,
            (_, _) => 4 * HOUR,
        };
        let bucket = time.0 / 1000 / step;
        match keeper {
            Some((b, kept, PointKind::Crash)) if b == bucket && kind == PointKind::Application => {
                gone.push(kept);
                keeper = Some((bucket, place, kind));
            }
            Some((b, _, _)) if b == bucket => gone.push(place),
            Some(_) | None => keeper = Some((bucket, place, kind)),
        }
    }
    gone.sort_unstable();
    gone
}
