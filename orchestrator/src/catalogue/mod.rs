//! The error catalogue: what each code means, what may have caused it, what to do.
//!
//! A documented number of Site Recovery is kept where one is known (`95226`). All others are the lab's
//! own `FBnnnn`, by hundreds: control plane FB10, process server FB11, network FB12, master target FB13,
//! datastore and retention FB14, machine and agent FB15, recovery points FB16, plans and groups FB17 (from FB1720 on: what is asked for
//! beside the cycle),
//! state and requests FB18, failures while a job runs FB20, warnings FB21.

use failback_wire::error::ErrorDoc;
use std::sync::LazyLock;

pub mod beside;
pub mod choice;
pub mod control;
pub mod disks;
pub mod documented;
pub mod execution;
pub mod guest;
pub mod machine;
pub mod protection;
pub mod target;
pub mod warning;

#[cfg(test)]
mod tests;

/// Declares entries as statics and, in the order written, as `DOCS`.
macro_rules! entries {
    ($($name:ident $code:literal $class:ident [$($key:literal),*] $title:literal;
       $($cause:literal),+ => $action:literal;)+) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            pub static $name: failback_wire::error::ErrorDoc = failback_wire::error::ErrorDoc {
                code: $code,
                title: $title,
                causes: &[$($cause),+],
                action: $action,
                class: failback_wire::error::Class::$class,
                keys: &[$($key),*],
            };
        )+
        /// The entries of this file.
        pub(super) static DOCS: &[&failback_wire::error::ErrorDoc] = &[$(&$name),+];
    };
}
pub(crate) use entries;

/// Every entry, by code: the documented numbers come first.
pub static ALL: LazyLock<Vec<&'static ErrorDoc>> = LazyLock::new(|| {
    let mut all = [
        documented::DOCS,
        control::DOCS,
        target::DOCS,
        machine::DOCS,
        execution::DOCS,
        warning::DOCS,
        guest::DOCS,
        protection::DOCS,
        beside::DOCS,
        choice::DOCS,
        disks::DOCS,
    ]
    .concat();
    all.extend(crate::rules::docs());
    all.sort_by_key(|doc| doc.code);
    all
});

/// True for a warning: what it tells of stops nothing. Most have numbers of their own.
pub fn is_warning(doc: &ErrorDoc) -> bool {
    doc.code.starts_with("FB21") || warning::DOCS.iter().any(|warning| warning.code == doc.code)
}

/// The entry of this code, if there is one. Letters match in either case.
pub fn lookup(code: &str) -> Option<&'static ErrorDoc> {
    ALL.iter().copied().find(|doc| doc.code.eq_ignore_ascii_case(code))
}
