//! The catalogue is complete and sorted.

use super::{ALL, lookup};
use failback_wire::error::Class;

#[test]
fn codes_are_unique() {
    let codes: Vec<_> = ALL.iter().map(|doc| doc.code).collect();
    assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
}

#[test]
fn every_entry_helps() {
    for doc in ALL.iter() {
        assert!(!doc.title.is_empty() && !doc.title.ends_with('.'), "{}: title", doc.code);
        assert!(!doc.causes.is_empty() && doc.causes.iter().all(|c| !c.is_empty()), "{}: causes", doc.code);
        assert!(doc.action.ends_with('.'), "{}: the action is a sentence", doc.code);
    }
}

#[test]
fn own_codes_never_look_official() {
    for doc in ALL.iter() {
        let own = doc.code.len() == 6 && doc.code.starts_with("FB");
        let official = doc.code.bytes().all(|b| b.is_ascii_digit());
        assert!(own ^ official, "{}", doc.code);
    }
}

#[test]
fn lookup_finds_in_either_case() {
    assert_eq!(lookup("95226").map(|doc| doc.class), Some(Class::Operator));
    assert_eq!(lookup("fb1501").map(|doc| doc.class), Some(Class::Wait));
    assert_eq!(lookup("FB9999"), None);
}
