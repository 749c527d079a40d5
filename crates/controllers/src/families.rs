//! Which families of kinds are served.
//!
//! In: names. Out: a set that is never empty. A family that is off has no reconciler, no watch and no request.

use std::{fmt, str::FromStr};

/// Kinds that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `llm.example.com`: `LLMModel`, `LLMDeployment`.
    Llm,
    /// `premlabs.io`: `AIDeployment`, `AIModelMap`, `AutoNodeLabeler`.
    Prem,
    /// `infra.example.com`: `NvidiaGpuLlm`.
    Infra,
    /// `ai.example.com`: `LLMModel`, `ModelDeployment`; and `DynamoGraphDeployment` of `nvidia.com`.
    Ai,
    /// `Llmd` and `DataScienceCluster`.
    Llmd,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Llm, Self::Prem, Self::Infra, Self::Ai, Self::Llmd];

    /// The name by which people choose it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Prem => "prem",
            Self::Infra => "infra",
            Self::Ai => "ai",
            Self::Llmd => "llmd",
        }
    }

    /// Its kinds, in words.
    pub const fn kinds(self) -> &'static str {
        match self {
            Self::Llm => "LLMModel and LLMDeployment of llm.example.com",
            Self::Prem => "AIDeployment, AIModelMap and AutoNodeLabeler of premlabs.io",
            Self::Infra => "NvidiaGpuLlm of infra.example.com",
            Self::Ai => "LLMModel and ModelDeployment of ai.example.com, DynamoGraphDeployment of nvidia.com",
            Self::Llmd => "Llmd and DataScienceCluster",
        }
    }
}

/// A set of families with at least one in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families([bool; Family::ALL.len()]);

impl Families {
    /// Every family.
    pub const ALL: Self = Self([true; Family::ALL.len()]);

    /// Whether the family is served.
    pub fn has(self, family: Family) -> bool {
        self.0[family as usize]
    }

    /// Whether a kind is served whose resources are Pods in the end, made here.
    pub fn has_serving(self) -> bool {
        [Family::Llm, Family::Prem, Family::Infra, Family::Ai]
            .into_iter()
            .any(|family| self.has(family))
    }

    /// Whether a kind is served whose replicas may follow the load.
    pub fn has_scaling(self) -> bool {
        [Family::Llm, Family::Prem, Family::Ai]
            .into_iter()
            .any(|family| self.has(family))
    }

    /// Those that are not served.
    pub fn off(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |family| !self.has(*family))
    }
}

impl Default for Families {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Families {
    type Err = UnknownFamily;

    /// Names, separated by commas. A list that a manifest sets to nothing is not set: all.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut families = Self([false; Family::ALL.len()]);
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = Family::ALL.into_iter().find(|family| family.as_str() == name);
            let family = found.ok_or_else(|| UnknownFamily(name.to_owned()))?;
            families.0[family as usize] = true;
        }
        Ok(if families.0.contains(&true) {
            families
        } else {
            Self::ALL
        })
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = Family::ALL.into_iter().filter(|family| self.has(*family));
        let names: Vec<&str> = on.map(Family::as_str).collect();
        f.write_str(&names.join(","))
    }
}

/// A name that is no family's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no family of kinds; name some of llm, prem, infra, ai, llmd, separated by commas")]
pub struct UnknownFamily(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (text, written) in [
            ("llm", "llm"),
            ("llmd,llm", "llm,llmd"),
            (" ai , prem,ai", "prem,ai"),
            ("llm,prem,infra,ai,llmd", "llm,prem,infra,ai,llmd"),
            ("", "llm,prem,infra,ai,llmd"),
            (",", "llm,prem,infra,ai,llmd"),
        ] {
            assert_eq!(text.parse::<Families>().unwrap().to_string(), written, "{text}");
        }
        for text in ["LLM", "all", "llm;prem", "llm,nope"] {
            let error = text.parse::<Families>().unwrap_err().to_string();
            assert!(error.contains("llm, prem, infra, ai, llmd"), "{error}");
        }
    }

    #[test]
    fn only_llmd_makes_no_pods() {
        let families: Families = "llmd".parse().unwrap();
        assert!(!families.has_serving() && !families.has_scaling() && families.has(Family::Llmd));
        assert_eq!(families.off().count(), 4);
        assert!(!"infra".parse::<Families>().unwrap().has_scaling());
    }
}
