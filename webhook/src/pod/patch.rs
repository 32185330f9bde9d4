//! The JSON patch of a pod, operation by operation: a difference of two whole pods would say more, and
//! insert the agent by rewriting every init container.
//!
//! <https://www.rfc-editor.org/rfc/rfc6902>

use json_patch::{
    AddOperation, Patch, PatchOperation, ReplaceOperation,
    jsonptr::{PointerBuf, Token},
};
use serde_json::{Value, json};

/// A pod's list of containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// The app's.
    Containers,
    /// Those that run before, the agent among them.
    InitContainers,
}

impl List {
    const fn field(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::InitContainers => "initContainers",
        }
    }
}

/// Collects operations; they are applied in order, so insertions into a list come after what names its
/// entries by index.
#[derive(Debug, Default)]
pub(super) struct Builder(Vec<PatchOperation>);

impl Builder {
    /// Adds to a list within a container; `empty` says that the list is not there yet.
    pub(super) fn append_to_container(
        &mut self,
        (list, index): (List, usize),
        field: &'static str,
        empty: bool,
        values: Vec<Value>,
    ) {
        let path = [Token::new(list.field()), index.into(), Token::new(field)];
        self.append(&path, empty, values);
    }

    /// Adds to a list of the spec; `empty` says that the list is not there yet.
    pub(super) fn append_to_spec(&mut self, field: &'static str, empty: bool, values: Vec<Value>) {
        self.append(&[Token::new(field)], empty, values);
    }

    /// Replaces an entry of a list of the spec.
    pub(super) fn replace(&mut self, field: &'static str, index: usize, value: Value) {
        let path = pointer(&[Token::new(field), index.into()]);
        self.0
            .push(PatchOperation::Replace(ReplaceOperation { path, value }));
    }

    /// Sets a label or an annotation; `empty` says that the map is not there yet.
    pub(super) fn set_metadata(&mut self, map: &'static str, empty: bool, key: &str, value: &str) {
        let mut path = PointerBuf::from_tokens(["metadata", map]);
        if empty {
            return self.add(path, json!({key: value}));
        }
        path.push_back(Token::new(key));
        self.add(path, json!(value));
    }

    /// Puts a container before all other init containers.
    pub(super) fn insert_init_container(&mut self, empty: bool, container: Value) {
        let field = Token::new(List::InitContainers.field());
        if empty {
            self.add(pointer(&[field]), json!([container]));
        } else {
            self.add(pointer(&[field, 0_usize.into()]), container);
        }
    }

    /// The operations so far.
    pub(super) fn finish(self) -> Patch {
        Patch(self.0)
    }

    fn append(&mut self, path: &[Token<'_>], empty: bool, values: Vec<Value>) {
        if values.is_empty() {
            return;
        }
        if empty {
            // Also where the list is there and has no entries: an add to an object replaces.
            self.add(pointer(path), Value::Array(values));
            return;
        }
        let mut end = pointer(path);
        end.push_back(Token::new("-"));
        for value in values {
            self.add(end.clone(), value);
        }
    }

    fn add(&mut self, path: PointerBuf, value: Value) {
        self.0
            .push(PatchOperation::Add(AddOperation { path, value }));
    }
}

fn pointer(below_spec: &[Token<'_>]) -> PointerBuf {
    let mut path = PointerBuf::from_tokens(["spec"]);
    for token in below_spec {
        path.push_back(token.clone());
    }
    path
}
