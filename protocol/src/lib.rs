//! What the parts of Alter say to each other: the documents in a grant's Secret, the session in each
//! SDK's form, the questions of agents to the broker and its answers, and the layout of the volume that the agent
//! shares with the app. No I/O.

pub mod broker;
pub mod grant;
pub mod pod;
pub mod session;

pub use grant::{Delivery, GrantDocument, Revocation};
pub use session::Session;
