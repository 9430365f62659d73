use std::path::Path;

use super::super::{Config, ConfigError};
use super::{BUNDLED, Folder, parse};

/// Everything that is wrong with a text, one problem a line.
fn complaints(text: &str) -> Vec<String> {
    parse(text)
        .unwrap_err()
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect()
}

const TOP: &str = "secrets, log, sys_interval, data_dir, shutdown_timeout, store, limits, listener, session, takeover, ban, flapping, \
     redirect, authorization, admin, plugins, plugin";
const PLUGIN: &str = "name, optional, path, bundled, sha256, mode, topics, may, on_failure, deadline, deadline_slow, memory, \
                      instances, instances_slow, async, breaker, grant, config";

/// What a plugin needs, in three lines, so that what is wrong stands on line 4.
fn plugin(line: &str) -> String {
    format!("[[plugin]]\nname = \"a\"\nbundled = \"acl\"\n{line}\n")
}

/// The same for a listener.
fn listener(line: &str) -> String {
    format!("[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:1\"\n{line}\n")
}

fn limits(line: &str) -> String {
    format!("[limits]\n{line}\n")
}

/// One problem, in these words.
#[track_caller]
fn refused(text: impl AsRef<str>, expected: impl AsRef<str>) {
    assert_eq!(
        complaints(text.as_ref()),
        [format!("hookwire.toml:{}", expected.as_ref())],
        "{}",
        text.as_ref()
    );
}

#[test]
fn unknown_keys() {
    refused(
        "lgo = 1",
        format!("1: lgo: unknown key, did you mean log? (allowed here: {TOP})"),
    );
    refused(
        "\n\"a b\" = 1",
        format!("2: \"a b\": unknown key (allowed here: {TOP})"),
    );
    refused(
        "[server]\nx = 1",
        format!("1: server: unknown key (allowed here: {TOP})"),
    );
    refused(
        "[takeover]\nwindows = \"1s\"",
        "2: takeover.windows: unknown key, did you mean window? \
             (allowed here: fight_after, window, backoff, backoff_max)",
    );
    refused(
        listener("adress = \"\""),
        "4: listener.0.adress: unknown key, did you mean address? \
             (allowed here: name, address, allow_anonymous, connections_max)",
    );
    refused(
        plugin("sha265 = \"\""),
        format!("4: plugin.0.sha265: unknown key, did you mean sha256? (allowed here: {PLUGIN})"),
    );
    refused(
        plugin("grant = { files = true }"),
        "4: plugin.0.grant.files: unknown key (allowed here: clients, publish, retained, kv, secrets, password, \
         rate_limit, metrics, random, http)",
    );
    refused(
        plugin("grant.http = { hosts = [\"http://h\"], follow = true }"),
        "4: plugin.0.grant.http.follow: unknown key \
             (allowed here: hosts, timeout, concurrent_max, response_bytes_max, private, ca_file)",
    );
    refused(
        plugin("grant.kv = { bytes = 4096, lasting = true }"),
        "4: plugin.0.grant.kv.lasting: unknown key (allowed here: bytes, durable)",
    );
}

#[test]
fn secrets() {
    refused("secrets = 1", "1: secrets: expected a table, found 1");
    refused(
        "[secrets]\n\"a b\" = \"x\"",
        r#"2: secrets."a b": the name of a secret has letters, digits, "-", "_" and ".""#,
    );
    refused("[secrets]\na = \"\"", "2: secrets.a: the secret is empty");
    for wrong in [
        "5",
        "{ path = \"x\" }",
        "{ file = \"x\", env = \"y\" }",
        "[\"hidden\"]",
    ] {
        refused(
            format!("[secrets]\na = {wrong}"),
            "2: secrets.a: expected { file = \"…\" }, { env = \"…\" } or a text",
        );
    }
    refused(
        "[secrets]\na = { env = \"NO_SUCH_VARIABLE_HERE\" }",
        "2: secrets.a.env: there is no environment variable \"NO_SUCH_VARIABLE_HERE\" with a text in it",
    );
    refused(
        "[secrets]\na = { file = \"none.key\" }",
        "2: secrets.a.file: cannot read \"none.key\": No such file or directory (os error 2)",
    );
    refused(
        plugin("grant.secrets = [\"a\"]"),
        "4: plugin.0.grant.secrets.0: there is no secret \"a\" in [secrets]",
    );
    // One mistake, one complaint.
    refused(
        format!("{}[secrets]\na = \"\"", plugin("grant.secrets = [\"a\"]")),
        "6: secrets.a: the secret is empty",
    );
}

#[test]
fn grants() {
    refused(
        plugin("grant.retained = true"),
        "4: plugin.0.grant.retained: expected an array of topic filters, or { read = […], write = […] }, \
         found a boolean",
    );
    refused(
        plugin("grant.retained = { reads = [\"a\"] }"),
        "4: plugin.0.grant.retained.reads: unknown key, did you mean read? (allowed here: read, write)",
    );
    refused(
        plugin("grant.rate_limit = { keys = 0 }"),
        "4: plugin.0.grant.rate_limit.keys: expected a whole number from 1 to 10000000, found 0",
    );
    refused(
        plugin("grant.rate_limit = {}"),
        "4: plugin.0.grant.rate_limit: keys is missing",
    );
}

#[test]
fn other_types() {
    refused(
        "log = 3",
        r#"1: log: expected a log filter such as "info" or "info,hookwire=debug", found 3"#,
    );
    refused("limits = 5", "1: limits: expected a table, found 5");
    refused(
        "[listener]\nname = \"a\"",
        "1: listener: expected an array of tables, each written [[listener]], found a table",
    );
    refused(
        "[plugin.config]",
        "1: plugin: expected an array of tables, each written [[plugin]], found a table",
    );
    refused("plugin = [1]", "1: plugin.0: expected a table, found 1");
    refused(
        "listener = []",
        "1: listener: expected an array of tables, each written [[listener]], found an empty array",
    );
    refused(
        limits("packet_bytes_max = true"),
        r#"2: limits.packet_bytes_max: expected a size such as "1MiB", found a boolean"#,
    );
    refused(
        limits("connect_timeout = 10"),
        r#"2: limits.connect_timeout: expected a duration such as "10s", found 10"#,
    );
    refused(
        limits("filters_max = 1.5"),
        "2: limits.filters_max: expected a whole number from 1 to 65535, found 1.5",
    );
    refused(
        listener("allow_anonymous = \"yes\""),
        r#"4: listener.0.allow_anonymous: expected true or false, found "yes""#,
    );
    refused(
        plugin("config = 2020-01-01"),
        "4: plugin.0.config: expected a table, found a date or time",
    );
    refused(
        plugin("grant = [\"clients\"]"),
        "4: plugin.0.grant: expected a table, found an array",
    );
}

#[test]
fn durations_sizes_and_numbers() {
    refused(
        limits("write_timeout = \"10 parsecs\""),
        r#"2: limits.write_timeout: expected a duration such as "10s", found "10 parsecs""#,
    );
    refused(
        limits("connect_timeout = \"0s\""),
        r#"2: limits.connect_timeout: expected a duration from "100ms" to "10m", found "0s""#,
    );
    refused(
        limits("keep_alive_max = \"1d\""),
        r#"2: limits.keep_alive_max: expected a duration from "0s" to "65535s", found "1d""#,
    );
    refused(
        limits("keep_alive_max = \"1500ms\""),
        r#"2: limits.keep_alive_max: expected a duration of whole seconds, found "1500ms""#,
    );
    refused(
        limits("packet_bytes_max = \"1Mib\""),
        r#"2: limits.packet_bytes_max: expected a size such as "1MiB", found "1Mib""#,
    );
    refused(
        limits("packet_bytes_max = 0"),
        r#"2: limits.packet_bytes_max: expected a size from "1KiB" to "256MiB", found 0"#,
    );
    refused(
        limits("packet_bytes_max = \"1GiB\""),
        r#"2: limits.packet_bytes_max: expected a size from "1KiB" to "256MiB", found "1GiB""#,
    );
    refused(
        limits("connections_max = 0"),
        "2: limits.connections_max: expected a whole number from 1 to 10000000, found 0",
    );
    refused(
        limits("receive_maximum = 65_536"),
        "2: limits.receive_maximum: expected a whole number from 1 to 65535, found 65536",
    );
    refused(
        limits("filters_max = -1"),
        "2: limits.filters_max: expected a whole number from 1 to 65535, found -1",
    );
    refused(
        limits("qos_max = 3"),
        "2: limits.qos_max: expected a whole number from 0 to 2, found 3",
    );
    refused(
        limits("packet_bytes_max = \"10MiB\""),
        r#"2: limits.packet_bytes_max: outbox_bytes_max ("8MiB") must not be less than packet_bytes_max ("10MiB")"#,
    );
    refused(
        limits("outbox_bytes_max = \"500kB\""),
        r#"2: limits.outbox_bytes_max: outbox_bytes_max ("500kB") must not be less than packet_bytes_max ("1MiB")"#,
    );
    refused(
        "[takeover]\nbackoff = \"1m\"",
        r#"2: takeover.backoff: backoff_max ("30s") must not be less than backoff ("1m")"#,
    );
    refused(
        plugin("deadline = \"2m\""),
        r#"4: plugin.0.deadline: expected a duration from "1ms" to "1m", found "2m""#,
    );
    refused(
        plugin("memory = \"4KiB\""),
        r#"4: plugin.0.memory: expected a size from "64KiB" to "4GiB", found "4KiB""#,
    );
    refused(
        plugin("mode = \"watch\""),
        "4: plugin.0.mode: expected \"enforce\" or \"shadow\", found \"watch\"",
    );
    refused(
        plugin("breaker = { failures = 1001 }"),
        "4: plugin.0.breaker.failures: expected a whole number from 0 to 1000, found 1001",
    );
    refused(
        plugin("breaker = { retry_after = \"2m\" }"),
        "4: plugin.0.breaker.retry_after: retry_after_max (\"1m\") must not be less than retry_after (\"2m\")",
    );
    refused(
        "[plugins]\ncompile = \"no\"",
        "2: plugins.compile: expected \"child\" or \"thread\", found \"no\"",
    );
    refused(
        plugin("instances = 0"),
        "4: plugin.0.instances: expected a whole number from 1 to 1024, found 0",
    );
}

#[test]
fn words() {
    refused(
        "[session]\nqueue_overflow = \"drop\"",
        r#"2: session.queue_overflow: expected "drop-oldest", "drop-newest" or "reject-publisher", found "drop""#,
    );
    refused(
        "[authorization]\ndefault = true",
        r#"2: authorization.default: expected "allow" or "deny", found a boolean"#,
    );
    refused(
        plugin("may = \"modify\""),
        r#"4: plugin.0.may: expected an array of words such as ["refuse", "modify"], found "modify""#,
    );
    refused(
        plugin("may = [\"modify\", \"replace\"]"),
        r#"4: plugin.0.may.1: expected "admit", "allow", "refuse", "redirect", "disconnect", "modify", "rewrite", "drop", "route" or "delay", found "replace""#,
    );
    refused(
        plugin("on_failure = \"ignore\""),
        r#"4: plugin.0.on_failure: expected "deny", "pass" or "disconnect", found "ignore""#,
    );
    refused(
        plugin("on_failure = { on-publish = \"ignore\" }"),
        r#"4: plugin.0.on_failure.on-publish: expected "deny", "pass" or "disconnect", found "ignore""#,
    );
    refused(
        plugin("on_failure = { publish = \"deny\" }"),
        "4: plugin.0.on_failure.publish: unknown key (allowed here: authenticate, authenticate-enhanced, authorize, \
         on-subscribe, on-unsubscribe, on-publish, route, deliver, on-will, events)",
    );
    refused(
        "log = \"a=b=c\"",
        r#"1: log: expected a log filter such as "info" or "info,hookwire=debug", found "a=b=c""#,
    );
    refused("data_dir = \"\"", r#"1: data_dir: expected a path, found """#);
    refused(
        "[ban]\naddresses = [\"10.0.0.0/8\", \"everywhere\"]",
        r#"2: ban.addresses.1: expected an IP address or a network such as "10.0.0.0/8", found "everywhere""#,
    );
    refused(
        "[ban]\nusernames = [\"\"]",
        r#"2: ban.usernames.0: expected a user name, found """#,
    );
}

#[test]
fn listeners() {
    refused("[[listener]]\nname = \"a\"", "1: listener.0: address is missing");
    refused(
        "[[listener]]\naddress = \"[::1]:1\"",
        "1: listener.0: name is missing",
    );
    refused(
        "[[listener]]\nname = \"a\"\naddress = \"localhost:1883\"",
        r#"3: listener.0.address: expected an IP address and port such as "127.0.0.1:1883" or "[::]:1883", found "localhost:1883""#,
    );
    refused(
        "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:65536\"",
        r#"3: listener.0.address: expected an IP address and port such as "127.0.0.1:1883" or "[::]:1883", found "127.0.0.1:65536""#,
    );
    refused(
        listener("[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:2\""),
        r#"5: listener.1.name: "a" is taken by line 2"#,
    );
    refused(
        listener("[[listener]]\nname = \"b\"\naddress = \"127.0.0.1:1\""),
        "6: listener.1.address: 127.0.0.1:1 is taken by line 3",
    );
    refused(
        listener("[admin]\naddress = \"127.0.0.1:1\""),
        "5: admin.address: 127.0.0.1:1 is taken by line 3",
    );
}

#[test]
fn plugins() {
    refused("[[plugin]]\nbundled = \"acl\"", "1: plugin.0: name is missing");
    refused(
        "[[plugin]]\nname = \"a\\u001b[31m\"\nbundled = \"acl\"",
        r#"2: plugin.0.name: expected a name of 1 to 64 letters, digits, "-", "_" and ".", found "a\u{1b}[31m""#,
    );
    refused(
        plugin("[[plugin]]\nname = \"a\"\nbundled = \"acl\""),
        r#"5: plugin.1.name: "a" is taken by line 2"#,
    );
    refused(
        "[[plugin]]\nname = \"a\"",
        "1: plugin.0: expected path or bundled, found neither",
    );
    refused(
        plugin("path = \"x.wasm\""),
        "3: plugin.0.bundled: expected either path or bundled, found both",
    );
    refused(
        "[[plugin]]\nname = \"a\"\nbundled = \"acls\"",
        r#"3: plugin.0.bundled: expected the name of a bundled plugin ("acl", "password-file", "scram", "content-router" or "will-guard"), found "acls""#,
    );
    refused(
        "[[plugin]]\nname = \"a\"\npath = \"no/such.wasm\"",
        r#"3: plugin.0.path: cannot read "no/such.wasm": No such file or directory (os error 2)"#,
    );
    refused(
        "[[plugin]]\nname = \"a\"\npath = \"/\"",
        r#"3: plugin.0.path: cannot read "/": not a file"#,
    );
    refused(
        plugin("sha256 = \"abc\""),
        r#"4: plugin.0.sha256: expected 64 hexadecimal digits, found "abc""#,
    );
    refused(
        plugin(&format!("sha256 = \"{}g\"", "0".repeat(63))),
        format!(
            "4: plugin.0.sha256: expected 64 hexadecimal digits, found \"{}\"…",
            "0".repeat(60)
        ),
    );
    refused(
        plugin("topics = \"a/#\""),
        r#"4: plugin.0.topics: expected an array of topic filters, found "a/#""#,
    );
    refused(
        plugin("topics = []"),
        "4: plugin.0.topics: expected an array of topic filters, found an empty array",
    );
    refused(
        plugin("topics = [\n  \"a\",\n  5,\n]"),
        r#"6: plugin.0.topics.1: expected a topic filter such as "factory/#", found 5"#,
    );
    refused(
        plugin("topics = [\"$share/g/a\"]"),
        r#"4: plugin.0.topics.0: expected a topic filter such as "factory/#" without $share, found "$share/g/a""#,
    );
    refused(plugin("grant.kv = {}"), "4: plugin.0.grant.kv: bytes is missing");
    refused(
        plugin("grant.http = {}"),
        "4: plugin.0.grant.http: hosts is missing",
    );
    refused(
        plugin("grant.http = [\"auth.example.com\"]"),
        r#"4: plugin.0.grant.http.0: expected a server such as "https://auth.example.com": it has no scheme: https://…"#,
    );
    refused(
        plugin("grant.http = { hosts = [\"http://h\"], ca_file = \"no-such.pem\" }"),
        r#"4: plugin.0.grant.http.ca_file: cannot read "no-such.pem": No such file or directory (os error 2)"#,
    );
    refused(
        plugin("[plugin.config]\nrules = { file = \"no-such.txt\" }"),
        r#"5: plugin.0.config.rules.file: cannot read "no-such.txt": No such file or directory (os error 2)"#,
    );
    refused(
        plugin("config.a = [{ file = 5 }]"),
        "4: plugin.0.config.a.0.file: expected the path of a file, found 5",
    );
    refused(
        plugin("config.a = inf"),
        "4: plugin.0.config.a: expected a number that JSON has (neither inf nor nan), found inf",
    );
    refused(
        plugin("config.a = 99999999999999999999"),
        "4: plugin.0.config.a: expected a number of 64 bits, found 99999999999999999999",
    );
}

/// The column says where, since no key can.
#[test]
fn no_toml() {
    refused("log = \"info\"\n[limits\n", "2:8: unclosed table, expected `]`");
    refused(
        "connect = 10s",
        "1:11: string values must be quoted, expected literal string",
    );
    refused("log = \"a\"\nlog = \"b\"", "2:1: duplicate key");
}

/// What exactly is wrong with a filter is said in the words of the crate that knows.
#[test]
fn filters() {
    for (place, text) in [
        ("topics.1", plugin("topics = [\"a\", \"b#\"]")),
        ("grant.publish.0", plugin("grant.publish = [\"b#\"]")),
    ] {
        let found = complaints(&text);
        let start = format!(
            "hookwire.toml:4: plugin.0.{place}: expected a topic filter such as \"factory/#\", found \"b#\": "
        );
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].starts_with(&start), "{}", found[0]);
    }
}

#[test]
fn all_problems_at_once_in_the_order_of_the_lines() {
    let text = r#"
[[plugin]]
name = "a"
topics = ["ok", "+x/b"]
memory = -1
config = { x = nan }

[limits]
zzz = 1
packet_bytes_max = []

[[listener]]
name = "l"
address = "here"
"#;
    let found: Vec<_> = parse(text)
        .unwrap_err()
        .problems
        .into_iter()
        .map(|p| (p.line.unwrap(), p.key))
        .collect();
    let expected = [
        (2, "plugin.0"),
        (4, "plugin.0.topics.1"),
        (5, "plugin.0.memory"),
        (6, "plugin.0.config.x"),
        (9, "limits.zzz"),
        (10, "limits.packet_bytes_max"),
        (14, "listener.0.address"),
    ];
    assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn columns_count_characters() {
    let error = parse("limits = { \"ä\" = 1, qos_max = 9 }").unwrap_err();
    let columns: Vec<_> = error
        .problems
        .iter()
        .map(|problem| problem.column.unwrap())
        .collect();
    assert_eq!(columns, [12, 31]);
}

#[test]
fn one_mistake_repeated_is_cut_short() {
    let text: String = (0..5000).map(|n| format!("key{n} = 1\n")).collect();
    let found = complaints(&text);
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], "hookwire.toml: 4900 more problems");
}

#[test]
fn nothing_is_deep_enough_to_overflow_a_stack() {
    // Dotted keys within tables within dotted keys: the deepest that toml itself lets through.
    let dotted = vec!["a"; 79].join(".");
    let text = format!(
        "[[plugin]]\nname = \"a\"\nbundled = \"acl\"\nconfig.b = {}1{}",
        format!("{{ {dotted} = ").repeat(77),
        "}".repeat(77)
    );
    let found = complaints(&text);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].ends_with(": nested deeper than 64 levels"),
        "{}",
        found[0]
    );

    let text = format!("a = {}", "[".repeat(100_000));
    assert_eq!(parse(&text).unwrap_err().problems[0].line, Some(1));
}

fn load(folder: &Folder) -> Result<Config, ConfigError> {
    Config::load(&folder.path("hookwire.toml"), BUNDLED)
}

fn load_message(folder: &Folder) -> String {
    let error = load(folder).unwrap_err();
    assert_eq!(error.problems.len(), 1);
    error.problems[0].message.clone()
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    assert_eq!(load_message(&folder), "No such file or directory (os error 2)");
    let folder = folder.with("hookwire.toml", "log = 'a'\n# ".to_owned() + &"x".repeat(4 << 20));
    assert_eq!(load_message(&folder), "larger than 4MiB");
    let folder = folder.with("hookwire.toml", b"log = 'info'\n# \xff");
    assert_eq!(load_message(&folder), "not UTF-8 text (line 2)");
    let folder = folder.with("hookwire.toml", "\n");
    assert_eq!(load_message(&folder), "the file is empty");
    let folder = folder.with("hookwire.toml", "log = 'info'\n");
    assert_eq!(load(&folder), Ok(Config::default()));
}

#[test]
fn included_files_have_bounds_too() {
    let folder = Folder::new()
        .with("large.txt", vec![b'x'; (16 << 20) + 1])
        .with("binary.txt", b"a\n\xff");
    let message = |name| {
        let error = folder
            .parse(&plugin(&format!("config.a.file = \"{name}\"")))
            .unwrap_err();
        error.problems[0].message.clone()
    };
    assert!(message("large.txt").ends_with("large.txt\": larger than 16MiB"));
    assert!(message("binary.txt").ends_with("binary.txt\": not UTF-8 text (line 2)"));
}

#[test]
fn without_a_file_name() {
    let error = Config::parse("[limits]\nqos_max = 3", None, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2: limits.qos_max: expected a whole number from 0 to 2, found 3"
    );
    let error = Config::load(Path::new("no-such.toml"), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no-such.toml: No such file or directory (os error 2)"
    );
}

const TOKEN: &str = "16 to 1024 printable ASCII characters without spaces";

#[test]
fn an_admin_endpoint_on_the_network_needs_a_token() {
    for address in ["0.0.0.0:1882", "[::]:1882", "192.0.2.1:1882"] {
        refused(
            format!("[admin]\naddress = \"{address}\""),
            "2: admin.address: can be reached from other machines, so it needs a token: add token = { file = \"…\" }, \
             or use a loopback address",
        );
        let token = "token = \"0123456789abcdef\"";
        assert!(parse(&format!("[admin]\naddress = \"{address}\"\n{token}")).is_ok());
    }
    for address in ["127.0.0.1:1882", "[::1]:1882", "[::ffff:127.0.0.1]:0"] {
        assert!(
            parse(&format!("[admin]\naddress = \"{address}\"")).is_ok(),
            "{address}"
        );
    }
}

/// Whatever is wrong with a token, it does not get into the log.
#[test]
fn tokens_that_are_none() {
    for token in ["\"hunter2\"", "\"hunter2 hunter2 hunter2\"", "\"\""] {
        refused(
            format!("[admin]\ntoken = {token}"),
            format!("2: admin.token: expected {TOKEN}"),
        );
    }
    refused(
        "[admin]\ntoken = 7",
        "2: admin.token: expected a token, or { file = \"…\" }",
    );
    let folder = Folder::new().with("token.txt", "short\n");
    let complaint = folder
        .parse("[admin]\ntoken = { file = \"token.txt\" }")
        .unwrap_err()
        .to_string();
    assert!(
        complaint.contains(&format!("admin.token: expected {TOKEN} in ")),
        "{complaint}"
    );
    let complaint = folder
        .parse("[admin]\ntoken = { file = \"none.txt\" }")
        .unwrap_err()
        .to_string();
    assert!(complaint.contains("admin.token: cannot read "), "{complaint}");
}

#[test]
fn a_token_is_not_shown() {
    let config = parse("[admin]\ntoken = \"0123456789abcdef\"").unwrap();
    assert!(!format!("{config:?}").contains("0123456789"));
}
