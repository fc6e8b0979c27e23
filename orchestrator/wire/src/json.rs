//! Values as JSON text.

use bytes::Bytes;
use serde::Serialize;
use std::cell::RefCell;

/// What is kept of a long text's memory, in bytes.
const KEPT: usize = 1 << 20;

thread_local! {
    /// Where texts are written before their length is known.
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The value as JSON. Texts are many: each is written where the last one was, and takes as much memory as it is long.
///
/// # Errors
/// What the value says when it cannot be written.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    DRAFT.with(|draft| {
        let mut draft = draft.take();
        draft.clear();
        let written = serde_json::to_writer(&mut draft, value);
        let text = Bytes::copy_from_slice(&draft);
        draft.truncate(0);
        draft.shrink_to(KEPT);
        DRAFT.set(draft);
        written.map(|()| text)
    })
}

#[cfg(test)]
mod tests {
    use super::to_bytes;
    use serde::{Serialize, Serializer};

    /// Writes another text while it is written.
    struct Nested;
    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = to_bytes("inner").map_err(serde::ser::Error::custom)?;
            serializer.serialize_str(&String::from_utf8_lossy(&inner))
        }
    }

    #[test]
    fn writes_texts_after_and_in_each_other() {
        assert_eq!(
            to_bytes(&["long enough", "to leave something"]).unwrap(),
            r#"["long enough","to leave something"]"#
        );
        assert_eq!(to_bytes(&1).unwrap(), "1");
        assert_eq!(to_bytes(&[Nested]).unwrap(), r#"["\"inner\""]"#);
    }
}
