// shop.js - what the bench's programs in Node share: the command line, tables, wishes, what came of a run.
// The tables and the outcome are those of bench/shop.h and bench/shop_mariadb.c.
'use strict';

const { parseArgs } = require('node:util');
const mysql = require('mysql2/promise');

function fail(why) {
  process.stderr.write(`${require('node:path').basename(process.argv[1])}: ${why}\n`);
  process.exit(1);
}

function targetOf(text) {
  const url = new URL(text.replace(/^mariadb:/, 'http:'));
  return {
    host: url.hostname, port: Number(url.port || 3306), user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password), database: url.pathname.slice(1),
  };
}

// All options of bench/options.c that the bench gives to rivals.
function readOptions() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' }, orm: { type: 'string' }, connections: { type: 'string', default: '10' },
      'in-flight': { type: 'string', default: '500' }, purchases: { type: 'string', default: '1000' },
      products: { type: 'string', default: '1' }, stock: { type: 'string', default: '1000000000' },
      'in-turn': { type: 'boolean', default: false }, json: { type: 'boolean', default: false },
    },
  });
  const whole = (name) => (/^[1-9][0-9]*$/.test(values[name]) ? Number(values[name]) : fail(`--${name} wants a number`));
  if (!values.url || !values.orm) fail('--url and --orm are needed');
  return {
    target: targetOf(values.url), orm: values.orm, connections: whole('connections'), inFlight: whole('in-flight'),
    purchases: whole('purchases'), products: whole('products'), stock: whole('stock'), inTurn: values['in-turn'],
  };
}

async function createTables(db, demand) {
  await db.query('DROP TABLE IF EXISTS `order`');
  await db.query('DROP TABLE IF EXISTS product');
  await db.query('CREATE TABLE product (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL, ' +
    'stock INT NOT NULL) ENGINE=InnoDB');
  await db.query('CREATE TABLE `order` (id INT AUTO_INCREMENT PRIMARY KEY, user_id INT NOT NULL, ' +
    'product_id INT NOT NULL, qty INT NOT NULL) ENGINE=InnoDB');
  const rows = Array.from({ length: demand.products }, (_, i) => [i + 1, `product ${i + 1}`, demand.stock]);
  await db.query('INSERT INTO product (id, name, stock) VALUES ?', [rows]);
}

function wishesOf(demand) {
  let state = 12345;
  const between = (low, high) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((state >>> 8) % (high - low + 1));
  };
  return Array.from({ length: demand.purchases }, (_, i) => ({
    product: demand.inTurn ? Math.floor((i * demand.products) / demand.purchases) + 1 : between(1, demand.products),
    qty: between(1, 30),
  }));
}

// The stock, pieces and rows of the tables agree with each other and with what the buyers were told.
async function agrees(db, demand, t) {
  const one = async (sql) => Number(Object.values((await db.query(sql))[0][0])[0]);
  const wrong = await one('SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(qty) AS pieces FROM `order` ' +
    'GROUP BY product_id) o ON o.product_id = p.id ' +
    `WHERE p.stock < 0 OR p.stock + COALESCE(o.pieces, 0) <> ${demand.stock}`);
  const pieces = await one('SELECT COALESCE(SUM(qty), 0) FROM `order`');
  return wrong === 0 && pieces === t.pieces && (await one('SELECT COUNT(*) FROM `order`')) === t.bought;
}

const percentile = (sorted, p) => sorted[Math.max(Math.ceil((sorted.length * p) / 100), 1) - 1];

// `buy(wish)` is true where it was bought, false where there was too little, and throws otherwise.
async function sell(demand, buy) {
  const wishes = wishesOf(demand);
  const times = [];
  const t = { bought: 0, refused: 0, failed: 0, pieces: 0 };
  let next = 0;
  const buyer = async () => {
    while (next < wishes.length) {
      const wish = wishes[next++];
      const began = performance.now();
      try {
        if (await buy(wish)) { t.bought++; t.pieces += wish.qty; } else t.refused++;
      } catch (error) {
        if (t.failed++ === 0) process.stderr.write(`${demand.orm}: ${error.message}\n`);
      }
      times.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: Math.min(demand.inFlight, wishes.length) }, buyer));
  t.seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  return { ...t, p50: percentile(times, 50), p99: percentile(times, 99) };
}

function print(demand, t, invariant) {
  process.stdout.write(`${JSON.stringify({
    how: demand.orm, connections: demand.connections, purchases: demand.purchases, products: demand.products,
    bought: t.bought, refused: t.refused, failed: t.failed, seconds: t.seconds,
    purchases_per_second: (t.bought + t.refused) / t.seconds, p50_ms: t.p50, p99_ms: t.p99, invariant,
  })}\n`);
}

module.exports = { fail, targetOf, readOptions, createTables, agrees, sell, print, connect: (target) => mysql.createConnection(target) };
