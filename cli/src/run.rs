//! From what was typed to what is done.

use crate::args::{Command, Make, Request, Token};
use crate::credentials::Source;
use crate::failure::Failure;
use crate::{hosts, request, token};
use alter_sigv4::token::Kind;
use jiff::Timestamp;
use std::io;

/// Does what was asked, on standard input and output.
///
/// # Errors
/// [`Failure`].
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Hosts => {
            let (input, output) = (io::stdin().lock(), io::stdout().lock());
            Ok(hosts::run(input, output, io::stderr().lock())?)
        }
        Command::Token(Token::Anthropic(make)) => make_token(Kind::Anthropic, make),
        Command::Token(Token::Bedrock(make)) => make_token(Kind::Bedrock, make),
        Command::Token(Token::Decode { output }) => {
            token::decode(*output, io::stdin().lock(), io::stdout().lock())
        }
        Command::Request(asked) => send_request(asked),
    }
}

fn send_request(asked: &Request) -> Result<(), Failure> {
    runtime()?.block_on(async {
        // The host says the region of nearly all requests.
        let source = Source::find(asked.profile.as_deref(), asked.region.clone()).await?;
        request::run(asked, &source, now(), io::stdout().lock()).await
    })
}

fn make_token(kind: Kind, make: &Make) -> Result<(), Failure> {
    let source = runtime()?.block_on(Source::find(make.profile.as_deref(), make.region.clone()))?;
    token::make(
        kind,
        make,
        &source,
        now(),
        io::stdout().lock(),
        io::stderr().lock(),
    )
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the edge: decisions take the time as a parameter"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
