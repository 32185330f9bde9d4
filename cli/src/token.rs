//! `alter token`: short-term bearer tokens.

use crate::args::{Make, Output, Shown};
use crate::credentials::Source;
use crate::failure::Failure;
use alter_sigv4::token::{self, Decoded, Kind};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::io::{Read, Write};

/// A token is shorter than this.
const LONGEST: u64 = 64 << 10;

#[derive(Serialize)]
struct Made<'a> {
    token: &'a str,
    kind: &'a str,
    region: &'a str,
    expires: Timestamp,
}

#[derive(Serialize)]
struct Shape<'a> {
    kind: &'a str,
    region: &'a str,
    access_key_id: &'a str,
    session: bool,
    issued: Timestamp,
    expires: Timestamp,
}

/// Makes a token of what `source` has, and prints it; what else is to be known goes to `notes`.
///
/// # Errors
/// [`Failure`].
pub fn make(
    kind: Kind,
    make: &Make,
    source: &Source,
    now: Timestamp,
    mut output: impl Write,
    mut notes: impl Write,
) -> Result<(), Failure> {
    let lifetime = SignedDuration::try_from(make.lifetime).unwrap_or(SignedDuration::MAX);
    let credentials = source.credentials();
    let region = source.region()?;
    let token = token::generate(kind, &credentials, source.expires(), region, lifetime, now)?;
    match make.output {
        Output::Token => writeln!(output, "{}", *token.text)?,
        Output::Env => writeln!(output, "export {}={}", variable(kind), *token.text)?,
        Output::Json => print_json(
            &mut output,
            &Made {
                token: &token.text,
                kind: name(kind),
                region,
                expires: token.expires,
            },
        )?,
    }
    output.flush()?;
    if source.expires() == Some(token.expires) {
        writeln!(
            notes,
            "alter: the token ends with the credentials that signed it, at {}",
            token.expires
        )?;
    }
    Ok(())
}

/// Shows the token on `input`.
///
/// # Errors
/// [`Failure`].
pub fn decode(shown: Shown, input: impl Read, mut output: impl Write) -> Result<(), Failure> {
    let mut text = String::new();
    input.take(LONGEST).read_to_string(&mut text)?;
    let Decoded {
        kind,
        region,
        access_key_id,
        is_of_session,
        issued,
        expires,
    } = &token::decode(&text)?;
    match shown {
        Shown::Text => {
            let of = if *is_of_session {
                " (a session's, which may end sooner)"
            } else {
                ""
            };
            writeln!(output, "kind     {}", name(*kind))?;
            writeln!(output, "region   {region}")?;
            writeln!(output, "key id   {access_key_id}{of}")?;
            writeln!(output, "issued   {issued}")?;
            writeln!(output, "expires  {expires}")?;
        }
        Shown::Json => print_json(
            &mut output,
            &Shape {
                kind: name(*kind),
                region,
                access_key_id,
                session: *is_of_session,
                issued: *issued,
                expires: *expires,
            },
        )?,
    }
    Ok(output.flush()?)
}

/// As the verbs have it.
const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Anthropic => "anthropic",
        Kind::Bedrock => "bedrock",
    }
}

/// Where the vendors' own clients look for a token.
const fn variable(kind: Kind) -> &'static str {
    match kind {
        Kind::Anthropic => "ANTHROPIC_AWS_API_KEY",
        Kind::Bedrock => "AWS_BEARER_TOKEN_BEDROCK",
    }
}

fn print_json(mut output: impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut output, value).map_err(std::io::Error::from)?;
    Ok(writeln!(output)?)
}
