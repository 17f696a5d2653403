-- router.from_oracle: what it gives for each clause, that the calls run and put rows where Oracle would, and its errors.
\ir ../../include/helpers.sql
\set tests 48
SELECT plan(:tests);

-- The lines, one below the other.
CREATE FUNCTION calls(ddl text, base text DEFAULT 't', prefix text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(line, E'\n') FROM router.from_oracle(ddl, base, prefix) line
$$;
-- Runs them.
CREATE FUNCTION run(ddl text, base text DEFAULT NULL, prefix text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN SELECT router.from_oracle(ddl, base, prefix) LOOP
        EXECUTE line;
    END LOOP;
END $$;
-- How it fails: SQLSTATE, message, and where.
CREATE FUNCTION failure(ddl text, base text DEFAULT 't') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    place text;
    context text;
BEGIN
    PERFORM router.from_oracle(ddl, base);
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS place = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
    RETURN format('%s %s | %s', SQLSTATE, SQLERRM, coalesce(nullif(place, ''), substring(context FROM '^clause of Oracle at character \d+')));
END $$;
-- Which children hold the rows with a condition.
CREATE FUNCTION row_home(base regclass, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    home text;
BEGIN
    EXECUTE format('SELECT string_agg(DISTINCT tableoid::regclass::text, '', '') FROM %s WHERE %s', base, condition) INTO home;
    RETURN home;
END $$;

-- ---------------------------------------------------------------- each clause
SELECT is(calls($o$PARTITION BY LIST (region) (PARTITION east VALUES ('NY', 'N''J'), PARTITION "West" VALUES ('CA', NULL), PARTITION n VALUES (1, -2.5))$o$),
$e$SELECT router.create_route('t', router.by_list('region'), on_missing => 'error');
SELECT router.create_child('t', ARRAY['{NY,N''J}'], child_name => 'east');
SELECT router.create_child('t', ARRAY['{CA,NULL}'], child_name => 'West');
SELECT router.create_child('t', ARRAY['{1,-2.5}'], child_name => 'n');$e$, 'LIST');
SELECT is(calls($o$partition by list ("Region") (partition a values ('{', 'null', '', ',"\'), partition z values (default))$o$),
$e$SELECT router.create_route('t', router.by_list('Region'), on_missing => 'error');
SELECT router.create_child('t', ARRAY[E'{"{","null",NULL,",\\"\\\\"}'], child_name => 'a');
SELECT router.create_child('t', ARRAY['default'], child_name => 'z');
SELECT router.alter_route('t', on_missing => 'default');$e$, 'LIST: DEFAULT, and strings with signs of an array; an empty one is NULL');
SELECT is(calls($o$PARTITION BY LIST (region) AUTOMATIC (PARTITION p1 VALUES (DATE '2024-01-31'))$o$, 's."T"', 'T_'),
$e$SELECT router.create_route('s."T"', router.by_list('region'));
SELECT router.create_child('s."T"', ARRAY['{2024-01-31}'], child_name => 'T_p1');$e$, 'LIST: AUTOMATIC, a date; a table by name, a prefix');
SELECT is(calls($o$PARTITION BY RANGE (d) (PARTITION p0 VALUES LESS THAN (TO_DATE('01/02/2020', 'DD/MM/YYYY')), PARTITION VALUES LESS THAN (TIMESTAMP '2021-01-01 12:30:00'),
    PARTITION pm VALUES LESS THAN (MAXVALUE))$o$),
$e$SELECT router.create_route('t', router.by_date('d'), on_missing => 'error');
SELECT router.create_child('t', ARRAY['(,2020-02-01)'], child_name => 'p0');
SELECT router.create_child('t', ARRAY['[2020-02-01,2021-01-01 12:30:00)']);
SELECT router.create_child('t', ARRAY['[2021-01-01 12:30:00,)'], child_name => 'pm');
SELECT router.create_child('t', ARRAY['null']);$e$, 'RANGE: dates, no name, MAXVALUE, for which NULL has a child as well');
SELECT is(calls($o$CREATE TABLE t (n NUMBER NOT NULL) PARTITION BY RANGE (n) (PARTITION a VALUES LESS THAN (-10), PARTITION b VALUES LESS THAN (+7), PARTITION c VALUES LESS THAN (MAXVALUE))$o$, NULL),
$e$SELECT router.create_route('t', router.by_integer('n'), on_missing => 'error');
SELECT router.create_child('t', ARRAY['(,-10)'], child_name => 'a');
SELECT router.create_child('t', ARRAY['[-10,7)'], child_name => 'b');
SELECT router.create_child('t', ARRAY['[7,)'], child_name => 'c');$e$, 'RANGE: numbers; a column that is NOT NULL needs no child for NULL');
SELECT is(calls($o$CREATE TABLE t (d DATE PRIMARY KEY) PARTITION BY RANGE (d) (PARTITION c VALUES LESS THAN (MAXVALUE))$o$, NULL),
$e$SELECT router.create_route('t', router.by_date('d'), on_missing => 'error');
SELECT router.create_child('t', ARRAY['(,)'], child_name => 'c');$e$, 'RANGE: only MAXVALUE, whose kind the column tells');
SELECT is(calls(format('PARTITION BY RANGE (d) INTERVAL (%s) (PARTITION p VALUES LESS THAN (DATE ''2024-01-01''))', i)) ~ format($$by_date\('d', '%s'\)\);$$, e), true, 'INTERVAL: ' || i)
  FROM (VALUES ('NUMTOYMINTERVAL(1, ''MONTH'')', 'month'), ('NUMTOYMINTERVAL(3,''month'')', '3 months'), ('NUMTOYMINTERVAL(1,''YEAR'')', 'year'), ('NUMTODSINTERVAL(7,''DAY'')', '7 days'),
               ('NUMTODSINTERVAL(1,''DAY'')', 'day'), ('NUMTODSINTERVAL(12,''HOUR'')', '12 hours'), ('NUMTODSINTERVAL(15,''MINUTE'')', '15 minutes'), ('INTERVAL ''1'' DAY', 'day'), ('INTERVAL ''6'' MONTH', '6 months')) v(i, e);
SELECT is(calls($o$PARTITION BY RANGE (n) INTERVAL (100) STORE IN (ts1, ts2) (PARTITION a VALUES LESS THAN (-50), PARTITION b VALUES LESS THAN (1000))$o$),
$e$SELECT router.create_route('t', router.by_integer('n', 100, 1000, from_pivot => true));
SELECT router.create_child('t', ARRAY['(,-50)'], child_name => 'a');
SELECT router.create_child('t', ARRAY['[-50,1000)'], child_name => 'b');$e$, 'INTERVAL: numbers count from the last bound');
SELECT is(calls('PARTITION BY HASH (id) PARTITIONS 2'),
$e$SELECT router.create_route('t', router.by_hash('id', 2));
SELECT router.create_child('t', ARRAY['0/2']);
SELECT router.create_child('t', ARRAY['1/2']);$e$, 'HASH: a number of partitions');
SELECT is(calls('PARTITION BY HASH (id) (PARTITION h1 TABLESPACE a, PARTITION TABLESPACE b, PARTITION "H3")'),
$e$SELECT router.create_route('t', router.by_hash('id', 3));
SELECT router.create_child('t', ARRAY['0/3'], child_name => 'h1');
SELECT router.create_child('t', ARRAY['1/3']);
SELECT router.create_child('t', ARRAY['2/3'], child_name => 'H3');$e$, 'HASH: with names');
SELECT is(calls($o$CREATE TABLE t (d DATE NOT NULL, c INT NOT NULL) PARTITION BY RANGE (d) SUBPARTITION BY HASH (c) SUBPARTITIONS 2 STORE IN (x)
    (PARTITION a VALUES LESS THAN (DATE '2020-01-01'), PARTITION b VALUES LESS THAN (DATE '2021-01-01') SUBPARTITIONS 1, PARTITION c VALUES LESS THAN (DATE '2022-01-01') (SUBPARTITION c1, SUBPARTITION c2, SUBPARTITION))$o$, NULL),
$e$SELECT router.create_route('t', ARRAY[router.by_date('d'), router.by_hash('c', 2)], on_missing => 'error');
SELECT router.create_child('t', ARRAY['(,2020-01-01)', '0/2']);
SELECT router.create_child('t', ARRAY['(,2020-01-01)', '1/2']);
SELECT router.create_child('t', ARRAY['[2020-01-01,2021-01-01)', '0/1']);
SELECT router.create_child('t', ARRAY['[2021-01-01,2022-01-01)', '0/3'], child_name => 'c1');
SELECT router.create_child('t', ARRAY['[2021-01-01,2022-01-01)', '1/3'], child_name => 'c2');
SELECT router.create_child('t', ARRAY['[2021-01-01,2022-01-01)', '2/3']);$e$, 'SUBPARTITION BY HASH: as many as the table says, as the partition says, by name');
SELECT is(calls($o$PARTITION BY RANGE (d) INTERVAL (NUMTOYMINTERVAL(1,'MONTH')) SUBPARTITION BY LIST (c) SUBPARTITION TEMPLATE (SUBPARTITION e VALUES (1, 2) TABLESPACE x, SUBPARTITION w VALUES (3))
    (PARTITION a VALUES LESS THAN (DATE '2020-01-01'), PARTITION b VALUES LESS THAN (DATE '2020-02-01') (SUBPARTITION b1 VALUES (1)))$o$),
$e$SELECT router.create_route('t', ARRAY[router.by_date('d', 'month'), router.by_list('c', ARRAY['{1,2}', '{3}'])]);
SELECT router.create_child('t', ARRAY['(,2020-01-01)', '{1,2}'], child_name => 'a_e');
SELECT router.create_child('t', ARRAY['(,2020-01-01)', '{3}'], child_name => 'a_w');
SELECT router.create_child('t', ARRAY['[2020-01-01,2020-02-01)', '{1}'], child_name => 'b1');$e$, 'SUBPARTITION TEMPLATE: names of partition and subpartition, groups for months to come');
SELECT is(calls($o$PARTITION BY LIST (c) SUBPARTITION BY RANGE (n) (PARTITION a VALUES (1) (SUBPARTITION a1 VALUES LESS THAN (10), SUBPARTITION a2 VALUES LESS THAN (20)), PARTITION b VALUES (2), PARTITION r VALUES (DEFAULT))$o$),
$e$SELECT router.create_route('t', ARRAY[router.by_list('c'), router.by_integer('n')], on_missing => 'error');
SELECT router.create_child('t', ARRAY['{1}', '(,10)'], child_name => 'a1');
SELECT router.create_child('t', ARRAY['{1}', '[10,20)'], child_name => 'a2');
SELECT router.create_child('t', ARRAY['{2}', '(,)'], child_name => 'b');
SELECT router.create_child('t', ARRAY['{2}', 'null']);
SELECT router.create_child('t', ARRAY['default'], child_name => 'r');
SELECT router.alter_route('t', on_missing => 'default');$e$, 'SUBPARTITION BY RANGE: a partition that says nothing holds everything');
SELECT is(calls(format('PARTITION BY RANGE (d) (PARTITION p VALUES LESS THAN (%s))', v)) ~ format('"?\(,%s\)', e), true, 'a date: ' || v)
  FROM (VALUES ($$TO_DATE(' 2008-01-01 00:00:00', 'SYYYY-MM-DD HH24:MI:SS', 'NLS_CALENDAR=GREGORIAN')$$, '2008-01-01'), ($$TO_DATE('31-dec-2019', 'DD-MON-YYYY')$$, '2019-12-31'),
               ($$TO_DATE('1 March 2024 1:05 PM', 'DD Month YYYY HH:MI AM')$$, '2024-03-01 13:05:00'), ($$TO_TIMESTAMP('2024-01-01T10:00:00.5', 'YYYY-MM-DD"T"HH24:MI:SS.FF')$$, '2024-01-01 10:00:00.5'),
               ($$to_date('20240229', 'yyyymmdd')$$, '2024-02-29')) d(v, e);
SELECT is(calls($o$-- a table
CREATE TABLE "HR"."Jobs" /* with all that Oracle writes */ (id NUMBER(10,0) GENERATED ALWAYS AS IDENTITY (START WITH 1), "C" VARCHAR2(10 CHAR) DEFAULT 'x,)' NOT NULL ENABLE,
    v NUMBER AS (id * 2) VIRTUAL, CONSTRAINT pk PRIMARY KEY ("C") USING INDEX LOCAL, CHECK (id > 0)) SEGMENT CREATION IMMEDIATE PCTFREE 10 STORAGE (INITIAL 64K (x)) LOB (x) STORE AS SECUREFILE (TABLESPACE y)
  PARTITION BY LIST ("C") (PARTITION "SYS_P1" VALUES ('a') SEGMENT CREATION IMMEDIATE PCTFREE 10 PCTUSED 40 INITRANS 1 MAXTRANS 255 NOCOMPRESS LOGGING ROW STORE COMPRESS ADVANCED) ENABLE ROW MOVEMENT PARALLEL 4;
/$o$, NULL),
$e$SELECT router.create_route('"HR"."Jobs"', router.by_list('C'), on_missing => 'error');
SELECT router.create_child('"HR"."Jobs"', ARRAY['{a}'], child_name => 'SYS_P1');$e$, 'a CREATE TABLE with columns, storage and comments');
SELECT is(calls(format('PARTITION BY LIST (c) (PARTITION %s VALUES (1))', repeat('n', 64))) ~ 'child_name', false, 'a name that is too long is left to router');

-- --------------------------------------------------- rows are where Oracle has them
CREATE TABLE sales (id int, region text, sold timestamp(0), n int);
SELECT run($o$CREATE TABLE sales (id NUMBER(9), region VARCHAR2(2), sold DATE, n NUMBER(9)) PARTITION BY LIST (region) (PARTITION east VALUES ('NY', 'NJ'), PARTITION nul VALUES (NULL), PARTITION rest VALUES (DEFAULT))$o$) \g /dev/null
INSERT INTO sales (region) VALUES ('NY'), ('NJ'), (NULL), ('CA');
SELECT is(test.homes('sales'), 'east: 2, nul: 1, rest: 1', 'LIST with NULL and DEFAULT');
CREATE TABLE auto (LIKE sales);
SELECT run($o$PARTITION BY LIST (region) AUTOMATIC (PARTITION east VALUES ('NY', 'NJ'))$o$, 'auto', 'auto_') \g /dev/null
INSERT INTO auto (region) VALUES ('NY'), ('NJ'), ('CA'), ('CA');
SELECT is(test.homes('auto'), '"auto_CA": 2, auto_east: 2', 'AUTOMATIC');
CREATE TABLE closed (LIKE sales);
SELECT run($o$PARTITION BY LIST (region) (PARTITION east VALUES ('NY'))$o$, 'closed', 'closed_') \g /dev/null
SELECT throws_ok($$INSERT INTO closed (region) VALUES ('CA')$$, '23514', NULL, 'LIST: what no partition holds is refused, as in Oracle');

-- ranges, against PostgreSQL's own, which have Oracle's bounds
CREATE TABLE spans (LIKE sales);
CREATE TABLE spans_there (LIKE sales) PARTITION BY RANGE (sold);
CREATE TABLE there_a PARTITION OF spans_there FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE there_b PARTITION OF spans_there FOR VALUES FROM ('2020-01-01') TO ('2020-06-15 12:00:00');
CREATE TABLE there_c PARTITION OF spans_there FOR VALUES FROM ('2020-06-15 12:00:00') TO (MAXVALUE);
SELECT run($o$PARTITION BY RANGE (sold) (PARTITION a VALUES LESS THAN (DATE '2020-01-01'), PARTITION b VALUES LESS THAN (TIMESTAMP '2020-06-15 12:00:00'), PARTITION c VALUES LESS THAN (MAXVALUE))$o$, 'spans', 'here_') \g /dev/null
INSERT INTO spans_there (sold) SELECT v::timestamp + d FROM unnest('{2020-01-01,2020-06-15 12:00:00,1900-01-01,2500-01-01}'::text[]) v, unnest('{-1 second,0,1 second}'::interval[]) d;
INSERT INTO spans SELECT * FROM spans_there;
SELECT is((SELECT string_agg(concat_ws(' ', h.sold, h.tableoid::regclass, t.tableoid::regclass), '; ') FROM spans h JOIN spans_there t USING (sold)
            WHERE replace(h.tableoid::regclass::text, 'here', 'there') <> t.tableoid::regclass::text), NULL, 'RANGE: each row at both sides of each bound');
SELECT lives_ok('INSERT INTO spans (sold) VALUES (NULL)', 'and NULL, which MAXVALUE holds in Oracle');

-- INTERVAL: rows of one step are together, the first ones in the partitions that are named
CREATE TABLE numbers (LIKE sales);
SELECT run($o$PARTITION BY RANGE (n) INTERVAL (100) (PARTITION a VALUES LESS THAN (-50), PARTITION b VALUES LESS THAN (1030))$o$, 'numbers', 'numbers_') \g /dev/null
INSERT INTO numbers (n) SELECT * FROM generate_series(-200, 2000, 3);
SELECT is((SELECT count(*) FROM (SELECT DISTINCT tableoid, CASE WHEN n < -50 THEN -2 WHEN n < 1030 THEN -1 ELSE (n - 1030) / 100 END FROM numbers) s), 12::bigint, 'INTERVAL: as many children as steps');
SELECT is((SELECT count(DISTINCT tableoid) FROM numbers), 12::bigint, 'and each holds one of them');
SELECT is(concat_ws(' ', row_home('numbers', 'n < -50'), row_home('numbers', 'n BETWEEN -50 AND 1029')), 'numbers_a numbers_b', 'the named ones are what they were');
CREATE TABLE months (LIKE sales);
SELECT run($o$PARTITION BY RANGE (sold) INTERVAL (NUMTOYMINTERVAL(3, 'MONTH')) SUBPARTITION BY LIST (region) SUBPARTITION TEMPLATE (SUBPARTITION e VALUES ('NY', 'NJ'), SUBPARTITION w VALUES ('CA'))
    (PARTITION a VALUES LESS THAN (DATE '2020-04-01'))$o$, 'months', 'months_') \g /dev/null
INSERT INTO months (sold, region) SELECT d, r FROM generate_series(timestamp '2020-01-15', '2021-12-15', '1 month') d, unnest('{NY,NJ,CA}'::text[]) r;
SELECT is((SELECT count(*) FROM (SELECT DISTINCT tableoid, greatest(date_trunc('quarter', sold), '2020-01-01'), region = 'CA' FROM months) s), 16::bigint, 'INTERVAL with a template: quarters and groups');
SELECT is((SELECT count(DISTINCT tableoid) FROM months), 16::bigint, 'each in a child of its own');
SELECT is(row_home('months', $$sold < '2020-04-01' AND region = 'CA'$$), 'months_a_w', 'with its name');
CREATE TABLE hashed (LIKE sales);
SELECT run($o$PARTITION BY RANGE (n) SUBPARTITION BY HASH (id) SUBPARTITIONS 4 (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (MAXVALUE) SUBPARTITIONS 2)$o$, 'hashed') \g /dev/null
INSERT INTO hashed (id, n) SELECT i, i % 20 FROM generate_series(1, 1000) i;
SELECT lives_ok('INSERT INTO hashed (id, n) VALUES (NULL, 1), (1, NULL), (NULL, NULL)', 'HASH: NULL is no other row than in Oracle');
SELECT is((SELECT count(DISTINCT tableoid) FROM hashed WHERE id IS NOT NULL AND n IS NOT NULL), 6::bigint, 'HASH: all buckets are in use');
SELECT is((SELECT string_agg(b || ' ' || test.strays(b::regclass), '; ') FROM unnest('{sales,auto,spans,numbers,months,hashed}'::text[]) b WHERE test.strays(b::regclass) <> 'none'), NULL, 'all rows are at home');

-- --------------------------------------------------------------------- errors
CREATE TABLE wrong (id int GENERATED ALWAYS AS IDENTITY, ddl text, expected text);
INSERT INTO wrong (ddl, expected) VALUES
    ('', '42601 expected CREATE TABLE or PARTITION BY | At character 1, the end of the text.'),
    ('SELECT 1', '42601 expected CREATE TABLE or PARTITION BY | At character 1, near "SELECT 1".'),
    ('CREATE TABLE t (a INT', '42601 expected ) | At character 22, the end of the text.'),
    ('CREATE TABLE t (a INT DEFAULT ((1)', '42601 expected a parenthesis that is closed | At character 31, near "((1)".'),
    ('CREATE TABLE t (a INT)', '42601 expected PARTITION BY | At character 23, the end of the text.'),
    ('CREATE TABLE t (a INT) NESTED TABLE x', '0A000 "nested" is not supported by router | At character 24, near "NESTED TABLE x".'),
    ('PARTITION BY REFERENCE (fk)', '0A000 PARTITION BY REFERENCE is not supported by router | At character 14, near "REFERENCE (fk)".'),
    ('PARTITION BY SYSTEM', '0A000 PARTITION BY SYSTEM is not supported by router | At character 14, near "SYSTEM".'),
    ('PARTITION BY (c)', '42601 expected LIST, RANGE or HASH | At character 14, near "(c)".'),
    ('PARTITION BY LIST c', '42601 expected ( | At character 19, near "c".'),
    ('PARTITION BY LIST (a, b) (PARTITION p VALUES ((1, 2)))', '0A000 a key of several columns is not supported by router | At character 21, near ", b) (PARTITION p VALUES".'),
    ('PARTITION BY LIST (c) (p VALUES (1))', '42601 expected PARTITION | At character 24, near "p VALUES (1))".'),
    ('PARTITION BY LIST (c) (PARTITION p (1))', '42601 expected VALUES | At character 36, near "(1))".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1)', '42601 expected ) | At character 46, the end of the text.'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1, DEFAULT))', '42601 expected a value, or DEFAULT alone | At character 47, near "DEFAULT))".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (MAXVALUE))', '42601 expected a value, or DEFAULT alone | At character 44, near "MAXVALUE))".'),
    ('PARTITION BY LIST (c) AUTOMATIC (PARTITION p VALUES (DEFAULT))', '0A000 DEFAULT and AUTOMATIC exclude each other | At character 44, near "p VALUES (DEFAULT))".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1 + 1))', '0A000 expression is not read | At character 46, near "+ 1))".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (upper(''a'')))', '0A000 expression is not read | At character 44, near "upper(''a'')))".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (''a))', '42601 unterminated quote | At character 44, near "''a))".'),
    ('PARTITION BY LIST (c) /* (PARTITION p VALUES (''a''))', '42601 unterminated comment | At character 23, near "/* (PARTITION p VALUES (".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1)) AS SELECT 1', '0A000 "as" is not supported by router | At character 48, near "AS SELECT 1".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1)) )', '42601 expected the end of the clause | At character 48, near ")".'),
    ('PARTITION BY LIST (c) (PARTITION p VALUES (1) READ ONLY)', '0A000 "read" is not supported by router | At character 47, near "READ ONLY)".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES (1))', '42601 expected VALUES LESS THAN | At character 37, near "VALUES (1))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (1), PARTITION q VALUES LESS THAN (DATE ''2024-01-01''))', '42601 expected a number or MAXVALUE | At character 89, near "DATE ''2024-01-01''))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (1, 2))', '42601 expected one bound, as there is one column | At character 58, near "2))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (2), PARTITION q VALUES LESS THAN (2))', '22023 bound of a partition is not above that of the one before | At character 89, near "2))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (MAXVALUE), PARTITION q VALUES LESS THAN (2))', '22023 bound of a partition is not above that of the one before | At character 96, near "2))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (MAXVALUE))', '22023 whether "c" is a number or a date cannot be told | At character 21, near "c) (PARTITION p VALUES L".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (1.5))', '0A000 number 1.5 is no bigint | At character 55, near "1.5))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (99999999999999999999))', '0A000 number 99999999999999999999 is no bigint | At character 55, near "99999999999999999999))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (''M''))', '0A000 ranges of strings are nothing that router has | At character 55, near "''M''))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (TO_DATE(''01-JAN-20'')))', '0A000 date without a format is not read | At character 63, near "''01-JAN-20'')))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (TO_DATE(''01-JAN-20'', ''DD-MON-RR'')))', '0A000 date format "RR" is not read | At character 76, near "''DD-MON-RR'')))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (TO_DATE(''1'', ''DDD'')))', '0A000 date format "DDD" is not read | At character 68, near "''DDD'')))".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (TO_DATE(''1'', ''MM'', ''NLS_DATE_LANGUAGE=FRENCH'')))', '0A000 parameters of national language are not read | At character 68, near "''MM'', ''NLS_DATE_LANGUAGE".'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (DATE ''2024-13-01''))', '22008 date/time field value out of range: "2024-13-01" | clause of Oracle at character 60'),
    ('PARTITION BY RANGE (c) (PARTITION p VALUES LESS THAN (TIMESTAMP ''2024-01-01 00:00:00 Europe/Berlin''))', '0A000 date "2024-01-01 00:00:00 Europe/Berlin" is not read | At character 65, near "''2024-01-01 00:00:00 Eur".'),
    ('PARTITION BY RANGE (c) INTERVAL (NUMTOYMINTERVAL(1, ''DECADE'')) (PARTITION p VALUES LESS THAN (1))', '0A000 unit "DECADE" is not read | At character 53, near "''DECADE'')) (PARTITION p ".'),
    ('PARTITION BY RANGE (c) INTERVAL (f(1)) (PARTITION p VALUES LESS THAN (1))', '42601 expected a number, NUMTOYMINTERVAL, NUMTODSINTERVAL or INTERVAL | At character 34, near "f(1)) (PARTITION p VALUE".'),
    ('PARTITION BY RANGE (c) INTERVAL (0) (PARTITION p VALUES LESS THAN (1))', '42601 expected a whole number above zero | At character 34, near "0) (PARTITION p VALUES L".'),
    ('PARTITION BY RANGE (c) INTERVAL (10) (PARTITION p VALUES LESS THAN (MAXVALUE))', '22023 whether "c" is a number or a date cannot be told | At character 21, near "c) INTERVAL (10) (PARTIT".'),
    ('PARTITION BY RANGE (c) INTERVAL (10) (PARTITION p VALUES LESS THAN (1), PARTITION q VALUES LESS THAN (MAXVALUE))', '42601 expected a value that INTERVAL counts from | At character 103, near "MAXVALUE))".'),
    ('PARTITION BY RANGE (c) INTERVAL (10) (PARTITION p VALUES LESS THAN (DATE ''2024-01-01''))', '22023 INTERVAL and the bounds are not of the same kind | At character 34, near "10) (PARTITION p VALUES ".'),
    ('PARTITION BY RANGE (c) INTERVAL (NUMTODSINTERVAL(10, ''DAY'')) (PARTITION p VALUES LESS THAN (DATE ''2024-01-01''))', '22023 invalid step "10 days" for a date key | clause of Oracle at character 34'),
    ('PARTITION BY RANGE (c) INTERVAL (NUMTODSINTERVAL(7, ''DAY'')) (PARTITION p VALUES LESS THAN (DATE ''2024-01-02''))', '0A000 no step of 7 days begins at 2024-01-02 | At character 92, near "DATE ''2024-01-02''))".'),
    ('PARTITION BY HASH (c) PARTITIONS 0', '22023 invalid number of partitions | At character 34, near "0".'),
    ('PARTITION BY HASH (c) PARTITIONS 70000', '22023 invalid number of partitions | At character 34, near "70000".'),
    ('PARTITION BY HASH (c) PARTITIONS x', '42601 expected a number | At character 34, near "x".'),
    ('PARTITION BY LIST (c) SUBPARTITION BY LIST (d) SUBPARTITIONS 3 (PARTITION p VALUES (1))', '42601 expected ( | At character 48, near "SUBPARTITIONS 3 (PARTITI".'),
    ('PARTITION BY LIST (c) SUBPARTITION BY LIST (d) (PARTITION p VALUES (1))', '0A000 a partition without subpartitions, which has one for DEFAULT, is not supported by router | At character 59, near "p VALUES (1))".'),
    ('PARTITION BY LIST (c) SUBPARTITION BY LIST (d) (PARTITION p VALUES (1) (SUBPARTITION s VALUES (DEFAULT)))', '0A000 a subpartition for DEFAULT is not supported by router | At character 86, near "s VALUES (DEFAULT)))".'),
    ('PARTITION BY LIST (c) AUTOMATIC SUBPARTITION BY RANGE (d) (PARTITION p VALUES (1) (SUBPARTITION s VALUES LESS THAN (1)))', '0A000 ranges within partitions that are made as rows come are nothing that router has | At character 56, near "d) (PARTITION p VALUES (".'),
    ('CREATE TABLE t (a INT) PARTITION BY LIST (b) (PARTITION p VALUES (1))', '42703 column "b" is none of the table''s | At character 43, near "b) (PARTITION p VALUES (".'),
    ('CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a + 1) VIRTUAL) PARTITION BY LIST (b) (PARTITION p VALUES (1))', '0A000 virtual column "b" cannot be a key | At character 86, near "b) (PARTITION p VALUES (".'),
    ('/* é */ PARTITION BÝ', '42601 expected CREATE TABLE or PARTITION BY | At character 9, near "PARTITION BÝ".');
SELECT is((SELECT string_agg(format('%s: %s', ddl, f), E'\n' ORDER BY id) FROM wrong, failure(ddl) f WHERE f IS DISTINCT FROM expected), NULL, 'each error says what, and where');
SELECT is((SELECT string_agg(left(ddl, n), E'\n') FROM (VALUES ($o$CREATE TABLE t (a INT DEFAULT (1), CONSTRAINT c PRIMARY KEY (a)) PCTFREE 1 PARTITION BY RANGE (a) INTERVAL (NUMTOYMINTERVAL(1, 'MONTH')) SUBPARTITION BY LIST (a) SUBPARTITION TEMPLATE (SUBPARTITION s VALUES ('a', NULL)) (PARTITION p VALUES LESS THAN (TO_DATE('2024-01-01', 'YYYY-MM-DD')) (SUBPARTITION x VALUES (1)))$o$)) d(ddl), generate_series(0, length(ddl) - 1) n,
                  failure(left(ddl, n)) f WHERE f !~ '^(42601|0A000|22008) '), NULL, 'cut anywhere, it is an error');
SELECT throws_ok('SELECT router.from_oracle(NULL)', '22004', NULL, 'no clause');
SELECT throws_ok('SELECT router.from_oracle(''PARTITION BY HASH (c) PARTITIONS 2'')', '22023', 'the clause does not say which table is meant', 'no table');
SELECT throws_ok('SELECT router.from_oracle(''PARTITION BY HASH (c) PARTITIONS 2'', ''a.b.c.d'')', '42601', NULL, 'nor one by such a name');
SELECT throws_ok('SELECT router.from_oracle(''PARTITION BY HASH (c) SUBPARTITION BY HASH (d) SUBPARTITIONS 65536 PARTITIONS 65536'', ''t'')', '54000', NULL, 'too many partitions');
SELECT * FROM finish();
