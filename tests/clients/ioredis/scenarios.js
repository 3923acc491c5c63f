// What applications written with ioredis do, run against the server whose port is
// the argument. Each scenario prints what the library made of the replies; the Go
// test beside this file compares the output of two servers. What depends on time or
// chance is summed up in what must hold in every run.
'use strict';

const Redis = require('ioredis');

const port = Number(process.argv[2]);
const clients = [];

function connect(options = {}) {
  const c = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 0, retryStrategy: null, ...options });
  clients.push(c);
  return c;
}

const redis = connect();

function tell(name, value) {
  const text = JSON.stringify(value, (_, v) => (v instanceof Error ? `error ${v.message}` : v));
  console.log(`${name}: ${text}`);
}

// show tells of a command and its reply.
async function show(command, ...args) {
  const name = [command, ...args].join(' ').slice(0, 100);
  try {
    tell(name, await redis[command](...args));
  } catch (e) {
    tell(name, e);
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function waitBlocked(n) {
  for (;;) {
    const info = await redis.info('clients');
    if (info.includes(`blocked_clients:${n}\r`)) return;
    await sleep(2);
  }
}

async function leaderboard() {
  for (const players of [10, 600]) {
    const board = `board:${players}`;
    const batch = redis.pipeline();
    for (let i = 0; i < players; i++) batch.zadd(board, (i * i) % 397, `p${(i * 7919) % 10007}`);
    const replies = await batch.exec();
    tell('added', replies.reduce((n, [err, v]) => n + (err ? 0 : v), 0));
    await show('zincrby', board, 2.5, 'p7919');
    await show('zadd', board, 'GT', 'CH', 5, 'p7919', 1, 'p0');
    await show('zadd', board, 'NX', 'INCR', 5, 'p7919');
    await show('zrange', board, 0, 9, 'REV', 'WITHSCORES');
    await show('zrevrank', board, 'p7919');
    await show('zrank', board, 'nobody');
    await show('zcount', board, '(5', '+inf');
    await show('zrangebyscore', board, 1, 50, 'WITHSCORES', 'LIMIT', 1, 4);
    await show('zrange', board, '(50', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 3);
    await show('zmscore', board, 'p0', 'nobody');
    await show('zpopmax', board, 2);
    await show('zremrangebyrank', board, 0, 2);
    await show('zunionstore', 'all', 2, board, 'all', 'WEIGHTS', 1, 0.5, 'AGGREGATE', 'MAX');
    await show('zinter', 2, board, 'all', 'WITHSCORES');
  }
  await show('zcard', 'all');
  await show('object', 'ENCODING', 'all');
}

async function stream() {
  await show('xgroup', 'CREATE', 'orders', 'g', '$', 'MKSTREAM');
  const batch = redis.pipeline();
  for (let i = 1; i <= 120; i++) batch.xadd('orders', `${i}-0`, 'order', i);
  await batch.exec();
  for (const name of ['dead', 'alive', 'heir']) await show('xgroup', 'CREATECONSUMER', 'orders', 'g', name);
  const dying = connect();
  const [[, lost]] = await dying.xreadgroup('GROUP', 'g', 'dead', 'COUNT', 30, 'STREAMS', 'orders', '>');
  dying.disconnect();
  await redis.xack('orders', 'g', ...lost.slice(0, 10).map(([id]) => id));
  await show('xpending', 'orders', 'g');
  await sleep(15);
  const done = (await Promise.all([readAll('alive'), claimAll('heir')])).flat();
  tell('done', done.map((id) => parseInt(id, 10)).sort((a, b) => a - b));
  await show('xpending', 'orders', 'g');
  await show('xpending', 'orders', 'g', '-', '+', 10);
  await show('xinfo', 'GROUPS', 'orders');
  await show('xclaim', 'orders', 'g', 'heir', 0, '5-0', 'FORCE', 'JUSTID');
  await show('xrange', 'orders', 118, '+', 'COUNT', 2);
  await show('xrevrange', 'orders', '+', '-', 'COUNT', 1);
  await show('xtrim', 'orders', 'MAXLEN', 50);
  await show('xautoclaim', 'orders', 'g', 'heir', 0, '0');
  await show('xlen', 'orders');
}

async function readAll(name) {
  const c = connect();
  const done = [];
  for (;;) {
    const got = await c.xreadgroup('GROUP', 'g', name, 'COUNT', 7, 'BLOCK', 20, 'STREAMS', 'orders', '>');
    if (!got) return done;
    for (const [id] of got[0][1]) if (await c.xack('orders', 'g', id)) done.push(id);
  }
}

async function claimAll(name) {
  const c = connect();
  const done = [];
  for (let cursor = '0-0'; ;) {
    const [next, got] = await c.xautoclaim('orders', 'g', name, 10, cursor, 'COUNT', 4);
    for (const [id] of got) if (await c.xack('orders', 'g', id)) done.push(id);
    if (next === '0-0') return done;
    cursor = next;
  }
}

async function queue() {
  const workers = [0, 1, 2, 3].map((n) => work(n));
  await waitBlocked(4);
  for (let i = 0; i < 60; i++) await redis.lpush('jobs', i);
  await redis.lpush('jobs', ...Array.from({ length: 60 }, (_, i) => 60 + i));
  while ((await redis.scard('done')) < 120) {
    for (let n = 0; n < 4; n++) {
      if (await redis.exists(`dead:${n}`)) while (await redis.lmove(`busy:${n}`, 'jobs', 'RIGHT', 'RIGHT'));
    }
    await sleep(2);
  }
  await redis.lpush('jobs', 'stop', 'stop', 'stop', 'stop');
  await Promise.all(workers);
  await show('scard', 'done');
  await show('scard', 'killers');
  await show('llen', 'jobs');
  await show('keys', 'busy:*');
}

// work dies with every 13th job, once, and comes back.
async function work(n) {
  for (;;) {
    const c = connect();
    await c.del(`dead:${n}`);
    for (;;) {
      const job = await c.blmove('jobs', `busy:${n}`, 'RIGHT', 'LEFT', 10);
      if (job === null) continue;
      if (job === 'stop') return c.lrem(`busy:${n}`, 1, job);
      if (job % 13 === 0 && (await c.sadd('killers', job))) break;
      await c.multi().lrem(`busy:${n}`, 1, job).sadd('done', job).exec();
    }
    c.disconnect();
    await redis.set(`dead:${n}`, 1);
    while ((await redis.llen(`busy:${n}`)) > 0) await sleep(2);
  }
}

async function blocking() {
  const waiters = [];
  for (let i = 0; i < 3; i++) {
    waiters.push(connect().brpop('urgent', 'normal', 10));
    await waitBlocked(i + 1);
  }
  const sorted = connect().bzpopmin('heap', 10);
  await waitBlocked(4);
  const many = connect().blmpop(10, 2, 'a', 'b', 'LEFT', 'COUNT', 2);
  await waitBlocked(5);
  const fresh = connect().xread('BLOCK', 10000, 'STREAMS', 'feed', '$');
  await waitBlocked(6);
  await redis.multi().rpush('normal', 1, 2).zadd('heap', 2, 'x', 1, 'y').rpush('b', 1, 2, 3).xadd('feed', '5-5', 'k', 'v').exec();
  await redis.rpush('urgent', 3);
  tell('served', await Promise.all([...waiters, sorted, many, fresh]));
  await show('blpop', 'never', 0.02);
  const id = await redis.client('ID');
  const other = connect();
  const waiting = other.blpop('never', 10).catch((e) => e);
  await waitBlocked(1);
  const list = await redis.client('LIST');
  const line = list.split('\n').find((l) => l.includes(' flags=b '));
  tell('unblocked', await redis.client('UNBLOCK', /id=(\d+)/.exec(line)[1]));
  tell('the waiter got', await waiting);
  tell('not ourselves', !line.startsWith(`id=${id} `));
}

async function geo() {
  await show('geoadd', 'Sicily', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
  for (let i = 0; i < 200; i++) await redis.geoadd('Sicily', 12 + (i % 20) / 5, 36.5 + i / 100, `stop${i}`);
  await show('geodist', 'Sicily', 'Palermo', 'Catania', 'km');
  await show('geohash', 'Sicily', 'Palermo', 'nowhere');
  await show('geopos', 'Sicily', 'Palermo', 'nowhere');
  await show('geosearch', 'Sicily', 'FROMLONLAT', 15, 37, 'BYRADIUS', 60, 'km', 'ASC', 'COUNT', 5, 'WITHCOORD', 'WITHDIST', 'WITHHASH');
  await show('geosearch', 'Sicily', 'FROMMEMBER', 'Catania', 'BYBOX', 100, 80, 'km', 'DESC', 'WITHDIST');
  await show('geosearchstore', 'near', 'Sicily', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 50, 'km', 'STOREDIST');
  const near = await redis.zrange('near', 0, -1, 'WITHSCORES');
  tell('near', near.map((v, i) => (i % 2 ? Number(v) : v))); // as numbers: their digits differ from 7.0 to 7.2
  await show('georadius', 'Sicily', 15, 37, 40, 'mi', 'WITHDIST', 'ASC');
  await show('georadiusbymember', 'Sicily', 'Palermo', 25, 'km', 'DESC');
}

async function types() {
  await redis.hset('user:1', { name: 'ann', age: 31 });
  await redis.hset('user:1', new Map([['city', 'Turin']]));
  await show('hgetall', 'user:1');
  await show('hmget', 'user:1', 'name', 'none');
  await show('hincrbyfloat', 'user:1', 'age', 0.5);
  await show('hsetnx', 'user:1', 'age', 1);
  await show('hincrby', 'user:1', 'name', 1);
  await show('rpush', 'list', ...Array.from({ length: 300 }, (_, i) => `item ${i}`));
  await show('lrange', 'list', -3, -1);
  await show('lpos', 'list', 'item 250');
  await show('linsert', 'list', 'AFTER', 'item 250', 'new');
  await show('lindex', 'list', 251);
  await show('lpop', 'list', 2);
  await show('lrem', 'list', -1, 'item 200');
  await show('ltrim', 'list', 100, 150);
  await show('lmpop', 2, 'none', 'list', 'RIGHT', 'COUNT', 2);
  await show('sadd', 'a', ...Array.from({ length: 150 }, (_, i) => i));
  await show('sadd', 'b', ...Array.from({ length: 150 }, (_, i) => `${i * 2}`), 'word');
  tell('inter', (await redis.sinter('a', 'b')).sort());
  await show('sintercard', 2, 'a', 'b', 'LIMIT', 20);
  await show('sdiffstore', 'c', 'b', 'a');
  await show('smismember', 'c', 'word', 1, 298);
  tell('popped', (await redis.spop('c', 10)).length);
  await show('scard', 'c');
  const binary = Buffer.from([0, 255, 13, 10, 128]);
  await redis.hset('binary', binary, binary);
  tell('binary', (await redis.hgetallBuffer('binary'))[binary.toString()]);
  await redis.zadd('zb', 1, binary);
  tell('binary member', await redis.zrangeBuffer('zb', 0, -1));
  const dump = await redis.dumpBuffer('list');
  tell('restored', await redis.restore('again', 0, dump));
  await show('lrange', 'again', 0, 2);
  await show('sort', 'a', 'DESC', 'LIMIT', 0, 4);
  await show('copy', 'a', 'd');
  await show('lpush', 'a', 'of the wrong type');
}

async function transactions() {
  await redis.hset('stock', 'apple', 3);
  const buy = async (meddle) => {
    const c = connect();
    await c.watch('stock');
    const left = Number(await c.hget('stock', 'apple'));
    if (meddle) await redis.hincrby('stock', 'apple', -1);
    const got = await c.multi().hset('stock', 'apple', left - 1).rpush('sales', left).lrange('sales', 0, -1).exec();
    c.disconnect();
    return got;
  };
  tell('disturbed', await buy(true));
  tell('alone', await buy(false));
  tell('with a fault', await redis.multi().sadd('sales', 'x').llen('sales').exec());
  const pipe = redis.pipeline();
  for (let i = 0; i < 500; i++) pipe.zadd('z', i, `m${i}`).hset('h', `f${i}`, i).sadd('s', i).rpush('l', i).xadd('x', `${i + 1}-0`, 'f', i);
  const replies = await pipe.exec();
  tell('replies', [replies.length, replies.filter(([err]) => err).length, replies.slice(-5)]);
}

async function collect(stream) {
  const all = [];
  for await (const page of stream) all.push(...page);
  return all;
}

async function iterators() {
  const pipe = redis.pipeline();
  for (let i = 0; i < 700; i++) pipe.hset('h', `f${i}`, i).sadd('s', `m${i}`).zadd('z', i / 2, `m${i}`).set(`k${i}`, i).rpush(`l${i % 9}`, i);
  await pipe.exec();
  for (const [name, stream] of [
    ['keys', redis.scanStream({ match: 'k1*', count: 50 })],
    ['lists', redis.scanStream({ type: 'list' })],
    ['zsets', redis.scanStream({ type: 'zset', count: 1000 })],
    ['fields', redis.hscanStream('h', { match: 'f*7', count: 20 })],
    ['members', redis.sscanStream('s', { match: 'm?5' })],
    ['scores', redis.zscanStream('z', { match: 'm69*' })],
  ]) tell(name, [...new Set(await collect(stream))].sort());
}

async function notifications() {
  await redis.config('SET', 'notify-keyspace-events', 'Elshztxg');
  const sub = connect();
  const seen = [];
  const end = new Promise((resolve) => {
    sub.on('pmessage', (pattern, channel, key) => {
      seen.push(`${channel.split(':')[1]} ${key}`);
      if (key === 'end' && channel.endsWith(':del')) resolve();
    });
  });
  await sub.psubscribe('__keyevent@*__:*');
  await redis.rpush('l', 1, 2);
  await redis.lmove('l', 'm', 'LEFT', 'LEFT');
  await redis.hset('h', 'f', 1);
  await redis.hdel('h', 'f');
  await redis.sadd('s', 1, 2);
  await redis.spop('s', 2);
  await redis.zadd('z', 1, 'a');
  await redis.zpopmax('z');
  await redis.psetex('short', 1, 'x');
  while (await redis.exists('short')) await sleep(1);
  await redis.set('end', 1);
  await redis.del('end');
  await end;
  tell('events', seen);
  await redis.config('SET', 'notify-keyspace-events', '');
}

async function main() {
  for (const scenario of [leaderboard, stream, queue, blocking, geo, types, transactions, iterators, notifications]) {
    console.log(`== ${scenario.name}`);
    await redis.flushall();
    await scenario();
  }
  console.log('== the end');
  for (const c of clients) c.disconnect();
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
