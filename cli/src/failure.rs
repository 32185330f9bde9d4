//! Why a verb came to nothing.

use crate::credentials::SourceError;
use alter_sigv4::token::{DecodeError, TokenError};
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use thiserror::Error;

/// Each says what to do next.
#[derive(Debug, Error)]
pub enum Failure {
    /// Reading or writing.
    #[error("standard input or output: {0}; check where they lead")]
    Io(#[from] io::Error),
    /// Nothing to sign with.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No token was made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What was read is no token.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Failure {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            // Whoever read has read enough.
            Self::Io(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}
