//! `alter request`: one signed request, sent as curl would send it.

mod body;
mod plan;
mod send;

pub use body::{Body, BodyError};
pub use plan::{Plan, PlanError};
pub use send::SendError;

use crate::args::Request;
use crate::credentials::Source;
use crate::failure::Failure;
use alter_sigv4::sign::Signer;
use jiff::Timestamp;
use std::io::Write;

/// Stands for a session token where a request is shown.
const HIDDEN: &str = "(the session token)";

/// Signs the request with what `source` has, and sends it; the answer's body goes to `output` as it comes.
///
/// # Errors
/// [`Failure`]; an answer of 400 and above is one, after its body is written.
pub async fn run(
    asked: &Request,
    source: &Source,
    now: Timestamp,
    mut output: impl Write,
) -> Result<(), Failure> {
    let body = Body::open(asked.json.as_deref(), asked.data.as_deref())?;
    let plan = Plan::new(asked, &body)?;
    let signer = Signer::new(
        &source.credentials(),
        &plan.service,
        &plan.region,
        plan.algorithm,
        now,
    )
    .map_err(|source| PlanError::Sign { source })?;
    let payload = body.payload();
    if asked.dry_run {
        let canonical =
            plan.with_request(|request| signer.canonical_request(request, payload, now));
        let added = plan.with_request(|request| signer.sign(request, payload, now));
        let (canonical, added) = canonical
            .and_then(|canonical| Ok((canonical, added?)))
            .map_err(|source| PlanError::Sign { source })?;
        let mut text = String::from_utf8_lossy(&canonical).into_owned();
        text.push_str("\n\n");
        for (name, value) in plan
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v))
            .chain(added.headers.iter().map(|(name, value)| (*name, value)))
        {
            text.extend([name, ": ", value.as_str(), "\n"]);
        }
        if let Some(token) = source.credentials().session_token {
            text = text.replace(token, HIDDEN);
        }
        return Ok(output.write_all(text.as_bytes())?);
    }
    let added = plan
        .with_request(|request| signer.sign(request, payload, now))
        .map_err(|source| PlanError::Sign { source })?;
    Ok(send::send(&plan, added, body, output).await?)
}
