//! What `hookwire plugin inspect` prints.

use std::fmt::Write;

use hookwire_plugin_host::Inspection;

/// A component in plain words: what it is asked, what it reaches for, what it has to be granted.
pub fn describe(inspection: &Inspection) -> String {
    let hex: String = inspection
        .sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let hooks: Vec<&str> = inspection.hooks.iter().map(|hook| hook.as_str()).collect();
    let mut text = format!(
        "sha256   {hex}\nsize     {} bytes\nhooks    {}\n",
        inspection.bytes,
        hooks.join(", ")
    );
    if let Some(version) = &inspection.version {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "version  {version}");
    }
    if inspection.batch {
        text.push_str("batch    answers many messages in one call\n");
    }
    for (title, lines) in [("exports", &inspection.exports), ("imports", &inspection.imports)] {
        for line in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{title:8} {line}");
        }
    }
    for grant in &inspection.grants_needed {
        let _ = writeln!(text, "needs    {grant}");
    }
    text
}
