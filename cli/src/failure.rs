//! Why a verb came to nothing.

use crate::credentials::SourceError;
use crate::request::{BodyError, PlanError, SendError};
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
    /// No body to send.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Nothing to send.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// No answer, or a bad one.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// As curl has it for an answer of 400 and above.
const REFUSED: u8 = 22;

impl Failure {
    /// What the program ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            // Whoever read has read enough.
            Self::Io(error) | Self::Send(SendError::Output(error))
                if error.kind() == ErrorKind::BrokenPipe =>
            {
                ExitCode::SUCCESS
            }
            Self::Send(SendError::Status { .. }) => ExitCode::from(REFUSED),
            _ => ExitCode::FAILURE,
        }
    }
}
