//! What caches keep of an object's metadata.

use kube::core::ObjectMeta;

/// Leaves out what no decision needs: at ten thousand grants it would be most of the memory.
pub(crate) fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.annotations = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
}
