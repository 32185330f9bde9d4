//! What `endpoints.py` wrote.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::Path;

/// botocore's endpoint rules, folded.
#[derive(Deserialize)]
pub(crate) struct Data {
    /// The version of botocore.
    pub(crate) botocore: String,
    /// The commercial one first.
    pub(crate) partitions: Vec<Partition>,
    /// Signing names of endpoint prefixes, which name a service on `PrivateLink`.
    pub(crate) prefixes: BTreeMap<String, String>,
    pub(crate) hosts: Vec<Host>,
}

#[derive(Deserialize)]
pub(crate) struct Partition {
    pub(crate) id: String,
    pub(crate) dns: String,
    pub(crate) dual: String,
    pub(crate) global: String,
    /// What the names of its regions look like, as a regular expression.
    pub(crate) form: String,
    /// Those that there are.
    pub(crate) regions: Vec<String>,
}

/// Name, `partition/stack`, signing name, what signs, where it signs, whether it is a single operation's.
#[derive(Deserialize)]
pub(crate) struct Host(
    pub(crate) String,
    pub(crate) String,
    pub(crate) String,
    pub(crate) String,
    pub(crate) String,
    pub(crate) bool,
);

/// Reads the compressed file.
pub(crate) fn read(path: &Path) -> Result<Data, Box<dyn Error>> {
    Ok(serde_json::from_reader(GzDecoder::new(File::open(path)?))?)
}
