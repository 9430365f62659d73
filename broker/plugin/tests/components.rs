//! Components as text: what loads, what does not and why, and what a component by hand can do to a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{ClientKey, Failure, FailureKind, Hook, Message, NoHost, Plugin, Source, Verdict};
use hookwire_plugin_host::{HostLimits, LoadError, LoadedPlugin, PluginHost, PluginSource, PluginSpec};
use hookwire_protocol::{PublishProperties, QoS, TopicName};

/// Answers everything with "ok" and passes every message of a batch.
const CALM: &str = r#"
    (func (export "configure") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "health") (result i32) (i32.const 1024))
    (func (export "tick"))
    (func (export "stop"))
"#;

/// Passes every message.
const PASS: &str = r#"
    (func (export "batch") (param i32) (param $entries i32) (param i32 i32) (result i32)
      (call $answer (local.get $entries)))
"#;

fn component(functions: &[&str]) -> Vec<u8> {
    let text = include_str!("component.wat").replace(";; FUNCTIONS", &functions.concat());
    wat::parse_str(text).unwrap()
}

fn host() -> PluginHost {
    PluginHost::new(HostLimits::default(), Arc::new(NoHost)).unwrap()
}

/// A plugin's entry for bytes that live as long as the test process.
fn spec(bytes: Vec<u8>) -> PluginSpec {
    PluginSpec::new(
        "test",
        PluginSource::Bundled {
            name: "test",
            bytes: bytes.leak(),
        },
    )
}

fn refusal(bytes: Vec<u8>) -> LoadError {
    host().load(&spec(bytes)).expect_err("loads")
}

fn refusal_of_text(text: &str) -> LoadError {
    refusal(wat::parse_str(text).unwrap())
}

fn message(topic: &str) -> Message {
    Message {
        source: Source::Client(ClientKey(1)),
        topic: TopicName::new(topic.to_owned()).unwrap(),
        payload: Bytes::from_static(b"payload"),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

fn judge(plugin: &LoadedPlugin) -> Result<Verdict, Failure> {
    plugin.on_publish(&[&message("a/b")]).pop().unwrap()
}

fn failure_of(functions: &[&str]) -> Failure {
    let host = host();
    let plugin = host.load(&spec(component(functions))).unwrap();
    let failure = judge(&plugin).unwrap_err();
    assert_eq!(plugin.stats().instances.discarded, 1);
    assert_eq!(plugin.stats().hooks[0].failures, [(failure.kind, 1)]);
    failure
}

#[test]
fn a_component_by_hand_loads_and_judges() {
    let host = host();
    let plugin = host.load(&spec(component(&[CALM, PASS]))).unwrap();
    assert_eq!(plugin.hooks().iter().collect::<Vec<_>>(), [Hook::OnPublish]);
    assert!(matches!(judge(&plugin), Ok(Verdict::Pass)));

    let message = message("a/b");
    let verdicts = plugin.on_publish(&[&message; 100]);
    assert_eq!(verdicts.len(), 100);
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Ok(Verdict::Pass)))
    );

    let stats = plugin.stats();
    assert_eq!((stats.hooks[0].calls, stats.hooks[0].messages), (2, 101));
    assert_eq!(stats.hooks[0].verdicts, [("pass", 101)]);
    assert_eq!((stats.instances.live, stats.instances.created), (1, 1));
    assert_eq!(stats.instances.memory_bytes_peak, 64 << 10);
}

#[test]
fn the_same_entry_and_file_give_the_same_plugin() {
    let (host, bytes) = (host(), component(&[CALM, PASS]).leak());
    let file = std::env::temp_dir().join(format!("hookwire-plugin-host-{}.wasm", std::process::id()));
    std::fs::write(&file, &bytes).unwrap();
    let mut spec = PluginSpec::new("test", PluginSource::Path(file.clone()));

    let first = host.load(&spec).unwrap();
    assert!(Arc::ptr_eq(&first, &host.load(&spec).unwrap()));
    assert_eq!(host.inspect(bytes).unwrap().sha256, first.digest());

    spec.config = serde_json::json!({ "changed": true });
    let configured = host.load(&spec).unwrap();
    assert!(!Arc::ptr_eq(&first, &configured));

    // A custom section changes the file and nothing else.
    std::fs::write(&file, [&bytes[..], &[0, 2, 1, b'x']].concat()).unwrap();
    let changed = host.load(&spec).unwrap();
    assert!(!Arc::ptr_eq(&configured, &changed));
    assert_ne!(configured.digest(), changed.digest());
    assert!(judge(&first).is_ok(), "the old one works until it is dropped");

    drop((first, configured, changed));
    assert!(
        host.load(&spec).is_ok(),
        "nobody holds the last one any more: it is loaded anew"
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_pin_must_fit() {
    let (host, bytes) = (host(), component(&[CALM, PASS]));
    let digest = host.inspect(&bytes).unwrap().sha256;
    let mut spec = spec(bytes);
    spec.sha256 = Some(digest);
    assert!(host.load(&spec).is_ok());
    spec.sha256 = Some([0; 32]);
    assert!(matches!(host.load(&spec), Err(LoadError::DigestMismatch { .. })));
}

#[test]
fn what_is_no_component_is_told_apart() {
    assert!(matches!(refusal_of_text("(module)"), LoadError::CoreModule));
    assert!(matches!(
        refusal(b"\x7fELF\x02\x01\x01".to_vec()),
        LoadError::Precompiled
    ));
    assert!(matches!(
        refusal(b"#!/bin/sh".to_vec()),
        LoadError::NotComponent { .. }
    ));
    assert!(matches!(refusal(vec![]), LoadError::NotComponent { .. }));
    assert!(matches!(
        refusal(b"\0asm\x0d\0\x01\0\xff\xff\xff".to_vec()),
        LoadError::Invalid { .. }
    ));
    assert!(matches!(
        refusal(b"\0asm\xff\xff\xff\xff".to_vec()),
        LoadError::Invalid { .. }
    ));

    let small = HostLimits {
        component_bytes_max: 10,
        ..HostLimits::default()
    };
    let host = PluginHost::new(small, Arc::new(NoHost)).unwrap();
    let error = host.load(&spec(component(&[CALM, PASS]))).err().unwrap();
    assert!(matches!(error, LoadError::TooLarge { bytes_max: 10, .. }));

    let nowhere = PluginSpec::new("test", PluginSource::Path("/nowhere/plugin.wasm".into()));
    assert!(matches!(host.load(&nowhere), Err(LoadError::Unreadable { .. })));
}

#[test]
fn a_component_that_is_cut_short_is_refused() {
    let (host, bytes) = (host(), component(&[CALM, PASS]));
    for end in (0..bytes.len()).step_by(7) {
        // Behind the last export there are only names for debuggers.
        if let Ok(plugin) = host.load(&spec(bytes[..end].to_vec())) {
            assert!(
                judge(&plugin).is_ok() && end > bytes.len() * 3 / 4,
                "cut at {end}"
            );
        }
    }
}

#[test]
fn a_component_with_damaged_bytes_never_harms_the_host() {
    let (host, bytes) = (host(), component(&[CALM, PASS]));
    for at in (0..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        if let Ok(plugin) = host.load(&spec(damaged)) {
            let _ = judge(&plugin);
        }
    }
}

const LIFECYCLE: &str = r#"
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $any (export "f" (func $f)))
    (export "hookwire:plugin/lifecycle@0.1.0" (instance $any))
"#;

#[test]
fn refusals_name_what_is_wrong() {
    let hook = "(export \"hookwire:plugin/route@0.1.0\" (instance $any))";
    let cases: &[(&str, String, &str)] = &[
        (
            "no lifecycle",
            "(component)".into(),
            "does not export hookwire:plugin/lifecycle@0.1.0",
        ),
        ("no hook", format!("(component {LIFECYCLE})"), "exports no hook"),
        (
            "hook of a newer broker",
            format!(
                "(component {LIFECYCLE} {hook} (export \"hookwire:plugin/divine@0.1.0\" (instance $any)))"
            ),
            "hookwire:plugin/divine@0.1.0",
        ),
        (
            "export of another version",
            format!("(component {})", LIFECYCLE.replace("0.1.0", "0.2.0")),
            "built for hookwire:plugin/lifecycle@0.2.0, this broker speaks hookwire:plugin@0.1.0",
        ),
        (
            "import of another version",
            format!(
                "(component (import \"hookwire:plugin/log@0.3.1\" (instance (export \"log\" (func)))) {LIFECYCLE} {hook})"
            ),
            "hookwire:plugin/log@0.3.1",
        ),
        (
            "unknown import",
            format!(
                "(component (import \"wasi:sockets/tcp@0.2.0\" (instance (export \"f\" (func)))) {LIFECYCLE} {hook})"
            ),
            "wasi:sockets/tcp@0.2.0",
        ),
        (
            "bare function import",
            format!("(component (import \"do-something\" (func)) {LIFECYCLE} {hook})"),
            "do-something",
        ),
        (
            "import without a grant",
            format!(
                "(component (import \"hookwire:plugin/kv@0.1.0\" (instance (export \"get\" (func)))) {LIFECYCLE} {hook})"
            ),
            "add `grant = { kv = { bytes = \"1MiB\" } }`",
        ),
        (
            "import of another type",
            format!(
                "(component (import \"hookwire:plugin/log@0.1.0\" (instance (export \"log\" (func (param \"x\" u8))))) {LIFECYCLE} {hook})"
            ),
            "hookwire:plugin/log@0.1.0 has the wrong type",
        ),
        (
            "import of a function that does not exist",
            format!(
                "(component (import \"hookwire:plugin/log@0.1.0\" (instance (export \"shout\" (func)))) {LIFECYCLE} {hook})"
            ),
            "shout",
        ),
        (
            "missing function",
            format!("(component {LIFECYCLE} {hook})"),
            "hookwire:plugin/lifecycle@0.1.0 has the wrong type: instance export `hookwire:plugin/lifecycle@0.1.0` does not have export `configure`",
        ),
    ];
    for (name, text, expected) in cases {
        let refusal = refusal_of_text(text).to_string();
        assert!(refusal.contains(expected), "{name}: {refusal}");
    }
}

#[test]
fn a_function_of_another_type_is_named() {
    let text = include_str!("component.wat")
        .replace(";; FUNCTIONS", &[CALM, PASS].concat())
        .replace(
            "(instance $batch (export \"on-publish-batch\" (func $batch)))",
            "(instance $batch (export \"on-publish-batch\" (func $tick)))",
        );
    let refusal = refusal_of_text(&text).to_string();
    assert!(
        refusal.contains("hookwire:plugin/on-publish-batch@0.1.0 has the wrong type"),
        "{refusal}"
    );
    // The interface, the function, the type expected and the type found.
    let types =
        "on-publish-batch: expected `func(entries: list<u8>, bytes: list<u8>) -> list<u8>`, found `func()`";
    assert!(refusal.contains(types), "{refusal}");

    let text = include_str!("component.wat")
        .replace(";; FUNCTIONS", &[CALM, PASS].concat())
        .replace("(with \"tick\" (func $tick))", "(with \"tick\" (func $health))")
        .replace(
            "(import \"tick\" (func $tick))",
            "(import \"tick\" (func $tick (result (result (error string)))))",
        );
    let refusal = refusal_of_text(&text).to_string();
    assert!(
        refusal.contains("lifecycle@0.1.0 has the wrong type: tick"),
        "{refusal}"
    );
    let types = "tick: expected `func()`, found `func() -> result<_, string>`";
    assert!(
        refusal.contains(types) && !refusal.contains("stop: "),
        "{refusal}"
    );
}

#[test]
fn a_plugin_that_fails_while_it_starts_does_not_load() {
    let configure = |body: &str| {
        let own = format!("(func (export \"configure\") (param i32 i32) (result i32) {body})");
        CALM.replace(
            "(func (export \"configure\") (param i32 i32) (result i32) (i32.const 1024))",
            &own,
        )
    };
    let refusal = |body: &str| {
        let mut spec = spec(component(&[&configure(body), PASS]));
        spec.deadline_slow = Duration::from_millis(50);
        host().load(&spec).err().unwrap()
    };
    let LoadError::Failed {
        stage: "configure",
        failure,
    } = refusal("unreachable")
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::Trap);
    let LoadError::Failed {
        stage: "configure",
        failure,
    } = refusal("(loop (br 0)) unreachable")
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::Deadline);
    // A list of problems far beyond the end of memory.
    let beyond =
        "(i32.store8 (i32.const 600) (i32.const 1)) (i32.store (i32.const 604) (i32.const 0x7fffffff))
        (i32.store (i32.const 608) (i32.const 1000)) (i32.const 600)";
    let LoadError::Failed {
        stage: "configure",
        failure,
    } = refusal(beyond)
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::InvalidAnswer);

    let mut spec = spec(component(&[CALM, PASS]));
    spec.memory_bytes_max = 1000;
    let LoadError::Failed {
        stage: "instantiation",
        failure,
    } = host().load(&spec).err().unwrap()
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::Memory);
}

#[test]
fn a_config_is_a_table() {
    let mut spec = spec(component(&[CALM, PASS]));
    spec.config = serde_json::json!([1]);
    assert!(matches!(host().load(&spec), Err(LoadError::ConfigRefused { .. })));
}

#[test]
fn every_kind_of_failure_has_its_name() {
    let batch =
        |body: &str| format!("(func $batch (export \"batch\") (param i32 i32 i32 i32) (result i32) {body})");

    let failure = failure_of(&[CALM, &batch("unreachable")]);
    assert_eq!(failure.kind, FailureKind::Trap);
    assert!(
        failure.detail.contains("unreachable") && failure.detail.contains("batch"),
        "{failure}"
    );

    let failure = failure_of(&[CALM, &batch("(loop (br 0)) unreachable")]);
    assert_eq!(failure.kind, FailureKind::Deadline);

    let failure = failure_of(&[
        CALM,
        &batch("(call $batch (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"),
    ]);
    assert_eq!(failure.kind, FailureKind::Trap);
    assert!(failure.detail.contains("stack"), "{failure}");

    let failure = failure_of(&[
        CALM,
        &batch(
            "(if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable)) (i32.const 0)",
        ),
    ]);
    assert_eq!(failure.kind, FailureKind::Memory);

    // An empty list is no frame.
    let failure = failure_of(&[CALM, &batch("(i32.const 1024)")]);
    assert_eq!(failure.kind, FailureKind::InvalidAnswer);
    // A list that begins behind the end of memory, and a pointer that is not aligned.
    let failure = failure_of(&[
        CALM,
        &batch(
            "(i32.store (i32.const 600) (i32.const -1)) (i32.store (i32.const 604) (i32.const -1)) (i32.const 600)",
        ),
    ]);
    assert_eq!(failure.kind, FailureKind::InvalidAnswer);
    let failure = failure_of(&[CALM, &batch("(i32.const 601)")]);
    assert_eq!(failure.kind, FailureKind::InvalidAnswer);
}

#[test]
fn an_answer_larger_than_allowed_is_not_copied() {
    let limits = HostLimits {
        answer_bytes_max: 1000,
        ..HostLimits::default()
    };
    let host = PluginHost::new(limits, Arc::new(NoHost)).unwrap();
    let large = "(func (export \"batch\") (param i32 i32 i32 i32) (result i32)
        (i32.store (i32.const 604) (i32.const 1001)) (i32.const 600))";
    let plugin = host.load(&spec(component(&[CALM, large]))).unwrap();
    assert_eq!(judge(&plugin).unwrap_err().kind, FailureKind::InvalidAnswer);
}

#[test]
fn when_all_instances_are_busy_a_call_gives_up_in_time() {
    let limits = HostLimits {
        instance_wait: Duration::from_millis(10),
        ..HostLimits::default()
    };
    let host = PluginHost::new(limits, Arc::new(NoHost)).unwrap();
    let endless = "(func (export \"batch\") (param i32 i32 i32 i32) (result i32) (loop (br 0)) unreachable)";
    let mut spec = spec(component(&[CALM, endless]));
    spec.instances_max = 1;
    spec.deadline = Duration::from_millis(200);
    let plugin = host.load(&spec).unwrap();

    let kinds: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| judge(&plugin).unwrap_err().kind))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(kinds.contains(&FailureKind::Deadline), "{kinds:?}");
    assert!(kinds.contains(&FailureKind::NoInstance), "{kinds:?}");
    assert!(plugin.stats().instances.live <= 1);
}

#[test]
fn instances_are_made_on_demand_and_shared() {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    let host = host();
    let mut spec = spec(component(&[CALM, PASS]));
    spec.instances_max = 3;
    let plugin = host.load(&spec).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert!(judge(&plugin).is_ok());
                }
                THREADS.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(THREADS.load(Ordering::Relaxed), 8);
    let stats = plugin.stats();
    assert!((1..=3).contains(&stats.instances.live), "{:?}", stats.instances);
    assert_eq!(stats.hooks[0].messages, 4000);
}

/// Asks for a tick every 100 ms.
const TICKING: &str = r#"
    (func (export "configure") (param i32 i32) (result i32)
      (i32.store8 (i32.const 1080) (i32.const 1))
      (i32.store (i32.const 1084) (i32.const 1))
      (i32.const 1024))
    (func (export "health") (result i32) (i32.const 1024))
    (func (export "stop") (loop (br 0)))
"#;

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{what}");
}

#[test]
fn a_plugin_that_wants_ticks_gets_them_as_long_as_it_lives() {
    let host = host();
    let mut spec = spec(component(&[TICKING, "(func (export \"tick\"))", PASS]));
    spec.deadline_slow = Duration::from_millis(50);
    let plugin = host.load(&spec).unwrap();
    wait_until("ticks", || plugin.stats().ticks >= 3);
    assert_eq!(plugin.stats().tick_failures, 0);

    spec.name = "sick".into();
    spec.source = PluginSource::Bundled {
        name: "sick",
        bytes: component(&[TICKING, "(func (export \"tick\") unreachable)", PASS]).leak(),
    };
    let sick = host.load(&spec).unwrap();
    wait_until("fails", || sick.stats().tick_failures >= 2);
    assert!(sick.stats().last_error.unwrap().contains("unreachable"));
    assert!(judge(&sick).is_ok(), "an instance that failed is replaced");
    // Their `stop` never ends by itself; the host ends it, whoever is dropped first.
    drop(plugin);
    drop(host);
    drop(sick);
}

#[test]
fn a_guest_that_stops_too_slowly_holds_up_nobody() {
    const SLOW: Duration = Duration::from_secs(2);
    let host = host();
    let mut spec = spec(component(&[TICKING, "(func (export \"tick\"))", PASS]));
    spec.deadline_slow = SLOW;
    let plugin = host.load(&spec).unwrap();
    let (done, dropped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(plugin);
        done.send(())
    });
    let dropped = dropped.recv_timeout(SLOW / 2);
    assert!(dropped.is_ok(), "stopping is left to a thread of the host");
}
