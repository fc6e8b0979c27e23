//! Dates in the forms Azure's .NET services write and accept.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How an unset task time is written: the zero of .NET, without a zone.
pub const UNSET: &str = "0001-01-01T00:00:00";
/// How the start of "no scenario" is written.
pub const NO_SCENARIO: &str = "1753-01-01T01:01:01Z";

/// `2026-01-05T08:00:00.0000000Z`: seven digits of a second.
pub fn format(at: Timestamp) -> String {
    format!("{at:.7}")
}

/// `Mon, 05 Jan 2026 08:00:00 GMT`: the form of HTTP headers.
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads a date with or without zone (then UTC) and any number of digits; `None` for an unset time and
/// for what is no date.
pub fn parse(text: &str) -> Option<Timestamp> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    let unset = UNSET.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (at != unset).then_some(at)
}
