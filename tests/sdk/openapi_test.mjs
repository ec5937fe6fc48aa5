// GET /openapi.json is true and complete: an independent checker accepts it, it names every route that the server has and no
// other, and every reply here, good or bad, has a documented status and a body as its schema says.
// Usage: node openapi_test.mjs PATH-OF-PERENNIAL, with perennial-train beside it
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CALLS } from './openapi_calls.mjs';
import { eventually, Perennial } from './perennial.mjs';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];
// Answered when the disk does not keep up, and when the server stops: other tests see to these.
const OF_A_FAULT = new Set(['429', '503']);
const SHOP = ['--users', '300', '--months', '6', '--items', '100'];
const TINY_MODEL = ['--width', '16', '--heads', '2', '--members', '2', '--max-epochs', '1', '--batch-tokens', '256'];

let servers;
let api;          // the document
let operations;   // [{id, method, path, described}]
let schemas;      // a checker that knows the document's
let served;       // a recommendation's id
let refused;      // an action's, that could not be handed over
let webhook;      // that wants nothing
const answered = new Map(); // operation's id to the statuses that it gave

const ACTIONS = `
[actions.letter]
channel = "mail"
goal = "value"
worth = 10
expected_effect = 0.1
`;

before(async () => {
  webhook = createServer((_, response) => response.writeHead(410).end());
  await new Promise((done) => webhook.listen(0, '127.0.0.1', done));
  const fitted = await Perennial.start({
    settings: { ARBITER_WEBHOOK: `http://127.0.0.1:${webhook.address().port}/`, ARBITER_WEBHOOK_SECRET: 'a secret of the test' },
    prepare: (server) => {
      mkdirSync(server.data, { recursive: true });
      writeFileSync(`${server.data}/perennial.toml`, ACTIONS);
      server.run('simulate', 'shop', ...SHOP);
      const files = readdirSync(`${server.folder}/shop`).filter((name) => /^(events|items)/.test(name)).map((name) => `shop/${name}`);
      server.run('import', '--data', server.data, ...files);
      server.run('lifecycle', 'forecast', '--data', server.data, '--at', '2025-07-01', '--fit');
      server.run('train', '--data', server.data, ...TINY_MODEL);
    },
  });
  servers = { fitted };
  servers.bare = await Perennial.start();
  await servers.bare.request('POST', '/v1/track', { key: servers.bare.keys.write, body: CALLS.track.good[0].body });
  api = (await fitted.request('GET', '/openapi.json')).body;
  operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ id: described.operationId, method: method.toUpperCase(), path, described })));
  schemas = addFormats(new Ajv({ strict: false, allErrors: true }));
  schemas.addSchema({ $id: 'api', components: api.components });
  const list = await fitted.request('POST', '/v1/recommend', { key: fitted.keys.read, body: { user_id: 'u00001', count: 3 } });
  served = list.body.recommendation_id;
  await eventually(async () => {
    const slate = await fitted.request('GET', `/v1/recommendations/${served}`, { key: fitted.keys.read });
    assert.equal(slate.status, 200, slate.text);
  });
  await eventually(async () => {
    const letters = await fitted.request('GET', '/v1/actions/dead-letters', { key: fitted.keys.read });
    assert.ok(letters.body.dead_letters.length > 0, letters.text);
    refused = letters.body.dead_letters[0].action_id;
  });
});

after(async () => {
  await servers?.fitted?.stop();
  await servers?.bare?.stop();
  webhook?.close();
});

const resolve = (thing) => (thing?.$ref ? resolve(thing.$ref.slice(2).split('/').reduce((within, name) => within[name], api)) : thing);
const checked = new Map();

/** What the schema of the document has against the value; null when nothing. */
function complaints(schema, value) {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/');
  if (!checked.has(text)) checked.set(text, schemas.compile(JSON.parse(text)));
  const check = checked.get(text);
  return check(value) ? null : schemas.errorsText(check.errors);
}

/** Members of the value that the schema does not name although it names others. `additionalProperties` says that there may be more. */
function unnamed(schema, value, place = '') {
  const known = resolve(schema);
  if (Array.isArray(value)) return value.flatMap((element) => unnamed(known?.items, element, `${place}[]`));
  if (value === null || typeof value !== 'object' || known?.properties === undefined) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    if (known.properties[name] !== undefined) return unnamed(known.properties[name], member, `${place}.${name}`);
    return known.additionalProperties === undefined ? [`${place}.${name}`] : [];
  });
}

const keyFor = (server, { described }) => {
  if (described.security?.length === 0) return undefined;
  return server.keys[/role (\w+)/.exec(described.description)[1]];
};

function address(operation, call, server) {
  const names = { SERVED: served, REFUSED: refused, WRITE_KEY: server.keys.write, READ_KEY: server.keys.read };
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => {
    const value = call.path?.[name] ?? 'u00001';
    return names[value] ?? (call.raw ? value : encodeURIComponent(value));
  });
  return call.query ? `${path}?${new URLSearchParams(call.query)}` : path;
}

/** Makes the call; the reply must be one that the document tells of. */
async function make(operation, call) {
  const server = servers[call.server ?? 'fitted'];
  const body = call.body?.after === 'SERVED' ? { ...call.body, after: served } : call.body;
  const key = 'key' in call ? server.keys[call.key] ?? call.key : keyFor(server, operation);
  const target = address(operation, call, server);
  const reply = await server.request(operation.method, target, { key, body: body === undefined ? undefined : call.text ?? JSON.stringify(body), headers: call.headers });
  const what = `${operation.method} ${target.slice(0, 150)} ${JSON.stringify(body)?.slice(0, 150) ?? ''} -> ${reply.status} ${reply.text.slice(0, 300)}`;
  const documented = resolve(operation.described.responses[reply.status]);
  assert.ok(documented, `this status is not documented: ${what}`);
  const type = reply.headers['content-type'].split(';')[0];
  const content = documented.content[type];
  assert.ok(content, `this content type is not documented, ${type}: ${what}`);
  if (reply.status !== 200) {
    assert.equal(type, 'application/problem+json', what);
    assert.equal(reply.body.status, reply.status, what);
  }
  const value = reply.body ?? reply.text;
  const wrong = complaints(content.schema, value);
  assert.ok(wrong === null, `${wrong}: ${what}`);
  const more = [...new Set(unnamed(content.schema, value))];
  assert.ok(more.length === 0, `members that are not documented, ${more}: ${what}`);
  if (!answered.has(operation.id)) answered.set(operation.id, new Set());
  answered.get(operation.id).add(String(reply.status));
  return reply;
}

class Problems extends Error {
  constructor(list) {
    super(list.join('\n'));
    this.list = list;
  }
}

/** Goes through the whole list; what is wrong is told at once. */
async function forEach(list, check) {
  const problems = [];
  for (const one of list) {
    try {
      await check(one);
    } catch (problem) {
      problems.push(...(problem.list ?? [problem.message]));
    }
  }
  if (problems.length > 0) throw new Problems(problems);
}

/** Calls that must fail whatever the operation is, by the status that is wanted. */
function generalFailures({ described, path }, { good: [sample] }) {
  const failures = [];
  const add = (status, call) => failures.push([status, { ...sample, ...call }]);
  if (described.security?.length !== 0) {
    add(401, { key: undefined });
    add(401, { key: 'nobodys-key' });
    const role = /role (\w+)/.exec(described.description)[1];
    add(403, { key: role === 'read' ? 'write' : 'read' });
  }
  if (described.requestBody) {
    for (const text of ['', '{', '[1, 2', '"text"', '\u0000', 'null']) add(400, { text });
    add(413, { text: gzipSync(' '.repeat(6 << 20)), headers: { 'Content-Encoding': 'gzip' } });
    add(415, { headers: { 'Content-Encoding': 'br' } });
    add(400, { headers: { 'Content-Encoding': 'gzip' } });
  }
  if (path.includes('{')) {
    const name = /\{(\w+)\}/.exec(path)[1];
    for (const value of ['%zz', '%ff']) add(400, { path: { [name]: value }, raw: true });
  }
  return failures;
}

test('an independent checker accepts the document', async () => {
  assert.equal(api.openapi, '3.1.0');
  const verdict = await new Validator().validate(structuredClone(api));
  assert.ok(verdict.valid, JSON.stringify(verdict.errors, null, 1));
  const ids = operations.map((operation) => operation.id);
  assert.equal(new Set(ids).size, ids.length, 'an operationId stands twice');
  for (const name of Object.keys(api.components.schemas)) schemas.compile({ $ref: `api#/components/schemas/${name}` });
});

test('every reply in JSON has a schema that names its members', () => {
  const bare = operations.filter(({ id, described }) => id !== 'openapi' && described.responses[200].content['application/json']
    && resolve(described.responses[200].content['application/json'].schema).properties === undefined);
  assert.deepEqual(bare.map((operation) => operation.id), []);
});

test('every component is used, and every path parameter described', () => {
  const text = JSON.stringify(api);
  const names = ['schemas', 'responses'].flatMap((kind) => Object.keys(api.components[kind]).map((name) => `#/components/${kind}/${name}`));
  assert.deepEqual(names.filter((name) => !text.includes(JSON.stringify(name))), []);
  for (const { path, described } of operations) {
    const inPath = described.parameters.filter((one) => one.in === 'path').map((one) => `{${one.name}}`);
    assert.deepEqual(inPath, path.match(/\{\w+\}/g) ?? []);
  }
});

test('every route of the sources is documented, and none else', () => {
  const folder = new URL('../../src/server/', import.meta.url);
  const source = (name) => readFileSync(new URL(name, folder), 'utf8');
  const registering = Object.fromEntries(readdirSync(folder).filter((name) => name.endsWith('.cc'))
    .map((name) => [name, (source(name).match(/router_\.add\(/g) ?? []).length]).filter(([, count]) => count > 0));
  assert.deepEqual(registering, { 'api.cc': 1, 'api_events.cc': 2 }, 'routes are added where this test does not look');
  const routes = [...source('api.cc').matchAll(/\badd\("([A-Z]+)",\s*"([^"]+)"/g)].map(([, method, path]) => `${method} ${path}`);
  const events = source('api_events.cc');
  routes.push(...[...events.matchAll(/\{"(\/[^"]+)",\s*"\w+"\}/g)].map(([, path]) => `POST ${path}`));
  routes.push(...[...events.matchAll(/router_\.add\(\{"([A-Z]+)",\s*"([^"]+)"/g)].map(([, method, path]) => `${method} ${path}`));
  assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), routes.sort());
});

test('there are calls for every operation', () => {
  assert.deepEqual(Object.keys(CALLS).sort(), operations.map((operation) => operation.id).sort());
});

test('good calls give 200 and the documented body, and keep to the documented request', async () => {
  await forEach(operations, (operation) => forEach(CALLS[operation.id].good, async (call) => {
    if (call.body !== undefined) {
      const request = operation.described.requestBody.content['application/json'].schema;
      assert.equal(complaints(request, call.body), null, `${operation.id} ${JSON.stringify(call.body)}`);
    }
    // Deletions are last: what they delete is asked for before.
    if (operation.method === 'DELETE') return;
    const reply = await make(operation, call);
    assert.equal(reply.status, 200, `${operation.method} ${operation.path}: ${reply.text}`);
  }));
});

test('bad calls give a documented problem', async () => {
  await forEach(operations, (operation) => {
    const calls = CALLS[operation.id];
    const own = Object.entries(calls.bad).flatMap(([status, list]) => list.map((call) => [Number(status), call]));
    return forEach([...own, ...generalFailures(operation, calls)], async ([status, call]) => {
      const reply = await make(operation, call);
      assert.ok(reply.status === status, `want ${status}, got ${reply.status}: ${operation.method} ${operation.path} ${JSON.stringify(call).slice(0, 200)}: ${reply.text}`);
    });
  });
});

test('what is deleted and erased is gone', async () => {
  await forEach(operations.filter((operation) => operation.method === 'DELETE'), async (operation) => {
    const [call] = CALLS[operation.id].good;
    assert.equal((await make(operation, call)).status, 200);
    if (operation.id === 'eraseUser') assert.equal((await make(operation, call)).status, 404);
  });
});

test('every documented status was given', () => {
  const never = operations.flatMap(({ id, described }) => Object.keys(described.responses)
    .filter((status) => !OF_A_FAULT.has(status) && !answered.get(id)?.has(status)).map((status) => `${id} ${status}`));
  assert.deepEqual(never, []);
});

/** Values of a parameter: all that an enumeration has, the ends of a range, one of a kind. */
function samples({ name, schema, example }) {
  const known = resolve(schema);
  const given = [...(known.enum ?? []), known.default, known.minimum, known.maximum].filter((value) => value !== undefined);
  if (known.type === 'boolean') given.push(true, false);
  const OF_TEXT = { at: '2025-06-01', from: '2025-01-01', to: '2025-07-01', since: '2025-05-01', time: '2025-06-01T10:00:00Z', window: '30d', signal: 'value', exclude_seen: '30d' };
  if (known.type === 'string' && !known.enum) given.push(example ?? OF_TEXT[name] ?? 'some text');
  return [...new Set(given.map(String))];
}

test('every documented parameter of a query is taken', async () => {
  await forEach(operations, (operation) => {
    const parameters = operation.described.parameters.filter((one) => one.in === 'query');
    const { good } = CALLS[operation.id];
    return forEach(parameters.flatMap((one) => samples(one).map((value) => [one.name, value])), async ([name, value]) => {
      // Of reports, each has its own options: one must take it.
      const told = [];
      for (const call of good) {
        const reply = await make(operation, { ...call, query: { ...(call.query?.at && { at: call.query.at }), [name]: value } });
        if (reply.status === 200) return;
        told.push(reply.body.detail);
      }
      assert.fail(`${operation.id} does not take ${name}=${value}: ${told.join(' / ')}`);
    });
  });
});

test('a request has no field, and a query no parameter, but the documented', async () => {
  const { fitted } = servers;
  const key = fitted.keys.read;
  const known = (reply) => /(?:known are:|there (?:are|is)) (.*?)(?: \(.*)?$/.exec(reply.body.detail)[1].split(/, | and /).map((name) => name.replaceAll("'", '')).sort();
  const fields = (schema) => Object.keys(resolve(schema).properties).sort();
  const question = api.components.schemas.RecommendRequest;
  const asked = (body) => fitted.request('POST', '/v1/recommend', { key, body });
  assert.deepEqual(known(await asked({ nonsense: 1 })), fields(question));
  assert.deepEqual(known(await asked({ context: { nonsense: 1 } })), fields(question.properties.context));
  assert.deepEqual(known(await asked({ boost: [{ nonsense: 1 }] })), fields(question.properties.boost.items));
  for (const [path, target] of [['/v1/recommend'], ['/v1/items/{item_id}/similar', '/v1/items/P0001/similar'], ['/v1/feedback'], ['/v1/lifecycle/stages'],
    ['/v1/users/{user_id}/lifecycle', '/v1/users/u00001/lifecycle']]) {
    const documented = api.paths[path].get.parameters.filter((one) => one.in === 'query').map((one) => one.name).sort();
    assert.deepEqual(known(await fitted.request('GET', `${target ?? path}?nonsense=1`, { key })), documented, path);
  }
});

test('methods that are not documented give 405 with those that are, on every path', async () => {
  const { fitted } = servers;
  await forEach(Object.entries(api.paths), ([path, methods]) => forEach(METHODS, async (method) => {
    const documented = Object.keys(methods).map((name) => name.toUpperCase());
    const target = path.replace(/\{\w+\}/g, 'nothing');
    const reply = await fitted.request(method, target, { key: fitted.keys.admin });
    const what = `${method} ${target} -> ${reply.status} ${reply.text}`;
    const allowed = [...documented, ...(documented.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort();
    if (documented.includes(method) || (method === 'HEAD' && documented.includes('GET'))) {
      assert.ok(![405, 501].includes(reply.status), what);
      return;
    }
    assert.ok(String(reply.headers.allow?.split(', ').sort()) === String(allowed), `Allow is ${reply.headers.allow}, want ${allowed}: ${what}`);
    assert.equal(reply.status, method === 'OPTIONS' ? 204 : 405, what);
    if (reply.status === 405 && method !== 'HEAD') assert.equal(complaints(api.components.schemas.Problem, reply.body), null, what);
  }));
});

test('paths that are not documented give 404', async () => {
  const { fitted } = servers;
  const patterns = Object.keys(api.paths).map((path) => new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`));
  const near = Object.keys(api.paths).map((path) => path.replace(/\{\w+\}/g, 'x'))
    .flatMap((path) => [`${path}/`, `${path}/more`, `/${path}`, path.toUpperCase(), path.replace('/v1/', '/v2/'), path.replace(/\/[^/]*$/, '') || '/'])
    .filter((path) => !patterns.some((pattern) => pattern.test(path)));
  await forEach([...new Set(near), '/v1', '/index.html', '/v1/m'], (path) => forEach(['GET', 'POST', 'DELETE', 'OPTIONS'], async (method) => {
    const reply = await fitted.request(method, path, { key: fitted.keys.admin });
    assert.equal(reply.status, 404, `${method} ${path} -> ${reply.status} ${reply.text}`);
    assert.equal(complaints(api.components.schemas.Problem, reply.body), null);
  }));
});

test('the server counted every operation under its documented name', async () => {
  const { text } = await servers.fitted.request('GET', '/metrics', { key: servers.fitted.keys.read });
  const routes = new Set([...text.matchAll(/^perennial_http_requests_total\{route="([^"]+)"/gm)].map(([, route]) => route));
  routes.delete('unmatched');
  assert.deepEqual([...routes].sort(), operations.map(({ method, path }) => `${method} ${path}`).sort());
});
