// The shop's own web server: pages that use Segment's SDK for browsers, and the SDK's files as npm has them.
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

const sdk = join(dirname(createRequire(import.meta.url).resolve('@segment/analytics-next/package.json')), 'dist', 'umd');
const TYPES = { '.js': 'text/javascript', '.json': 'application/json' };

export class Pages {
  /** `host`: the name in the pages' origin. `contents`: path to what is answered there; an object is JSON, which any page may read. */
  static async start(host, contents = {}) {
    const pages = new Pages();
    pages.contents = contents;
    pages.server = http.createServer((request, reply) => pages.answer(request.url.split('?')[0], reply));
    await new Promise((done) => pages.server.listen(0, '127.0.0.1', done));
    pages.origin = `http://${host}:${pages.server.address().port}`;
    return pages;
  }

  answer(path, reply) {
    const content = this.contents[path];
    if (content !== undefined) {
      const page = typeof content === 'string';
      reply.writeHead(200, { 'Content-Type': page ? 'text/html; charset=utf-8' : TYPES['.json'], 'Access-Control-Allow-Origin': '*' });
      return reply.end(page ? content : JSON.stringify(content));
    }
    const file = join(sdk, basename(path));
    if (path.startsWith('/analytics-next/bundles/') && existsSync(file))
      return reply.writeHead(200, { 'Content-Type': TYPES['.js'] }).end(readFileSync(file));
    return reply.writeHead(404).end();
  }

  stop() {
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    return closed;
  }
}

/** A page with the SDK as a library: window.AnalyticsNext.AnalyticsBrowser. */
export const LIBRARY_PAGE = '<!doctype html><title>Shop</title><script src="/analytics-next/bundles/index.js"></script><p>Shop';

/** Segment's snippet, shortened to what it does: calls are kept in a list until the SDK is there. */
export const snippetPage = (writeKey, cdn) => `<!doctype html><title>Shop</title><script>
  const analytics = window.analytics = [];
  analytics.invoked = true;
  analytics.methods = ['identify', 'track', 'page', 'group', 'alias', 'screen', 'ready', 'setAnonymousId', 'reset', 'on'];
  analytics.factory = (method) => (...words) => {
    if (window.analytics.initialized) return window.analytics[method](...words);
    analytics.push([method, ...words]);
    return analytics;
  };
  for (const method of analytics.methods) analytics[method] = analytics.factory(method);
  analytics._writeKey = ${JSON.stringify(writeKey)};
  analytics._cdn = ${JSON.stringify(cdn)};
  analytics.load = () => {
    const script = document.createElement('script');
    script.async = true;
    script.src = '/analytics-next/bundles/standalone.js';
    document.head.append(script);
  };
  analytics.page();
  analytics.track('Product Viewed', { product_id: 'anvil' });
  analytics.load();
</script><p>Shop`;
