//! The CRDs of the chart are the generated ones, and stay.

use alter_chart_tests::{
    CHART, Failure,
    manifest::{find, of_kind, text},
    render::{configuration, render},
};
use serde_json::{Value, json};
use std::fs;

/// Equal but for the form of numbers: Helm writes 900 for 900.0.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

#[test]
fn are_the_generated_ones_and_kept() -> Result<(), Failure> {
    let objects = render(&configuration("default"), &[])?;
    assert_eq!(of_kind(&objects, "CustomResourceDefinition").count(), 2);
    for entry in fs::read_dir(format!("{CHART}/files/crds"))? {
        let mut generated: Value = serde_saphyr::from_str(&fs::read_to_string(entry?.path())?)?;
        let name = text(&generated, "/metadata/name").to_owned();
        let rendered = find(&objects, "CustomResourceDefinition", &name).unwrap();
        generated["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        assert!(same(rendered, &generated), "{name} differs from its file");
    }
    Ok(())
}

#[test]
fn are_left_out_where_someone_else_installs_them() -> Result<(), Failure> {
    let objects = render(&configuration("one-replica"), &[])?;
    assert_eq!(of_kind(&objects, "CustomResourceDefinition").count(), 0);
    Ok(())
}
