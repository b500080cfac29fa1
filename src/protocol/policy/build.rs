//! Builds a policy from its pieces.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The members in the order in which the vendor's page writes them.
#[derive(serde::Serialize)]
pub(super) struct Parts<'a> {
    #[serde(rename = "callbackUrl")]
    pub(super) url: &'a str,
    #[serde(rename = "callbackBody")]
    pub(super) body: &'a str,
    #[serde(rename = "callbackBodyType", skip_serializing_if = "Option::is_none")]
    pub(super) body_type: Option<&'a str>,
    #[serde(rename = "callbackVar", skip_serializing_if = "Vars::is_empty")]
    pub(super) vars: Vars<'a>,
}

pub(super) struct Vars<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl Vars<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Vars<'_> {
    /// Written entry by entry, so that the check sees a name that was given twice.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
