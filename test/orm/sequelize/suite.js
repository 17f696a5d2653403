// Sequelize on routed tables.
const { Sequelize, DataTypes, Op, fn, col, literal } = require('sequelize');
const { test, same, fails, done } = require('../../lib/tap.js');
const route = require('./route.js');

let sequelize;
let Residence;
let Consumption;
let Humidity;

const connect = async () => {
  sequelize = new Sequelize({
    dialect: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT,
    database: process.env.PGDATABASE, username: process.env.PGUSER, logging: false, pool: { max: 4 },
    define: { underscored: true, timestamps: false, freezeTableName: true },
  });
  Residence = sequelize.define('residence', { code: { type: DataTypes.STRING, unique: true } });
  const reading = {
    id: { type: DataTypes.BIGINT, autoIncrement: true, primaryKey: true },
    read_at: { type: DataTypes.DATE, allowNull: false },
    value: { type: DataTypes.DECIMAL(8, 2) },
  };
  Consumption = sequelize.define('consumption', reading,
    { indexes: [{ unique: true, fields: ['residence_id', 'read_at'], name: 'consumption_once' }] });
  Humidity = sequelize.define('humidity', reading,
    { indexes: [{ unique: true, fields: ['residence_id', 'read_at'], name: 'once_humidity' }] });
  for (const Reading of [Consumption, Humidity]) {
    Residence.hasMany(Reading, { onDelete: 'CASCADE' });
    Reading.belongsTo(Residence, { foreignKey: { allowNull: false }, onDelete: 'CASCADE' });
  }
};
const reconnect = async () => {
  await sequelize.close();
  await connect();
};
const rows = async (sql) => (await sequelize.query(sql, { raw: true }))[0];
const value = async (sql) => Object.values((await rows(sql))[0])[0];
const childOf = (one) => value(`SELECT tableoid::regclass::text FROM ${one.constructor.name} WHERE id = ${one.id}`);
const at = (month, day = 1, year = 2024) => new Date(Date.UTC(year, month - 1, day, 12));
const reading = (residence, read_at, amount = 10) => ({ residenceId: residence, read_at, value: amount });
const basesAreEmpty = async () => {
  for (const base of ['consumption', 'humidity']) same(await value(`SELECT count(*)::int FROM ONLY ${base}`), 0);
};

test('sync() makes tables, a migration makes one of them a routed table', async () => {
  await sequelize.sync();
  await Residence.bulkCreate([{ code: '0023' }, { code: 'FAISANDERIE' }, { code: null }]);
  await Consumption.create(reading(1, at(1)));
  await route.up(sequelize.getQueryInterface());
  await sequelize.query(`ALTER TABLE humidity ADD CONSTRAINT percent CHECK (value BETWEEN 0 AND 100);
    SELECT router.create_route('humidity', router.by_date('read_at', 'month'))`);
  same(await childOf((await Consumption.findAll())[0]), 'consumption_1');
});

test('create and save: new ids, the rows are at home', async () => {
  const one = await Humidity.create(reading(1, at(1), 55));
  same([await childOf(one), Number(one.id) > 0, (await Humidity.findByPk(one.id)).value], ['humidity_y2024m01', true, '55.00']);
  const other = Consumption.build(reading(2, at(1)));
  await other.save();
  same(await childOf(other), 'consumption_2');
  await basesAreEmpty();
});

test('bulkCreate: ids of all', async () => {
  for (const Reading of [Consumption, Humidity]) {
    const objects = [1, 2, 3].flatMap((residence) => [3, 4].flatMap((month) =>
      [...Array(20).keys()].map((day) => reading(residence, at(month, day + 1), day))));
    const made = await Reading.bulkCreate(objects);
    same(new Set(made.map((one) => one.id)).size, 120);
    same((await Reading.findByPk(made[7].id)).read_at, made[7].read_at);
  }
  await basesAreEmpty();
});

test('find, filter, count, include, aggregate, order and limit', async () => {
  const where = { read_at: { [Op.gte]: at(3), [Op.lt]: at(4) } };
  same(await Humidity.count({ where }), 60);
  same(await Humidity.findOne({ where: { id: -1 } }), null);
  same((await Humidity.findAll({ where, include: { model: Residence, where: { code: 'FAISANDERIE' } } })).length, 20);
  same((await Residence.findAll({ include: Consumption, order: ['id'] })).map((one) => one.consumptions.length), [41, 41, 40]);
  same((await Consumption.findAll({ where, attributes: ['residence_id', [fn('sum', col('value')), 'total']],
    group: 'residence_id', order: ['residence_id'], raw: true })).map((row) => row.total), ['190.00', '190.00', '190.00']);
  same((await Consumption.findAndCountAll({ where, limit: 5, order: [['value', 'DESC'], 'id'] })).count, 60);
});

test('update and increment', async () => {
  const one = await Humidity.findOne({ where: { read_at: at(1) } });
  await one.update({ value: 56 });
  await one.increment('value');
  same((await one.reload()).value, '57.00');
  const [count, changed] = await Consumption.update({ value: literal('value + 1') }, { where: { residenceId: 3 }, returning: true });
  same([count, changed.length], [40, 40]);
});

test('update of a key moves the row', async () => {
  const one = await Humidity.findOne({ where: { read_at: at(1) } });
  await one.update({ read_at: at(2) });
  same([await childOf(one), (await Humidity.findByPk(one.id)).read_at], ['humidity_y2024m02', at(2)]);
  const [count, moved] = await Humidity.update({ read_at: literal("read_at + interval '365 days'") },
    { where: { read_at: { [Op.gte]: at(4) } }, returning: true });
  same([count, moved.length, moved[0].read_at.getUTCFullYear()], [60, 60, 2025]);
  same(await value('SELECT count(*)::int FROM humidity_y2025m04'), 60);
  same(await Humidity.count(), 121);
  await basesAreEmpty();
});

test("upsert and bulkCreate with updateOnDuplicate and ignoreDuplicates, as a session's first statement too", async () => {
  for (const amount of [1, 2]) {
    await reconnect();
    const [one] = await Consumption.upsert(reading(1, at(7), amount), { conflictFields: ['residence_id', 'read_at'] });
    same([one.value, await Consumption.count({ where: { read_at: at(7) } })], [`${amount}.00`, 1]);
  }
  for (const amount of [3, 4]) {
    await reconnect();
    const made = await Consumption.bulkCreate([reading(1, at(7), amount), reading(2, at(7), amount)],
      { updateOnDuplicate: ['value'], conflictAttributes: ['residenceId', 'read_at'] });
    same(made.length, 2);
  }
  for (const month of [7, 8]) {
    await reconnect();
    await Consumption.bulkCreate([reading(1, at(7), 5), reading(3, at(month), 5)], { ignoreDuplicates: true });
  }
  same((await Consumption.findAll({ where: { read_at: { [Op.gte]: at(7) } }, order: ['read_at', 'residenceId'] }))
    .map((one) => [one.residenceId, one.value]), [[1, '4.00'], [2, '4.00'], [3, '5.00'], [3, '5.00']]);
});

test("findOrCreate, as a session's first statement too", async () => {
  for (const wanted of [true, false]) {
    await reconnect();
    const [one, created] = await Consumption.findOrCreate({ where: { residenceId: 1, read_at: at(9) }, defaults: { value: 9 } });
    same([created, one.value], [wanted, '9.00']);
  }
});

test('destroy, and the cascade from a residence', async () => {
  same(await Consumption.destroy({ where: { read_at: at(9) } }), 1);
  const residence = await Residence.create({ code: 'short-lived' });
  await Consumption.create(reading(residence.id, at(1)));
  await Humidity.bulkCreate([reading(residence.id, at(1)), reading(residence.id, at(2))]);
  await residence.destroy();
  same([await Consumption.count({ where: { residenceId: residence.id } }), await Humidity.count({ where: { residenceId: residence.id } })], [0, 0]);
});

test('transactions: rollback takes the child with it; savepoints', async () => {
  const before = await Humidity.count();
  await fails(sequelize.transaction(async (transaction) => {
    await Humidity.create(reading(1, at(1, 1, 2001)), { transaction });
    throw new Error('no');
  }), (error) => error.message, 'no');
  same([await Humidity.count(), await value("SELECT to_regclass('humidity_y2001m01')")], [before, null]);
  await sequelize.transaction(async (transaction) => {
    await Humidity.create(reading(1, at(1, 1, 2001)), { transaction });
    await fails(sequelize.transaction({ transaction }, async (inner) => {
      await Humidity.create(reading(1, at(1, 1, 2002)), { transaction: inner });
      await Humidity.create(reading(1, at(1, 1, 2001)), { transaction: inner });
    }), (error) => error.name, 'SequelizeUniqueConstraintError');
    await Humidity.create(reading(1, at(1, 1, 2003)), { transaction });
  });
  same([await Humidity.count(), await value("SELECT to_regclass('humidity_y2002m01')")], [before + 2, null]);
});

test('errors of the right class: unique, foreign key, check, NOT NULL, value', async () => {
  const error = await fails(Consumption.create(reading(1, at(3))), (e) => [e.name, e.parent.code, e.parent.constraint],
    ['SequelizeUniqueConstraintError', '23505', 'consumption_1_once']);
  same(Object.keys(error.fields), ['residence_id', 'read_at']);
  await fails(Humidity.create(reading(1, at(3))), (e) => [e.name, e.parent.constraint],
    ['SequelizeUniqueConstraintError', 'humidity_y2024m03_once_humidity']);
  await fails(Humidity.create(reading(99, at(3))), (e) => [e.name, e.index], ['SequelizeForeignKeyConstraintError', 'humidity_residence_id_fkey']);
  await fails(Humidity.create(reading(1, at(10), 101)), (e) => [e.name, e.parent.code, e.parent.constraint],
    ['SequelizeDatabaseError', '23514', 'percent']);
  await fails(Humidity.create(reading(1, null), { validate: false }), (e) => [e.name, e.parent.code], ['SequelizeDatabaseError', '23502']);
  await fails(Consumption.create(reading(1, at(10), 1e7)), (e) => [e.name, e.parent.code], ['SequelizeDatabaseError', '22003']);
});

test('parallel creates that need the same new children', async () => {
  const months = [...Array(12).keys()];
  await Promise.all([1, 2, 3].flatMap((residence) => months.map((month) => Humidity.create(reading(residence, at(month + 1, 1, 1999))))));
  same(await Humidity.count({ where: { read_at: { [Op.lt]: at(1, 1, 2000) } } }), 36);
  await basesAreEmpty();
});

test('sync() again changes nothing; truncate empties the children', async () => {
  const before = await Humidity.count();
  await sequelize.sync();
  same(await Humidity.count(), before);
  await Humidity.truncate();
  same(await Humidity.count(), 0);
});

test('the migration is undone and done again: the table has its rows back', async () => {
  const before = await Consumption.count();
  await route.down(sequelize.getQueryInterface());
  same([await value('SELECT count(*)::int FROM ONLY consumption'), (await rows("SELECT FROM router.routes WHERE base = 'consumption'::regclass")).length], [before, 0]);
  await route.up(sequelize.getQueryInterface());
  same(await Consumption.count(), before);
  await basesAreEmpty();
});

connect().then(() => done(reconnect, () => sequelize.close()));
