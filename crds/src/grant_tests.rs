//! What the schema of a grant holds.

use super::*;
use kube::CustomResourceExt;
use serde_json::Value;

/// The paths of texts without end.
fn endless(path: &str, schema: &Value, found: &mut Vec<String>) {
    let texts = |one: &Value| one["type"] == "string" && one["enum"].is_null();
    if texts(schema) && schema["maxLength"].is_null() {
        found.push(path.to_owned());
    }
    for (name, own) in schema["properties"].as_object().into_iter().flatten() {
        endless(&format!("{path}.{name}"), own, found);
    }
    if schema["type"] == "array" {
        if schema["maxItems"].is_null() {
            found.push(path.to_owned());
        }
        endless(&format!("{path}[]"), &schema["items"], found);
    }
    if !schema["additionalProperties"].is_null() {
        let rules = schema["x-kubernetes-validations"].to_string();
        let ends = ["key.size() <=", "self[key].size() <="].map(|end| rules.contains(end));
        if schema["maxProperties"].is_null() || ends != [true, true] {
            found.push(path.to_owned());
        }
    }
}

#[test]
fn nothing_in_a_spec_is_without_end() {
    let crd = serde_json::to_value(AwsGrant::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    endless("spec", &schema["properties"]["spec"], &mut found);
    assert_eq!(found, [""; 0], "all grants are kept in memory");
}
