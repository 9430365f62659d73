//! Tests of the plugin as the broker sees it.

use hookwire_plugin::mock::{self, Mock};
use serde_json::json;

use super::*;

fn plugin(config: &Value) -> SchemaGuard {
    mock::plugin(&config.to_string()).unwrap()
}

fn schema(schema: &Value) -> Schema {
    Schema::compile(schema).unwrap()
}

/// What is said of a value; empty when it fits.
fn fault(schema: &Schema, value: &Value) -> String {
    schema.check(value).err().unwrap_or_default()
}

/// For each schema values that fit and values that do not.
#[test]
fn every_keyword_lets_pass_and_keeps_out() {
    let cases = [
        (json!(true), vec![json!(1), json!(null)], vec![]),
        (json!(false), vec![], vec![json!(1), json!(null)]),
        (json!({}), vec![json!({}), json!("x")], vec![]),
        (
            json!({ "type": "integer" }),
            vec![json!(5), json!(-5), json!(5.0)],
            vec![json!(5.5), json!("5")],
        ),
        (
            json!({ "type": "number" }),
            vec![json!(5), json!(5.5)],
            vec![json!(true), json!(null)],
        ),
        (
            json!({ "type": ["string", "null"] }),
            vec![json!("a"), json!(null)],
            vec![json!(0), json!([])],
        ),
        (
            json!({ "type": "boolean" }),
            vec![json!(false)],
            vec![json!("false"), json!(0)],
        ),
        (
            json!({ "enum": [1, "a", { "b": [2] }] }),
            vec![json!(1.0), json!("a"), json!({ "b": [2] })],
            vec![json!(2), json!({ "b": 2 })],
        ),
        (
            json!({ "const": null }),
            vec![json!(null)],
            vec![json!(0), json!("")],
        ),
        (
            json!({ "minimum": 1, "maximum": 2 }),
            vec![json!(1), json!(2), json!("9")],
            vec![json!(0.9), json!(2.1)],
        ),
        (
            json!({ "exclusiveMinimum": 1, "exclusiveMaximum": 2 }),
            vec![json!(1.5)],
            vec![json!(1), json!(2)],
        ),
        (
            json!({ "multipleOf": 0.1 }),
            vec![json!(0.3), json!(7), json!(1.1)],
            vec![json!(0.35)],
        ),
        (
            json!({ "multipleOf": 3 }),
            vec![json!(9), json!(0)],
            vec![json!(10)],
        ),
        (
            json!({ "minLength": 2, "maxLength": 3 }),
            vec![json!("äö"), json!("abc"), json!(1)],
            vec![json!("a"), json!("abcd")],
        ),
        (
            json!({ "pattern": "^[a-z]+$" }),
            vec![json!("abc"), json!(5)],
            vec![json!("aBc"), json!("")],
        ),
        (json!({ "pattern": "b" }), vec![json!("abc")], vec![json!("ac")]),
        (
            json!({ "items": { "type": "integer" } }),
            vec![json!([]), json!([1, 2])],
            vec![json!([1, "2"])],
        ),
        (
            json!({ "prefixItems": [{ "type": "string" }, true], "items": false }),
            vec![json!(["a", 1]), json!([])],
            vec![json!([1]), json!(["a", 1, 2])],
        ),
        (
            json!({ "items": [{ "type": "string" }], "additionalItems": { "type": "null" } }),
            vec![json!(["a", null])],
            vec![json!(["a", 1])],
        ),
        (
            json!({ "minItems": 1, "maxItems": 2 }),
            vec![json!([1]), json!([1, 2])],
            vec![json!([]), json!([1, 2, 3])],
        ),
        (
            json!({ "uniqueItems": true }),
            vec![json!([1, 2, "1"])],
            vec![json!([1, 1.0]), json!([{ "a": 1, "b": 2 }, { "b": 2, "a": 1 }])],
        ),
        (
            json!({ "contains": { "const": 1 } }),
            vec![json!([0, 1]), json!({})],
            vec![json!([0]), json!([])],
        ),
        (
            json!({ "contains": { "const": 1 }, "minContains": 2, "maxContains": 2 }),
            vec![json!([1, 1])],
            vec![json!([1]), json!([1, 1, 1])],
        ),
        (
            json!({ "required": ["a"] }),
            vec![json!({ "a": null }), json!([])],
            vec![json!({}), json!({ "b": 1 })],
        ),
        (
            json!({ "properties": { "a": { "type": "string" } } }),
            vec![json!({ "a": "x" }), json!({ "b": 1 })],
            vec![json!({ "a": 1 })],
        ),
        (
            json!({ "properties": { "a": true }, "additionalProperties": false }),
            vec![json!({ "a": 1 })],
            vec![json!({ "a": 1, "b": 1 })],
        ),
        (
            json!({ "patternProperties": { "^n_": { "type": "number" } }, "additionalProperties": { "type": "string" } }),
            vec![json!({ "n_a": 1, "b": "x" })],
            vec![json!({ "n_a": "x" }), json!({ "b": 1 })],
        ),
        (
            json!({ "propertyNames": { "maxLength": 2 } }),
            vec![json!({ "ab": 1 })],
            vec![json!({ "abc": 1 })],
        ),
        (
            json!({ "minProperties": 1, "maxProperties": 1 }),
            vec![json!({ "a": 1 })],
            vec![json!({}), json!({ "a": 1, "b": 1 })],
        ),
        (
            json!({ "dependentRequired": { "a": ["b"] } }),
            vec![json!({ "b": 1 }), json!({ "a": 1, "b": 1 })],
            vec![json!({ "a": 1 })],
        ),
        (
            json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
            vec![json!({}), json!({ "a": 1, "b": 1 })],
            vec![json!({ "a": 1 })],
        ),
        (
            json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
            vec![json!(1)],
            vec![json!(0), json!(3)],
        ),
        (
            json!({ "anyOf": [{ "const": 1 }, { "const": 2 }] }),
            vec![json!(1), json!(2)],
            vec![json!(3)],
        ),
        (
            json!({ "oneOf": [{ "minimum": 1 }, { "minimum": 2 }] }),
            vec![json!(1)],
            vec![json!(2), json!(0)],
        ),
        (
            json!({ "not": { "type": "string" } }),
            vec![json!(1)],
            vec![json!("a")],
        ),
        (
            json!({ "if": { "minimum": 10 }, "then": { "multipleOf": 10 }, "else": { "multipleOf": 2 } }),
            vec![json!(20), json!(4)],
            vec![json!(15), json!(3)],
        ),
        (
            json!({ "$ref": "#/$defs/small", "minimum": 1, "$defs": { "small": { "maximum": 5 } } }),
            vec![json!(3)],
            vec![json!(6), json!(0)],
        ),
        (
            json!({ "definitions": { "a/b": { "const": 1 } }, "$ref": "#/definitions/a~1b" }),
            vec![json!(1)],
            vec![json!(2)],
        ),
    ];
    for (text, fitting, others) in cases {
        let schema = schema(&text);
        for value in fitting {
            assert_eq!(fault(&schema, &value), "", "{text} of {value}");
        }
        for value in others {
            assert_ne!(fault(&schema, &value), "", "{text} of {value}");
        }
    }
}

#[test]
fn a_schema_may_refer_to_itself() {
    let tree = schema(&json!({
        "type": "object",
        "required": ["value"],
        "properties": { "value": { "type": "number" }, "children": { "items": { "$ref": "#" } } },
    }));
    assert_eq!(
        fault(
            &tree,
            &json!({ "value": 1, "children": [{ "value": 2 }, { "value": 3, "children": [] }] })
        ),
        ""
    );
    let said = fault(
        &tree,
        &json!({ "value": 1, "children": [{ "value": 2 }, { "children": [] }] }),
    );
    assert_eq!(said, "/children/1: `value` is missing");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let schema = schema(&json!({
        "properties": {
            "unit": { "enum": ["C", "F"] },
            "values": { "items": { "type": "number", "maximum": 100 } },
        },
        "additionalProperties": false,
    }));
    let cases = [
        (
            json!({ "unit": "K" }),
            "/unit: not one of the values that are allowed",
        ),
        (
            json!({ "values": [1, 2, 101] }),
            "/values/2: expected at most 100",
        ),
        (
            json!({ "values": [1, "2"] }),
            "/values/1: expected number, found string",
        ),
        (json!({ "x": 1 }), "`x` is not allowed here"),
    ];
    for (value, expected) in cases {
        assert_eq!(fault(&schema, &value), expected);
    }
    // What was tried and did not fit leaves no trace.
    let either = self::schema(&json!({ "anyOf": [{ "items": { "items": false } }, { "minItems": 9 }] }));
    assert_eq!(fault(&either, &json!([[1]])), "none of the alternatives fits");
}

/// Nobody who publishes makes the broker wait, whatever the schema.
#[test]
fn a_check_ends() {
    let endless = schema(
        &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
    );
    assert_eq!(fault(&endless, &json!(1)), "too intricate to be checked");

    let mut parts = json!({ "const": 1 });
    for _ in 0..9 {
        parts = json!({ "allOf": [parts.clone(), parts] });
    }
    let many = schema(&json!({ "items": parts }));
    assert!(fault(&many, &json!(vec![1; 1000])).contains("too intricate"));

    let unique = schema(&json!({ "uniqueItems": true }));
    let long: Vec<u32> = (0..10_000).collect();
    assert_eq!(fault(&unique, &json!(long)), "too intricate to be checked");
}

#[test]
fn schemas_that_cannot_be_held_are_refused() {
    let cases = [
        (json!(5), "expected a schema"),
        (
            json!({ "requird": ["a"] }),
            "/requird: this keyword is not known here",
        ),
        (json!({ "unevaluatedProperties": false }), "not known here"),
        (json!({ "dependencies": {} }), "not known here"),
        (json!({ "type": "text" }), "/type: expected null, boolean"),
        (json!({ "minimum": "1" }), "/minimum: expected a number"),
        (
            json!({ "exclusiveMinimum": true }),
            "/exclusiveMinimum: expected a number",
        ),
        (json!({ "multipleOf": 0 }), "above 0"),
        (json!({ "minLength": -1 }), "whole number"),
        (json!({ "pattern": "(" }), "not a regular expression"),
        (json!({ "anyOf": [] }), "at least one"),
        (
            json!({ "$ref": "https://example.org/schema" }),
            "into this schema",
        ),
        (json!({ "$ref": "#/$defs/none" }), "there is nothing at"),
        (
            json!({ "properties": { "a": { "type": 5 } } }),
            "/properties/a/type",
        ),
        (json!({ "required": [1] }), "array of texts"),
    ];
    for (document, text) in cases {
        let error = Schema::compile(&document).err().unwrap_or_default();
        assert!(error.contains(text), "{document}: {error}");
    }
    let annotations = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "t", "format": "email", "default": 1 });
    assert!(Schema::compile(&annotations).is_ok());
}

fn guard(otherwise: &str) -> SchemaGuard {
    plugin(
        &json!({ "schemas": [{ "topic": "s/#", "schema": { "type": "integer" }, "otherwise": otherwise }] }),
    )
}

#[test]
fn a_message_that_does_not_fit_is_rejected_or_dropped() {
    let _host = Mock::new();
    let reject = |text| Verdict::reject(Reason::PayloadFormatInvalid, text);
    let guard_ = guard("reject");
    assert_eq!(guard_.on_publish(&Message::new("s/1", "5")), Verdict::Pass);
    assert_eq!(
        guard_.on_publish(&Message::new("s/1", "5.5")),
        reject("expected integer, found number")
    );
    for payload in ["", "{", "5 6", "\u{feff}5"] {
        assert_eq!(
            guard_.on_publish(&Message::new("s/1", payload)),
            reject("not JSON"),
            "{payload:?}"
        );
    }
    assert_eq!(guard("drop").on_publish(&Message::new("s/1", "x")), Verdict::Drop);
    assert_eq!(guard_.on_publish(&Message::new("other", "x")), Verdict::Pass);
    assert_eq!(guard_.interests().on_publish.topics.unwrap(), ["s/#"]);
    assert!(!guard_.interests().on_publish.properties);
}

#[test]
fn removing_a_retained_message_needs_no_schema() {
    let guard = guard("reject");
    assert_eq!(
        guard.on_publish(&Message::new("s/1", "").with_retain(true)),
        Verdict::Pass
    );
    assert!(matches!(
        guard.on_publish(&Message::new("s/1", "x").with_retain(true)),
        Verdict::Reject(_)
    ));
}

#[test]
fn a_mark_says_how_it_is_and_nobody_else_can() {
    let guard = guard("mark");
    let mut spoofed = PropertiesBuf::default();
    spoofed.push_user_property("schema", "valid");
    spoofed.push_user_property("other", "1");
    let marked = |payload: &str| {
        let message = Message::new("s/1", payload).with_properties(&spoofed);
        let Verdict::Replace(replacement) = guard.on_publish(&message) else {
            panic!("not marked")
        };
        replacement.properties.unwrap().user_properties
    };
    let expected = |mark: &str| vec![UserProperty::new("other", "1"), UserProperty::new("schema", mark)];
    assert_eq!(marked("5"), expected("valid"));
    assert_eq!(
        marked("\"a\""),
        expected("invalid: expected integer, found string")
    );
    assert_eq!(marked("nonsense"), expected("invalid: not JSON"));
    assert!(guard.interests().on_publish.properties);
}

#[test]
fn every_schema_of_a_topic_has_to_fit() {
    let guard = plugin(&json!({ "schemas": [
        { "topic": "s/#", "schema": "{\"minimum\": 1}", "otherwise": "mark" },
        { "topic": "s/+", "schema": { "maximum": 9 }, "otherwise": "reject" },
    ]}));
    assert!(matches!(
        guard.on_publish(&Message::new("s/1", "10")),
        Verdict::Reject(_)
    ));
    assert!(matches!(
        guard.on_publish(&Message::new("s/1/x", "10")),
        Verdict::Replace(_)
    ));
    let Verdict::Replace(replacement) = guard.on_publish(&Message::new("s/1", "0")) else {
        panic!("not marked")
    };
    assert_eq!(
        replacement.properties.unwrap().user_properties[0].value,
        "invalid: expected at least 1"
    );
}

#[test]
fn large_payloads_are_not_parsed() {
    let guard = plugin(&json!({ "max_payload": 10, "schemas": [{ "topic": "#", "schema": true }] }));
    assert_eq!(guard.on_publish(&Message::new("a", "1234567890")), Verdict::Pass);
    assert_eq!(
        guard.on_publish(&Message::new("a", "12345678901")),
        Verdict::reject(Reason::PayloadFormatInvalid, "more than 10 bytes")
    );
    let deep = "[".repeat(60_000);
    let guard = plugin(&json!({ "schemas": [{ "topic": "#", "schema": true }] }));
    assert!(matches!(
        guard.on_publish(&Message::new("a", &deep)),
        Verdict::Reject(_)
    ));
}

#[test]
fn what_a_publisher_is_told_is_short_and_harmless() {
    let guard =
        plugin(&json!({ "schemas": [{ "topic": "#", "schema": { "additionalProperties": false } }] }));
    let payload = json!({ format!("a\u{7}\n{}", "x".repeat(5000)): 1 }).to_string();
    let Verdict::Reject(rejection) = guard.on_publish(&Message::new("a", &payload)) else {
        panic!("not rejected")
    };
    let text = rejection.text.unwrap();
    assert!(
        text.len() <= 256 && !text.contains(char::is_control) && text.starts_with("`ax"),
        "{text}"
    );
}

#[test]
fn mistakes_are_told() {
    let cases = [
        (json!({ "schemas": [] }), "schemas"),
        (
            json!({ "schemas": [{ "topic": "a/#/b", "schema": true }] }),
            "schemas.0.topic",
        ),
        (
            json!({ "schemas": [{ "topic": "a", "schema": "{" }] }),
            "schemas.0.schema",
        ),
        (
            json!({ "schemas": [{ "topic": "a", "schema": { "x": 1 } }] }),
            "schemas.0.schema",
        ),
        (
            json!({ "schemas": [{ "topic": "a", "schema": true, "otherwise": "shout" }] }),
            "schemas.0.otherwise",
        ),
        (
            json!({ "schemas": [{ "topic": "a", "schema": true }], "mark": "" }),
            "mark",
        ),
    ];
    for (config, path) in cases {
        let Err(problems) = mock::plugin::<SchemaGuard>(&config.to_string()) else {
            panic!("accepted: {config}")
        };
        assert_eq!(problems.0[0].path, path, "{config}");
    }
}
