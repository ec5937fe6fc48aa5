// Segment's SDK for browsers, unchanged, in Debian's Chromium, on a page of another origin than `perennial serve`: its
// settings, every call, preflights, batches, retries, and pages that are left too soon.
// Usage: node segment_browser_test.mjs PATH-OF-PERENNIAL
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { CLOSE, FlakyProxy, LOST_REPLY } from './flaky_proxy.mjs';
import { LIBRARY_PAGE, Pages, snippetPage } from './pages.mjs';
import { eventually, PATIENCE_MS, Perennial, within } from './perennial.mjs';

let browser;
let server;
let proxy;    // the server's address for pages
let shop;     // a page that the server knows
let stranger; // one that it does not
const contexts = [];
const abroad = []; // requests that left this machine: there must be none

before(async () => {
  shop = await Pages.start('localhost', { '/': LIBRARY_PAGE, '/elsewhere': '<!doctype html><title>Elsewhere</title>' });
  stranger = await Pages.start('localhost', { '/': LIBRARY_PAGE });
  server = await Perennial.start({ settings: { SERVER_CORS_ORIGINS: shop.origin } });
  await server.addItems(['anvil', 'rope', 'rocket', 'magnet', 'glue'].map((item_id) => ({ item_id, title: item_id, price: 5 })));
  proxy = await FlakyProxy.start(server.url);
  shop.contents['/snippet'] = snippetPage(server.keys.write, proxy.url);
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium', timeout: PATIENCE_MS,
    // In a container there is neither a sandbox for root nor, often, a large /dev/shm.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'],
  });
});

afterEach(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close()));
});

after(async () => {
  await browser?.close();
  await Promise.all([proxy?.stop(), shop?.stop(), stranger?.stop()]);
  await server?.stop();
});

/** A new visitor's page, that is, with empty cookies and storage; with a clock that the test may put forward. */
async function visit(address, { clock = false } = {}) {
  const context = await browser.newContext();
  contexts.push(context);
  context.setDefaultTimeout(PATIENCE_MS);
  // Only listened to: were requests held up here, the driver would answer the preflights itself.
  context.on('request', (request) => {
    if (!['localhost', '127.0.0.1'].includes(new URL(request.url()).hostname)) abroad.push(request.url());
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (problem) => page.complaints.push(String(problem)));
  if (clock) await page.clock.install();
  await page.goto(address);
  return page;
}

/** Loads the SDK in the page. `settings` beside the write key; `options` as AnalyticsBrowser.load() has them. */
function load(page, settings = { cdnURL: proxy.url }, options = {}) {
  return within(page.evaluate(async ([settings, options]) => {
    window.analytics = window.AnalyticsNext.AnalyticsBrowser.load(settings, options);
    await window.analytics;
  }, [{ writeKey: server.keys.write, ...settings }, options]), 'the SDK to load');
}

const anonymousId = (page) => page.evaluate(async () => (await window.analytics.user()).anonymousId());
const track = (page, event, properties = {}) => page.evaluate(([event, properties]) => { void window.analytics.track(event, properties); }, [event, properties]);
const counts = async (id) => (await server.user(id)).event_counts;

test('with the server as its CDN the SDK needs nothing else, and every call is taken', async () => {
  const page = await visit(shop.origin);
  await load(page);
  const visitor = await anonymousId(page);
  await page.evaluate(async () => {
    await window.analytics.page('Docs', 'Start');
    await window.analytics.track('Product Viewed', { product_id: 'anvil' });
    await window.analytics.screen('Home');
  });
  await eventually(async () => assert.deepEqual(await counts(visitor), { 'Page Viewed': 1, 'Product Viewed': 1, 'Screen Viewed': 1 }));

  await page.evaluate(async () => {
    await window.analytics.identify('una', { plan: 'gold' });
    await window.analytics.group('acme', { employees: 7 });
    await window.analytics.alias('una', 'una-long-ago');
  });
  await eventually(async () => {
    for (const id of [visitor, 'una-long-ago']) assert.equal((await server.user(id)).user_id, 'una');
    const { traits, history } = await server.user('una');
    assert.deepEqual(traits, { plan: 'gold', group_id: 'acme', group: { employees: 7 } });
    assert.deepEqual(history.map((event) => event.item_id), ['anvil']);
  });
  assert.ok(!(await server.recommended('una')).includes('anvil'), 'what the visitor saw is recommended to the user');

  const posts = proxy.seen.filter((one) => one.method === 'POST');
  assert.deepEqual([...new Set(posts.map((one) => one.path))].sort(), ['/v1/a', '/v1/g', '/v1/i', '/v1/p', '/v1/s', '/v1/t']);
  for (const post of posts) {
    assert.equal(post.headers.authorization, `Basic ${Buffer.from(`${server.keys.write}:`).toString('base64')}`);
    assert.equal(post.answerHeaders['access-control-allow-origin'], shop.origin);
  }
  assert.ok(proxy.seen.some((one) => one.method === 'OPTIONS' && one.path === '/v1/t' && one.status === 204), 'no preflight');
  assert.deepEqual(page.complaints, []);
});

test('alias makes the visitor a user as identify does', async () => {
  const page = await visit(shop.origin);
  await load(page);
  const visitor = await anonymousId(page);
  await track(page, 'Product Viewed', { product_id: 'rope' });
  await page.evaluate(async () => { await window.analytics.alias('al'); });
  await eventually(async () => {
    const user = await server.user(visitor);
    assert.deepEqual([user.user_id, user.history.map((event) => event.item_id)], ['al', ['rope']]);
  });
});

test('Segment\'s snippet works: calls made before the SDK is there are not lost', async () => {
  const page = await visit(`${shop.origin}/snippet`);
  await page.waitForFunction(() => window.analytics.initialized);
  const visitor = await page.evaluate(() => window.analytics.user().anonymousId());
  await eventually(async () => assert.deepEqual(await counts(visitor), { 'Page Viewed': 1, 'Product Viewed': 1 }));
  assert.deepEqual(page.complaints, []);
});

test('settings of one\'s own, with the server named in them or in the options, and batches', async () => {
  shop.contents[`/named/v1/projects/${server.keys.write}/settings`] =
    { integrations: { 'Segment.io': { apiKey: server.keys.write, apiHost: `${proxy.host}/v1`, protocol: 'http' } } };
  shop.contents[`/bare/v1/projects/${server.keys.write}/settings`] = { integrations: { 'Segment.io': { apiKey: server.keys.write } } };
  const batching = { strategy: 'batching', config: { size: 3, timeout: 600_000 } };
  const options = { integrations: { 'Segment.io': { apiHost: `${proxy.host}/v1`, protocol: 'http', deliveryStrategy: batching } } };
  for (const [folder, given, path] of [['named', {}, '/v1/t'], ['bare', options, '/v1/b']]) {
    const page = await visit(shop.origin);
    await load(page, { cdnURL: `${shop.origin}/${folder}` }, given);
    for (const item of ['anvil', 'rope', 'glue']) await track(page, `Viewed, ${folder}`, { product_id: item });
    const visitor = await anonymousId(page);
    await eventually(async () => assert.deepEqual(await counts(visitor), { [`Viewed, ${folder}`]: 3 }));
    const posts = proxy.with(`Viewed, ${folder}`);
    assert.deepEqual(posts.map((one) => one.path), Array(path === '/v1/b' ? 1 : 3).fill(path));
    assert.deepEqual(page.complaints, []);
  }
});

// Chromium itself asks once more when a connection was closed; the SDK is to see it too.
const FAULTS = { 500: [500], 503: [503], 429: [429], 'a closed connection': [CLOSE, CLOSE], 'a lost reply': [LOST_REPLY, LOST_REPLY] };

test('after retries each event of a page is in the log once', async () => {
  const page = await visit(shop.origin);
  await load(page);
  const visitor = await anonymousId(page);
  const expected = {};
  for (const [name, faults] of Object.entries(FAULTS)) {
    const event = `Tried again after ${name}`;
    proxy.fail(event, faults);
    expected[event] = 1;
    await track(page, event, { product_id: event });
  }
  await eventually(async () => {
    assert.deepEqual(await counts(visitor), expected);
    assert.deepEqual(proxy.unmet, []);
    for (const event of Object.keys(expected))
      assert.deepEqual(proxy.with(event).at(-1).fault, undefined, event);
  });
  assert.equal((await server.user(visitor)).history_size, Object.keys(FAULTS).length);
  const told = proxy.with('Tried again after a lost reply').map((one) => JSON.parse(one.answer));
  assert.deepEqual(told.map((one) => [one.records, one.repeated]), [[1, 0], [0, 1], [0, 1]]);
  assert.ok(proxy.seen.some((one) => one.headers['x-retry-count']), 'no request was a retry of the SDK');
  assert.deepEqual(page.complaints, []);
});

test('after retries each event of a page\'s batch is in the log once', async () => {
  const page = await visit(shop.origin);
  const deliveryStrategy = { strategy: 'batching', config: { size: 2, timeout: 100 } };
  await load(page, undefined, { integrations: { 'Segment.io': { apiHost: `${proxy.host}/v1`, protocol: 'http', deliveryStrategy } } });
  const visitor = await anonymousId(page);
  proxy.fail('Batched', [429, LOST_REPLY, LOST_REPLY]);
  await track(page, 'Batched', { product_id: 'anvil' });
  await track(page, 'Batched', { product_id: 'rope' });
  await eventually(async () => {
    assert.deepEqual(await counts(visitor), { Batched: 2 });
    assert.deepEqual(proxy.with('Batched').map((one) => one.fault ?? one.status), [429, LOST_REPLY, LOST_REPLY, 200]);
  });
  assert.deepEqual(JSON.parse(proxy.with('Batched').at(-1).answer).repeated, 2);
});

test('what could not be sent before the page was left is sent by the next page', async () => {
  const page = await visit(shop.origin);
  await load(page);
  const visitor = await anonymousId(page);
  proxy.fail('Kept in the browser', [CLOSE, CLOSE]);
  await track(page, 'Kept in the browser', { product_id: 'anvil' });
  await eventually(() => assert.deepEqual(proxy.unmet, []));
  await page.goto(`${shop.origin}/elsewhere`);
  await page.goto(shop.origin);
  await load(page);
  await eventually(async () => assert.deepEqual(await counts(visitor), { 'Kept in the browser': 1 }));
});

test('leaving the page loses nothing of a batch that is not full', async () => {
  const page = await visit(shop.origin);
  const deliveryStrategy = { strategy: 'batching', config: { size: 50, timeout: 600_000 } };
  await load(page, undefined, { integrations: { 'Segment.io': { apiHost: `${proxy.host}/v1`, protocol: 'http', deliveryStrategy } } });
  const visitor = await anonymousId(page);
  await page.evaluate(async (elsewhere) => {
    await Promise.all(['anvil', 'rope', 'glue'].map((product_id) => window.analytics.track('Product Clicked', { product_id })));
    location.href = elsewhere;
  }, `${shop.origin}/elsewhere`);
  await page.waitForURL('**/elsewhere');
  await eventually(async () => assert.deepEqual(await counts(visitor), { 'Product Clicked': 3 }));
});

test('a request with keepalive outlives its page, and what the next page sends again counts once', async () => {
  const page = await visit(shop.origin);
  const options = { integrations: { 'Segment.io': { apiHost: `${proxy.host}/v1`, protocol: 'http', deliveryStrategy: { config: { keepalive: true } } } } };
  await load(page, undefined, options);
  const visitor = await anonymousId(page);
  const before = proxy.seen.length;
  const release = proxy.hold();
  await track(page, 'Left in a hurry', { product_id: 'anvil' });
  await eventually(() => assert.ok(proxy.seen.length > before, 'no preflight'));
  await page.goto(`${shop.origin}/elsewhere`);
  release();
  await eventually(async () => assert.deepEqual(await counts(visitor), { 'Left in a hurry': 1 }));
  await page.goto(shop.origin);
  await load(page, undefined, options);
  const posts = await eventually(() => {
    const answered = proxy.with('Left in a hurry').filter((one) => one.status === 200);
    assert.equal(answered.length, 2, 'the SDK did not send it again');
    return answered;
  });
  assert.deepEqual(posts.map((one) => JSON.parse(one.answer).records), [1, 0]);
  assert.deepEqual(await counts(visitor), { 'Left in a hurry': 1 });
});

test('a page may read how long to wait, and the SDK\'s own counts go to nobody', async () => {
  const page = await visit(shop.origin, { clock: true });
  await load(page);
  await track(page, 'Counted by the SDK');
  await page.clock.fastForward(60_000); // it would tell twice in this time
  await eventually(() => assert.equal(proxy.with('Counted by the SDK').filter((one) => one.status === 200).length, 1));
  const [post] = proxy.with('Counted by the SDK');
  assert.match(post.answerHeaders['access-control-expose-headers'], /\bRetry-After\b/);
  assert.deepEqual(proxy.seen.filter((one) => one.path === '/v1/m'), []);
});

test('a page that the server was not told of can send nothing', async () => {
  const before = await server.metric('perennial_log_offset');
  const page = await visit(stranger.origin);
  await assert.rejects(load(page), /Failed to fetch|TypeError/);
  const outcome = await page.evaluate(([address, key]) => fetch(`${address}/v1/t`, {
    method: 'POST', headers: { Authorization: `Basic ${btoa(`${key}:`)}` }, body: JSON.stringify({ anonymousId: 'x', event: 'Refused' }),
  }).then((reply) => reply.status, () => 'refused'), [proxy.url, server.keys.write]);
  assert.equal(outcome, 'refused');
  assert.deepEqual(proxy.with('Refused').map((one) => one.method), []);
  assert.equal(await server.metric('perennial_log_offset'), before);
});

test('a key that may not write gets no settings', async () => {
  for (const key of ['nobodys-key', server.keys.read])
    assert.equal((await server.request('GET', `/v1/projects/${key}/settings`, { headers: { Origin: shop.origin } })).status, 404);
});

test('no page asked another machine, and no request was answered by no route', () => {
  assert.deepEqual(abroad, []);
  const strays = proxy.seen.filter((one) => [404, 405].includes(one.status));
  assert.deepEqual(strays.map((one) => `${one.method} ${one.path}`), []);
});
