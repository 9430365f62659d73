//! Guards around plugins, with components by hand: when one is left alone, what is told about it, who compiles it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookwire_hooks::{
    ClientKey, Comparison, Failure, FailureKind, Hook, Message, NoHost, Plugin, Source, Verdict,
};
use hookwire_plugin_host::{
    BreakerSettings, CircuitState, CompileSettings, HostLimits, HostSettings, LoadedPlugin, Mode, PluginHost,
    PluginSource, PluginSpec, PluginState, Power, Powers,
};
use hookwire_protocol::{PublishProperties, QoS, TopicName};

/// Answers everything with "ok".
const CALM: &str = r#"
    (func (export "configure") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "health") (result i32) (i32.const 1024))
    (func (export "tick"))
    (func (export "stop"))
"#;

/// Traps where the bytes are many, as they are with a long topic; passes every other message.
const TRAPS: &str = r#"
    (func (export "batch") (param i32) (param $entries i32) (param i32) (param $len i32) (result i32)
      (if (i32.gt_u (local.get $len) (i32.const 350)) (then unreachable))
      (call $answer (local.get $entries)))
"#;

/// Drops every other message, as its memory tells it.
const COUNTS: &str = r#"
    (global $calls (mut i32) (i32.const 0))
    (func (export "batch") (param i32) (param $entries i32) (param i32 i32) (result i32)
      (i32.store8 (i32.const 2048) (i32.mul (i32.const 2) (i32.and (i32.const 1) (global.get $calls))))
      (global.set $calls (i32.add (i32.const 1) (global.get $calls)))
      (call $answer (local.get $entries)))
"#;

/// Drops the first message of a call whose bytes are many, and passes every other message.
const DROPS: &str = r#"
    (func (export "batch") (param i32) (param $entries i32) (param i32) (param $len i32) (result i32)
      (i32.store8 (i32.const 2048)
        (select (i32.const 2) (i32.const 0) (i32.gt_u (local.get $len) (i32.const 350))))
      (call $answer (local.get $entries)))
"#;

fn component(functions: &[&str]) -> Vec<u8> {
    let text = include_str!("component.wat").replace(";; FUNCTIONS", &functions.concat());
    wat::parse_str(text).unwrap()
}

fn host() -> PluginHost {
    PluginHost::with(HostSettings::default(), Arc::new(NoHost)).unwrap()
}

/// A plugin's entry for bytes that live as long as the test process.
fn spec(functions: &[&str]) -> PluginSpec {
    let bytes = component(functions).leak();
    PluginSpec::new("test", PluginSource::Bundled { name: "test", bytes })
}

fn message(topic: &str) -> Message {
    Message {
        source: Source::Client(ClientKey(1)),
        topic: TopicName::new(topic.to_owned()).unwrap(),
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: PublishProperties::default(),
        expires_at: None,
    }
}

fn good() -> Message {
    message("a/b")
}

/// One that the plugin traps at.
fn evil() -> Message {
    message(&"evil".repeat(100))
}

fn judge(plugin: &LoadedPlugin, message: &Message) -> Result<Verdict, Failure> {
    plugin.on_publish(&[message]).pop().unwrap()
}

fn kind(plugin: &LoadedPlugin, message: &Message) -> Option<FailureKind> {
    judge(plugin, message).err().map(|failure| failure.kind)
}

fn breaker(failures: usize, retry_after: Duration) -> BreakerSettings {
    BreakerSettings {
        failures,
        window: Duration::from_secs(3600),
        retry_after,
        retry_after_max: retry_after,
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_plugin_whose_circuit_is_open_is_not_called() {
    let host = host();
    let mut spec = spec(&[CALM, TRAPS]);
    spec.breaker = breaker(3, HOUR);
    let plugin = host.load(&spec).unwrap();
    for _ in 0..3 {
        assert_eq!(kind(&plugin, &evil()), Some(FailureKind::Trap));
    }
    for _ in 0..5 {
        assert_eq!(kind(&plugin, &good()), Some(FailureKind::CircuitOpen));
    }
    // A run of messages is not called either.
    let good = good();
    let run = plugin.on_publish(&[&good; 10]);
    assert_eq!(run.len(), 10);
    let open = |answer: &Result<Verdict, Failure>| {
        answer
            .as_ref()
            .is_err_and(|failure| failure.kind == FailureKind::CircuitOpen)
    };
    assert!(run.iter().all(open));

    let stats = plugin.stats();
    let hook = &stats.hooks[0];
    assert_eq!(
        (hook.calls, hook.messages, hook.circuit, hook.circuit_opened),
        (3, 18, CircuitState::Open, 1)
    );
    assert_eq!(
        hook.failures,
        [(FailureKind::Trap, 3), (FailureKind::CircuitOpen, 15)]
    );
    assert_eq!(stats.state, PluginState::CircuitOpen);
    assert_eq!((stats.instances.discarded, stats.instances.live), (3, 0));
    assert!(
        stats.last_error.unwrap().contains("unreachable"),
        "what opened it"
    );
}

#[test]
fn a_probe_that_succeeds_closes_the_circuit() {
    let host = host();
    let mut spec = spec(&[CALM, TRAPS]);
    spec.breaker = breaker(3, Duration::ZERO);
    let plugin = host.load(&spec).unwrap();
    for _ in 0..10 {
        assert_eq!(kind(&plugin, &evil()), Some(FailureKind::Trap), "each is a probe");
    }
    assert_eq!(plugin.state(), PluginState::CircuitOpen);
    // Of a run only one message is the probe, and the rest is judged since it went well.
    let good = good();
    assert!(plugin.on_publish(&[&good; 10]).iter().all(Result::is_ok));
    assert_eq!(plugin.state(), PluginState::Active);
    assert_eq!(plugin.stats().hooks[0].circuit_opened, 8);
}

/// Otherwise whoever knows a message that no instance survives takes the policy from everybody.
#[test]
fn one_bad_message_among_many_does_not_open_the_circuit() {
    let host = host();
    let mut spec = spec(&[CALM, TRAPS]);
    spec.breaker = breaker(3, HOUR);
    let plugin = host.load(&spec).unwrap();
    let (good, evil) = (good(), evil());
    for _ in 0..50 {
        let answers = plugin.on_publish(&[&good, &good, &evil, &good]);
        let failed: Vec<_> = answers.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false]);
    }
    assert_eq!(plugin.state(), PluginState::Active);
}

#[test]
fn a_run_that_is_too_long_for_a_call_is_judged_in_several() {
    let limits = HostLimits::default();
    let entry_and_topic = 28 + 3;
    let cases = [
        (
            HostLimits {
                batch_messages_max: 4,
                ..limits.clone()
            },
            3,
        ),
        (
            HostLimits {
                batch_bytes_max: 2 * entry_and_topic,
                ..limits
            },
            5,
        ),
    ];
    for (limits, calls) in cases {
        let host = PluginHost::new(limits, Arc::new(NoHost)).unwrap();
        let plugin = host.load(&spec(&[CALM, TRAPS])).unwrap();
        let (good, evil) = (good(), evil());
        let mut run = [&good; 10];
        let passed = plugin.on_publish(&run);
        assert_eq!((passed.len(), passed.others().len()), (10, 0));
        let batches = plugin.stats().hooks[0].batch_messages.clone();
        assert_eq!((batches.count, batches.sum), (calls, 10));

        run[7] = &evil;
        let judged = plugin.on_publish(&run);
        let failed: Vec<usize> = judged.others().iter().map(|(place, _)| *place).collect();
        assert_eq!((judged.len(), failed), (10, vec![7]));
    }
}

#[test]
fn a_plugin_without_memory_for_so_many_is_asked_about_fewer() {
    const EIGHT_AT_MOST: &str = r#"
        (func (export "batch") (param i32) (param $entries i32) (param i32 i32) (result i32)
          (if (i32.gt_u (local.get $entries) (i32.const 224))
            (then (drop (memory.grow (i32.const 60000))) unreachable))
          (call $answer (local.get $entries)))
    "#;
    let host = host();
    let plugin = host.load(&spec(&[CALM, EIGHT_AT_MOST])).unwrap();
    let good = good();
    for _ in 0..2 {
        let verdicts = plugin.on_publish(&[&good; 16]);
        assert_eq!((verdicts.len(), verdicts.others().len()), (16, 0));
        assert_eq!(plugin.stats().batch_retries, 1, "for the first sixteen");
    }
}

#[test]
fn one_instance_is_one_memory_whatever_thread_asks() {
    let host = host();
    let mut spec = spec(&[CALM, COUNTS]);
    spec.instances_max = 1;
    let plugin = host.load(&spec).unwrap();
    for round in 0..100 {
        let verdict = std::thread::scope(|scope| {
            let asking = scope.spawn(|| judge(&plugin, &good()));
            asking.join().unwrap().unwrap()
        });
        let is_dropped = matches!(verdict, Verdict::Drop);
        assert_eq!(is_dropped, round % 2 == 1, "round {round}");
    }
    let instances = plugin.stats().instances;
    assert_eq!((instances.created, instances.live), (1, 1));
}

#[test]
fn calls_are_timed_and_batches_are_measured() {
    let host = host();
    let plugin = host.load(&spec(&[CALM, TRAPS])).unwrap();
    let good = good();
    judge(&plugin, &good).unwrap();
    plugin.on_publish(&[&good; 5]);
    plugin.on_publish(&[&good; 10]);
    let hook = &plugin.stats().hooks[0];
    assert_eq!((hook.calls, hook.messages), (3, 16));
    assert_eq!(hook.run_ns.count, 3);
    assert!(hook.run_ns.sum > 0 && hook.total_ns >= hook.run_ns.sum);
    assert_eq!((hook.batch_messages.count, hook.batch_messages.sum), (2, 15));
    assert!(hook.wait_ns.count <= 3);
}

#[test]
fn a_forbidden_answer_in_a_batch_is_the_fault_of_its_message_alone() {
    let host = host();
    let everything_but = |kept: Power| Power::ALL.into_iter().filter(|power| *power != kept).collect();
    let load = |may: Powers| {
        let mut spec = spec(&[CALM, DROPS]);
        spec.may = may;
        host.load(&spec).unwrap()
    };
    let (good, evil) = (good(), evil());
    let run = [&evil, &good, &good];

    let dropping = load(Powers::only(Power::Drop));
    let verdicts = dropping.on_publish(&run);
    assert!(
        matches!(verdicts.others(), [(0, Ok(Verdict::Drop))]),
        "{verdicts:?}"
    );
    assert_eq!(dropping.stats().batch_retries, 0);

    let bounded = load(everything_but(Power::Drop));
    let verdicts = bounded.on_publish(&run);
    let [(0, Err(failure))] = verdicts.others() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(failure.kind, FailureKind::ForbiddenAnswer);
    assert!(failure.detail.contains("takes `drop`"), "{failure}");
    let stats = bounded.stats();
    assert_eq!(stats.hooks[0].failures, [(FailureKind::ForbiddenAnswer, 1)]);
    assert_eq!(stats.hooks[0].verdicts, [("pass", 2)]);
    assert_eq!((stats.batch_retries, stats.instances.discarded), (1, 2));

    assert!(bounded.on_publish(&[&good, &good]).others().is_empty());
    assert_eq!(
        bounded.stats().batch_retries,
        1,
        "what passes is not asked about twice"
    );
}

/// What bounds a plugin is no part of what it is made of.
#[test]
fn another_bound_makes_another_plugin_of_the_same_component() {
    let host = host();
    let mut spec = spec(&[CALM, DROPS]);
    let first = host.load(&spec).unwrap();
    spec.may = Powers::NONE;
    let second = host.load(&spec).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(first.digest(), second.digest());
    assert!(judge(&first, &evil()).is_ok());
    assert_eq!(kind(&second, &evil()), Some(FailureKind::ForbiddenAnswer));
    assert_eq!(kind(&second, &good()), None);
}

#[test]
fn a_shadow_says_so_and_counts_what_it_would_have_done() {
    let host = host();
    let mut spec = spec(&[CALM, TRAPS]);
    spec.mode = Mode::Shadow;
    let plugin = host.load(&spec).unwrap();
    assert!(plugin.is_shadow());
    let comparison = Comparison {
        chain: "pass",
        shadow: "drop",
        agrees: false,
    };
    plugin.compared(Hook::OnPublish, comparison);
    let stats = plugin.stats();
    assert_eq!(stats.state, PluginState::Shadow);
    assert_eq!(stats.hooks[0].shadow.as_ref().unwrap().differences(), 1);

    spec.mode = Mode::Enforce;
    let enforced = host.load(&spec).unwrap();
    assert_eq!(enforced.stats().hooks[0].shadow, None, "another plugin");
}

/// Field names are relied upon by whoever reads this as JSON.
#[test]
fn statistics_have_a_shape_that_stays() {
    let host = host();
    let mut spec = spec(&[CALM, TRAPS]);
    spec.mode = Mode::Shadow;
    let plugin = host.load(&spec).unwrap();
    judge(&plugin, &good()).unwrap();
    judge(&plugin, &evil()).unwrap_err();
    plugin.came_into_force(7);
    plugin.came_into_force(8);
    let json = serde_json::to_value(plugin.stats()).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for key in [
        "name",
        "state",
        "degraded",
        "sha256",
        "version",
        "generation",
        "hooks",
        "instances",
        "last_error",
        "metrics",
    ] {
        assert!(keys(&json).contains(&key.to_owned()), "{key}");
    }
    assert_eq!(json["name"], "test");
    assert_eq!(json["state"], "shadow");
    assert_eq!(json["generation"], 7);
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    let hook = &json["hooks"][0];
    assert_eq!(hook["hook"], "on-publish");
    assert_eq!(hook["verdicts"]["pass"], 1);
    assert_eq!(hook["failures"]["trap"], 1);
    assert_eq!(hook["circuit"], "closed");
    assert_eq!(hook["run_ns"]["count"], 2);
    assert!(hook["run_ns"]["buckets"][0]["up_to"].is_u64());
    assert_eq!(hook["shadow"]["agreed"], 0);
    assert_eq!(json["instances"]["live"], 0);
}

/// A program that is not there, cannot do it, or pretends that it can: a thread stands in for it.
#[test]
fn where_no_process_compiles_a_thread_does() {
    for program in ["/nowhere/hookwire", "/bin/true"] {
        let settings = HostSettings {
            compile: CompileSettings {
                program: Some(PathBuf::from(program)),
                ..CompileSettings::default()
            },
            ..HostSettings::default()
        };
        let host = PluginHost::with(settings, Arc::new(NoHost)).unwrap();
        let plugin = host.load(&spec(&[CALM, TRAPS])).unwrap();
        assert!(judge(&plugin, &good()).is_ok(), "{program}");
    }
}
