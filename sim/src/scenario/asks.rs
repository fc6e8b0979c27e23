//! The fields that all steps have that ask the product for something.

/// A step that asks the product for something: its own fields, `expect` and `within`; for what is asked `of an item or a
/// plan` those two as well. They stand in the step itself, for fields of fields would lose their places in the file.
macro_rules! asks {
    ($(#[$doc:meta])* pub struct $name:ident of an item or a plan { $($own:tt)* }) => {
        asks! {
            $(#[$doc])*
            pub struct $name {
                /// The item; or else `plan`.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub item: Option<Name>,
                /// The recovery plan; or else `item`.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub plan: Option<Name>,
                $($own)*
            }
        }
    };
    ($(#[$doc:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// How it must end.
            #[serde(default)]
            pub expect: $crate::scenario::model::Ending,
            /// Within which virtual time; default 2 h.
            #[serde(default = "crate::scenario::model::default_within")]
            pub within: $crate::scenario::text::Spanned<$crate::scenario::units::Period>,
        }
    };
}
pub(super) use asks;
