import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Scraper, type ScraperOptions, type ScrapeTarget } from './scrape.ts';

const GOOD = [
  ...['waiting', 'prioritized', 'active', 'delayed', 'failed'].map(
    (state) => `bullmq_job_count{queue="q",state="${state}"} 1`,
  ),
  'bullmq_queue_overdue_jobs{queue="q"} 0',
  'bullmq_queue_paused{queue="q"} 0',
  'bullmq_queue_known{queue="q"} 1',
  'bullmq_queue_concurrency_limit{queue="q"} 0',
  'bullmq_queue_rate_limit_jobs{queue="q"} 0',
  'bullmq_queue_rate_limit_period_seconds{queue="q"} 0',
  'bullmq_queue_rate_limit_remaining_seconds{queue="q"} 0',
];
const OWN = [
  'bullmq_worker_active_jobs{queue="q"} 1',
  'bullmq_worker_concurrency{queue="q"} 25',
  'process_start_time_seconds 5',
  'bullmq_job_duration_seconds_sum{queue="q"} 2',
  'bullmq_job_duration_seconds_count{queue="q"} 1',
];
const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let replicas = 0;
const targetOf = (
  server: Server | ReturnType<typeof createTcpServer>,
  ready = true,
  ip = '127.0.0.1',
): ScrapeTarget => {
  replicas += 1;
  return { uid: `uid-${replicas}`, name: `pod-${replicas}`, ip, port: (server.address() as AddressInfo).port, ready };
};

const serve = async (listener: RequestListener, ip = '127.0.0.1'): Promise<Server> => {
  const server = createServer(listener).listen(0, ip);
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
};

const serveText = (lines: readonly string[]) => serve((_, response) => response.end(text(lines)));

const newScraper = (options: Partial<ScraperOptions> = {}) => {
  const scraper = new Scraper({ now: () => 42, ...options });
  cleanups.push(() => scraper.close());
  return scraper;
};

const reportFrom = async (listener: RequestListener, options: Partial<ScraperOptions> = {}) => {
  const target = targetOf(await serve(listener));
  const { reports, queue } = await newScraper(options).scrape([target], 'q');
  return { report: reports.get(target.uid), queue };
};

it('asks every replica for itself and one for the queue', async () => {
  const asked: (string | undefined)[] = [];
  const server = await serve((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end(text([...GOOD, ...OWN]));
  });
  const targets = [targetOf(server), targetOf(server, false)];
  const { reports, queue } = await newScraper().scrape(targets, 'q');
  const own = ['bullmq_worker_active_jobs', 'bullmq_worker_active_jobs_age_seconds', 'bullmq_worker_concurrency'];
  const names = [...own, 'process_start_time_seconds', 'bullmq_job_duration_seconds'];
  const selection = names.map((name) => `name%5B%5D=${name}`).join('&');
  expect(new Set(asked)).toEqual(new Set(['GET /metrics/prometheus', `GET /metrics/prometheus?${selection}`]));
  expect(asked).toHaveLength(2);
  const report = { active: 1, slots: 25, processStart: 5, durationSum: 2, durationCount: 1 };
  for (const { uid } of targets) expect(reports.get(uid)).toEqual({ ok: true, at: 42, value: report });
  expect(queue).toMatchObject({ ok: true, at: 42, value: { ready: 2, active: 1, source: 'Workers' } });
});

it('takes the queue from another ready replica when the first does not have it', async () => {
  const stale = targetOf(await serveText(OWN));
  const good = targetOf(await serveText([...GOOD, ...OWN]));
  const { reports, queue } = await newScraper().scrape([stale, good], 'q');
  expect(queue).toMatchObject({ ok: true });
  expect(reports.get(stale.uid)).toMatchObject({ ok: true });
});

it('asks another replica for the queue next time, when the first did not have it, and no more than three', async () => {
  let whole = 0;
  const withoutQueue: RequestListener = (request, response) => {
    if (!request.url?.includes('?')) whole += 1;
    response.end(text(OWN));
  };
  let now = 42;
  const scraper = newScraper({ now: () => now });
  const stale = targetOf(await serve(withoutQueue));
  const good = targetOf(
    await serve((request, response) => response.end(text(request.url?.includes('?') ? OWN : [...GOOD, ...OWN]))),
  );
  expect((await scraper.scrape([stale, good], 'q')).queue).toMatchObject({ ok: true });
  expect(whole).toBe(1);
  for (let round = 0; round < 5; round += 1) {
    now += 1_000;
    expect((await scraper.scrape([stale, good], 'q')).queue).toMatchObject({ ok: true });
  }
  expect(whole).toBe(1);
  now += 10_000;
  await scraper.scrape([stale, good], 'q');
  expect(whole).toBe(2);

  whole = 0;
  const many = await Promise.all(Array.from({ length: 5 }, async () => targetOf(await serve(withoutQueue))));
  expect((await newScraper().scrape(many, 'q')).queue).toMatchObject({ ok: false });
  expect(whole).toBe(3);
});

it('says which series a replica lacks when none has the queue', async () => {
  const target = targetOf(await serveText(OWN));
  const { queue } = await newScraper().scrape([target], 'q');
  expect(queue).toEqual({
    ok: false,
    because: `replica ${target.name}: bullmq_queue_overdue_jobs{queue="q"} is missing`,
  });
});

it('does not take the queue from a replica that is not ready', async () => {
  const target = targetOf(await serveText([...GOOD, ...OWN]), false);
  const { reports, queue } = await newScraper().scrape([target], 'q');
  expect(queue).toBeUndefined();
  expect(reports.get(target.uid)).toMatchObject({ ok: true });
  expect(await newScraper().scrape([], 'q')).toEqual({ reports: new Map() });
});

it('follows no redirect', async () => {
  let followed = false;
  const other = await serve((_, response) => {
    followed = true;
    response.end(text([...GOOD, ...OWN]));
  });
  const { report } = await reportFrom((_, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${targetOf(other).port}/metrics/prometheus` }).end();
  });
  expect(report).toMatchObject({ ok: false, because: expect.stringContaining('status 302') });
  expect(followed).toBe(false);
});

it.each([
  ['an error status', 503, text([...GOOD, ...OWN]), /status 503/],
  ['a line that is not of the format', 200, 'a 1\n<html>\n', /cannot be read: line 2/],
  ['a text that was cut', 200, 'a 1\nbullmq_job_count{que', /line 2.*cut/],
])('is told why by %s', async (_, status, body, because) => {
  const { report, queue } = await reportFrom((_request, response) => response.writeHead(status).end(body));
  expect(report).toMatchObject({ ok: false, because: expect.stringMatching(because) });
  expect(queue).toMatchObject({ ok: false, because: expect.stringMatching(because) });
});

it('reads no more than its limit of a body without end', async () => {
  let written = 0;
  const { report } = await reportFrom(
    (_, response) => {
      const more = () => {
        while (response.write('a 1\n'.repeat(4_096))) written += 16_384;
        response.once('drain', more);
      };
      more();
      response.on('close', () => response.removeAllListeners('drain'));
    },
    { maxBytes: 65_536 },
  );
  expect(report).toMatchObject({ ok: false, because: expect.stringContaining('gives more than 65536 bytes') });
  expect(written).toBeLessThan(20 * 1_048_576);
});

it('takes a body that ends before its announced length for no answer', async () => {
  const { report } = await reportFrom((_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('a 1\n', () => response.destroy());
  });
  expect(report).toMatchObject({ ok: false, because: expect.stringContaining('does not answer') });
});

it.each([
  ['never answers', () => {}],
  [
    'answers a byte at a time',
    (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      const timer = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(timer));
    },
  ],
])('gives up on a replica that %s, and lets the others be heard', async (_, behave) => {
  const sockets: Socket[] = [];
  const dead = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    behave(socket);
  }).listen(0, '127.0.0.1');
  await once(dead, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    dead.close();
  });
  const hung = targetOf(dead);
  const fine = targetOf(await serveText([...GOOD, ...OWN]));
  const started = performance.now();
  const { reports, queue } = await newScraper({ timeoutMs: 200 }).scrape([hung, fine], 'q');
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(reports.get(hung.uid)).toEqual({ ok: false, because: `replica ${hung.name} did not answer within 200 ms` });
  expect(queue).toMatchObject({ ok: true });
});

it('says that nothing listens where a replica is gone', async () => {
  const server = await serveText([]);
  const target = targetOf(server);
  server.close();
  await once(server, 'close');
  const { reports } = await newScraper().scrape([target], 'q');
  expect(reports.get(target.uid)).toEqual({
    ok: false,
    because: `replica ${target.name} does not answer: ECONNREFUSED`,
  });
});

it('connects to no link-local address', async () => {
  const target: ScrapeTarget = { uid: 'u', name: 'pod', ip: '169.254.169.254', port: 80, ready: true };
  const { reports, queue } = await newScraper().scrape([target], 'q');
  expect(reports.get('u')).toEqual({ ok: false, because: 'replica pod has a link-local address' });
  expect(queue).toMatchObject({ ok: false });
});

it('reaches a replica by IPv6', async () => {
  const server = await serve((_, response) => response.end(text([...GOOD, ...OWN])), '::1');
  const { queue } = await newScraper().scrape([targetOf(server, true, '::1')], 'q');
  expect(queue).toMatchObject({ ok: true });
});

it('uses a connection again, and asks no more replicas of a pool at once than it may', async () => {
  const connections = new Set<Socket>();
  let running = 0;
  let most = 0;
  const servers = await Promise.all(
    Array.from({ length: 6 }, () =>
      serve((request, response) => {
        connections.add(request.socket);
        running += 1;
        most = Math.max(most, running);
        setTimeout(() => {
          running -= 1;
          response.end(text([...GOOD, ...OWN]));
        }, 10);
      }),
    ),
  );
  const scraper = newScraper({ concurrency: 2 });
  const targets = servers.map((server) => targetOf(server));
  for (let round = 0; round < 3; round += 1) {
    const { reports } = await scraper.scrape(targets, 'q');
    expect([...reports.values()].every(({ ok }) => ok)).toBe(true);
  }
  expect(connections.size).toBe(6);
  expect(most).toBe(2);
});
