//! The hosts of interface endpoints: `vpce-ID[-ZONE].SERVICE.REGION.vpce.SUFFIX`.
//!
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html>

use super::{Kind, Place, Refusal, Scope, Suffix, planes, s3, split_last, table};

/// The scope of an endpoint, without `.vpce` and the suffix.
pub(super) fn scope(rest: &str, suffix: &'static Suffix) -> Result<Scope, Refusal> {
    let (head, region) = split_last(rest);
    let partition = suffix.partition_of(region).ok_or(Refusal::Unknown)?;
    let place = Place::new(suffix, partition, region)?;
    if let Some(left) = head.strip_suffix(".s3")
        && s3::is_private_link(left)
    {
        return Ok(place.signs("s3", Kind::PrivateLink));
    }
    let (endpoint, own) = head.split_once('.').ok_or(Refusal::Unknown)?;
    // Someone else's service, which may have any name after that.
    if split_last(head).1.starts_with("vpce-svc-") {
        return Err(Refusal::Customer("endpoint service"));
    }
    if !is_endpoint(endpoint) {
        return Err(Refusal::Unknown);
    }
    match table::service(own, place.zone()) {
        Some(service) if service.bearer => Err(Refusal::Bearer),
        Some(service) => Ok(place.signs(service.name, Kind::PrivateLink)),
        None => match planes::service(own) {
            Some(service) => Ok(place.signs(service, Kind::PrivateLink)),
            None => Err(Refusal::Unknown),
        },
    }
}

/// The label of an endpoint, and not of a customer's own service.
pub(super) fn is_endpoint(label: &str) -> bool {
    label
        .strip_prefix("vpce-")
        .is_some_and(|id| !id.is_empty() && !id.starts_with("svc-"))
}
