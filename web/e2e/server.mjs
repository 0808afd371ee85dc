// The server under test: the real binary on its own folder and free ports, or the one BASE_URL names.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const startWithinMs = 90_000;
const stopWithinMs = 20_000;

/**
 * Starts the server with its demo and waits until it greets.
 * @param {Record<string, string>} settings more of the server's environment, which a server that BASE_URL names does not get
 * @returns {Promise<{url: string, email: string, password: string, editor: {email: string, password: string}, stop: () => Promise<void>}>} with the
 *   sign-ins of an administrator and an editor, who are the same where BASE_URL names the server
 */
export async function startServer(settings = {}) {
  const { BASE_URL, E2E_EMAIL = 'admin@example.com', E2E_PASSWORD } = process.env;
  if (BASE_URL) {
    if (!E2E_PASSWORD) throw new Error('BASE_URL needs E2E_PASSWORD, and E2E_EMAIL unless it is admin@example.com');
    const admin = { email: E2E_EMAIL, password: E2E_PASSWORD };
    return { url: BASE_URL.replace(/\/$/, ''), ...admin, editor: admin, stop: async () => {} };
  }
  const folder = await mkdtemp(join(tmpdir(), 'backendbook-e2e-'));
  const binary = process.env.BACKENDBOOK_BIN ?? join(here, '../../bin/backendbook');
  const port = await freePort();
  // Links in mails and passkeys hold the public address, so it must be the one the browser is given.
  const url = `http://localhost:${port}`;
  const child = spawn(binary, ['serve', '--demo'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...foreign(process.env),
      // Some flights each second, so that no test has to wait for one.
      BACKENDBOOK_DEMO_SPEED: '2000',
      // On a MongoDB of the tester's own, too, nothing that is there already may matter.
      BACKENDBOOK_MONGODB_DATABASE: `backendbook_e2e_${process.pid}`,
      BACKENDBOOK_LISTEN: `127.0.0.1:${port}`,
      BACKENDBOOK_PUBLIC_URL: url,
      BACKENDBOOK_INTERNAL_LISTEN: '127.0.0.1:0',
      BACKENDBOOK_DATA_DIR: folder,
      BACKENDBOOK_DEMO_DATA_DIR: join(here, '../node_modules/vega-datasets/data'),
      ...settings,
    },
  });
  const stop = async () => {
    await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await greeting(child)), url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The environment without settings of the server: it refuses those it does not know, such as BACKENDBOOK_BIN. */
function foreign(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('BACKENDBOOK_')));
}

/** Reads what the server says at its start: where it listens, and the administrator's password, which it tells once. */
function greeting(child) {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why) => reject(new Error(`${why}; it said:\n${said.replace(/(@\S+\s+)\S+/g, '$1…')}`));
    const timer = setTimeout(() => fail('the server did not start in time'), startWithinMs);
    const read = (text) => {
      said += text;
      const [admin, editor] = ['admin', 'editor'].map((role) => {
        const [, email, password] = new RegExp(String.raw`(\S+@\S+)\s+(\S+)\s+${role}\b`).exec(said) ?? [];
        return { email, password };
      });
      if (!/console\s+http:/.test(said) || !admin.password || !editor.password) return;
      clearTimeout(timer);
      resolve({ ...admin, editor });
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', read);
    child.on('error', (error) => {
      clearTimeout(timer);
      fail(`the server does not run: ${error.message}`);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`the server ended with ${signal ?? code}`);
    });
  });
}

/** A port nobody listens at, at least a moment ago. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Ends the server as an operator would, and only then by force. */
function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null || !child.pid) return undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
