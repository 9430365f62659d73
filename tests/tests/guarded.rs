//! Guards around plugins: the circuit breaker, shadows, what answers may do, compiling under limits, and what is kept of what was
//! in force.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hookwire_protocol::PublishReason;
use hookwire_tests::{
    Broker, Client, QoS, Setup, Witness, bundled, guest, plugin, repository, v5, with_bomb, with_code,
};
use tempfile::TempDir;

const FAST: &str = "sys_interval = \"100ms\"\n";

/// The guest of `tests/guests/policy`, which stamps payloads.
fn stamping(stamp: &str) -> String {
    stamping_at(guest("policy"), "", stamp)
}

fn stamping_at(path: impl AsRef<Path>, keys: &str, stamp: &str) -> String {
    let config = format!("stamp = \"{stamp}\"\nplace = \"payload\"");
    plugin("p", path, &format!("topics = [\"t\"]\n{keys}"), &config)
}

fn policy_component() -> Vec<u8> {
    fs::read(guest("policy")).expect("the guest is built")
}

/// What becomes of `x`.
#[track_caller]
fn sees(broker: &Broker) -> String {
    let mut client = Client::connect(broker, v5("looks"));
    client.subscribe("t", QoS::AtLeastOnce);
    client.publish("t", "x", QoS::AtLeastOnce);
    let seen = client.receive().payload;
    client.disconnect();
    seen
}

/// Waits until a figure of plugin `p` has a value.
#[track_caller]
fn wait_figure(broker: &Broker, figure: &str, value: &str) {
    let mut watcher = Client::connect(broker, v5("watcher"));
    watcher.subscribe(&format!("$SYS/broker/plugins/p/{figure}"), QoS::AtMostOnce);
    while watcher.receive().payload != value {}
    watcher.disconnect();
}

// ---- the circuit breaker

/// Panics where the topic ends with `/evil`.
fn panicking(keys: &str) -> String {
    let grants = "grant = { publish = [\"x\"], kv = { bytes = \"1KiB\" } }";
    let keys = format!("{grants}\n{keys}");
    let config = "behaviour = { on_publish = \"panic\" }";
    FAST.to_owned() + &plugin("p", guest("hostile"), &keys, config)
}

#[test]
fn a_plugin_that_always_fails_is_left_alone_and_asked_again() {
    let broker = Broker::start(&panicking(
        "breaker = { failures = 5, retry_after = \"10ms\", retry_after_max = \"20ms\" }",
    ));
    let mut client = Client::connect(&broker, v5("c"));
    let refused = PublishReason::ImplementationSpecific;
    for _ in 0..5 {
        assert_eq!(client.publish("t/evil", "", QoS::AtLeastOnce), refused);
    }
    let line = broker.wait_log("on-publish fails too often");
    assert!(line.contains("\"p\"") && line.contains("10ms"), "{line}");
    // The cause is gone: some time soon a call goes through, and it is the last that anybody notices.
    while client.publish("t/good", "", QoS::AtLeastOnce) == refused {}
    broker.wait_log("on-publish works again");
    for _ in 0..20 {
        assert!(!client.publish("t/good", "", QoS::AtLeastOnce).is_error());
    }
    wait_figure(&broker, "on-publish/circuit", "closed");
    wait_figure(&broker, "on-publish/circuit/opened", "1");
}

#[test]
fn while_it_is_left_alone_its_failure_verdict_holds_at_once() {
    for (on_failure, arrives) in [("deny", false), ("pass", true)] {
        let broker = Broker::start(&panicking(&format!(
            "breaker = {{ failures = 3, retry_after = \"1h\", retry_after_max = \"1h\" }}\non_failure = \"{on_failure}\""
        )));
        let mut client = Client::connect(&broker, v5("c"));
        for _ in 0..3 {
            client.publish("t/evil", "", QoS::AtLeastOnce);
        }
        broker.wait_log("fails too often");
        let mut watcher = Client::connect(&broker, v5("listener"));
        watcher.subscribe("t/good", QoS::AtLeastOnce);
        let refused = client.publish("t/good", "x", QoS::AtLeastOnce).is_error();
        assert_eq!(refused, !arrives, "{on_failure}");
        if arrives {
            watcher.receive();
        }
        watcher.expect_nothing();
        wait_figure(&broker, "state", "circuit-open");
        wait_figure(&broker, "on-publish/failures/circuit-open", "1");
        wait_figure(&broker, "on-publish/failures/trap", "3");
        wait_figure(&broker, "instances/discarded", "3");
    }
}

/// One client that knows how to make the plugin fail does not take the policy from the others.
#[test]
fn a_plugin_that_answers_most_questions_is_not_left_alone() {
    let broker = Broker::start(&panicking("breaker = { failures = 3, window = \"1h\" }"));
    let mut mallory = Client::connect(&broker, v5("mallory"));
    let mut alice = Client::connect(&broker, v5("alice"));
    for _ in 0..50 {
        for _ in 0..2 {
            assert!(!alice.publish("t/good", "", QoS::AtLeastOnce).is_error());
        }
        assert!(mallory.publish("t/evil", "", QoS::AtLeastOnce).is_error());
    }
    wait_figure(&broker, "on-publish/failures/trap", "50");
    assert_eq!(broker.log().count("fails too often"), 0);
}

// ---- shadows

#[test]
fn a_shadow_is_watched_and_then_put_into_force() {
    let denying = |mode: &str| {
        let config = "stamp = \"s\"\nplace = \"none\"\ndeny_prefix = [\"denied/\"]";
        FAST.to_owned() + &plugin("p", guest("policy"), &format!("mode = \"{mode}\""), config)
    };
    let broker = Broker::start(&denying("shadow"));
    let mut client = Client::connect(&broker, v5("c"));
    for round in 0..10 {
        let topic = ["denied/x", "free/x"][round % 2];
        assert!(!client.publish(topic, "", QoS::AtLeastOnce).is_error(), "{topic}");
    }
    wait_figure(&broker, "state", "shadow");
    wait_figure(&broker, "on-publish/shadow/agreed", "5");
    wait_figure(&broker, "on-publish/shadow/differed", "5");
    wait_figure(&broker, "on-publish/verdicts/reject", "5");

    broker.put_in_force(&denying("enforce"));
    assert_eq!(
        client.publish("denied/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
    wait_figure(&broker, "state", "active");
}

/// What the hostile plugin publishes in answer to an event arrives where it is enforced; see `an_observer_is_told_and_may_publish`.
#[test]
fn what_a_shadow_publishes_goes_nowhere() {
    let flooding = |mode: &str| {
        let grants = "grant = { publish = [\"flood/#\"], kv = { bytes = \"1KiB\" } }";
        let config = "count = 1\nbehaviour = { on_publish = \"publish_flood\" }";
        let keys = format!("{grants}\nmode = \"{mode}\"");
        FAST.to_owned() + &plugin("p", guest("hostile"), &keys, config)
    };
    let broker = Broker::start(&flooding("shadow"));
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("flood/#", QoS::AtLeastOnce);
    client.publish("t/evil", "", QoS::AtLeastOnce);
    wait_figure(&broker, "on-publish/calls", "1");
    broker.put_in_force(&flooding("enforce"));
    client.publish("t/evil", "", QoS::AtLeastOnce);
    assert_eq!(client.receive().topic, "flood/topic");
    client.expect_nothing();
}

#[test]
fn a_shadow_that_authenticates_opens_no_listener() {
    let user = "alice:$argon2id$v=19$m=1024,t=1,p=1$3u6IoZBo2C0dG08/GT4PRQ$vJixkmDWlYC9yvDdd7hO1ICHz9+ubIKzPB5VFYkNfBs";
    let shadow = bundled(
        "password-file",
        "mode = \"shadow\"\nmemory = \"32MiB\"",
        &format!("users = \"{user}\""),
    );
    let open = "[[listener]]\nname = \"open\"\naddress = \"0.0.0.0:0\"\n";
    let said = Setup::new(&format!("{open}{shadow}")).start_and_fail().text;
    assert!(said.contains("no plugin authenticates"), "{said}");
}

// ---- what answers may do

/// An answer of a hook, and the words of `may` that it takes, as the page has them.
struct Answer {
    hook: String,
    name: String,
    takes: BTreeSet<String>,
}

impl Answer {
    /// A case in which a plugin that answers what it is told to is told to answer this.
    fn case(&self) -> String {
        let Self { hook, name, .. } = self;
        let question = match hook.as_str() {
            "authenticate" => format!("client_id = {name:?}"),
            "authenticate-enhanced" => format!("method = {name:?}"),
            "authorize" => format!("topic = {name:?}"),
            "on-subscribe" | "on-unsubscribe" => format!("filter = {name:?}"),
            _ => format!("message = {{ topic = {name:?} }}"),
        };
        let case = |step: &str, question: &str| {
            format!(
                "[[case]]\nname = \"{hook}: {name}{step}\"\nhook = \"{hook}\"\nquestion = {{ {question} }}\n"
            )
        };
        let first = case("", &question);
        if hook != "authenticate-enhanced" {
            return first;
        }
        first + &case(LATER, &format!("{question}, state = \"\""))
    }

    /// The names of its cases.
    fn cases(&self) -> Vec<String> {
        let first = format!("{}: {}", self.hook, self.name);
        if self.hook == "authenticate-enhanced" {
            vec![format!("{first}{LATER}"), first]
        } else {
            vec![first]
        }
    }
}

/// Behind the name of a case about a further step of an exchange.
const LATER: &str = ", later";

/// What `docs/plugins/loading.md` says, and that letting be takes nothing.
fn answers() -> Vec<Answer> {
    let page = fs::read_to_string(repository().join("docs/plugins/loading.md")).expect("the page is there");
    let (_, table) = page
        .split_once("| hook | answer | takes |\n|---|---|---|\n")
        .expect("the page has the table");
    let table = table.lines().take_while(|line| line.starts_with('|'));
    let rows = table.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let words =
            |cell: &str| -> Vec<String> { cell.split(", ").map(|word| word.replace('`', "")).collect() };
        (cells[0].to_owned(), words(cells[1]), words(cells[2]))
    });
    let mut all: Vec<_> = rows
        .flat_map(|(hook, names, takes)| {
            names.into_iter().map(move |name| Answer {
                hook: hook.clone(),
                name,
                takes: takes.iter().cloned().collect(),
            })
        })
        .collect();
    let hooks: BTreeSet<_> = all.iter().map(|answer| answer.hook.clone()).collect();
    all.extend(hooks.into_iter().map(|hook| Answer {
        hook,
        name: "nothing".to_owned(),
        takes: BTreeSet::new(),
    }));
    all
}

/// The cases about these answers that a plugin fails which may do this.
fn failed_with(may: &[&str], answers: &[Answer]) -> BTreeSet<String> {
    let cases: String = answers.iter().map(Answer::case).collect();
    let folder = Setup::new("").file("cases.toml", format!("[plugin]\nmay = {may:?}\n{cases}"));
    let file = folder.folder().join("cases.toml").display().to_string();
    let component = guest("parrot").display().to_string();
    let said = Setup::run(&["plugin", "test", &component, &file]).text;
    let failed: BTreeSet<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("FAILED "))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        said.matches("\"failure\":\"forbidden-answer\"").count(),
        failed.len(),
        "may {may:?}: {said}"
    );
    assert!(said.contains(&format!(" {} failed", failed.len())), "{said}");
    failed
}

/// Requirement 12, for every answer of every hook: the page is the table that is tested.
#[test]
fn every_answer_takes_what_the_page_says() {
    let answers = answers();
    let words: BTreeSet<_> = answers.iter().flat_map(|answer| &answer.takes).collect();
    let words: Vec<_> = words.into_iter().map(String::as_str).collect();
    let others = |word: &&str| words.iter().copied().filter(|other| other != word).collect();
    let alone = words.iter().map(|word| vec![*word]);
    let lists: Vec<Vec<&str>> = alone
        .chain(words.iter().map(others))
        .chain([vec![], words.clone()])
        .collect();
    for may in lists {
        let is_beyond = |answer: &&Answer| !answer.takes.iter().all(|word| may.contains(&word.as_str()));
        let expected: BTreeSet<_> = answers.iter().filter(is_beyond).flat_map(Answer::cases).collect();
        assert_eq!(failed_with(&may, &answers), expected, "may {may:?}");
    }
}

/// Requirement 12 in a broker: it stamps what it may not change.
#[test]
fn a_plugin_that_may_not_modify_and_does_has_failed() {
    let debug = format!("log = \"info,hookwire_plugin_host=debug\"\n{FAST}");
    let stamping = |keys: &str| debug.clone() + &stamping_at(guest("policy"), keys, "1");
    let broker = Broker::start(&stamping("may = [\"refuse\"]\non_failure = \"pass\""));
    assert_eq!(sees(&broker), "x", "nothing of the answer is done");
    let line = broker.wait_log("on-publish failed: forbidden-answer");
    assert!(
        line.contains("takes `modify`, which `may` does not list"),
        "{line}"
    );
    wait_figure(&broker, "on-publish/failures/forbidden-answer", "1");

    broker.put_in_force(&stamping("may = [\"refuse\"]"));
    let mut client = Client::connect(&broker, v5("c"));
    client.subscribe("t", QoS::AtLeastOnce);
    assert_eq!(
        client.publish("t", "x", QoS::AtLeastOnce),
        PublishReason::ImplementationSpecific
    );
    client.expect_nothing();

    broker.put_in_force(&stamping("may = [\"modify\"]"));
    assert_eq!(sees(&broker), "x|1");
    let compiled = broker.log().count("compiled by");
    assert_eq!(compiled, 1, "the component is the same: {}", broker.log().story());
}

#[test]
fn a_shadow_fails_too_where_it_does_what_it_may_not() {
    let shadow = stamping_at(guest("policy"), "mode = \"shadow\"\nmay = []", "1");
    let broker = Broker::start(&(FAST.to_owned() + &shadow));
    assert_eq!(sees(&broker), "x");
    wait_figure(&broker, "on-publish/failures/forbidden-answer", "1");
    wait_figure(&broker, "on-publish/shadow/differed", "1");
}

// ---- compiling

#[test]
fn a_component_that_takes_too_long_to_compile_is_refused_and_harms_nobody() {
    let limits = format!("{FAST}[plugins]\ncompile_timeout = \"2s\"\n");
    let component = policy_component();
    let broker = Setup::new(&(limits.clone() + &stamping("1")))
        .file("bomb.wasm", with_bomb(&component, 20))
        .start();
    let witness = Witness::start(&broker, "bomb");
    let line = broker.refused(&(limits.clone() + &stamping_at("bomb.wasm", "", "2")));
    // CPU time, or the tenfold on the clock where a busy machine leaves little of it to so low a priority.
    assert!(line.contains("plugins.compile_timeout"), "{line}");
    assert_eq!(sees(&broker), "x|1");
    witness.finish();
    let mut watcher = Client::connect(&broker, v5("refusals"));
    watcher.subscribe("$SYS/broker/policy/refused", QoS::AtMostOnce);
    while watcher.receive().payload != "1" {}
    // On a busy machine the file may have been found changed twice, and the component refused twice.
    broker.edit_config(&(limits + &stamping("3")));
    broker.wait_log("generation=2");
    assert_eq!(sees(&broker), "x|3");
}

#[test]
fn a_component_that_takes_too_much_memory_to_compile_is_refused_and_harms_nobody() {
    let limits = format!("{FAST}[plugins]\ncompile_memory_max = \"256MiB\"\n");
    let component = policy_component();
    let broker = Setup::new(&(limits.clone() + &stamping("1")))
        .file("bomb.wasm", with_bomb(&component, 20))
        .start();
    let witness = Witness::start(&broker, "bomb");
    let line = broker.refused(&(limits + &stamping_at("bomb.wasm", "", "2")));
    assert!(line.contains("plugins.compile_memory_max"), "{line}");
    assert_eq!(sees(&broker), "x|1");
    witness.finish();
}

#[test]
fn a_large_component_is_compiled_by_a_process_or_a_thread_beside_live_traffic() {
    for (compile, by) in [("child", "by a process"), ("thread", "by a thread")] {
        let settings =
            format!("log = \"info,hookwire_plugin_host=debug\"\n[plugins]\ncompile = \"{compile}\"\n");
        let broker = Setup::new(&settings)
            .file("large.wasm", with_code(&policy_component(), 200_000))
            .start();
        let witness = Witness::start(&broker, compile);
        broker.put_in_force(&(settings + &stamping_at("large.wasm", "", "1")));
        assert_ne!(broker.log().count(by), 0, "{}", broker.log().story());
        assert_eq!(sees(&broker), "x|1");
        witness.finish();
    }
}

#[test]
fn what_was_compiled_before_is_not_compiled_again_unless_somebody_has_touched_it() {
    let data = TempDir::new().expect("a temporary folder can be made");
    let config = format!(
        "log = \"info,hookwire_plugin_host=debug\"\ndata_dir = {:?}\n{}",
        data.path(),
        stamping("1")
    );
    let first = Broker::start(&config);
    assert_eq!(first.log().count("compiled by a process"), 1);
    drop(first);

    let second = Broker::start(&config);
    assert_eq!(second.log().count("compiled by"), 0, "{}", second.log().story());
    assert_eq!(sees(&second), "x|1");
    drop(second);

    let artefact = only_file(&data.path().join("plugins/artefacts"), "artefact");
    let mut bytes = fs::read(&artefact).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&artefact, bytes).expect("it can be written");
    let third = Broker::start(&config);
    let line = third.log().text();
    assert!(line.contains("seal is broken"), "{line}");
    assert_eq!(third.log().count("compiled by a process"), 1);
    assert_eq!(sees(&third), "x|1");
    drop(third);

    // A pin is about the component, whatever is kept of it.
    let pinned = config.replace(
        "[plugin.config]",
        &format!("sha256 = \"{}\"\n[plugin.config]", "0".repeat(64)),
    );
    assert!(Setup::new(&pinned).start_and_fail().text.contains("sha256"));
}

/// The one file with that ending.
#[track_caller]
fn only_file(folder: &Path, ending: &str) -> std::path::PathBuf {
    let files = fs::read_dir(folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("it can be read").path());
    let mut found = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    let file = found
        .next()
        .unwrap_or_else(|| panic!("no {ending} in {}", folder.display()));
    assert_eq!(found.next(), None);
    file
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let data = TempDir::new().expect("a temporary folder can be made");
    let cache = data.path().join("cache");
    fs::create_dir(&cache).expect("it can be made");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let broker = Broker::start(&format!("[plugins]\ncache = {cache:?}\n{}", stamping("1")));
    assert_ne!(
        broker.log().count("others may use it"),
        0,
        "{}",
        broker.log().story()
    );
    assert_eq!(sees(&broker), "x|1");
    assert_eq!(fs::read_dir(&cache).expect("it is there").count(), 0);
}

#[test]
fn an_artefact_is_no_plugin() {
    let data = TempDir::new().expect("a temporary folder can be made");
    let config = format!("data_dir = {:?}\n{}", data.path(), stamping("1"));
    drop(Broker::start(&config));
    let sealed =
        fs::read(only_file(&data.path().join("plugins/artefacts"), "artefact")).expect("it is there");
    let code = &sealed[32..];
    assert_eq!(&code[..4], b"\x7fELF", "what the engine makes");
    let said = Setup::new(&stamping_at("plugin.cwasm", "", "1"))
        .file("plugin.cwasm", code)
        .start_and_fail()
        .text;
    assert!(said.contains("precompiled artefact"), "{said}");
}

// ---- the last good generation

/// Brokers that have the folder of durable data in common, one after the other.
struct Site {
    data: TempDir,
}

impl Site {
    fn new() -> Self {
        Self {
            data: TempDir::new().expect("a temporary folder can be made"),
        }
    }

    fn setup(&self, config: &str, component: &[u8]) -> Setup {
        let config = format!("{FAST}data_dir = {:?}\n{config}", self.data.path());
        Setup::new(&config).file("plugin.wasm", component)
    }

    #[track_caller]
    fn start(&self, config: &str, component: &[u8]) -> Broker {
        self.setup(config, component).start()
    }

    #[track_caller]
    fn fails(&self, config: &str, component: &[u8]) -> String {
        self.setup(config, component).start_and_fail().text
    }
}

fn at_start(keys: &str, stamp: &str) -> String {
    stamping_at("plugin.wasm", keys, stamp)
}

#[test]
fn a_restart_with_a_broken_component_runs_the_last_good_one() {
    let (site, good) = (Site::new(), policy_component());
    drop(site.start(&at_start("", "1"), &good));
    for broken in [&good[..good.len() / 2], b"#!/bin/sh", b""] {
        let broker = site.start(&at_start("", "2"), broken);
        let line = broker.log().text();
        assert!(
            line.contains("degraded: using the component that was in force before"),
            "{line}"
        );
        assert_eq!(
            sees(&broker),
            "x|2",
            "the component of before, the configuration of now"
        );
        wait_figure(&broker, "state", "degraded");
        // Nothing but what is broken has to be put right.
        broker.edit_file("plugin.wasm", &good);
        broker.wait_log("plugin \"p\" replaced");
        broker.wait_in_force();
        wait_figure(&broker, "state", "active");
    }
}

#[test]
fn a_restart_with_a_refused_configuration_runs_the_last_good_one() {
    let (site, good) = (Site::new(), policy_component());
    drop(site.start(&at_start("", "1"), &good));
    let refused = at_start("", "2") + "refuse = true\n";
    let broker = site.start(&refused, &good);
    let line = broker.log().text();
    assert!(
        line.contains("refused as asked")
            && line.contains("the component and the configuration that were in force before"),
        "{line}"
    );
    assert_eq!(sees(&broker), "x|1");
    drop(broker);
    // It stays the last good one for as long as it takes.
    assert_eq!(sees(&site.start(&refused, &good)), "x|1");
}

#[test]
fn a_pin_that_does_not_fit_has_no_stand_in() {
    let (site, good) = (Site::new(), policy_component());
    drop(site.start(&at_start("", "1"), &good));
    let another = format!("sha256 = \"{}\"", "0".repeat(64));
    assert!(site.fails(&at_start(&another, "1"), &good).contains("sha256"));
    // The pinned one is broken, and the last good one is not the pinned one.
    let broken = &good[..100];
    let pin = format!("sha256 = \"{}\"", sha256(broken));
    let said = site.fails(&at_start(&pin, "1"), broken);
    assert!(said.contains("not valid"), "{said}");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn the_last_good_one_may_no_more_than_the_file_grants() {
    let site = Site::new();
    let hostile = fs::read(guest("hostile")).expect("the guest is built");
    let with = |grant: &str| plugin("p", "plugin.wasm", grant, "");
    drop(site.start(
        &with("grant = { publish = [\"x\"], kv = { bytes = \"1KiB\" } }"),
        &hostile,
    ));
    let said = site.fails(&with("grant = { publish = [\"x\"] }"), b"broken");
    assert!(said.contains("not a WebAssembly component"), "{said}");
    assert!(
        said.contains("kv = {"),
        "what stood in the way of the last good one: {said}"
    );
}

#[test]
fn what_is_not_in_force_any_more_does_not_come_back() {
    let (site, good) = (Site::new(), policy_component());
    drop(site.start(&at_start("", "1"), &good));
    drop(site.start("# no plugin\n", b""));
    assert!(
        site.fails(&at_start("", "1"), b"broken")
            .contains("not a WebAssembly")
    );

    let other = Site::new();
    drop(other.start(&at_start("", "1"), &good));
    let renamed = at_start("", "1").replace("\"p\"", "\"q\"");
    assert!(other.fails(&renamed, b"broken").contains("not a WebAssembly"));
}

#[test]
fn nothing_is_kept_where_that_is_not_wanted() {
    let (site, good) = (Site::new(), policy_component());
    let not_kept = "[plugins]\nlast_good = false\n".to_owned() + &at_start("", "1");
    drop(site.start(&not_kept, &good));
    assert!(
        site.fails(&at_start("", "1"), b"broken")
            .contains("not a WebAssembly")
    );
}

#[test]
fn what_was_kept_and_changed_by_somebody_does_not_stand_in() {
    let (site, good) = (Site::new(), policy_component());
    drop(site.start(&at_start("", "1"), &good));
    let kept = only_file(&site.data.path().join("plugins/last-good"), "wasm");
    fs::write(kept, with_code(&good, 1000)).expect("it can be written");
    let said = site.fails(&at_start("", "1"), b"broken");
    assert!(said.contains("its component is damaged"), "{said}");
}
