// purchase.js --url URL --orm NAME - purchases with a library of Node, written as its documentation shows it: the row is
// locked and read, the stock written, an order added, in a transaction of its own.
//
// --in-flight of them wait at once, over a pool of --connections. See shop.js.
'use strict';

const shop = require('./shop.js');

// Thrown to roll back where there is too little: that is what the libraries' own transaction functions go by.
class TooLittle extends Error {}

async function refusing(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof TooLittle) return false;
    throw error;
  }
}

async function byMysql2(demand, call) {
  const pool = require('mysql2/promise').createPool({ ...demand.target, connectionLimit: demand.connections });
  const buy = async ({ product, qty }) => {
    const db = await pool.getConnection();
    try {
      await db.query('START TRANSACTION');
      const [[row]] = await db[call]('SELECT id, name, stock FROM product WHERE id = ? FOR UPDATE', [product]);
      if (row.stock < qty) {
        await db.query('ROLLBACK');
        return false;
      }
      await db[call]('UPDATE product SET stock = ? WHERE id = ?', [row.stock - qty, product]);
      await db[call]('INSERT INTO `order` (user_id, product_id, qty) VALUES (1, ?, ?)', [product, qty]);
      await db.query('COMMIT');
      return true;
    } catch (error) {
      await db.query('ROLLBACK').catch(() => {});
      throw error;
    } finally {
      db.release();
    }
  };
  return { buy, warm: () => pool.query('SELECT 1'), end: () => pool.end() };
}

// Its address comes from the environment.
async function byTspace(demand) {
  Object.assign(process.env, {
    DB_DRIVER: 'mysql', DB_HOST: demand.target.host, DB_PORT: String(demand.target.port), DB_USERNAME: demand.target.user,
    DB_PASSWORD: demand.target.password, DB_DATABASE: demand.target.database,
    DB_CONNECTION_LIMIT: String(demand.connections),
  });
  const { DB, Model } = require('tspace-mysql');
  class Product extends Model {
    boot() { this.useTable('product'); }
  }
  class Order extends Model {
    boot() { this.useTable('order'); }
  }
  const buy = async ({ product, qty }) => {
    const trx = await DB.beginTransaction();
    try {
      await trx.startTransaction();
      const row = await new Product().where('id', product).rowLock('FOR_UPDATE').bind(trx).first();
      if (row.stock < qty) {
        await trx.rollback();
        return false;
      }
      await new Product().where('id', product).update({ stock: row.stock - qty }).bind(trx).save();
      await new Order().create({ user_id: 1, product_id: product, qty }).bind(trx).save();
      await trx.commit();
      return true;
    } catch (error) {
      await trx.rollback();
      throw error;
    } finally {
      await trx.end();
    }
  };
  return { buy, warm: () => new DB('product').where('id', 1).first(), end: async () => {} };
}

async function bySequelize(demand) {
  const { Sequelize, DataTypes } = require('sequelize');
  const { database, user, password, host, port } = demand.target;
  const db = new Sequelize(database, user, password, {
    host, port, dialect: 'mysql', logging: false, pool: { max: demand.connections, acquire: 600000 },
  });
  const options = { freezeTableName: true, timestamps: false };
  const Product = db.define('product', { name: DataTypes.STRING(20), stock: DataTypes.INTEGER }, options);
  const Order = db.define('order', {
    user_id: DataTypes.INTEGER, product_id: DataTypes.INTEGER, qty: DataTypes.INTEGER,
  }, options);
  const buy = ({ product, qty }) => refusing(() => db.transaction(async (transaction) => {
    const row = await Product.findByPk(product, { transaction, lock: transaction.LOCK.UPDATE });
    if (row.stock < qty) throw new TooLittle();
    row.stock -= qty;
    await row.save({ transaction });
    await Order.create({ user_id: 1, product_id: product, qty }, { transaction });
  }));
  return { buy, warm: () => db.query('SELECT 1'), end: () => db.close() };
}

async function byTypeorm(demand) {
  require('reflect-metadata');
  const { DataSource, EntitySchema } = require('typeorm');
  const whole = { type: 'int' };
  const id = { type: 'int', primary: true, generated: true };
  const Product = new EntitySchema({
    name: 'Product', tableName: 'product', columns: { id, name: { type: 'varchar', length: 20 }, stock: whole },
  });
  const Order = new EntitySchema({
    name: 'Order', tableName: 'order', columns: { id, user_id: whole, product_id: whole, qty: whole },
  });
  const { user, ...rest } = demand.target;
  const db = await new DataSource({
    type: 'mysql', username: user, ...rest, entities: [Product, Order], poolSize: demand.connections,
  }).initialize();
  const buy = ({ product, qty }) => refusing(() => db.transaction(async (manager) => {
    const row = await manager.findOne(Product, { where: { id: product }, lock: { mode: 'pessimistic_write' } });
    if (row.stock < qty) throw new TooLittle();
    await manager.update(Product, { id: product }, { stock: row.stock - qty });
    await manager.insert(Order, { user_id: 1, product_id: product, qty });
  }));
  return { buy, warm: () => db.query('SELECT 1'), end: () => db.destroy() };
}

const LIBRARIES = {
  'tspace-mysql': byTspace, sequelize: bySequelize, typeorm: byTypeorm,
  'mysql2, prepared': (demand) => byMysql2(demand, 'execute'), 'mysql2, text': (demand) => byMysql2(demand, 'query'),
};

async function main() {
  const demand = shop.readOptions();
  if (!LIBRARIES[demand.orm]) shop.fail(`there is no ${demand.orm}: ${Object.keys(LIBRARIES).join(' | ')}`);
  const db = await shop.connect(demand.target);
  await shop.createTables(db, demand);
  const { buy, warm, end } = await LIBRARIES[demand.orm](demand);
  await Promise.all(Array.from({ length: demand.connections }, warm)); // connections are open before the clock starts
  const totals = await shop.sell(demand, buy);
  const invariant = await shop.agrees(db, demand, totals);
  await end();
  await db.end();
  shop.print(demand, totals, invariant);
  process.exit(invariant && totals.failed === 0 ? 0 : 1); // some leave timers behind
}

main().catch((error) => shop.fail(error.message));
