//! What the API server's own rules cannot check of a spec: the webhook denies by it, and the operator
//! sets `InvalidSpec` by it.

mod grant;
mod identity;
