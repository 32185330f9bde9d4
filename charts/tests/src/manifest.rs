//! Queries over rendered objects.

use serde_json::Value;

/// The text at a JSON pointer; empty where there is none.
#[must_use]
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The list at a JSON pointer; empty where there is none.
#[must_use]
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// `Kind/name`, for messages.
#[must_use]
pub fn title(object: &Value) -> String {
    format!(
        "{}/{}",
        text(object, "/kind"),
        text(object, "/metadata/name")
    )
}

/// All objects of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects
        .iter()
        .filter(move |object| text(object, "/kind") == kind)
}

/// The object of a kind and name.
#[must_use]
pub fn find<'a>(objects: &'a [Value], kind: &'a str, name: &str) -> Option<&'a Value> {
    of_kind(objects, kind).find(|object| text(object, "/metadata/name") == name)
}

/// The pods that the objects make: the workload's title, and a pod's metadata and spec.
pub fn pods(objects: &[Value]) -> impl Iterator<Item = (String, &Value)> {
    objects.iter().filter_map(|object| {
        let pod = match text(object, "/kind") {
            "Pod" => object,
            "Deployment" => object.pointer("/spec/template")?,
            _ => return None,
        };
        Some((title(object), pod))
    })
}
