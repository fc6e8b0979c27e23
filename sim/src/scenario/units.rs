//! Durations, sizes and percentages as files write them: `30s`, `16MiB`, `25%`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of virtual time: `250ms`, `30s`, `15m`, `24h`, `3d`, or several of them, `1h30m`. Whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub u64);

/// A size in bytes: `4KiB`, `16MiB`, `2GiB`, `512B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A share of a whole: `0%` … `100%`, or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many hundredths of it.
    Percent(u8),
    /// So much.
    Size(Size),
}

const PERIODS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
/// No run is longer than ten years, so sums of periods cannot overflow.
const LONGEST_MS: u64 = 3_660 * 86_400_000;

impl Period {
    /// From whole minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self(minutes * 60_000)
    }
    /// From whole hours.
    pub const fn hours(hours: u64) -> Self {
        Self(hours * 3_600_000)
    }
    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Size {
    /// From whole MiB.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }
    /// From whole GiB.
    pub const fn gib(gib: u64) -> Self {
        Self(gib << 30)
    }
}

/// Splits `12abc34de` into `(12, "abc"), (34, "de")`; `None` when it is not of that shape.
fn parts(text: &str) -> Option<Vec<(u64, &str)>> {
    let mut rest = text;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        out.push((number, &tail[..end]));
        rest = &tail[end..];
    }
    (!out.is_empty()).then_some(out)
}

fn scale(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a duration; write `30s`, `15m`, `24h`, `3d` or `1h30m`");
        let mut total = 0_u64;
        for (number, unit) in parts(text).ok_or_else(wrong)? {
            let ms = scale(&PERIODS, unit).and_then(|f| number.checked_mul(f)).ok_or_else(wrong)?;
            total = total.checked_add(ms).ok_or_else(wrong)?;
        }
        if total > LONGEST_MS {
            return Err(format!("`{text}` is longer than the lab's longest time, 3660 days"));
        }
        Ok(Self(total))
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size; write `4KiB`, `16MiB` or `2GiB`");
        match parts(text).ok_or_else(wrong)?.as_slice() {
            [(number, unit)] => {
                let bytes = scale(&SIZES, unit).and_then(|f| number.checked_mul(f)).ok_or_else(wrong)?;
                Ok(Self(bytes))
            }
            _ => Err(wrong()),
        }
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(number) => number.parse().ok().filter(|n| *n <= 100).map(Self::Percent),
            None => text.parse().ok().map(Self::Size),
        };
        share.ok_or_else(|| {
            format!("`{text}` is not a share; write `0%` to `100%`, or a size such as `64MiB`")
        })
    }
}

impl Share {
    /// How much that is of so much: whole blocks of 4 KiB, rounded up.
    pub fn of(self, whole: Size) -> Size {
        match self {
            Self::Percent(percent) => {
                let blocks = (u128::from(whole.0 / 4096) * u128::from(percent)).div_ceil(100);
                Size(u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(4096))
            }
            Self::Size(size) => size,
        }
    }
}

/// `1h 30m` without the blank: what [`FromStr`] reads back.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, ms) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= ms {
                write!(f, "{}{unit}", rest / ms)?;
                rest %= ms;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = |&&(_, factor): &&(&str, u64)| self.0 >= factor && self.0.is_multiple_of(factor);
        let (unit, factor) = SIZES.iter().rev().find(fitting).copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Size(size) => size.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal, $about:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(D::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $about })
            }
        }
    };
}

as_text!(Period, "^([0-9]+(ms|s|m|h|d))+$", "A span of virtual time: 30s, 15m, 24h, 3d, 1h30m.");
as_text!(Size, "^[0-9]+(B|KiB|MiB|GiB|TiB)$", "A size: 4KiB, 16MiB, 2GiB.");
as_text!(
    Share,
    "^(([0-9]|[1-9][0-9]|100)%|[0-9]+(B|KiB|MiB|GiB|TiB))$",
    "A share of a whole: 0% to 100%, or a size."
);
