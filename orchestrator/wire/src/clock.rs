//! Time as the run sees it: milliseconds since the run began, on tokio's own clock.
//!
//! In the lab that clock is paused and jumps to the next timer; nothing here reads a wall clock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::time::{Duration, Instant};

/// Milliseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VirtualMs(pub u64);

impl VirtualMs {
    /// `self + d`, saturating.
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d.as_millis() as u64))
    }
    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for VirtualMs {
    /// `t+03:12:40.120`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0 % 1000, self.0 / 1000);
        write!(f, "t+{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// The run's clock. Copies show the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    calendar_start: Timestamp,
}

impl Clock {
    /// A clock that reads zero now and calls that instant `calendar_start`.
    pub fn start_at(calendar_start: Timestamp) -> Self {
        Self { start: Instant::now(), calendar_start }
    }
    /// Virtual milliseconds since the start.
    pub fn now(&self) -> VirtualMs {
        VirtualMs(self.start.elapsed().as_millis() as u64)
    }
    /// The tokio instant at which `at` is reached; for `sleep_until`.
    pub fn instant(&self, at: VirtualMs) -> Instant {
        self.start + Duration::from_millis(at.0)
    }
    /// Calendar time of `at`, for wires that speak of dates.
    pub fn calendar(&self, at: VirtualMs) -> Timestamp {
        self.calendar_start + SignedDuration::from_millis(at.0 as i64)
    }
    /// The first instant from `at` on that lies outside office hours: Monday to Friday, 9 to 18 (UTC).
    pub fn outside_office_hours(&self, at: VirtualMs) -> VirtualMs {
        const DAY: i64 = 24 * 3600;
        let seconds = self.calendar(at).as_second();
        // The epoch began on a Thursday.
        let (weekday, time) = ((seconds.div_euclid(DAY) + 3).rem_euclid(7), seconds.rem_euclid(DAY));
        let evening = 18 * 3600;
        match weekday < 5 && (9 * 3600..evening).contains(&time) {
            true => at.plus(Duration::from_secs((evening - time).unsigned_abs())),
            false => at,
        }
    }
    /// `2026-01-05T08:00:00.0000000Z`: the seven-digit form that Azure's .NET services send.
    pub fn dotnet(&self, at: VirtualMs) -> String {
        format!("{:.7}", self.calendar(at))
    }
    /// `2026-01-05T08:00:00.000000Z`: the form vCenter sends.
    pub fn iso(&self, at: VirtualMs) -> String {
        format!("{:.6}", self.calendar(at))
    }
}

impl Default for Clock {
    /// Reads zero now; the calendar of every lab run begins on Monday 2026-01-05 at 08:00 UTC.
    fn default() -> Self {
        Self::start_at(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_767_600_000))
    }
}
