//! Injects the agent into pods, and validates both kinds.
