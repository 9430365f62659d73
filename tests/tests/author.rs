//! From an idea to a plugin in force: the pages for authors, followed word for word, without the network.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookwire_tests::{Client, Outcome, QoS, Setup, guest, hookwire, repository, v5};

const WRITING: &str = "docs/plugins/writing.md";
const TESTING: &str = "docs/plugins/testing.md";

/// Most commands from nothing to a broker with a tested plugin.
const COMMANDS_MAX: usize = 10;

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced text below `<!-- mark -->`.
#[track_caller]
fn fenced(page: &str, mark: &str) -> String {
    let behind = page.split(&format!("<!-- {mark} -->\n")).nth(1);
    let fence = behind.and_then(|rest| rest.split("```").nth(1));
    let text = fence
        .and_then(|fence| fence.split_once('\n'))
        .map(|(_, text)| text);
    text.unwrap_or_else(|| panic!("nothing is marked {mark:?}"))
        .to_owned()
}

/// A folder in which an author works, offline, with `hookwire` at hand: the same in each run, so that what is built in it
/// takes the place of what the last run built.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = builds().join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("what the last run left can be removed");
        }
        fs::create_dir_all(&folder).expect("a folder can be made");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs commands as they stand on the page, in the folder of the plugin if there is one.
    #[track_caller]
    fn run(&self, place: &Path, commands: &str) -> Outcome {
        let beside = hookwire().parent().expect("a file lies in a folder").to_owned();
        let paths = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
        let path = env::join_paths([beside].into_iter().chain(paths)).expect("a path has no colon");
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(place);
        shell.env("PATH", path).env("CARGO_NET_OFFLINE", "true");
        // What is set for the build of these tests is not for the author's.
        for name in [
            "CARGO",
            "CARGO_TARGET_DIR",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            shell.env_remove(name);
        }
        shell.env("RUSTUP_TOOLCHAIN", toolchain());
        let output = shell.output().expect("bash can be run");
        Outcome {
            success: output.status.success(),
            text: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        }
    }

    #[track_caller]
    fn succeed(&self, place: &Path, commands: &str) -> String {
        let outcome = self.run(place, commands);
        assert!(outcome.success, "{commands}\n{}", outcome.text);
        outcome.text
    }

    #[track_caller]
    fn fail(&self, place: &Path, commands: &str) -> String {
        let outcome = self.run(place, commands);
        assert!(!outcome.success, "{commands}\n{}", outcome.text);
        outcome.text
    }

    fn root(&self) -> &Path {
        &self.folder
    }

    /// Lets the plugin be built where what all plugins are made of may have been built before.
    fn share_builds(&self, name: &str) {
        let shared = builds().join("target");
        fs::create_dir_all(&shared).expect("a folder for builds can be made");
        symlink(&shared, self.path(name).join("target")).expect("a link can be made");
    }
}

/// Beside the profiles' folders.
fn builds() -> PathBuf {
    let beside = hookwire().parent().expect("a file lies in a folder").to_owned();
    beside.parent().expect("a folder lies in a folder").join("author")
}

/// The toolchain that these tests are built with: the author's folder has no `rust-toolchain.toml`.
fn toolchain() -> String {
    let text = page("rust-toolchain.toml");
    let file: toml::Table = text.parse().expect("rust-toolchain.toml is TOML");
    let channel = file["toolchain"]["channel"].as_str();
    channel.expect("rust-toolchain.toml names a channel").to_owned()
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    fs::write(file, text.replace(from, to)).expect("a file can be written");
}

/// Lines of code: no comments, no empty lines.
fn code(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// Requirements 59 and 60, and the promise of the page.
#[test]
fn the_tutorial_leads_to_a_tested_plugin_in_force() {
    let writing = page(WRITING);
    let step = |name: &str| fenced(&writing, &format!("step: {name}"));
    let steps = ["new", "test", "build", "cases", "run"].map(step);
    let commands = steps.iter().flat_map(|step| step.lines()).count();
    assert!(
        commands <= COMMANDS_MAX,
        "{commands} commands:\n{}",
        steps.concat()
    );

    let desk = Desk::new("the_tutorial_leads_to_a_tested_plugin_in_force");
    let [new, test, build, cases, run] = &steps;
    desk.succeed(desk.root(), new);
    let plugin = desk.path("size-limit");
    desk.share_builds("size-limit");
    let written = fs::read_to_string(plugin.join("src/lib.rs")).expect("there is a src/lib.rs");
    assert_eq!(code(&written), code(&fenced(&writing, "file: src/lib.rs")));

    // The test on the other page is one like any other.
    fs::write(plugin.join("src/greeter.rs"), fenced(&page(TESTING), "test")).expect("a file can be written");
    edit(
        &plugin.join("src/lib.rs"),
        "mod tests;",
        "mod tests;\n#[cfg(test)]\nmod greeter;",
    );
    let natively = desk.succeed(&plugin, test);
    assert!(natively.contains("3 passed"), "{natively}");
    assert!(!natively.contains("warning"), "{natively}");

    let built = desk.succeed(&plugin, build);
    for said in [
        "hooks    on-publish",
        "batch    answers many",
        "[[plugin]]\nname = \"size-limit\"",
    ] {
        assert!(built.contains(said), "{built}");
    }
    assert!(!built.contains("needs "), "it needs no grant: {built}");

    // The test on the other page has a plugin of its own, which is not in the component.
    edit(&plugin.join("src/lib.rs"), "\n#[cfg(test)]\nmod greeter;", "");
    let told = desk.succeed(&plugin, cases);
    assert!(
        told.contains("cases.toml: 2 passed, 0 failed") && told.contains("2 passed"),
        "{told}"
    );

    assert_eq!(run.trim(), "hookwire --config hookwire.toml");
    let config = fs::read_to_string(plugin.join("hookwire.toml")).expect("there is a hookwire.toml");
    let component = plugin.join("target/wasm32-wasip2/release/size_limit.wasm");
    let config = config.replace("127.0.0.1:1883", "127.0.0.1:0").replace(
        "target/wasm32-wasip2/release/size_limit.wasm",
        &component.display().to_string(),
    );
    let broker = Setup::new(&config).start();
    let mut lamp = Client::connect(&broker, v5("lamp"));
    let judged = |lamp: &mut Client, bytes: usize| {
        lamp.publish("a/b", vec![b'x'; bytes], QoS::AtLeastOnce)
            .to_string()
    };
    assert_ne!(judged(&mut lamp, 64), judged(&mut lamp, 65));

    // And once more around the loop, under the client that is connected.
    edit(
        &plugin.join("src/lib.rs"),
        "> self.config.max_bytes",
        "> self.config.max_bytes + 1",
    );
    desk.succeed(&plugin, build);
    broker.wait_in_force();
    assert_eq!(judged(&mut lamp, 64), judged(&mut lamp, 65));
    assert_ne!(judged(&mut lamp, 65), judged(&mut lamp, 66));

    // The unit tests notice what the change broke: in the code, and by themselves in the component too.
    let told = desk.fail(&plugin, cases);
    assert!(told.contains("FAILED a large payload is rejected"), "{told}");
    assert!(
        told.contains("expected {\"answer\":\"reject\"") && told.contains("found    {\"answer\":\"pass\"}"),
        "{told}"
    );
    assert!(told.contains("a_large_payload_is_rejected ... FAILED"), "{told}");
}

/// Requirement 67: where a component was built is no part of it.
#[track_caller]
fn assert_tells_no_place(component: &[u8], place: &Path) {
    let place = place.display().to_string();
    let is_there = component
        .windows(place.len())
        .any(|part| part == place.as_bytes());
    assert!(!is_there, "{place} is in the component");
}

/// All templates at once: what each of them says of itself is shown by its unit tests and its cases.
#[test]
fn every_template_passes_its_tests_and_its_cases() {
    let desk = Desk::new("every_template_passes_its_tests_and_its_cases");
    let hooks = "authenticate,authenticate-enhanced,authorize,on-subscribe,on-unsubscribe,on-publish,route,deliver,\
                 on-will,events,control";
    desk.succeed(
        desk.root(),
        &format!("hookwire plugin new every-hook --hook {hooks}"),
    );
    let plugin = desk.path("every-hook");
    desk.share_builds("every-hook");
    let built = desk.succeed(&plugin, "hookwire plugin build");
    assert!(!built.contains("warning"), "{built}");
    let wasm = "target/wasm32-wasip2/release/every_hook.wasm";
    let component = fs::read(plugin.join(wasm)).expect("it was just built");
    assert_tells_no_place(&component, &builds());
    assert_tells_no_place(&component, Path::new("/.cargo/"));
    let told = desk.succeed(
        &plugin,
        &format!("hookwire plugin test {wasm} cases.toml --cargo"),
    );
    assert!(told.contains("24 passed, 0 failed"), "{told}");
    let checked = desk.succeed(
        &plugin,
        &format!("hookwire plugin check {wasm} --config hookwire.toml"),
    );
    assert!(
        checked.contains("loads as \"every-hook\", asked at authenticate, authenticate-enhanced, authorize"),
        "{checked}"
    );
    // Natively as well: where the component is not named, the code is asked.
    desk.succeed(&plugin, "cargo test");
    desk.succeed(&plugin, "cargo fmt --check");
    // And with nothing to configure, under a name that the SDK has too.
    desk.succeed(
        desk.root(),
        "hookwire plugin new message --hook on-will,events,control",
    );
    desk.share_builds("message");
    let told = desk.succeed(&desk.path("message"), "cargo test 2>&1");
    assert!(told.contains("3 passed") && !told.contains("warning"), "{told}");
}

/// Uses what only the host has.
const BORROWER: &str = r#"
use hookwire_plugin::prelude::*;
use hookwire_plugin::{clients, metrics, retained, secrets};

struct Borrower;

impl Plugin for Borrower {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self, Problems> {
        Ok(Self)
    }
}

impl OnPublish for Borrower {
    fn on_publish(&self, message: &Message<'_>) -> Verdict {
        if secrets::get("word").as_deref() != Some(message.payload()) {
            return Verdict::drop();
        }
        metrics::observe("words", 0.5);
        if let Some(client) = message.client() {
            clients::reauthorize(client);
            clients::forget(client);
        }
        if let Ok(Some(old)) = retained::get("last") {
            let _ = retained::put(&MessageBuf::new("before", old.payload));
        }
        let _ = retained::put(&MessageBuf::new("last", message.payload()));
        Verdict::pass()
    }
}

hookwire_plugin::export!(Borrower: OnPublish);

#[cfg(test)]
mod tests;
"#;

const BORROWER_TESTS: &str = r#"
use hookwire_plugin::clients::Client;
use hookwire_plugin::mock::{Mock, Subject};

use super::*;

#[test]
fn what_it_borrows_is_seen() {
    let host = Mock::new();
    host.add_secret("word", b"\xff!");
    host.add_client(1, Client::new("lamp"));
    let plugin: Subject<Borrower> = host.subject("{}").unwrap();
    assert_eq!(plugin.on_publish(&Message::new("a", "guess")), Verdict::drop());
    for _ in 0..2 {
        assert_eq!(plugin.on_publish(&Message::new("a", b"\xff!")), Verdict::pass());
    }
    assert_eq!(host.observed("words"), [0.5, 0.5]);
    assert_eq!((host.reauthorized(), host.forgotten()), (vec![1, 1], vec![1, 1]));
    let topics: Vec<_> = host.retained().into_iter().map(|kept| kept.topic).collect();
    assert_eq!(topics, ["before", "last"]);
}
"#;

/// Nothing but what it takes to load.
const BORROWER_CASES: &str = r#"
[secrets]
word = "w"

[plugin]
grant = { retained = ["last"], secrets = ["word"], clients = true, metrics = true }
"#;

/// A test that leans on the mock's knowledge passes in both places.
#[test]
fn what_the_mock_knows_the_component_knows() {
    let desk = Desk::new("what_the_mock_knows_the_component_knows");
    desk.succeed(desk.root(), "hookwire plugin new borrower");
    let plugin = desk.path("borrower");
    desk.share_builds("borrower");
    fs::write(plugin.join("src/lib.rs"), BORROWER).expect("a file can be written");
    fs::write(plugin.join("src/tests.rs"), BORROWER_TESTS).expect("a file can be written");
    fs::write(plugin.join("cases.toml"), BORROWER_CASES).expect("a file can be written");
    let natively = desk.succeed(&plugin, "cargo test");
    assert!(natively.contains("1 passed"), "{natively}");
    let built = desk.succeed(&plugin, "hookwire plugin build");
    assert!(
        built.contains("retained = [\"topic/filter\"]") && built.contains("secrets = [\"name\"]"),
        "{built}"
    );
    let wasm = "target/wasm32-wasip2/release/borrower.wasm";
    let command = format!("hookwire plugin test {wasm} cases.toml --cargo");
    let told = desk.succeed(&plugin, &command);
    assert!(told.contains("0 failed") && told.contains("1 passed"), "{told}");
}

#[test]
fn what_an_author_gets_wrong_is_answered_with_what_to_do() {
    let desk = Desk::new("what_an_author_gets_wrong_is_answered_with_what_to_do");
    let root = desk.root();
    for (command, answer) in [
        ("hookwire plugin new 1st", "is no name for a plugin; use a letter"),
        (
            "hookwire plugin new p --hook publish",
            "no template for the hook \"publish\"; choose from",
        ),
        ("hookwire plugin new p --sdk .", "is not the SDK"),
        (
            "hookwire plugin build",
            "has no Cargo.toml; `hookwire plugin new NAME` makes",
        ),
        ("hookwire plugin check nothing.wasm", "cannot read nothing.wasm"),
        ("mkdir there && hookwire plugin new there", "is there already"),
    ] {
        let told = desk.fail(root, command);
        assert!(told.contains(answer), "{command}: {told}");
    }

    fs::write(desk.path("module.wasm"), b"\0asm\x01\0\0\0").expect("a file can be written");
    let told = desk.fail(root, "hookwire plugin check module.wasm");
    assert!(
        told.contains("core WebAssembly module") && told.contains("--target wasm32-wasip2"),
        "{told}"
    );

    let policy = guest("policy");
    fs::write(
        desk.path("none.toml"),
        "[[plugin]]\nname = \"acl\"\nbundled = \"acl\"\n",
    )
    .expect("a file can be written");
    let told = desk.fail(
        root,
        &format!("hookwire plugin check {} --config none.toml", policy.display()),
    );
    assert!(told.contains("no [[plugin]] of none.toml names"), "{told}");
}

/// Requirement 51: the file, the line and the path.
#[test]
fn a_plugin_that_refuses_its_configuration_says_where() {
    let desk = Desk::new("a_plugin_that_refuses_its_configuration_says_where");
    let component = guest("policy");
    let config = format!("[[plugin]]\nname = \"policy\"\npath = {component:?}\n[plugin.config]\nstamp = 7\n");
    fs::write(desk.path("hookwire.toml"), config).expect("a file can be written");
    for command in ["plugin check FILE --config hookwire.toml", "check hookwire.toml"] {
        let command = format!(
            "hookwire {}",
            command.replace("FILE", &component.display().to_string())
        );
        let told = desk.fail(desk.root(), &command);
        assert!(
            told.contains("hookwire.toml:5: plugin.0.config.stamp: "),
            "{command}: {told}"
        );
    }
}

/// Requirement 64.
#[test]
fn an_inspection_can_be_read_by_programs() {
    let desk = Desk::new("an_inspection_can_be_read_by_programs");
    let file = guest("policy");
    let text = desk.succeed(
        desk.root(),
        &format!("hookwire plugin inspect --json {}", file.display()),
    );
    let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["format"], 1);
    assert_eq!(
        json["bytes"],
        fs::metadata(&file).expect("the guest is there").len()
    );
    assert_eq!(json["sha256"].as_str().map(str::len), Some(64));
    let list = |key: &str| {
        json[key]
            .as_array()
            .unwrap_or_else(|| panic!("{key} in {json}"))
            .clone()
    };
    assert!(list("hooks").contains(&"on-publish".into()), "{json}");
    assert!(
        list("contracts").contains(&"hookwire:plugin@0.1.0".into()),
        "{json}"
    );
    assert_eq!(
        text,
        desk.succeed(
            desk.root(),
            &format!("hookwire plugin inspect --json {}", file.display())
        )
    );
}

#[test]
fn a_component_that_can_do_more_is_told_apart() {
    let desk = Desk::new("a_component_that_can_do_more_is_told_apart");
    let (policy, hostile) = (guest("policy"), guest("hostile"));
    let diff = |old: &Path, new: &Path| format!("hookwire plugin diff {} {}", old.display(), new.display());
    let told = desk.fail(desk.root(), &diff(&policy, &hostile));
    assert!(told.contains("+ hook ") && told.contains("can do more"), "{told}");
    let told = desk.succeed(desk.root(), &diff(&policy, &policy));
    assert_eq!(told, "the same component\n");
}

/// Requirement 61: a plugin that exceeds a limit in a broker exceeds it in a test.
#[test]
fn cases_are_put_in_the_brokers_own_host() {
    let desk = Desk::new("cases_are_put_in_the_brokers_own_host");
    for (behaviour, failure) in [("loop", "deadline"), ("panic", "trap"), ("memory", "memory")] {
        let cases = format!(
            r#"
[plugin]
memory = "2MiB"
grant = {{ publish = ["flood/topic"], kv = {{ bytes = "64KiB" }} }}
[plugin.config]
behaviour = {{ on_publish = "{behaviour}" }}

[[case]]
name = "calm"
hook = "on-publish"
question = {{ message = {{ topic = "calm" }} }}
answer = "pass"

[[case]]
name = "evil"
hook = "on-publish"
question = {{ message = {{ topic = "a/evil" }} }}
"#
        );
        fs::write(desk.path("cases.toml"), cases).expect("a file can be written");
        let command = format!("hookwire plugin test {} cases.toml", guest("hostile").display());
        let told = desk.fail(desk.root(), &command);
        assert!(told.contains(&format!("\"failure\":\"{failure}\"")), "{told}");
        assert!(
            told.contains("FAILED evil") && told.contains("1 passed, 1 failed"),
            "{told}"
        );

        let seed = told.lines().find_map(|line| line.strip_prefix("seed "));
        let seed = seed.unwrap_or_else(|| panic!("no seed in {told}"));
        assert!(told.contains(&format!("--seed {seed}")), "{told}");
        let again = desk.fail(desk.root(), &format!("{command} --seed {seed}"));
        assert!(again.starts_with(&format!("seed {seed}\n")), "{again}");
    }
}

/// The text behind its hash is "letmein".
const LETMEIN: &str =
    "$argon2id$v=19$m=1024,t=1,p=1$AZ/G7a8+k5Gnp+zzBA8hdQ$2qCWKQevL5fSj5cNIWS6No0LWn8wxfHU/pzxBj8BDh8";

/// Of the guest that uses what the host offers as messages tell it to.
fn toolbox_cases() -> String {
    format!(
        r#"
[secrets]
mine = "s3cret"

[plugin]
grant = {{ publish = ["result"], retained = {{ read = ["kept/#"], write = ["kept/+"] }}, secrets = ["mine"], password = true, rate_limit = {{ keys = 2 }}, kv = {{ bytes = "1KiB" }}, metrics = true, clients = true }}
[plugin.config]
hash = "{LETMEIN}"

[[client]]
client_id = "lamp"

[[retained]]
topic = "kept/a"
payload = "old"

[[case]]
name = "to store"
hook = "on-publish"
question = {{ message = {{ topic = "tool/put/seen", payload = "1" }} }}
answer = "drop"
published = [{{ topic = "result", payload = "Ok(())", qos = 1 }}]
calls = ['kv.put("seen", "1", none) = Ok(())', 'publish.publish("result", "Ok(())")']
kv = {{ seen = "1" }}

[[case]]
name = "to retain"
hook = "on-publish"
question = {{ message = {{ topic = "tool/retain/kept/a", payload = "new" }} }}
published = [{{ topic = "result", payload = "Ok(())", qos = 1 }}]
calls = ['retained.put("kept/a", "new")', 'publish.publish("result", "Ok(())")']
retained = {{ "kept/a" = "new", "kept/b" = false }}

[[case]]
name = "to wait for a token"
hook = "on-publish"
question = {{ message = {{ topic = "tool/take/lamp" }} }}
published = [{{ topic = "result", payload = "true", qos = 1 }}]
calls = ['rate-limit.take("lamp", 1) = none', 'publish.publish("result", "true")']

[[case]]
name = "to be looked at again"
hook = "on-publish"
question = {{ message = {{ topic = "tool/deny/a/b", payload = "reauthorize" }} }}
published = [{{ topic = "result", payload = "Ok(()) true", qos = 1 }}]
calls = ['kv.put("denied", "a/b", none) = Ok(())', 'clients.reauthorize(1)', 'publish.publish("result", "Ok(()) true")']

[[case]]
name = "to wait for the host"
hook = "authenticate"
question = {{ client_id = "lamp", password = "letmein" }}
answer = {{ answer = "allow", user_properties = [["retained", "kept/a"]] }}
calls = ['password.verify(…)', 'retained.find("kept/#")']
"#
    )
}

/// Requirement 62: what a plugin calls of the host, in which order and with what result, is the same each time. What it calls
/// while it is made (a secret) is none of that.
#[test]
fn calls_of_the_host_are_the_same_each_time() {
    let desk = Desk::new("calls_of_the_host_are_the_same_each_time");
    fs::write(desk.path("cases.toml"), toolbox_cases()).expect("a file can be written");
    let command = format!("hookwire plugin test {} cases.toml", guest("toolbox").display());
    for _ in 0..3 {
        let told = desk.succeed(desk.root(), &command);
        assert!(told.contains("5 passed, 0 failed"), "{told}");
    }
    edit(
        &desk.path("cases.toml"),
        "['kv.put(\"seen\", \"1\", none) = Ok(())', ",
        "[",
    );
    let told = desk.fail(desk.root(), &command);
    assert!(
        told.contains("FAILED to store\n  calls\n    expected [\"publish.publish("),
        "{told}"
    );
}

/// Answers that were recorded are compared with those of today.
#[test]
fn a_recording_is_asked_again() {
    let desk = Desk::new("a_recording_is_asked_again");
    let head = r#"{"hookwire_recording":1,"plugin":"policy","sha256":"00","generation":1,"began_at_ms":1,"secrets":false}"#;
    let line = |at: u32, topic: &str, answer: &str| {
        format!(
            r#"{{"at_ms":{at},"took_us":1,"hook":"on-publish","question":{{"message":{{"source":{{"client":1}},"topic":"{topic}","payload":"x","qos":0,"retain":false}}}},"answer":{answer}}}"#
        )
    };
    let pass = r#"{"answer":"pass"}"#;
    let denied = r#"{"answer":"reject","reason":135,"text":"v1"}"#;
    let secret = r#"{"at_ms":9,"took_us":1,"hook":"authenticate","question":{"client_id":"c","password":{"redacted":true},"address":"","listener":"","version":"5.0","clean_start":true},"answer":{"answer":"next"}}"#;
    let recording = [
        head.to_owned(),
        line(2, "open", pass),
        line(3, "closed/1", denied),
        secret.to_owned(),
    ];
    fs::write(desk.path("recording"), recording.join("\n") + "\n").expect("a file can be written");
    let policy = guest("policy");
    let config = |deny: &str| {
        let config = format!(
            "[[plugin]]\nname = \"policy\"\npath = {policy:?}\n[plugin.config]\nstamp = \"v1\"\nplace = \"none\"\ndeny_prefix = [{deny}]\n"
        );
        fs::write(desk.path("hookwire.toml"), config).expect("a file can be written");
    };
    let command = format!(
        "hookwire plugin replay {} recording --config hookwire.toml",
        policy.display()
    );

    config("\"closed/\"");
    let told = desk.succeed(desk.root(), &command);
    assert!(
        told.contains("recording: 2 as recorded, 0 different, 0 skipped"),
        "{told}"
    );
    assert!(told.contains("1 for hooks that the component has not"), "{told}");

    config("\"open\"");
    let told = desk.fail(desk.root(), &command);
    assert!(told.contains("0 as recorded, 2 different"), "{told}");
    assert!(told.contains("line 2: {\"hook\":\"on-publish\""), "{told}");
    assert!(
        told.contains("  recorded {\"answer\":\"pass\"}\n  now      {\"answer\":\"reject\""),
        "{told}"
    );
}

#[test]
fn a_bench_has_a_line_for_each_hook() {
    let desk = Desk::new("a_bench_has_a_line_for_each_hook");
    fs::write(
        desk.path("cases.toml"),
        "[plugin.config]\nstamp = \"v1\"\n\n[[case]]\nhook = \"on-publish\"\n",
    )
    .expect("a file can be written");
    let command = format!(
        "hookwire plugin bench {} cases.toml --seconds 0.01",
        guest("policy").display()
    );
    let told = desk.succeed(desk.root(), &command);
    for line in [
        "on-publish, one message",
        "on-publish, a message of 32",
        "a new instance",
        "bytes of memory",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!told.contains("failed"), "{told}");
}
