//! Components that want more than there is, by hand: what no compiler would write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{ClientKey, FailureKind, Message, NoHost, Plugin, Source, Verdict};
use hookwire_plugin_host::{HostLimits, LoadError, LoadedPlugin, PluginHost, PluginSource, PluginSpec};
use hookwire_protocol::{PublishProperties, QoS, TopicName};

/// A lifecycle that answers everything with "ok".
const CALM: &str = r#"
    (func (export "configure") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "health") (result i32) (i32.const 1024))
    (func (export "tick"))
    (func (export "stop"))
"#;

/// Passes the one message of a batch.
const PASS: &str = r#"
    (func (export "batch") (param i32 i32 i32 i32) (result i32)
      (i32.store8 (i32.const 2000) (i32.const 1))
      (i32.store (i32.const 2001) (i32.const 1))
      (i32.store (i32.const 512) (i32.const 2000))
      (i32.store (i32.const 516) (i32.const 6))
      (i32.const 512))
"#;

/// A plugin of these functions, and what else the component has, before everything and behind it.
fn component_with(before: &str, functions: &[&str], behind: &str) -> Vec<u8> {
    let text = include_str!("component.wat")
        .replace(";; FUNCTIONS", &functions.concat())
        .replacen("(component", &format!("(component {before}"), 1);
    let end = text.rfind(')').expect("it ends");
    wat::parse_str(format!("{} {behind})", &text[..end])).expect("a component")
}

fn load_within(limits: HostLimits, bytes: Vec<u8>) -> Result<Arc<LoadedPlugin>, LoadError> {
    let host = PluginHost::new(limits, Arc::new(NoHost)).expect("the engine starts");
    let bytes = bytes.leak();
    let mut spec = PluginSpec::new("test", PluginSource::Bundled { name: "test", bytes });
    spec.deadline = Duration::from_millis(50);
    spec.deadline_slow = Duration::from_millis(200);
    host.load(&spec)
}

fn load(bytes: Vec<u8>) -> Result<Arc<LoadedPlugin>, LoadError> {
    load_within(HostLimits::default(), bytes)
}

/// What an instance that cannot be made fails of.
fn failure_at_start(bytes: Vec<u8>) -> FailureKind {
    match load(bytes) {
        Err(LoadError::Failed {
            stage: "instantiation",
            failure,
        }) => failure.kind,
        other => panic!("expected a failure at instantiation, got {other:?}"),
    }
}

fn judge(plugin: &LoadedPlugin) -> Result<Verdict, FailureKind> {
    let message = Message {
        source: Source::Client(ClientKey(1)),
        topic: TopicName::new("a/b").expect("a topic name"),
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    };
    let verdict = plugin
        .on_publish(&[&message])
        .pop()
        .expect("one for each message");
    verdict.map_err(|failure| failure.kind)
}

#[test]
fn a_start_function_that_never_ends_is_ended() {
    let endless = "(func $start (loop (br 0))) (start $start)";
    let kind = failure_at_start(component_with("", &[CALM, PASS, endless], ""));
    assert_eq!(kind, FailureKind::Deadline);
}

#[test]
fn a_table_does_not_grow_for_ever() {
    let grows = r#"
        (table $t 1 funcref)
        (func (export "batch") (param i32 i32 i32 i32) (result i32)
          (loop $again
            (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
          unreachable)
    "#;
    let plugin = load(component_with("", &[CALM, grows], "")).expect("it loads");
    assert_eq!(judge(&plugin).err(), Some(FailureKind::Memory));
}

#[test]
fn neither_memories_nor_instances_come_by_the_thousand() {
    let many =
        "(core module $one (memory 1))".to_owned() + &"(core instance (instantiate $one))".repeat(10_000);
    let refusal = load(component_with(&many, &[CALM, PASS], ""));
    assert!(
        matches!(refusal, Err(LoadError::Failed { .. } | LoadError::Invalid { .. })),
        "{refusal:?}"
    );
}

/// Handles live in a table of the host, which no limit of memory sees.
#[test]
fn handles_do_not_come_without_end() {
    let kind = "(type $r (resource (rep i32))) (core func $new (canon resource.new $r))";
    let bytes = {
        let text = include_str!("component.wat")
            .replace(
                "(core module $guest",
                &format!("{kind}\n(core module $guest\n(import \"host\" \"new\" (func $new (param i32) (result i32)))"),
            )
            .replace(
                "(core instance $guest (instantiate $guest))",
                "(core instance $guest (instantiate $guest (with \"host\" (instance (export \"new\" (func $new))))))",
            );
        let takes = r#"
            (func (export "batch") (param i32 i32 i32 i32) (result i32)
              (loop $again (drop (call $new (i32.const 1))) (br $again))
              unreachable)
        "#;
        wat::parse_str(text.replace(";; FUNCTIONS", &[CALM, takes].concat())).expect("a component")
    };
    let plugin = load(bytes).expect("it loads");
    // Not as often as it takes until it is left alone.
    for _ in 0..5 {
        assert!(judge(&plugin).is_err());
    }
    assert_eq!(
        plugin.stats().instances.discarded,
        5,
        "what each had is gone with it"
    );
}

/// The contract has eight events; what else a guest sets means nothing.
#[test]
fn flags_with_all_bits_set_are_those_that_there_are() {
    let everything = CALM.replace(
        "(func (export \"configure\") (param i32 i32) (result i32) (i32.const 1024))",
        "(func (export \"configure\") (param i32 i32) (result i32)
           (memory.fill (i32.const 3000) (i32.const 0) (i32.const 200))
           (i32.store8 (i32.const 3052) (i32.const 255)) (i32.store8 (i32.const 3053) (i32.const 255))
           (i32.const 3000))",
    );
    let plugin = load(component_with("", &[&everything, PASS], "")).expect("it loads");
    assert!(judge(&plugin).is_ok());
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7F).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A component within a component within a component: to compile this one in full takes more memory than there is.
#[test]
fn a_component_nested_too_deep_is_refused() {
    const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
    let mut bytes = PREAMBLE.to_vec();
    for _ in 0..50_000 {
        bytes = [PREAMBLE, &[4], &leb128(bytes.len()), &bytes].concat();
    }
    let refusal = load(bytes).expect_err("it is refused").to_string();
    assert!(refusal.contains("100 deep"), "{refusal}");
}

/// Blocks within blocks, as many as a function may be long.
#[test]
fn code_nested_too_deep_harms_nobody() {
    let depth = 20_000;
    let nested = format!(
        "(func (export \"batch\") (param i32 i32 i32 i32) (result i32) {} unreachable {} unreachable)",
        "block ".repeat(depth),
        "end ".repeat(depth),
    );
    let loaded = load(component_with("", &[CALM, &nested], ""));
    if let Ok(plugin) = loaded {
        assert_eq!(judge(&plugin).err(), Some(FailureKind::Trap));
    }
}
