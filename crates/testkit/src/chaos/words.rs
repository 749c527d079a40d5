//! The reasons that a condition may have: those of the operator's own list.

use std::collections::BTreeSet;
use std::path::Path;

/// Asks the operator for its list, `docs/conditions.md`.
pub async fn known(operator: &Path) -> Result<BTreeSet<String>, String> {
    let output = tokio::process::Command::new(operator)
        .arg("conditions-doc")
        .output()
        .await
        .map_err(|error| format!("{}: {error}", operator.display()))?;
    let words = of_text(&String::from_utf8_lossy(&output.stdout));
    if words.is_empty() {
        Err("the operator knows no reasons".to_owned())
    } else {
        Ok(words)
    }
}

/// Words between backticks that are written as reasons are.
fn of_text(text: &str) -> BTreeSet<String> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_reason = |word: &&str| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric())
    };
    quoted.filter(is_reason).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reasons_are_found_in_tables() {
        let words =
            super::of_text("| `Ready` | `AllAnswered`, `Kept` | `spec.port` `kubectl get x` |\nno `words\n");
        assert_eq!(
            words.into_iter().collect::<Vec<_>>(),
            ["AllAnswered", "Kept", "Ready"]
        );
    }
}
