//! Claims: values by name.

use serde_json::{Map, Value};

/// The claims of a token whose signature is good.
pub(crate) type Claims = Map<String, Value>;

/// The value of a claim. Dots lead into objects; a claim whose name has dots in it, as URLs do, is found by its whole name
/// first.
pub(crate) fn find<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// A claim that is a text, or absent.
pub(crate) fn text<'a>(claims: &'a Claims, path: &str) -> Result<Option<&'a str>, String> {
    match find(claims, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("the claim `{path}` is no text")),
    }
}

/// A claim that is a moment, in seconds since 1970, or absent. Fractions are cut off.
pub(crate) fn seconds(claims: &Claims, name: &str) -> Result<Option<u64>, String> {
    let Some(value) = find(claims, name) else {
        return Ok(None);
    };
    let whole = value.as_u64();
    let cut = value
        .as_f64()
        .filter(|seconds| *seconds >= 0.0 && *seconds < 1e15);
    whole
        .or_else(|| cut.map(|seconds| seconds as u64))
        .map(Some)
        .ok_or_else(|| format!("the claim `{name}` is no time"))
}

/// A claim that is a text or a list of texts; empty when it is absent.
pub(crate) fn texts<'a>(claims: &'a Claims, name: &str) -> Result<Vec<&'a str>, String> {
    let wrong = || format!("the claim `{name}` is neither a text nor a list of texts");
    match find(claims, name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// What a claim is as a fact about a client: lists have commas between; what is absent or an object is none.
pub(crate) fn attribute(claims: &Claims, path: &str) -> Option<String> {
    match find(claims, path)? {
        Value::Null | Value::Object(_) => None,
        Value::Array(values) => {
            let parts: Vec<_> = values.iter().filter_map(plain).collect();
            Some(parts.join(","))
        }
        value => plain(value),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
