//! What the API server's own rules cannot check of both kinds: pure, from the object and what it refers to.

pub mod grant;
pub mod identity;
