//! The entry of a configuration that a component needs, ready to be pasted.

use std::path::Path;

use hookwire_plugin_host::Inspection;

/// An entry with every grant that the component needs; what goes into its own table only the plugin knows.
pub(super) fn entry(file: &Path, inspection: &Inspection) -> String {
    let name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('_', "-");
    let mut text = format!(
        "[[plugin]]\nname = \"{name}\"\npath = {:?}\n",
        file.display().to_string()
    );
    if let Some(grant) = grant(&inspection.grants_needed) {
        text.push_str(&grant);
        text.push('\n');
    }
    text
}

/// Several `grant = { … }` in one.
fn grant(needed: &[&str]) -> Option<String> {
    let keys: Vec<_> = needed
        .iter()
        .filter_map(|grant| grant.strip_prefix("grant = {")?.strip_suffix('}'))
        .map(str::trim)
        .collect();
    (!keys.is_empty()).then(|| format!("grant = {{ {} }}", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_stand_in_one_table() {
        assert_eq!(grant(&[]), None);
        assert_eq!(
            grant(&[
                "grant = { kv = { bytes = \"1MiB\" } }",
                "grant = { metrics = true }"
            ])
            .unwrap(),
            "grant = { kv = { bytes = \"1MiB\" }, metrics = true }"
        );
    }
}
