//! Recovery plans in files: plans that steps save, and what a plan gives for each of its machines.

use super::asks::asks;
use super::estate::Side;
use super::model::{ReprotectInputs, Verb};
use super::text::Name;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

asks! {
    /// Save a recovery plan, new or instead of one that is there (L1).
    pub struct SavePlan {
        /// Name.
        pub name: Name,
        /// Boot groups in order, each a list of machines. Whether there are such machines is for the product to say.
        pub groups: Vec<Vec<Name>>,
        /// What is done before and after its groups (L3).
        #[serde(default)]
        pub actions: Vec<PlanAction>,
    }
}

asks! {
    /// Delete a recovery plan; its machines stay as they are.
    pub struct DeletePlan {
        /// Name.
        pub name: Name,
    }
}

/// Something that is done before or after a group of a plan (L3). It belongs to failovers and failbacks, planned or not,
/// unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanAction {
    /// Name.
    pub name: Name,
    /// What it is.
    #[serde(default)]
    pub kind: ActionKind,
    /// The group it comes before; or else `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Stage>,
    /// The group it comes after; or else `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Stage>,
    /// The verbs it belongs to; default: both.
    #[serde(default = "both_verbs")]
    pub verbs: Vec<Verb>,
    /// The directions it belongs to, by where the machines go; default: both.
    #[serde(default = "both_ways")]
    pub to: Vec<Side>,
}

/// Kinds of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// A person does something and confirms it.
    #[default]
    Manual,
    /// A script runs.
    Script,
    /// A runbook runs.
    Runbook,
}

/// Groups of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The sources of all machines are shut down.
    Shutdown,
    /// All machines fail over, up to their start.
    Failover,
    /// The boot group of this number, from 1.
    Group(u32),
}

fn both_verbs() -> Vec<Verb> {
    vec![Verb::Planned, Verb::Unplanned]
}
fn both_ways() -> Vec<Side> {
    vec![Side::Azure, Side::OnPremises]
}

asks! {
    /// Confirm the manual action for which a plan's job waits (L3). The step ends when the job is over, or waits again.
    pub struct Confirm {
        /// The plan.
        pub plan: Name,
    }
}

/// A job that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Paused {
    /// The manual action that is to be confirmed.
    pub action: Name,
}

/// What a plan gives for one of its machines.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberInputs {
    /// `none`: nothing at all.
    None,
    /// Inputs; what is left out is chosen to fit the machine.
    Given(Box<ReprotectInputs>),
}

impl Serialize for MemberInputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Given(inputs) => inputs.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MemberInputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = MemberInputs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, or inputs of a reprotect")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<MemberInputs, E> {
                match word {
                    "none" => Ok(MemberInputs::None),
                    _ => Err(E::custom("`none`, or inputs of a reprotect")),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MemberInputs, A::Error> {
                ReprotectInputs::deserialize(MapAccessDeserializer::new(map))
                    .map(|inputs| MemberInputs::Given(Box::new(inputs)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for MemberInputs {
    fn schema_name() -> Cow<'static, str> {
        "MemberInputs".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inputs = generator.subschema_for::<ReprotectInputs>();
        json_schema!({
            "description": "What a plan gives for one of its machines.",
            "anyOf": [{ "const": "none", "description": "Nothing at all." }, inputs],
        })
    }
}
