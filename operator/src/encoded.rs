//! A value of a Secret, on its way out: base64 as the API wants it, zeroed when dropped.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// Has no `Debug`, and so cannot be shown.
pub(crate) struct Encoded(pub(crate) Zeroizing<String>);

impl From<&str> for Encoded {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.as_bytes())))
    }
}
