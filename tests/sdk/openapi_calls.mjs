// Calls for every operation of /openapi.json: those that must succeed, and those that must fail in a documented way. What
// holds for every operation (no key, a lesser key, too large, not JSON, ...) openapi_test.mjs adds by itself.
// A call is {path: what stands for {names}, query, body, headers, server: 'fitted' or 'bare'}; fitted unless told.

const view = (product_id) => ({ userId: 'u00001', event: 'Product Viewed', properties: { product_id, price: 4.5, currency: 'EUR' },
  timestamp: '2025-06-30T10:00:00Z', sentAt: '2025-06-30T10:00:01Z', context: { device: { type: 'mobile' } } });
const MESSAGES = {
  track: [view('P0001'), { ...view('P0002'), messageId: 'said-twice' }, { ...view('P0002'), messageId: 'said-twice' }],
  identify: [{ userId: 'u00002', anonymousId: 'visitor', traits: { plan: 'gold' } }],
  page: [{ userId: 'u00001', properties: { url: 'https://shop.example/' } }],
  screen: [{ userId: 'u00001', properties: { name: 'Home' } }],
  group: [{ userId: 'u00001', traits: { size: 3 }, groupId: 'acme' }],
  alias: [{ userId: 'u00003', previousId: 'visitor-3' }],
};
const event = (type, ...wrong) => ({
  good: MESSAGES[type].map((body) => ({ body })),
  bad: { 400: [{ body: {} }, { body: { ...MESSAGES[type][0], userId: '', anonymousId: '' } }, ...wrong.map((body) => ({ body }))] },
});
const batch = {
  good: [
    { body: { batch: Object.entries(MESSAGES).map(([type, [message]]) => ({ type, ...message })), sentAt: '2025-06-30T10:00:01Z', context: {} } },
    { body: { batch: [{ type: 'track', ...view('P0003') }, { type: 'track', userId: 'u00001' }] } },
  ],
  bad: { 400: [{ body: {} }, { body: { batch: [] } }, { body: { batch: [{ type: 'unheard-of', userId: 'u' }] } }] },
};
const track = event('track', { userId: 'u00001' }, { ...view('P0001'), timestamp: 'yesterday' });
const NO_RECOMMENDATION = 'f'.repeat(32);
const QUESTION = { user_id: 'u00001', count: 3 };
const wrongQuestions = (more) => [{ ...more, nonsense: 1 }, { ...more, filter: { price: { least: 1 } } }, { ...more, context: { moon: 'full' } },
  { ...more, explain: 'perhaps' }, { ...more, diversity: -1 }];

export const CALLS = {
  track, browserTrack: track,
  identify: event('identify'), browserIdentify: event('identify'),
  page: event('page'), browserPage: event('page'),
  screen: event('screen'), browserScreen: event('screen'),
  group: event('group', { userId: 'u00001' }), browserGroup: event('group', { userId: 'u00001' }),
  alias: event('alias', { userId: 'u00001' }), browserAlias: event('alias', { userId: 'u00001' }),
  batch, importBatch: batch, browserBatch: batch,
  browserSettings: {
    good: [{ path: { write_key: 'WRITE_KEY' } }],
    bad: { 404: [{ path: { write_key: 'nobodys' } }, { path: { write_key: 'READ_KEY' } }] },
  },
  getRecommendation: {
    good: [{ query: QUESTION }, { query: {} }, { query: { user_id: 'nobody', explain: 'true' } }, { query: { user_id: 'u00001' }, server: 'bare' }],
    bad: { 400: [{ query: { count: 0 } }, { query: { count: 501 } }, { query: { nonsense: 1 } }, { query: { time: 'soon' } }, { query: { exclude_seen: 'often' } }] },
  },
  recommend: {
    good: [
      { body: QUESTION }, { body: {} }, { body: { ...QUESTION, explain: true, attention: true } },
      { body: { session_items: ['P0001', 'P0002'], count: 5, explain: true } },
      { body: { ...QUESTION, surface: 'home', exclude_seen: '30d', filter: { category: ['Tents', 'Soaps'], price: { min: 1, max: 900 }, not: { brand: 'acme' } } } },
      { body: { ...QUESTION, exclude_seen: false, include: ['P0001', 'P0002', 'P0003'], exclude: ['P0002'], pin: ['P0003'], explain: true } },
      { body: { anonymous_id: 'visitor', session: 'visitor', boost: [{ filter: { category: 'Tents' }, by: 3 }, { filter: { near: { lat: 50, lon: 7, km: 10 } }, by: -1 }], diversity: 1, max_per_category: 2, explore: 0.5, explain: true } },
      { body: { user_id: 'u00001', similar_to: 'P0001', context: { time: '2025-07-01T09:00:00+02:00', timezone: 'Europe/Berlin', place: {}, weather: {}, device: 'mobile', activity: 'walking' } } },
      { body: { ...QUESTION, after: 'SERVED' } },
      { body: QUESTION, server: 'bare' },
    ],
    bad: {
      400: wrongQuestions({}).concat({ after: 'page 2' }, { count: 0 }, { pin: 'P0001' }, { boost: [{ filter: { a: 1 } }] }).map((body) => ({ body })),
      404: [{ body: { after: NO_RECOMMENDATION } }],
    },
  },
  rerank: {
    good: [{ body: { items: ['P0001', 'P0002', 'P0003'], user_id: 'u00001', explain: true } }, { body: { items: ['never-heard-of'], exclude_seen: true } }],
    bad: { 400: [{}, { items: [] }, { items: 'P0001' }, { items: ['P0001'], count: 1 }, { items: ['P0001'], after: NO_RECOMMENDATION }, ...wrongQuestions({ items: ['P0001'] })].map((body) => ({ body })) },
  },
  servedRecommendation: {
    good: [{ path: { recommendation_id: 'SERVED' } }],
    bad: { 404: [{ path: { recommendation_id: NO_RECOMMENDATION } }, { path: { recommendation_id: 'x' } }] },
  },
  feedback: {
    good: [{}, { query: { by: 'source', from: '2025-01-01', to: '2030-01-01' } }],
    bad: { 400: [{ query: { by: 'moon' } }, { query: { from: 'soon' } }, { query: { to: 'late' } }, { query: { format: 'xml' } }, { query: { nonsense: 1 } }] },
  },
  upsertItems: {
    good: [{ body: { item_id: 'new', title: 'New', category: ['a', 'b'], price: 3, available: true, colour: 'red' } }, { body: [{ item_id: 'new' }, { item_id: 'newer', category: 'c' }] },
      { body: { items: [{ item_id: 'new' }, { item_id: '' }] } }],
    bad: { 400: [{}, [], { items: [] }, { item_id: '' }, [{ item_id: '' }, { title: 'x' }], 7].map((body) => ({ body })) },
  },
  getItem: { good: [{ path: { item_id: 'P0001' } }, { path: { item_id: 'new' } }], bad: { 404: [{ path: { item_id: 'nothing' } }] } },
  similarItems: {
    good: [{ path: { item_id: 'P0001' }, query: { count: 4 } }, { path: { item_id: 'P0001' }, query: QUESTION }],
    bad: { 400: [{ path: { item_id: 'P0001' }, query: { count: 'many' } }, { path: { item_id: 'P0001' }, query: { nonsense: 1 } }], 404: [{ path: { item_id: 'nothing' } }] },
  },
  deleteItem: { good: [{ path: { item_id: 'newer' } }], bad: { 404: [{ path: { item_id: 'nothing' } }] } },
  getUser: {
    good: [{ path: { user_id: 'u00001' } }, { path: { user_id: 'visitor' }, query: { limit: 0 } }],
    bad: { 400: [{ path: { user_id: 'u00001' }, query: { limit: 1001 } }, { path: { user_id: 'u00001' }, query: { limit: 'all' } }], 404: [{ path: { user_id: 'nobody' } }] },
  },
  userLifecycle: {
    good: [{ path: { user_id: 'u00001' } }, { path: { user_id: 'u00001' }, query: { at: '2025-03-01' } }],
    bad: { 400: [{ path: { user_id: 'u00001' }, query: { at: 'once' } }, { path: { user_id: 'u00001' }, query: { nonsense: 1 } }], 404: [{ path: { user_id: 'nobody' } }] },
  },
  userForecasts: {
    good: [{ path: { user_id: 'u00001' } }],
    bad: { 404: [{ path: { user_id: 'nobody' } }], 409: [{ path: { user_id: 'u00001' }, server: 'bare' }] },
  },
  lifecycleReport: {
    good: ['today', 'stages', 'flows', 'activity', 'stickiness', 'rfm', 'activation', 'revenue', 'revenue-by-cohort', 'cohorts', 'users']
      .map((report) => ({ path: { report }, query: { at: '2025-07-01' } })),
    bad: {
      400: [{ path: { report: 'stages' }, query: { at: 'once' } }, { path: { report: 'stages' }, query: { format: 'xml' } }, { path: { report: 'stages' }, query: { nonsense: 1 } },
        { path: { report: 'behaviours' } }, { path: { report: 'users' }, query: { stage: 'loyal' } }, { path: { report: 'cohorts' }, query: { by: 'year' } }],
      404: [{ path: { report: 'nothing' } }],
    },
  },
  lifecycleStages: { good: [{}, { query: { at: '2025-03-01' } }], bad: { 400: [{ query: { at: 'once' } }, { query: { nonsense: 1 } }] } },
  nextBestAction: {
    good: [{ query: { user_id: 'u00001' } }],
    bad: { 400: [{}, { query: { user_id: '' } }, { query: { user_id: 'u00001', nonsense: 1 } }], 404: [{ query: { user_id: 'nobody' } }],
      409: [{ query: { user_id: 'u00001' }, server: 'bare' }] },
  },
  deadLetters: { good: [{}, { server: 'bare' }], bad: {} },
  sendAgain: { good: [{ path: { action_id: 'REFUSED' } }], bad: { 404: [{ path: { action_id: 'unheard-of' } }] } },
  eraseUser: { good: [{ path: { user_id: 'u00003' } }], bad: { 404: [{ path: { user_id: 'unheard-of' } }] } },
  health: { good: [{}], bad: {} },
  ready: { good: [{}, { server: 'bare' }], bad: {} },
  metrics: { good: [{}], bad: {} },
  openapi: { good: [{}], bad: {} },
};
