//! The actions of S3, which are told by method, query and headers.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use super::form::decode;
use super::{Action, Untold, header, models, one};
use crate::hosts::{Kind, Scope};
use crate::sign::Request;

/// Parameters that change no operation: what a list is cut to, and what a presigned URL carries.
const PLAIN: &[&str] = &[
    "allow-unordered",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
    "x-id",
];

/// The actions on buckets and objects; those of the account are in the models.
pub(super) fn actions(
    scope: &Scope,
    host: &str,
    request: &Request<'_>,
) -> Result<Vec<Action>, Untold> {
    let (resource, own) = scope.split(host);
    let own = own
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if own.starts_with("s3-control") {
        let model = models::of("s3-control", "").ok_or(Untold::Service)?;
        let name = model.rest(request)?.ok_or(Untold::Operation)?;
        return Ok(one("s3", name, None));
    }
    if scope.service == "s3-object-lambda" && request.path == "/WriteGetObjectResponse" {
        return Ok(one("s3-object-lambda", "WriteGetObjectResponse", None));
    }
    let target = target(scope, resource, &own, request.path)?;
    let query = Query::new(request.query)?;
    if query.subresource == Some("session") && request.method == "GET" && !target.has_key() {
        return Ok(one("s3express", "CreateSession", None));
    }
    let name = match &target {
        Target {
            has_bucket: false, ..
        } => account(request.method, &query),
        target if target.has_key() => object(request.method, &query),
        _ => bucket(request.method, &query),
    };
    let service = match scope.service {
        // Objects of S3 Express are S3's to policies, once there is a session.
        "s3express" => "s3",
        service => service,
    };
    let mut resource = target.arn(scope);
    if request.method == "POST" && !target.has_key() {
        // Objects that the body names.
        resource = resource.map(|bucket| format!("{bucket}/*"));
    }
    let mut told = one(service, name.ok_or(Untold::Operation)?, resource);
    if let Some(source) = header(request, "x-amz-copy-source")? {
        if !(request.method == "PUT" && target.has_key() && name == Some("PutObject")) {
            return Err(Untold::Ambiguous);
        }
        told.push(source_of_copy(scope, source));
    }
    Ok(told)
}

/// What host and path name between them.
fn target(scope: &Scope, resource: &str, own: &str, path: &str) -> Result<Target, Untold> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let is_point = scope.service == "s3-object-lambda"
        || scope.service == "s3-outposts"
        || own.starts_with("s3-accesspoint")
        || own == "mrap";
    match scope.kind {
        // Its ARN is none of a bucket's, and has the account in it.
        _ if is_point => Ok(Target::point(path)),
        // A host is the same in upper case, and a bucket has none.
        Kind::Resource => Ok(Target::new(&resource.to_ascii_lowercase(), path)),
        // `BUCKET.bucket.vpce-…` is cut nowhere, and not read here.
        Kind::PrivateLink if own != "bucket" && !own.starts_with("vpce-") => Err(Untold::Operation),
        Kind::Service | Kind::PrivateLink => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            Ok(Target::new(bucket, key))
        }
    }
}

/// What a request is about: nothing, a bucket, or an object in it.
struct Target {
    has_bucket: bool,
    /// Unknown for an access point.
    bucket: Option<String>,
    key: Vec<u8>,
}

impl Target {
    fn new(bucket: &str, key: &str) -> Self {
        Self {
            has_bucket: !bucket.is_empty(),
            bucket: String::from_utf8(decode(bucket)).ok(),
            key: decode(key),
        }
    }

    fn point(key: &str) -> Self {
        Self {
            has_bucket: true,
            bucket: None,
            key: decode(key),
        }
    }

    fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    fn arn(&self, scope: &Scope) -> Option<String> {
        if scope.service != "s3" || !self.has_bucket {
            return None;
        }
        let bucket = self.bucket.as_ref()?;
        let key = std::str::from_utf8(&self.key).ok()?;
        let slash = if self.has_key() { "/" } else { "" };
        Some(format!("arn:{}:s3:::{bucket}{slash}{key}", scope.partition))
    }
}

struct Query<'a> {
    /// The parameter that names what of the bucket or the object is meant.
    subresource: Option<&'a str>,
    is_of_version: bool,
    is_of_upload: bool,
    has_part: bool,
}

impl<'a> Query<'a> {
    /// Whatever is not known to change nothing is taken for a subresource, of which there may be one.
    fn new(query: &'a str) -> Result<Self, Untold> {
        let names: Vec<&str> = query
            .split('&')
            .map(|parameter| parameter.split('=').next().unwrap_or_default())
            .filter(|name| !name.is_empty())
            .collect();
        let signs = |name: &str| {
            name.get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
        };
        let mut own = names.iter().filter(|name| {
            !PLAIN.contains(*name) && !signs(name) && !matches!(**name, "uploadId" | "id")
        });
        let subresource = own.next().copied();
        if own.next().is_some() {
            return Err(Untold::Ambiguous);
        }
        Ok(Self {
            subresource,
            is_of_version: names.contains(&"versionId"),
            is_of_upload: names.contains(&"uploadId"),
            has_part: names.contains(&"partNumber"),
        })
    }
}

fn account(method: &str, query: &Query<'_>) -> Option<&'static str> {
    (method == "GET" && query.subresource.is_none()).then_some("ListAllMyBuckets")
}

fn bucket(method: &str, query: &Query<'_>) -> Option<&'static str> {
    if query.is_of_upload || query.is_of_version {
        return None;
    }
    // What a GET asks, and what a PUT or DELETE changes.
    let (get, put, delete) = match query.subresource {
        None => {
            return match method {
                "GET" | "HEAD" => Some("ListBucket"),
                "PUT" => Some("CreateBucket"),
                "DELETE" => Some("DeleteBucket"),
                // A form from a browser.
                "POST" => Some("PutObject"),
                _ => None,
            };
        }
        Some("delete") => return (method == "POST").then_some("DeleteObject"),
        Some("accelerate") => (
            "GetAccelerateConfiguration",
            "PutAccelerateConfiguration",
            "",
        ),
        Some("acl") => ("GetBucketAcl", "PutBucketAcl", ""),
        Some("analytics") => both("GetAnalyticsConfiguration", "PutAnalyticsConfiguration"),
        Some("cors") => both("GetBucketCORS", "PutBucketCORS"),
        Some("encryption") => both("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
        Some("intelligent-tiering") => both(
            "GetIntelligentTieringConfiguration",
            "PutIntelligentTieringConfiguration",
        ),
        Some("inventory") => both("GetInventoryConfiguration", "PutInventoryConfiguration"),
        Some("lifecycle") => both("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
        Some("location") => ("GetBucketLocation", "", ""),
        Some("logging") => ("GetBucketLogging", "PutBucketLogging", ""),
        Some("metrics") => both("GetMetricsConfiguration", "PutMetricsConfiguration"),
        Some("notification") => ("GetBucketNotification", "PutBucketNotification", ""),
        Some("object-lock") => (
            "GetBucketObjectLockConfiguration",
            "PutBucketObjectLockConfiguration",
            "",
        ),
        Some("ownershipControls") => {
            both("GetBucketOwnershipControls", "PutBucketOwnershipControls")
        }
        Some("policy") => ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
        Some("policyStatus") => ("GetBucketPolicyStatus", "", ""),
        Some("publicAccessBlock") => {
            both("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock")
        }
        Some("replication") => both("GetReplicationConfiguration", "PutReplicationConfiguration"),
        Some("requestPayment") => ("GetBucketRequestPayment", "PutBucketRequestPayment", ""),
        Some("tagging") => both("GetBucketTagging", "PutBucketTagging"),
        Some("uploads") => ("ListBucketMultipartUploads", "", ""),
        Some("versioning") => ("GetBucketVersioning", "PutBucketVersioning", ""),
        Some("versions") => ("ListBucketVersions", "", ""),
        Some("website") => (
            "GetBucketWebsite",
            "PutBucketWebsite",
            "DeleteBucketWebsite",
        ),
        Some(_) => return None,
    };
    pick(method, get, put, delete)
}

fn object(method: &str, query: &Query<'_>) -> Option<&'static str> {
    if query.is_of_upload {
        return match (method, query.subresource) {
            ("PUT", None) if query.has_part => Some("PutObject"),
            ("POST", None) => Some("PutObject"),
            ("GET", None) => Some("ListMultipartUploadParts"),
            ("DELETE", None) => Some("AbortMultipartUpload"),
            _ => None,
        };
    }
    let version = query.is_of_version;
    let (get, put, delete) = match query.subresource {
        None => {
            return match method {
                "GET" | "HEAD" if version => Some("GetObjectVersion"),
                "GET" | "HEAD" => Some("GetObject"),
                // A part without its upload is an object to S3.
                "PUT" if !version => Some("PutObject"),
                "DELETE" if version => Some("DeleteObjectVersion"),
                "DELETE" => Some("DeleteObject"),
                _ => None,
            };
        }
        Some("uploads") => return (method == "POST").then_some("PutObject"),
        Some("restore") => return (method == "POST").then_some("RestoreObject"),
        Some("select") => return (method == "POST").then_some("GetObject"),
        Some("acl") if version => ("GetObjectVersionAcl", "PutObjectVersionAcl", ""),
        Some("acl") => ("GetObjectAcl", "PutObjectAcl", ""),
        Some("attributes") if version => ("GetObjectVersionAttributes", "", ""),
        Some("attributes") => ("GetObjectAttributes", "", ""),
        Some("legal-hold") => ("GetObjectLegalHold", "PutObjectLegalHold", ""),
        Some("retention") => ("GetObjectRetention", "PutObjectRetention", ""),
        Some("tagging") if version => (
            "GetObjectVersionTagging",
            "PutObjectVersionTagging",
            "DeleteObjectVersionTagging",
        ),
        Some("tagging") => (
            "GetObjectTagging",
            "PutObjectTagging",
            "DeleteObjectTagging",
        ),
        Some("torrent") => ("GetObjectTorrent", "", ""),
        Some(_) => return None,
    };
    pick(method, get, put, delete)
}

/// Taking a configuration away is putting another to S3's policies.
const fn both(get: &'static str, put: &'static str) -> (&'static str, &'static str, &'static str) {
    (get, put, put)
}

fn pick(
    method: &str,
    get: &'static str,
    put: &'static str,
    delete: &'static str,
) -> Option<&'static str> {
    let name = match method {
        "GET" => get,
        "PUT" => put,
        "DELETE" => delete,
        _ => "",
    };
    (!name.is_empty()).then_some(name)
}

/// `BUCKET/KEY[?versionId=…]`, encoded, with a slash before it or without; or the ARN of an access point.
fn source_of_copy(scope: &Scope, source: &str) -> Action {
    let (path, version) = match source.split_once("?versionId=") {
        Some((path, _)) => (path, true),
        None => (source, false),
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let source = Target::new(bucket, key);
    let is_arn = decode(path).starts_with(b"arn:");
    Action {
        service: "s3",
        name: if version {
            "GetObjectVersion"
        } else {
            "GetObject"
        }
        .to_owned(),
        resource: source.arn(scope).filter(|_| !is_arn),
    }
}
