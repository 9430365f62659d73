// Turns what devices of different makers send into one form: each reading under the same topic scheme, with the same
// field names and units, whatever firmware it came from.

import { log } from 'hookwire:plugin/log@0.1.0';
import { matches, validFilter, validName } from 'hookwire:plugin/topics@0.1.0';

const ON_ERROR = ['reject', 'drop', 'pass'];
const NOTHING = { topics: [], payload: false, properties: false };

let mappings = [];

export const lifecycle = {
  configure(config) {
    const problems = [];
    const read = readConfig(JSON.parse(config), (path, message) => problems.push({ path, message }));
    if (problems.length > 0) {
      // What a JavaScript component throws with a payload is the error of the function's result.
      throw Object.assign(new Error('configuration refused'), { payload: problems });
    }
    mappings = read;
    return {
      onPublish: { topics: mappings.map((mapping) => mapping.topics), payload: true, properties: false },
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
    const mapping = mappings.find((mapping) => matches(mapping.topics, message.topic));
    if (mapping === undefined) return { tag: 'pass' };
    try {
      return { tag: 'replace', val: normalized(mapping, message) };
    } catch (error) {
      return refused(mapping, message.topic, error.message);
    }
  },
};

function normalized(mapping, message) {
  const original = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(message.payload));
  const reading = { ...mapping.add };
  for (const field of mapping.fields) {
    const value = at(original, field.from);
    if (value === undefined) {
      if (field.required) throw new Error(`no ${field.from.join('.')}`);
      continue;
    }
    reading[field.name] = converted(field, value);
  }
  const topic = mapping.to === undefined ? undefined : topicOf(mapping.to, message.topic);
  return { topic, payload: new TextEncoder().encode(JSON.stringify(reading)) };
}

function at(value, path) {
  for (const name of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function converted(field, value) {
  if (field.scale === undefined && field.offset === undefined) return value;
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new Error(`${field.from.join('.')} is no number`);
  }
  // Twelve digits are more than sensors have, and keep 0.1 + 0.2 from showing.
  return Number((number * (field.scale ?? 1) + (field.offset ?? 0)).toPrecision(12));
}

function topicOf(template, topic) {
  const levels = topic.split('/');
  const name = template.replace(/\{(\d+)\}/g, (_, place) => {
    const level = levels[Number(place) - 1];
    if (level === undefined) throw new Error(`the topic has no level ${place}`);
    return level;
  });
  if (!validName(name)) throw new Error(`${name} is no topic name`);
  return name;
}

function refused(mapping, topic, why) {
  log('info', `${topic}: ${why}`);
  switch (mapping.onError) {
    case 'pass':
      return { tag: 'pass' };
    case 'drop':
      return { tag: 'drop' };
    default:
      return { tag: 'reject', val: { reason: 'payload-format-invalid', text: why } };
  }
}

// The configuration, read strictly: what is not known is a fault, and every fault is told with its place.

function readConfig(table, problem) {
  onlyKnown(table, ['mappings'], '', problem);
  if (!Array.isArray(table.mappings) || table.mappings.length === 0) {
    problem('mappings', 'expected a list of at least one mapping');
    return [];
  }
  return table.mappings.map((mapping, place) => readMapping(mapping, `mappings.${place}`, problem));
}

function readMapping(mapping, path, problem) {
  if (!isTable(mapping)) {
    problem(path, 'expected a table');
    return {};
  }
  onlyKnown(mapping, ['topics', 'to', 'fields', 'add', 'on_error'], `${path}.`, problem);
  if (typeof mapping.topics !== 'string' || !validFilter(mapping.topics)) {
    problem(`${path}.topics`, 'expected a topic filter');
  }
  if (mapping.to !== undefined && (typeof mapping.to !== 'string' || !validName(mapping.to))) {
    problem(`${path}.to`, 'expected a topic name; {1} stands for the first level of the original topic');
  }
  if (mapping.add !== undefined && !isTable(mapping.add)) problem(`${path}.add`, 'expected a table');
  const onError = mapping.on_error ?? 'reject';
  if (!ON_ERROR.includes(onError)) problem(`${path}.on_error`, `expected one of ${ON_ERROR.join(', ')}`);
  return {
    topics: mapping.topics,
    to: mapping.to,
    add: mapping.add ?? {},
    onError,
    fields: readFields(mapping.fields, `${path}.fields`, problem),
  };
}

function readFields(fields, path, problem) {
  if (!isTable(fields) || Object.keys(fields).length === 0) {
    problem(path, 'expected a table with at least one field');
    return [];
  }
  return Object.entries(fields).map(([name, field]) => readField(name, field, `${path}.${name}`, problem));
}

function readField(name, field, path, problem) {
  const table = typeof field === 'string' ? { from: field } : field;
  if (!isTable(table) || typeof table.from !== 'string' || table.from === '') {
    problem(path, 'expected the path of a field, or a table with from');
    return {};
  }
  onlyKnown(table, ['from', 'scale', 'offset', 'required'], `${path}.`, problem);
  for (const key of ['scale', 'offset']) {
    if (table[key] !== undefined && typeof table[key] !== 'number') problem(`${path}.${key}`, 'expected a number');
  }
  if (table.required !== undefined && typeof table.required !== 'boolean') {
    problem(`${path}.required`, 'expected true or false');
  }
  return {
    name,
    from: table.from.split('.'),
    scale: table.scale,
    offset: table.offset,
    required: table.required ?? true,
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
