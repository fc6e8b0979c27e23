//! Values that remember where in the file they stand, so that semantic checks can point at them.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

/// Where something stands in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
    /// First byte.
    pub byte: usize,
    /// How many bytes; 0 when the parser does not know the end.
    pub len: usize,
}

impl Place {
    /// The same with its byte found by line and column, where the parser gave those alone.
    #[must_use]
    pub fn with_byte_in(mut self, text: &str) -> Self {
        if self.byte > 0 || self.line == 0 {
            return self;
        }
        let Some(line) = text.split_inclusive('\n').nth(self.line as usize - 1) else { return self };
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        let within = line.char_indices().nth((self.column as usize).saturating_sub(1));
        self.byte = start + within.map_or(line.trim_end().len(), |(at, _)| at);
        self
    }
}

impl From<serde_saphyr::Location> for Place {
    fn from(at: serde_saphyr::Location) -> Self {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let size = |n: Option<u64>| usize::try_from(n.unwrap_or_default()).unwrap_or_default();
        Self {
            line: small(at.line()),
            column: small(at.column()),
            byte: size(at.span().byte_offset()),
            len: size(at.span().byte_len()),
        }
    }
}

/// A value and its place. Compares and prints as the value alone.
#[derive(Clone)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands; unknown for defaults.
    pub at: Place,
}

impl<T> Spanned<T> {
    /// A value that stands nowhere: a default.
    pub fn unplaced(value: T) -> Self {
        Self { value, at: Place::default() }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<T: Eq> Eq for Spanned<T> {}
impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}
impl<T: Ord> Ord for Spanned<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}
impl<T: Default> Default for Spanned<T> {
    fn default() -> Self {
        Self::unplaced(T::default())
    }
}
impl<T: fmt::Debug> fmt::Debug for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
impl Borrow<str> for Spanned<String> {
    fn borrow(&self) -> &str {
        &self.value
    }
}
impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(s)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let inner = serde_saphyr::Spanned::<T>::deserialize(d)?;
        Ok(Self { value: inner.value, at: inner.referenced.into() })
    }
}
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A name as files write it: of a machine, a server, a plan, a datastore …
pub type Name = Spanned<String>;
