//! JSON Schemas of the file formats, for editors.

use super::estate::Estate;
use super::model::Scenario;
use serde_json::Value;

/// The schema of `*.scenario.yaml`.
pub fn scenario() -> Value {
    titled(schemars::schema_for!(Scenario).to_value(), "Failback Lab scenario")
}

/// The schema of `*.estate.yaml`.
pub fn estate() -> Value {
    titled(schemars::schema_for!(Estate).to_value(), "Failback Lab estate")
}

fn titled(mut schema: Value, title: &str) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), Value::String(title.to_owned()));
    }
    schema
}
