// Stands before the server and loses what a network or an overloaded server would lose, so that a client must try again.
// It also remembers what came through: the routes, keys and bodies that an SDK really uses.
import http from 'node:http';

/** What may go wrong with a request. `lost reply`: the server has taken it, and the client is not told. */
export const CLOSE = 'close';
export const LOST_REPLY = 'lost reply';

export class FlakyProxy {
  static async start(target) {
    const proxy = new FlakyProxy();
    proxy.target = target;
    proxy.faults = [];
    proxy.seen = [];
    proxy.server = http.createServer((request, reply) => proxy.take(request, reply));
    await new Promise((done) => proxy.server.listen(0, '127.0.0.1', done));
    proxy.host = `127.0.0.1:${proxy.server.address().port}`;
    proxy.url = `http://${proxy.host}`;
    return proxy;
  }

  /** The first requests whose body holds `text` meet these, one each: a status, CLOSE or LOST_REPLY. */
  fail(text, faults) {
    this.faults.push({ text: JSON.stringify(text), left: [...faults] });
  }

  /** Faults that no request has met. */
  get unmet() {
    return this.faults.filter((fault) => fault.left.length > 0);
  }

  /** Requests of which the body holds the text. */
  with(text) {
    return this.seen.filter((one) => one.body.includes(JSON.stringify(text)));
  }

  /** From now on requests wait at the proxy, until the function that this returns is called. */
  hold() {
    let release;
    this.held = new Promise((done) => { release = done; });
    return () => {
      this.held = undefined;
      release();
    };
  }

  take(request, reply) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('error', () => {});
    request.on('end', async () => {
      const body = Buffer.concat(parts);
      const one = { method: request.method, path: request.url, headers: request.headers, body: body.toString() };
      this.seen.push(one);
      await this.held;
      const fault = this.faults.find((each) => each.left.length > 0 && one.body.includes(each.text))?.left.shift();
      one.fault = fault;
      if (fault === CLOSE) return request.socket.destroy();
      if (typeof fault === 'number') {
        // As the server would say it to a page of an allowed origin.
        const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': '1', 'Access-Control-Expose-Headers': 'Retry-After' };
        if (request.headers.origin) headers['Access-Control-Allow-Origin'] = request.headers.origin;
        return reply.writeHead(fault, headers).end('{}');
      }
      this.pass(request, body, one, (answer, text) => {
        if (fault === LOST_REPLY) return request.socket.destroy();
        reply.writeHead(answer.statusCode, answer.headers).end(text);
      }, () => request.socket.destroy());
    });
  }

  pass(request, body, one, done, failed) {
    const onward = http.request(this.target + request.url, { method: request.method, headers: request.headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', failed);
      answer.on('end', () => {
        const text = Buffer.concat(parts);
        one.status = answer.statusCode;
        one.answer = text.toString();
        one.answerHeaders = answer.headers;
        done(answer, text);
      });
    });
    onward.on('error', failed);
    onward.end(body);
  }

  stop() {
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    return closed;
  }
}
