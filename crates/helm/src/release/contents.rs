//! What was rendered for a revision. Decoded when asked for: it can be large.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A revision's objects, hooks and values.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Release {
    /// The objects without the hooks, in the order in which Helm applies them; see [`manifest::parse`](crate::manifest::parse).
    #[serde(default, deserialize_with = "or_default")]
    pub manifest: String,
    /// The hooks, which stay in the cluster when the release is uninstalled.
    #[serde(default, deserialize_with = "or_default")]
    pub hooks: Vec<Hook>,
    /// The values that were given beside the chart's own.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Map<String, Value>,
}

/// An object that Helm creates at some event, and then forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// Name of the object.
    #[serde(default)]
    pub name: String,
    /// Its kind.
    #[serde(default)]
    pub kind: String,
    /// The template that it comes from.
    #[serde(default)]
    pub path: String,
    /// The object as YAML.
    #[serde(default)]
    pub manifest: String,
    /// When it runs, such as `post-install`.
    #[serde(default, deserialize_with = "or_default")]
    pub events: Vec<String>,
    /// Lower ones run first.
    #[serde(default)]
    pub weight: i64,
    /// When Helm deletes it. Empty means [`DeletePolicy::BeforeHookCreation`].
    #[serde(default, deserialize_with = "or_default")]
    pub delete_policies: Vec<DeletePolicy>,
}

/// When Helm deletes a hook's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletePolicy {
    /// When it has succeeded.
    HookSucceeded,
    /// When it has failed.
    HookFailed,
    /// Before it is created again.
    BeforeHookCreation,
    /// A word that Helm 4 does not know.
    #[serde(other)]
    Unknown,
}

/// Go writes `null` for an empty list.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
