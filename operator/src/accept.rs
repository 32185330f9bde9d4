//! The form in which the API server is asked to answer.

use http::HeaderValue;

/// The value of `Accept` that brings an object's metadata alone.
///
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches>
pub(crate) const METADATA_ALONE: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
