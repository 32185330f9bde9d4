//! The Secret that holds a grant's session: what its metadata says, what is written, and by which call.
//!
//! Data is written and never read: everything that Alter must know of a session later stands in the
//! Secret's annotations.

pub(crate) mod body;
pub(crate) mod facts;
pub(crate) mod index;
pub(crate) mod writer;

#[cfg(test)]
pub(crate) use facts::Revoked;
pub(crate) use facts::{Facts, Served};
pub(crate) use index::Index;
pub(crate) use writer::{Live, OF_SESSIONS, Since, WriteError, Writer};
