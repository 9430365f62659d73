// Keeps readings that no sensor can have measured away from everybody: out of range, or too far from the last one. What it
// does and how it is configured is that of the plugin of this name in Python, ../../in-python.
//
// The last good reading of each topic stands in the broker's key-value store, so that all instances of the plugin compare
// with the same one, and a reload forgets nothing.

import { nowMs } from 'hookwire:plugin/clock@0.1.0';
import * as kv from 'hookwire:plugin/kv@0.1.0';
import { log } from 'hookwire:plugin/log@0.1.0';
import { matches, validFilter } from 'hookwire:plugin/topics@0.1.0';

const VIOLATIONS = ['reject', 'drop', 'mark'];
const NOTHING = { topics: [], payload: false, properties: false };
const DAY_MS = 24n * 3600n * 1000n;

let rules = [];

export const lifecycle = {
  configure(config) {
    const problems = [];
    const read = readConfig(JSON.parse(config), (path, message) => problems.push({ path, message }));
    if (problems.length > 0) {
      // What a JavaScript component throws with a payload is the error of the function's result.
      throw Object.assign(new Error('configuration refused'), { payload: problems });
    }
    rules = read;
    return {
      onPublish: {
        topics: rules.map((rule) => rule.topics),
        payload: true,
        properties: rules.some((rule) => rule.onViolation === 'mark'),
      },
      route: NOTHING,
      deliver: NOTHING,
      authorize: {},
      events: {},
      tickMs: undefined,
    };
  },
  health() {},
  tick() {},
  stop() {},
};

export const onPublish = {
  onPublish(source, message) {
    const rule = rules.find((rule) => matches(rule.topics, message.topic));
    const fault = rule && faultOf(rule, message);
    if (!fault) return { tag: 'pass' };
    log('info', `${message.topic}: ${fault}`);
    switch (rule.onViolation) {
      case 'drop':
        return { tag: 'drop' };
      case 'mark':
        return { tag: 'replace', val: { properties: marked(message.properties, fault) } };
      default:
        return { tag: 'reject', val: { reason: 'payload-format-invalid', text: fault } };
    }
  },
};

// What is wrong with a reading; undefined when nothing is, and then it is the one to compare the next with.
function faultOf(rule, message) {
  const value = reading(rule.field, message.payload);
  if (value === undefined) return `no number at ${rule.field.join('.') || 'the payload'}`;
  if (value < rule.min || value > rule.max) {
    return `${value} is not within ${bound(rule.min)} to ${bound(rule.max)}`;
  }
  return rule.changePerSecondMax === Infinity ? undefined : leap(rule, message.topic, value);
}

function reading(field, payload) {
  let value;
  try {
    // A mark of the byte order is no JSON, so it is not to be passed over.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
  } catch {
    return undefined;
  }
  for (const name of field) {
    if (!isTable(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return Number.isFinite(value) ? value : undefined;
}

function bound(value) {
  return Number.isFinite(value) ? String(value) : value < 0 ? '-inf' : 'inf';
}

function leap(rule, topic, value) {
  const now = nowMs();
  const key = `last/${topic}`.slice(0, 1024);
  const last = kv.get(key);
  if (last !== undefined) {
    const view = new DataView(last.buffer, last.byteOffset, last.byteLength);
    const [then, before] = [view.getBigUint64(0, true), view.getFloat64(8, true)];
    // Readings may come at the same millisecond, and clocks may go back.
    const seconds = Math.max(Number(now - then), 1) / 1000;
    if (Math.abs(value - before) > rule.changePerSecondMax * Math.max(seconds, 1)) {
      return `${value} is too far from ${before}, ${seconds.toFixed(1)} s ago`;
    }
  }
  keep(topic, key, now, value);
  return undefined;
}

function keep(topic, key, now, value) {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, now, true);
  view.setFloat64(8, value, true);
  try {
    kv.put(key, new Uint8Array(view.buffer), DAY_MS);
  } catch (error) {
    log('warn', `the last reading of ${topic} cannot be kept: ${error.payload?.tag}`);
  }
}

function marked(properties, fault) {
  const kept = (properties?.userProperties ?? []).filter((entry) => entry.name !== 'fault');
  return { ...properties, userProperties: [...kept, { name: 'fault', value: fault }] };
}

// The configuration, read strictly: what is not known is a fault, and every fault is told with its place.

function readConfig(table, problem) {
  onlyKnown(table, ['rules'], '', problem);
  if (!Array.isArray(table.rules) || table.rules.length === 0) {
    problem('rules', 'expected a list of at least one rule');
    return [];
  }
  return table.rules.map((rule, place) => readRule(rule, `rules.${place}`, problem));
}

function readRule(rule, path, problem) {
  if (!isTable(rule)) {
    problem(path, 'expected a table');
    return {};
  }
  onlyKnown(rule, ['topics', 'field', 'min', 'max', 'change_per_second_max', 'on_violation'], `${path}.`, problem);
  if (typeof rule.topics !== 'string' || !validFilter(rule.topics)) {
    problem(`${path}.topics`, 'expected a topic filter');
  }
  const field = rule.field ?? '';
  if (typeof field !== 'string') problem(`${path}.field`, 'expected the names of fields, joined by dots');
  const onViolation = rule.on_violation ?? 'reject';
  if (!VIOLATIONS.includes(onViolation)) problem(`${path}.on_violation`, `expected one of ${VIOLATIONS.join(', ')}`);
  const number = (key, absent) => {
    const value = rule[key] ?? absent;
    if (typeof value !== 'number') problem(`${path}.${key}`, 'expected a number');
    return value;
  };
  const [min, max] = [number('min', -Infinity), number('max', Infinity)];
  if (min > max) problem(`${path}.min`, 'expected at most max');
  return {
    topics: rule.topics,
    field: String(field).split('.').filter((name) => name !== ''),
    min,
    max,
    changePerSecondMax: number('change_per_second_max', Infinity),
    onViolation,
  };
}

function onlyKnown(table, known, path, problem) {
  for (const key of Object.keys(table)) {
    if (!known.includes(key)) problem(`${path}${key}`, `unknown key, expected one of ${known.join(', ')}`);
  }
}

function isTable(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
