//! Obtains a session for a decided request: source credentials, single flight, the STS budget.
