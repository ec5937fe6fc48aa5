// Segment's SDK for Node, unchanged, against `perennial serve`: every call, batches, retries, keys, and what the events
// do to the user and to the next list. Usage: node segment_node_test.mjs PATH-OF-PERENNIAL
import { Analytics } from '@segment/analytics-node';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CLOSE, FlakyProxy, LOST_REPLY } from './flaky_proxy.mjs';
import { eventually, Perennial, within } from './perennial.mjs';

let server;
let proxy;
const open = new Set();

before(async () => {
  server = await Perennial.start();
  await server.addItems(['anvil', 'rope', 'rocket', 'magnet', 'glue'].map((item_id) => ({ item_id, title: item_id, price: 5 })));
  proxy = await FlakyProxy.start(server.url);
});

after(async () => {
  await Promise.all([...open].map((sdk) => within(sdk.closeAndFlush({ timeout: 5000 }), 'an SDK to close')));
  await proxy?.stop();
  await server?.stop();
});

/** An SDK as a shop would set it up; its complaints are kept. */
function connect(settings = {}) {
  const sdk = new Analytics({ writeKey: server.keys.write, host: proxy.url, flushAt: 1, ...settings });
  sdk.complaints = [];
  sdk.on('error', (complaint) => sdk.complaints.push(complaint));
  open.add(sdk);
  return sdk;
}

/** Calls one of the SDK's methods; resolves when the SDK holds the event for delivered, fails when it gave up. */
function deliver(sdk, call, message) {
  const told = new Promise((done, failed) => {
    sdk[call](message, (problem, context) => (problem ? failed(problem) : done(context.event)));
  });
  return within(told, `${call} to be delivered`);
}

const view = (userId, product_id, more = {}) => ({ userId, event: 'Product Viewed', properties: { product_id }, ...more });

test('every call of the SDK is taken and is seen in the user', async () => {
  const sdk = connect();
  const userId = 'una';
  await deliver(sdk, 'identify', { userId, traits: { plan: 'gold', address: { city: 'Bonn' } } });
  await deliver(sdk, 'track', view(userId, 'anvil', { context: { device: { type: 'ios' } } }));
  await deliver(sdk, 'page', { userId, category: 'Docs', name: 'Start', properties: { url: 'https://shop.example/start' } });
  await deliver(sdk, 'screen', { userId, name: 'Home' });
  await deliver(sdk, 'group', { userId, groupId: 'acme', traits: { employees: 7 } });
  await deliver(sdk, 'alias', { userId, previousId: 'una-before' });
  const user = await server.user(userId);
  assert.deepEqual(user.event_counts, { 'Product Viewed': 1, 'Page Viewed': 1, 'Screen Viewed': 1 });
  assert.deepEqual(user.traits, { plan: 'gold', address: { city: 'Bonn' }, group_id: 'acme', group: { employees: 7 } });
  const viewed = user.history.find((event) => event.item_id === 'anvil');
  assert.deepEqual([viewed.event, viewed.device], ['Product Viewed', 'mobile']);
  assert.equal((await server.user('una-before')).user_id, userId);
  assert.deepEqual(sdk.complaints, []);
});

test('an order has a line for each product, and its worth is the user\'s', async () => {
  const sdk = connect();
  await deliver(sdk, 'track', {
    userId: 'otto', event: 'Order Completed',
    properties: { order_id: '7', currency: 'EUR', products: [{ product_id: 'rope', price: 2.5, quantity: 2 }, { product_id: 'glue', price: 1 }] },
  });
  const user = await server.user('otto');
  assert.deepEqual(user.history.map((event) => event.item_id).sort(), ['glue', 'rope']);
  assert.deepEqual(user.value, [{ currency: 'EUR', minor_units: 600, text: '6.00 EUR' }]);
});

test('the time of an event is the SDK\'s, not that of its arrival', async () => {
  const sdk = connect();
  const then = new Date(Date.now() - 3 * 86_400_000);
  await deliver(sdk, 'track', view('tim', 'rope', { timestamp: then }));
  const [event] = (await server.user('tim')).history;
  // Corrected by sentAt, as Segment does it: off by the way of the request only.
  assert.ok(Math.abs(new Date(event.time) - then) < 60_000, `${event.time} is not near ${then.toISOString()}`);
});

test('the next list knows the event, and the list knows what became of it', async () => {
  const sdk = connect();
  const list = await server.get('/v1/recommend?user_id=rita&count=5');
  const liked = list.items[0].item_id;
  await deliver(sdk, 'track', { userId: 'rita', event: 'Product Clicked', properties: { product_id: liked, recommendation_id: list.recommendation_id } });
  assert.ok(!(await server.recommended('rita')).includes(liked), `${liked} is recommended again`);
  await eventually(async () => {
    const served = await server.get(`/v1/recommendations/${list.recommendation_id}`);
    assert.deepEqual(served.feedback.map((one) => [one.kind, one.item_id, one.user_id]), [['click', liked, 'rita']]);
  });
});

test('identify joins what the anonymous visitor did to the user', async () => {
  const sdk = connect();
  const anonymousId = 'visitor-1';
  await deliver(sdk, 'track', view(undefined, 'rocket', { anonymousId }));
  assert.deepEqual((await server.user(anonymousId)).history.map((event) => event.item_id), ['rocket']);
  await deliver(sdk, 'identify', { userId: 'ida', anonymousId, traits: { name: 'Ida' } });
  for (const id of ['ida', anonymousId]) {
    const user = await server.user(id);
    assert.deepEqual([user.user_id, user.history.map((event) => event.item_id), user.traits.name], ['ida', ['rocket'], 'Ida']);
  }
  assert.ok(!(await server.recommended('ida')).includes('rocket'), 'what the visitor saw is recommended to the user');
});

test('alias joins the previous user to the new one', async () => {
  const sdk = connect();
  await deliver(sdk, 'track', view('al-before', 'magnet'));
  await deliver(sdk, 'track', view('al', 'glue'));
  await deliver(sdk, 'alias', { userId: 'al', previousId: 'al-before' });
  const user = await server.user('al-before');
  assert.equal(user.user_id, 'al');
  assert.deepEqual(user.history.map((event) => event.item_id).sort(), ['glue', 'magnet']);
});

// Three faults: as many retries as the SDK makes by default.
const FAULTS = { 500: [500, 500, 500], 503: [503, 500, 503], 429: [429, 429, 429], 'a closed connection': [CLOSE, CLOSE, CLOSE],
  'a lost reply': [LOST_REPLY, LOST_REPLY, LOST_REPLY], 'one after the other': [LOST_REPLY, 503, CLOSE] };

test('after retries each event is in the log once', async () => {
  const before = await server.metric('perennial_log_offset');
  const repeated = await server.metric('perennial_records_repeated_total');
  const single = connect();
  const batched = connect({ flushAt: 4 });
  const delivered = [];
  for (const [name, faults] of Object.entries(FAULTS)) {
    const event = `Single after ${name}`;
    proxy.fail(event, faults);
    delivered.push(deliver(single, 'track', { userId: 'rob', event, properties: { product_id: event } }));
  }
  const order = { products: [{ product_id: 'first line' }, { product_id: 'second line' }] };
  proxy.fail('Batch after all', [LOST_REPLY, 429, LOST_REPLY]);
  delivered.push(deliver(batched, 'track', { userId: 'bea', event: 'Batch after all', properties: order }));
  delivered.push(deliver(batched, 'page', { userId: 'bea', name: 'Basket' }));
  delivered.push(deliver(batched, 'identify', { userId: 'bea', anonymousId: 'bea-before', traits: { name: 'Bea' } }));
  delivered.push(deliver(batched, 'alias', { userId: 'bea', previousId: 'bea-long-ago' }));
  await Promise.all(delivered);

  assert.deepEqual(proxy.unmet, [], 'faults that no request met');
  const counts = Object.fromEntries(Object.keys(FAULTS).map((name) => [`Single after ${name}`, 1]));
  const rob = await server.user('rob');
  assert.deepEqual(rob.event_counts, counts);
  assert.equal(rob.history_size, Object.keys(FAULTS).length);
  const bea = await server.user('bea');
  assert.deepEqual(bea.event_counts, { 'Batch after all': 2, 'Page Viewed': 1 });
  for (const id of ['bea-before', 'bea-long-ago']) assert.equal((await server.user(id)).user_id, 'bea');
  // One record an event; of bea's batch two for the order, one for the page, the traits and their merge, the alias.
  assert.equal(await server.metric('perennial_log_offset') - before, Object.keys(FAULTS).length + 6);
  assert.equal(await server.metric('perennial_records_repeated_total') - repeated, 3 + 1 + 2 * 6, 'lost replies were not sent again');
  assert.deepEqual([...single.complaints, ...batched.complaints], []);
  const requests = proxy.with('Single after a lost reply');
  assert.equal(requests.length, 4);
  assert.deepEqual(requests.map((one) => JSON.parse(one.answer)).map(({ accepted, records, repeated }) => [accepted, records, repeated]),
    [[1, 1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1]]);
});

test('a batch keeps its good events when others in it are bad', async () => {
  const sdk = connect({ flushAt: 3 });
  await Promise.all([
    deliver(sdk, 'track', view('mix', 'rope')),
    deliver(sdk, 'track', { userId: 'mix', event: 'Product Added', properties: { product_id: 'glue', price: 'cheap' } }),
    deliver(sdk, 'track', view('mix', 'anvil')),
  ]);
  assert.deepEqual((await server.user('mix')).history.map((event) => event.item_id).sort(), ['anvil', 'rope']);
  const [request] = proxy.with('cheap');
  const answer = JSON.parse(request.answer);
  assert.deepEqual([request.status, answer.accepted, answer.rejected.map((one) => [one.index, one.code])], [200, 2, [[1, 'invalid_argument']]]);
  assert.match(answer.rejected[0].error, /price/);
});

test('closeAndFlush and flush leave nothing behind', async () => {
  const sdk = connect({ flushAt: 15, flushInterval: 600_000 });
  for (let i = 0; i < 40; ++i) sdk.track(view('clara', `item-${i}`));
  await within(sdk.flush(), 'flush');
  assert.equal((await server.user('clara')).history_size, 40);
  for (let i = 40; i < 100; ++i) sdk.track(view('clara', `item-${i}`));
  await within(sdk.closeAndFlush(), 'closeAndFlush');
  const { history } = await server.user('clara');
  assert.equal(new Set(history.map((event) => event.item_id)).size, 100);
  assert.equal(history.length, 100);
});

test('the largest batches that the SDK makes by default are taken, without the events that are over the limit', async () => {
  const sdk = connect({ flushAt: 15, flushInterval: 600_000 });
  // The SDK has limits of its own, but counts hardly any letter but 'i' and those that an address escapes.
  for (let i = 0; i < 15; ++i)
    sdk.track({ userId: 'gus', event: 'Note Written', properties: { product_id: `note-${i}`, note: 'x'.repeat(i === 7 ? 40_000 : 30_000) } });
  await within(sdk.closeAndFlush(), 'closeAndFlush');
  assert.equal((await server.user('gus')).event_counts['Note Written'], 14);
  const [request, ...more] = proxy.with('Note Written');
  assert.deepEqual([request.status, more.length], [200, 0]);
  assert.ok(request.body.length > 440_000, `a batch of ${request.body.length} bytes is not near the limit`);
  assert.deepEqual(JSON.parse(request.answer).rejected.map((one) => [one.index, one.code]), [[7, 'too_large']]);
});

test('a key that may not write is told to the SDK, and nothing is taken', async () => {
  const before = await server.metric('perennial_log_offset');
  for (const [writeKey, status] of [['nobodys-key', 401], [server.keys.read, 403]]) {
    const sdk = connect({ writeKey, maxRetries: 0 });
    await assert.rejects(deliver(sdk, 'track', view('eve', 'anvil')), new RegExp(`\\[${status}\\]`));
    assert.equal(sdk.complaints.length, 1);
  }
  assert.equal(await server.metric('perennial_log_offset'), before);
});

test('the write key is taken from the body and as the user name of Basic', async () => {
  const sdk = connect();
  await deliver(sdk, 'track', view('kay', 'anvil'));
  const [{ body, headers }] = proxy.seen.filter((one) => one.body.includes('"kay"'));
  assert.ok(headers.authorization || JSON.parse(body).writeKey === server.keys.write);
  const { writeKey, ...bare } = JSON.parse(body);
  bare.batch[0].messageId += '-basic';
  const basic = `Basic ${Buffer.from(`${server.keys.write}:`).toString('base64')}`;
  const taken = await server.request('POST', '/v1/batch', { body: bare, headers: { Authorization: basic } });
  assert.deepEqual([taken.status, taken.body.records], [200, 1]);
  assert.equal((await server.request('POST', '/v1/batch', { body: bare })).status, 401);
});

test('no request of the SDK was answered by no route', () => {
  const strays = proxy.seen.filter((one) => [404, 405].includes(one.status));
  assert.deepEqual(strays.map((one) => `${one.method} ${one.path}`), []);
});
