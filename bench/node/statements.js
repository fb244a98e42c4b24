// statements.js URL point|fetch|bulk N LIBRARY - the statement bench with a library of Node: see bench/statements.h.
'use strict';

const { fail, targetOf, connect } = require('./shop.js');

const ROWS = 100000;
const CHUNK = 1000; // rows of an INSERT, as the libraries' documentation has it for many

const keyOf = (i) => (Number((BigInt(i) * 2654435761n) & 0xffffffffn) % ROWS) + 1;

function rowOf(id) {
  return {
    id, name: `item number ${id} of the shop`, stock: (id * 7) % 1000, price: id * 0.25,
    note: id % 3 === 0 ? null : `it's note ${id}, which may be of some length`,
  };
}

function sumOf(row) {
  const text = row.name.length * 3 + row.name.charCodeAt(row.name.length >> 1);
  return row.id * 31 + text + row.stock * 17 + Math.floor(row.price * 4) + (row.note === null ? 1 : row.note.length * 5);
}

const COLUMNS = 'id, name, stock, price, note';

// Each: read one row, read the rows up to a key, insert rows in one transaction, end.
async function byMysql2(target, call) {
  const db = await require('mysql2/promise').createConnection(target);
  return {
    point: async (id) => (await db[call](`SELECT ${COLUMNS} FROM item WHERE id = ?`, [id]))[0][0],
    fetch: async (n) => (await db[call](`SELECT ${COLUMNS} FROM item WHERE id <= ? ORDER BY id`, [n]))[0],
    bulk: async (chunks) => {
      await db.query('START TRANSACTION');
      for (const rows of chunks)
        await db.query(`INSERT INTO item_by_node (${COLUMNS}) VALUES ?`, [rows.map(Object.values)]);
      await db.query('COMMIT');
    },
    end: () => db.end(),
  };
}

async function byTspace(target) {
  Object.assign(process.env, {
    DB_DRIVER: 'mysql', DB_HOST: target.host, DB_PORT: String(target.port), DB_USERNAME: target.user,
    DB_PASSWORD: target.password, DB_DATABASE: target.database, DB_CONNECTION_LIMIT: '4', // one would wait for itself
  });
  const { DB, Model } = require('tspace-mysql');
  class Item extends Model {
    boot() { this.useTable('item'); }
  }
  class Copy extends Model {
    boot() { this.useTable('item_by_node'); }
  }
  return {
    point: (id) => new Item().where('id', id).first(),
    fetch: (n) => new Item().where('id', '<=', n).orderBy('id').get(),
    bulk: async (chunks) => {
      const trx = await DB.beginTransaction();
      await trx.startTransaction();
      for (const rows of chunks) await new Copy().createMultiple(rows).bind(trx).void().save();
      await trx.commit();
      await trx.end();
    },
    end: async () => {},
  };
}

async function bySequelize(target) {
  const { Sequelize, DataTypes, Op } = require('sequelize');
  const db = new Sequelize(target.database, target.user, target.password, {
    host: target.host, port: target.port, dialect: 'mysql', logging: false, pool: { max: 1 },
  });
  const model = (table) => db.define(table, {
    id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.STRING(40), stock: DataTypes.INTEGER,
    price: DataTypes.DOUBLE, note: DataTypes.STRING(60),
  }, { freezeTableName: true, timestamps: false });
  const Item = model('item');
  const Copy = model('item_by_node');
  return {
    point: (id) => Item.findByPk(id),
    fetch: (n) => Item.findAll({ where: { id: { [Op.lte]: n } }, order: ['id'] }),
    bulk: (chunks) => db.transaction(async (transaction) => {
      for (const rows of chunks) await Copy.bulkCreate(rows, { transaction });
    }),
    end: () => db.close(),
  };
}

async function byTypeorm(target) {
  require('reflect-metadata');
  const { DataSource, EntitySchema, LessThanOrEqual } = require('typeorm');
  const entity = (name, tableName) => new EntitySchema({
    name, tableName, columns: {
      id: { type: 'int', primary: true }, name: { type: 'varchar', length: 40 }, stock: { type: 'int' },
      price: { type: 'double' }, note: { type: 'varchar', length: 60, nullable: true },
    },
  });
  const Item = entity('Item', 'item');
  const Copy = entity('Copy', 'item_by_node');
  const { user, ...rest } = target;
  const db = await new DataSource({ type: 'mysql', username: user, ...rest, entities: [Item, Copy], poolSize: 1 }).initialize();
  return {
    point: (id) => db.manager.findOneBy(Item, { id }),
    fetch: (n) => db.manager.find(Item, { where: { id: LessThanOrEqual(n) }, order: { id: 'ASC' } }),
    bulk: (chunks) => db.transaction(async (manager) => {
      for (const rows of chunks) await manager.insert(Copy, rows);
    }),
    end: () => db.destroy(),
  };
}

const LIBRARIES = {
  'tspace-mysql': byTspace, sequelize: bySequelize, typeorm: byTypeorm,
  'mysql2, prepared': (target) => byMysql2(target, 'execute'), 'mysql2, text': (target) => byMysql2(target, 'query'),
};

// Gives [seconds, sum].
const WORK = {
  async point(library, n) {
    await library.point(1); // the connection is open, and the statement prepared, before the clock starts
    const began = performance.now();
    let sum = 0;
    for (let i = 1; i <= n; i++) sum += sumOf(await library.point(keyOf(i)));
    return [(performance.now() - began) / 1000, sum];
  },
  async fetch(library, n) {
    await library.fetch(1);
    const began = performance.now();
    let sum = 0;
    const rows = await library.fetch(n);
    for (const row of rows) sum += sumOf(row);
    if (rows.length !== n) fail(`${rows.length} rows where there should be ${n}`);
    return [(performance.now() - began) / 1000, sum];
  },
  async bulk(library, n, db) {
    await db.query('DROP TABLE IF EXISTS item_by_node');
    await db.query('CREATE TABLE item_by_node LIKE item');
    await library.point(1);
    const began = performance.now();
    const chunks = [];
    let sum = 0;
    for (let id = 1; id <= n; id++) {
      if ((id - 1) % CHUNK === 0) chunks.push([]);
      const row = rowOf(id);
      sum += sumOf(row);
      chunks[chunks.length - 1].push(row);
    }
    await library.bulk(chunks);
    const seconds = (performance.now() - began) / 1000;
    const [[{ count }]] = await db.query('SELECT COUNT(*) AS count FROM item_by_node');
    if (Number(count) !== n) fail(`${count} rows were inserted where there should be ${n}`);
    await db.query('DROP TABLE item_by_node');
    return [seconds, sum];
  },
};

async function main() {
  const [url, what, count, name] = process.argv.slice(2);
  if (!url || !WORK[what] || !LIBRARIES[name]) fail('usage: statements.js URL point|fetch|bulk N LIBRARY');
  const target = targetOf(url);
  const db = await connect(target);
  const library = await LIBRARIES[name](target);
  const n = Number(count);
  const [seconds, sum] = await WORK[what](library, n, db);
  await library.end();
  await db.end();
  process.stdout.write(`${JSON.stringify({ seconds, n, sum })}\n`);
  process.exit(0); // some leave timers behind
}

main().catch((error) => fail(error.message));
