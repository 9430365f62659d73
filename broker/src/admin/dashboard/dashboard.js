// What the broker says of itself, asked for every two seconds. Names and errors come from clients and plugins: they are only ever
// put into the page as text.
"use strict";

const PAUSE_MS = 2000;
const STATES = { active: "good", shadow: "good", loading: "odd", degraded: "odd", "circuit-open": "bad", failed: "bad" };

const at = (id) => document.getElementById(id);
let before = null;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function within(parent, ...children) {
  parent.append(...children);
  return parent;
}

async function ask(path) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const reply = await fetch(path, { headers });
  if (reply.status === 401) throw new Stranger();
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply;
}

class Stranger extends Error {}

// The sums of all series of each family of the Prometheus text format.
function sums(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const name = line.match(/^\w+/)[0];
    found.set(name, (found.get(name) ?? 0) + Number(line.slice(line.lastIndexOf(" "))));
  }
  return found;
}

const count = (number) => Math.round(number).toLocaleString("en");

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const unit = Math.min(Math.floor(Math.log2(Math.max(number, 1)) / 10), units.length - 1);
  return `${(number / 1024 ** unit).toFixed(unit && number / 1024 ** unit < 100 ? 1 : 0)} ${units[unit]}`;
}

function time(ns) {
  if (ns === null) return "–";
  const [size, unit] = ns < 1e3 ? [1, "ns"] : ns < 1e6 ? [1e3, "µs"] : ns < 1e9 ? [1e6, "ms"] : [1e9, "s"];
  return `≤ ${Number((ns / size).toPrecision(2))} ${unit}`;
}

function span(seconds) {
  const [size, unit] = seconds < 120 ? [1, "s"] : seconds < 7200 ? [60, "min"] : seconds < 172800 ? [3600, "h"] : [86400, "d"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function quantile(histogram, part) {
  let seen = 0;
  const found = histogram.buckets.find((bucket) => (seen += bucket.count) >= histogram.count * part);
  return found ? found.up_to : null;
}

// How much a counter has grown in a second since the last look; nothing before there were two, or when it began anew.
function rate(now, then, seconds) {
  return then === undefined || now < then ? "–" : count((now - then) / seconds);
}

function counted(counts) {
  const parts = Object.entries(counts).filter(([, number]) => number > 0);
  return parts.map(([name, number]) => `${name} ${count(number)}`).join(", ");
}

function figures(look, seconds) {
  const of = (name) => look.sums.get(name) ?? 0;
  const each = (name) => rate(of(name), before?.sums.get(name), seconds);
  const rows = [
    ["connected clients", count(of("hookwire_clients_connected"))],
    ["sessions", count(of("hookwire_sessions"))],
    ["subscriptions", count(of("hookwire_subscriptions"))],
    ["messages in, a second", each("hookwire_publishes_received_total")],
    ["messages out, a second", each("hookwire_publishes_sent_total")],
    ["messages dropped", count(of("hookwire_publishes_dropped_total"))],
    ["retained", count(of("hookwire_retained_messages"))],
    ["queued", count(of("hookwire_queued_messages"))],
    ["memory", bytes(of("hookwire_memory_bytes"))],
    ["up for", span(of("hookwire_uptime_seconds"))],
  ];
  const made = rows.map(([name, value]) => within(element("div"), element("dt", name), element("dd", value)));
  at("figures").replaceChildren(...made);
}

function hookRow(hook, then, seconds) {
  const failures = counted(hook.failures);
  const cells = [
    element("td", hook.hook),
    element("td", count(hook.messages)),
    element("td", rate(hook.messages, then?.messages, seconds)),
    element("td", time(quantile(hook.run_ns, 0.5))),
    element("td", time(quantile(hook.run_ns, 0.99))),
    element("td", hook.circuit, hook.circuit === "closed" ? "" : "bad"),
    element("td", counted(hook.verdicts) || "–"),
    element("td", failures || "–", failures ? "bad" : ""),
  ];
  return within(element("tr"), ...cells);
}

function hookTable(stats, then, seconds) {
  const names = ["hook", "questions", "a second", "a call, p50", "p99", "circuit", "answers", "failures"];
  const head = within(element("tr"), ...names.map((name) => element("th", name)));
  const rows = stats.hooks.map((hook) => {
    const last = then?.hooks.find((other) => other.hook === hook.hook);
    return hookRow(hook, last, seconds);
  });
  return within(element("table"), head, ...rows);
}

function card(plugin, then, seconds) {
  const { stats } = plugin;
  const title = within(element("header"), element("strong", plugin.name), element("span", plugin.state, STATES[plugin.state]));
  const made = within(element("article"), title);
  if (stats) {
    const { live, discarded, memory_bytes_peak: peak } = stats.instances;
    const parts = [plugin.source, stats.version && `version ${stats.version}`, `sha256 ${stats.sha256.slice(0, 12)}`,
      `generation ${stats.generation}`, `instances ${live}, ${count(discarded)} discarded`, `${bytes(peak)} at most in one`];
    title.append(element("span", parts.filter(Boolean).join(" · "), "faint"));
    made.append(hookTable(stats, then, seconds));
  }
  for (const error of [plugin.error, stats?.degraded, stats?.last_error]) {
    if (error) made.append(element("p", error, "bad"));
  }
  return made;
}

function show(look) {
  const seconds = before ? (look.at - before.at) / 1000 : 1;
  const last = new Map(before?.plugins.plugins.map((plugin) => [plugin.name, plugin.stats]));
  figures(look, seconds);
  at("version").textContent = look.health.version ?? "";
  at("health").textContent = look.health.status;
  at("health").className = look.health.status === "ok" ? "good" : "bad";
  at("generation").textContent = `policy generation ${look.plugins.generation}`;
  at("problems").replaceChildren(...(look.health.problems ?? []).map((problem) => element("li", problem)));
  const cards = look.plugins.plugins.map((plugin) => card(plugin, last.get(plugin.name), seconds));
  at("plugins").replaceChildren(...(cards.length ? cards : [element("p", "none", "faint")]));
  before = look;
}

async function look() {
  const [health, plugins, metrics] = await Promise.all(["health", "v1/plugins", "metrics"].map(ask));
  show({ at: Date.now(), health: await health.json(), plugins: await plugins.json(), sums: sums(await metrics.text()) });
}

async function watch() {
  let isStranger = false;
  try {
    await look();
  } catch (error) {
    isStranger = error instanceof Stranger;
    at("health").textContent = isStranger ? "a token is needed" : `the broker does not answer: ${error.message}`;
    at("health").className = "bad";
  }
  at("token").hidden = !isStranger;
  at("shown").hidden = isStranger;
  if (!isStranger) setTimeout(watch, PAUSE_MS);
}

at("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", new FormData(event.target).get("token"));
  event.target.reset();
  watch();
});
watch();
