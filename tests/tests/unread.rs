//! Whoever reads what `hookwire` prints may have seen enough at any time: `hookwire plugin show acl | head -1`.

use std::io::{BufRead, BufReader, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use hookwire_tests::{Broker, Client, QoS, Setup, guest, hookwire, plugin, v5};

/// What a shell shows for a program that SIGPIPE ended: neither a success nor a failure that has to be told.
const CUT_SHORT: i32 = 128 + 13;

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

const CASES: &str = "[plugin.config]\nstamp = \"s\"\n\n[[case]]\nhook = \"on-publish\"\n";

const RECORDING: &str = r#"{"hookwire_recording":1,"plugin":"policy","sha256":"00","generation":1,"began_at_ms":1,"secrets":false}
{"at_ms":1,"took_us":1,"hook":"on-publish","question":{"message":{"source":{"client":1},"topic":"a","payload":"x","qos":0,"retain":false}},"answer":{"answer":"drop"}}
"#;

/// Runs a command whose output goes into a pipe that nobody reads: its exit code, and what it says beside its output.
fn unread(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(hookwire());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let (reader, writer) = pipe().expect("a pipe can be made");
    drop(reader);
    let output = command.stdout(writer).output().expect("hookwire can be run");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[track_caller]
fn ends_silently(folder: &Path, arguments: &[&str]) {
    let ended = unread(folder, arguments);
    assert_eq!(ended, (Some(CUT_SHORT), String::new()), "{arguments:?}");
}

/// What plugins are written with.
#[test]
fn an_authors_commands_end_without_a_word() {
    let policy = guest("policy").display().to_string();
    let setup = Setup::new(&plugin("policy", &policy, "", "stamp = \"s\""))
        .file("cases.toml", CASES)
        .file("recording", RECORDING);
    for arguments in [
        ["check", "hookwire.toml"].as_slice(),
        &["plugin", "new", "fresh"],
        &["plugin", "vendor", "fresh"],
        &["plugin", "inspect", &policy],
        &["plugin", "inspect", "--json", &policy],
        &["plugin", "check", &policy],
        &["plugin", "check", &policy, "--config", "hookwire.toml"],
        &["plugin", "diff", &policy, &policy],
        &["plugin", "test", &policy, "cases.toml"],
        &[
            "plugin",
            "replay",
            &policy,
            "recording",
            "--config",
            "hookwire.toml",
        ],
        &["plugin", "bench", &policy, "cases.toml", "--seconds", "0.01"],
    ] {
        ends_silently(setup.folder(), arguments);
    }
}

#[test]
fn the_commands_of_a_store_end_without_a_word() {
    let mut broker = Broker::start("data_dir = \"data\"\n");
    Client::connect(&broker, v5("lamp")).retain("state", "on");
    broker.kill();
    for command in ["check", "export", "compact"] {
        ends_silently(broker.folder(), &["store", command, "data"]);
    }
}

#[test]
fn an_administrators_commands_end_without_a_word() {
    let policy = plugin("policy", guest("policy"), "", "stamp = \"s\"");
    let broker = Broker::start(&format!("{ADMIN}{policy}"));
    let _lamp = Client::connect(&broker, v5("lamp"));
    let admin = broker.admin_address().to_string();
    for arguments in [
        ["plugin", "list"].as_slice(),
        &["plugin", "list", "--json"],
        &["plugin", "show", "policy"],
        &["plugin", "control", "policy", "\"stamp\""],
        &["clients"],
        &["clients", "show", "lamp"],
        &["reload"],
    ] {
        ends_silently(broker.folder(), &[arguments, &["--admin", &admin]].concat());
    }
}

/// Those that go on until somebody ends them notice with the next line.
#[test]
fn watching_ends_when_nobody_reads_any_more() {
    let broker = Broker::start(ADMIN);
    let mut explain = Command::new(hookwire())
        .args(["explain", "--topic", "#", "--admin"])
        .arg(broker.admin_address().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("hookwire can be run");
    drop(explain.stdout.take());
    let said = BufReader::new(explain.stderr.take().expect("it is piped"))
        .lines()
        .next();
    assert!(said.is_some_and(|said| said.is_ok_and(|said| said.contains("watching"))));
    let mut lamp = Client::connect(&broker, v5("lamp"));
    lamp.publish("a", "x", QoS::AtLeastOnce);
    let ended = explain.wait().expect("its own child can be waited for");
    assert_eq!(ended.code(), Some(CUT_SHORT));
}

/// A command that fails says so by its exit code, even if nobody hears the reason.
#[test]
fn an_error_that_nobody_hears_is_one() {
    let (reader, writer) = pipe().expect("a pipe can be made");
    drop(reader);
    let failed = Command::new(hookwire())
        .args(["check", "nothing.toml"])
        .stderr(writer)
        .status();
    assert_eq!(failed.expect("hookwire can be run").code(), Some(1));
}

/// What reads the log of a broker may end as well. The broker goes on.
#[test]
fn a_broker_whose_log_nobody_reads_goes_on() {
    let broker = Broker::start(&format!("log = \"debug\"\n{ADMIN}"));
    let admin = broker.admin_address().to_string();
    broker.log().stop();
    let reload = || Setup::run(&["reload", "--admin", &admin]);
    for receive_maximum in [1, 2] {
        broker.edit_config(&format!(
            "log = \"debug\"\n{ADMIN}[limits]\nreceive_maximum = {receive_maximum}\n"
        ));
        assert!(reload().success);
    }
    assert!(broker.log().wait_end(), "the pipe is closed");
    let mut panel = Client::connect(&broker, v5("panel"));
    panel.subscribe("#", QoS::AtLeastOnce);
    for turn in 0..3 {
        let told = reload();
        assert!(told.success, "reload {turn}: {}", told.text);
        let mut lamp = Client::connect(&broker, v5("lamp"));
        lamp.publish("a", "x", QoS::AtLeastOnce);
        assert_eq!(panel.receive().payload, "x");
        lamp.lose();
    }
    broker.terminate();
    assert!(broker.wait_exit().success());
}
