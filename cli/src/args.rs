//! What can be typed.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::time::Duration;

/// Requests and tokens for AWS, signed right.
#[derive(Debug, Parser)]
#[command(name = "alter", version)]
pub struct Args {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// A verb.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says which service and region a signature for a host must name
    ///
    /// Reads hosts from standard input, one a line, and prints one line for each: the host, the signing name, the
    /// region, and sigv4, sigv4a or sigv4-s3express, with tabs between. A host that may not be signed for has - in the
    /// last three columns, and the reason on standard error.
    Hosts,
    /// Makes and reads short-term bearer tokens
    #[command(subcommand)]
    Token(Token),
    /// Signs a request and sends it
    ///
    /// Prints the answer's body as it comes. The exit code is 22 where the answer is 400 or above: its body, in AWS's own
    /// words, is printed all the same.
    Request(Request),
}

/// What is asked.
#[derive(Debug, ClapArgs)]
pub struct Request {
    /// GET, PUT, POST, ...
    pub method: String,
    /// The URL, with path and query encoded as they are to be sent
    pub url: String,
    /// A JSON body: the text, @FILE, or @- for standard input
    #[arg(long, value_name = "TEXT", conflicts_with = "data")]
    pub json: Option<String>,
    /// A body: the text, @FILE, or @- for standard input. A form, unless a header says otherwise
    #[arg(long, value_name = "TEXT")]
    pub data: Option<String>,
    /// 'Name: value', any number of times
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    pub headers: Vec<String>,
    /// The signing name, where the host does not say it
    #[arg(long)]
    pub service: Option<String>,
    /// The region to sign for, where the host does not say it
    #[arg(long)]
    pub region: Option<String>,
    /// The profile of the shared configuration that signs it [default: the SDKs' default chain]
    #[arg(long)]
    pub profile: Option<String>,
    /// Prints what would be signed and the headers, without the session token, and sends nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do about tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// A token for Claude Platform on AWS
    Anthropic(Make),
    /// A token for Amazon Bedrock
    Bedrock(Make),
    /// Shows what a token says of itself, and never its signature
    ///
    /// Reads the token from standard input, where it stands in no list of processes and no history.
    Decode {
        /// Shows JSON
        #[arg(long, value_enum, default_value_t)]
        output: Shown,
    },
}

/// How a token is made.
#[derive(Debug, ClapArgs)]
pub struct Make {
    /// The region that will take it [default: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile's]
    #[arg(long)]
    pub region: Option<String>,
    /// How long it lives, at most 12h; it ends with the credentials that sign it
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = humantime::parse_duration)]
    pub lifetime: Duration,
    /// The profile of the shared configuration that signs it [default: the SDKs' default chain]
    #[arg(long)]
    pub profile: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// The forms of a new token.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Output {
    /// The token alone
    #[default]
    Token,
    /// Token, kind, region and expiry
    Json,
    /// A line for a shell to evaluate
    Env,
}

/// The forms of a decoded one.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Shown {
    /// A line for each fact
    #[default]
    Text,
    /// One object
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_token_lives_for_twelve_hours_unless_told() {
        let lifetime = |args: &[&str]| {
            let args = ["alter", "token", "bedrock"].iter().chain(args);
            match Args::try_parse_from(args).unwrap().command {
                Command::Token(Token::Bedrock(make)) => make.lifetime.as_secs(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(lifetime(&[]), 43_200);
        assert_eq!(lifetime(&["--lifetime", "3600s"]), 3_600);
        assert_eq!(lifetime(&["--lifetime", "1h"]), 3_600);
    }
}
