// A running `perennial serve` over a folder of its own, with a key of each role. A test gets the program's path as its
// first argument. Everything is on loopback and every wait is bounded.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const PATIENCE_MS = 30_000;

if (process.argv.length < 3) {
  console.error(`usage: node ${process.argv[1]} PATH-OF-PERENNIAL`);
  process.exit(2);
}
const PROGRAM = resolve(process.argv[2]);

/** The settled value, or a failure that says what was waited for. */
export function within(promise, what, patience = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited too long for ${what}`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Tries again until `check` does not throw; then what it returned. When patience ends, its last complaint. */
export async function eventually(check, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (complaint) {
      if (Date.now() > end) throw complaint;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

export class Perennial {
  /** `settings`: of the configuration, such as {SERVER_CORS_ORIGINS: '*'}. `prepare` may fill the folder before. */
  static async start({ settings = {}, prepare = () => {} } = {}) {
    const server = new Perennial();
    server.folder = mkdtempSync(join(tmpdir(), 'perennial-sdk-'));
    server.data = join(server.folder, 'data');
    try {
      await prepare(server);
      server.keys = {};
      for (const role of ['write', 'read', 'admin'])
        server.keys[role] = JSON.parse(server.run('key', 'create', '--data', server.data, '--role', role, '--json')).key;
      await server.serve(settings);
    } catch (problem) {
      await server.stop();
      throw problem;
    }
    return server;
  }

  /** What the program prints. */
  run(...words) {
    const done = spawnSync(PROGRAM, words, { encoding: 'utf8', cwd: this.folder, timeout: 120_000, env: { ...process.env, OMP_NUM_THREADS: '2' } });
    assert.equal(done.status, 0, `perennial ${words.join(' ')}: ${done.stderr}${done.stdout}${done.error ?? ''}`);
    return done.stdout;
  }

  async serve(settings) {
    const env = { ...process.env };
    for (const [name, value] of Object.entries(settings)) env[`PERENNIAL_${name}`] = value;
    this.process = spawn(PROGRAM, ['serve', '--data', this.data, '--port', '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((done) => this.process.once('close', (code, signal) => done(code ?? signal)));
    this.said = '';
    this.process.stderr.on('data', (text) => { this.said += text; });
    const listening = new Promise((done, failed) => {
      let banner = '';
      this.process.stdout.on('data', (text) => {
        banner += text;
        const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(banner);
        if (port) done(Number(port[1]));
      });
      this.ended.then((code) => failed(new Error(`perennial serve ended with ${code}: ${this.said}`)));
    });
    this.port = await within(listening, 'the server to listen');
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** SIGTERM, as an operator would; the end of the process must be a clean one. */
  async stop() {
    try {
      if (this.process) {
        this.process.kill('SIGTERM');
        const code = await within(this.ended, 'the server to stop').catch((late) => {
          this.process.kill('SIGKILL');
          throw late;
        });
        assert.equal(code, 0, this.said);
      }
    } finally {
      this.agent.destroy();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  agent = new http.Agent({ keepAlive: true });

  /** Any request, also such as fetch() would not send: {status, headers, text, body}; `body` when it is JSON. */
  request(method, target, { key, body, headers = {} } = {}) {
    const sent = { ...headers };
    if (key) sent.Authorization = `Bearer ${key}`;
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    if (payload !== undefined) sent['Content-Length'] = Buffer.byteLength(payload);
    const answered = new Promise((done, failed) => {
      const request = http.request(this.url + target, { method, headers: sent, agent: this.agent }, (reply) => {
        const parts = [];
        reply.on('data', (part) => parts.push(part));
        reply.on('error', failed);
        reply.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const isJson = /[/+]json$/.test((reply.headers['content-type'] ?? '').split(';')[0]) && text !== '';
          done({ status: reply.statusCode, headers: reply.headers, text, body: isJson ? JSON.parse(text) : undefined });
        });
      });
      request.on('error', (problem) => {
        const { exitCode, signalCode } = this.process;
        const ended = exitCode !== null || signalCode !== null;
        failed(ended ? new Error(`the server has ended, with ${exitCode ?? signalCode}: ${this.said}`, { cause: problem }) : problem);
      });
      request.end(payload);
    });
    return within(answered, `${method} ${target}`);
  }

  async get(target) {
    const reply = await this.request('GET', target, { key: this.keys.read });
    assert.equal(reply.status, 200, `GET ${target}: ${reply.text}`);
    return reply.body;
  }

  async addItems(items) {
    const reply = await this.request('POST', '/v1/items', { key: this.keys.admin, body: items });
    assert.equal(reply.status, 200, reply.text);
  }

  user(id) {
    return this.get(`/v1/users/${encodeURIComponent(id)}?limit=1000`);
  }

  async recommended(id) {
    const list = await this.get(`/v1/recommend?count=100&user_id=${encodeURIComponent(id)}`);
    return list.items.map((item) => item.item_id);
  }

  /** Of the metrics: one number without labels. */
  async metric(name) {
    const { text } = await this.request('GET', '/metrics', { key: this.keys.read });
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)[1]);
  }
}
