//! Host to signing scope: which service and region a signature for it must name, or why none may be made.
//!
//! The answer comes from the right-hand side of the name: the suffix that AWS owns, the region before it, the service
//! before that. What stands further left is a bucket, an API or a domain that a customer has named, and changes nothing.
//! The names of services are generated from botocore's own endpoint rules (`make tables`); the names that one resource
//! has are AWS's documented forms, in `planes` and `s3`.

#[rustfmt::skip]
mod generated;
mod name;
mod planes;
mod privatelink;
mod refusal;
mod region;
mod s3;
mod table;

pub use refusal::Refusal;
pub use region::Region;

use generated::{PARTITIONS, SUFFIXES};
use name::Name;

/// What a signature for a host must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The signing name, which is not always the host's first label: `bedrock` for `bedrock-runtime…`.
    pub service: &'static str,
    /// The region of the credential scope; `*` where the signature covers all of them.
    pub region: Region,
    /// Whether the host leaves no doubt of the region. Where it does (`BUCKET.s3-accelerate…`), `region` is the
    /// partition's own, and gives way to what the caller knows of the bucket.
    pub region_is_certain: bool,
    /// How such a host wants to be signed.
    pub algorithm: Algorithm,
    /// Whose name it is.
    pub kind: Kind,
    /// The partition as ARNs have it: `aws`, `aws-cn`, ….
    pub partition: &'static str,
    /// How many bytes of the host are the resource's own name.
    resource: u8,
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// AWS Signature Version 4, for one region.
    SigV4,
    /// The asymmetric form, for a set of regions.
    SigV4a,
    /// Version 4 with a session of `s3:CreateSession`, in its own header.
    S3Express,
}

impl Algorithm {
    /// `sigv4`, `sigv4a` or `sigv4-s3express`, as AWS's endpoint rules call them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SigV4 => "sigv4",
            Self::SigV4a => "sigv4a",
            Self::S3Express => "sigv4-s3express",
        }
    }
}

/// Whose name a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The service's own endpoint.
    Service,
    /// The endpoint of one resource or account: a bucket, an API, a search domain.
    Resource,
    /// A `PrivateLink` endpoint of a service.
    PrivateLink,
}

impl Scope {
    /// The host that this is the scope of, cut where the resource's own name ends: `("my.bucket", "s3.us-east-1.…")`,
    /// `("", "sts.us-east-1.…")`.
    #[must_use]
    pub fn split<'h>(&self, host: &'h str) -> (&'h str, &'h str) {
        let (resource, rest) = host
            .split_at_checked(self.resource.into())
            .unwrap_or(("", host));
        (resource, rest.strip_prefix('.').unwrap_or(rest))
    }

    /// The scope for one path of the host.
    ///
    /// `maps.geo…`, `places.geo…` and `routes.geo…` each serve two services: the paths under `/v2` are those of
    /// `geo-maps` and its like, all others are Amazon Location's first API, which signs as `geo`.
    #[must_use]
    pub fn at_path(self, path: &str) -> Self {
        let v2 = path == "/v2" || path.starts_with("/v2/");
        match self.service {
            "geo-maps" | "geo-places" | "geo-routes" if !v2 => Self {
                service: "geo",
                ..self
            },
            _ => self,
        }
    }
}

/// The scope of a host.
///
/// The host may carry a port, upper case letters and a trailing dot, as URLs do. Costs no allocation.
///
/// # Errors
/// [`Refusal`] says why a host is none that may be signed for.
pub fn scope(host: &str) -> Result<Scope, Refusal> {
    let name = Name::parse(host)?;
    let (rest, suffix) = split_suffix(name.as_str())?;
    let (head, label) = split_last(rest);
    if label == "vpce" && suffix.stack == Stack::Dns {
        return privatelink::scope(head, suffix);
    }
    match suffix.partition_of(label) {
        Some(partition) => in_region(rest, head, Place::new(suffix, partition, label)?),
        None => outside_regions(rest, suffix),
    }
}

/// `SERVICE.REGION.SUFFIX`, `RESOURCE.SERVICE.REGION.SUFFIX`.
fn in_region(rest: &str, head: &str, place: Place) -> Result<Scope, Refusal> {
    if let Some(row) = table::find(head, place.zone(), table::Form::Regional) {
        return row.scope(place, Kind::Service);
    }
    // Such as account.us-east-1.amazonaws.com, which is in no other region.
    if let Some(row) = table::find(rest, place.zone(), table::Form::Whole) {
        return row.scope(place, Kind::Service);
    }
    s3::in_region(head, place)
        .or_else(|| planes::in_region(head, place))
        .unwrap_or_else(|| Err(refusal::explain(head)))
}

/// Services without regions, and names in which the region stands elsewhere.
fn outside_regions(rest: &str, suffix: &'static Suffix) -> Result<Scope, Refusal> {
    for partition in suffix.partitions() {
        let home = Place::home(suffix, partition)?;
        if let Some(row) = table::find(rest, home.zone(), table::Form::Whole) {
            return row.scope(home, Kind::Service);
        }
    }
    s3::outside_regions(rest, suffix)
        .or_else(|| planes::outside_regions(rest, suffix))
        .unwrap_or_else(|| Err(refusal::explain(rest)))
}

/// A suffix that AWS owns.
#[derive(Debug)]
struct Suffix {
    name: &'static str,
    stack: Stack,
    /// A bit for each of [`PARTITIONS`].
    partitions: u8,
}

/// Which of its suffixes a name of a partition carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stack {
    /// `amazonaws.com` and its like.
    Dns,
    /// `api.aws` and its like.
    Dual,
    /// `on.aws`: endpoints of single resources.
    On,
}

#[derive(Debug)]
struct Partition {
    id: &'static str,
    /// Where what has no region signs.
    global: &'static str,
    /// What the names of its regions begin with: `us` for `us-east-1`.
    regions: &'static [&'static str],
}

impl Suffix {
    /// Indices of its partitions, the commercial one first.
    fn partitions(&self) -> impl Iterator<Item = usize> {
        (0..PARTITIONS.len()).filter(|partition| self.partitions >> partition & 1 == 1)
    }

    /// The partition with a region of this name.
    fn partition_of(&self, label: &str) -> Option<usize> {
        self.partitions()
            .find(|partition| region::is_of(PARTITIONS[*partition].regions, label))
    }
}

/// Where a host stands, as far as its right-hand side says.
#[derive(Clone, Copy, Debug)]
struct Place {
    suffix: &'static Suffix,
    partition: usize,
    region: Region,
    region_is_certain: bool,
}

impl Place {
    fn new(suffix: &'static Suffix, partition: usize, region: &str) -> Result<Self, Refusal> {
        let region = Region::new(region).ok_or(Refusal::Unknown)?;
        Ok(Self {
            suffix,
            partition,
            region,
            region_is_certain: true,
        })
    }

    /// The region in which a partition signs for what has none.
    fn home(suffix: &'static Suffix, partition: usize) -> Result<Self, Refusal> {
        let place = Self::new(suffix, partition, PARTITIONS[partition].global)?;
        Ok(Self {
            region_is_certain: false,
            ..place
        })
    }

    /// The same host, signed in another region: of another partition, where services have all regions under one suffix.
    fn moved_to(self, region: &str) -> Result<Self, Refusal> {
        let of = |partition: &Partition| region::is_of(partition.regions, region);
        let partition = PARTITIONS.iter().position(of).unwrap_or(self.partition);
        Self::new(self.suffix, partition, region)
    }

    /// The bit of the table's rows.
    const fn zone(&self) -> u32 {
        match self.suffix.stack {
            Stack::Dns => 1 << (2 * self.partition),
            Stack::Dual => 2 << (2 * self.partition),
            Stack::On => 0,
        }
    }

    const fn signs(self, service: &'static str, kind: Kind) -> Scope {
        Scope {
            service,
            region: self.region,
            region_is_certain: self.region_is_certain,
            algorithm: Algorithm::SigV4,
            kind,
            partition: PARTITIONS[self.partition].id,
            resource: 0,
        }
    }

    /// For a name with a resource's own before it, or without.
    fn signs_for(self, service: &'static str, resource: &str) -> Scope {
        let kind = if resource.is_empty() {
            Kind::Service
        } else {
            Kind::Resource
        };
        Scope {
            // A host has 253 bytes at most.
            resource: u8::try_from(resource.len()).unwrap_or_default(),
            ..self.signs(service, kind)
        }
    }

    /// For all regions at once.
    fn signs_everywhere(self, service: &'static str, resource: &str) -> Scope {
        Scope {
            region: Region::EVERY,
            region_is_certain: true,
            algorithm: Algorithm::SigV4a,
            ..self.signs_for(service, resource)
        }
    }
}

fn split_suffix(host: &str) -> Result<(&str, &'static Suffix), Refusal> {
    for suffix in SUFFIXES {
        if let Some(rest) = host.strip_suffix(suffix.name) {
            if rest.is_empty() {
                return Err(Refusal::Bare);
            }
            if let Some(rest) = rest.strip_suffix('.') {
                return Ok((rest, suffix));
            }
        }
    }
    Err(Refusal::Foreign)
}

/// `("a.b", "c")` of `a.b.c`; `("", "c")` of `c`.
fn split_last(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}
