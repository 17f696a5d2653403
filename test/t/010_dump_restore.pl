#!/usr/bin/perl
# pg_dump and restore of routed tables: plain, custom, in jobs, --clean, inserts, section by section,
# --schema-only, --data-only into a route that is there; ALTER EXTENSION UPDATE; DROP EXTENSION. On the running server of PGHOST, PGPORT and PGUSER
# where that is set, else on a cluster of its own; makes and drops its own databases.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

# before the program runs, for its INIT blocks, which also set PGHOST
my $own_cluster;
BEGIN
{
	$own_cluster = !$ENV{PGHOST};
	require PostgreSQL::Test::Cluster if $own_cluster;
}

if ($own_cluster)
{
	our $node = PostgreSQL::Test::Cluster->new('dump_restore');
	$node->init;
	$node->start;
	$ENV{PGHOST} = $node->host;
	$ENV{PGPORT} = $node->port;
}

my $bindir = `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --bindir 2>/dev/null`;
chomp $bindir;
my $dir  = tempdir(CLEANUP => 1);
my $from = 'router_t_dump_from';
my $to   = 'router_t_dump_to';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub program { my $name = shift; return -x "$bindir/$name" ? "$bindir/$name" : $name }

# Runs a program; returns true when it ended well. What it says on stderr is shown when it did not.
sub run
{
	my ($name, @args) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', "$dir/stderr";
		exec program($name), @args or die "exec $name: $!";
	}
	waitpid $pid, 0;
	return 1 if $? == 0;
	open my $err, '<', "$dir/stderr";
	diag("$name: $_") while <$err>;
	return 0;
}

# The answer to a query, rows by newlines, columns by |.
sub query
{
	my ($db, $sql) = @_;
	open my $out, '-|', program('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $db, '-c', $sql or die "psql: $!";
	my $answer = join '', <$out>;
	close $out;
	chomp $answer;
	return $answer;
}

sub fresh_database
{
	my ($db, $preload) = @_;
	query('postgres', "DROP DATABASE IF EXISTS $db");
	query('postgres', "CREATE DATABASE $db");
	query('postgres', "ALTER DATABASE $db SET session_preload_libraries = router") if $preload;
}

my $setup = <<'SQL';
CREATE EXTENSION router;
CREATE SCHEMA "Odd schema";
CREATE SCHEMA "the parts";
CREATE TABLE residence (id int PRIMARY KEY, code text);
INSERT INTO residence VALUES (1, 'a''b'), (2, 'FAISANDERIE');
CREATE TABLE reading (id bigint GENERATED ALWAYS AS IDENTITY, gone int, residence_id int REFERENCES residence ON DELETE CASCADE, at timestamptz NOT NULL,
	v numeric CHECK (v < 1000), twice numeric GENERATED ALWAYS AS (v * 2) STORED, PRIMARY KEY (id, at));
ALTER TABLE reading DROP COLUMN gone;
CREATE INDEX ON reading (at);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END $$;
CREATE TRIGGER user_trigger AFTER INSERT ON reading FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER "~~last" AFTER INSERT ON reading FOR EACH ROW EXECUTE FUNCTION note();
CREATE UNIQUE INDEX special ON reading (id, at, lower(v::text)) WHERE v > 0 AND v::text IN ('1', '2');
CREATE STATISTICS stats ON v, at FROM reading;
ALTER TABLE reading ADD CONSTRAINT uq UNIQUE (at, v, id) DEFERRABLE, ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL, SET (fillfactor = 80);
CREATE POLICY pol ON reading USING (v::varchar NOT IN ('7000', '8000'));
COMMENT ON TABLE reading IS 'readings';
GRANT SELECT ON reading TO PUBLIC;
CREATE TABLE "Odd schema"."Odd ""table" ("key" text, "select" date);
CREATE TABLE groups (k int);
CREATE TABLE hashed (k int);
CREATE TABLE attached (k int, v text);
CREATE TABLE other_layout (v text, k int);
CREATE TABLE plain (k int PRIMARY KEY);
CREATE TYPE full_name AS (first text, last text);
CREATE TABLE people (n full_name, v int);
CREATE TABLE people_hashed (LIKE people);
INSERT INTO plain VALUES (1), (-5), (0), (15), (29), (31), (20), (-9), (-7), (99), (555), (777), (5000);
SELECT router.create_route('reading', ARRAY[router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1'), router.by_date('at', 'month')],
	time_zone => 'Europe/Brussels', horizon => '50 years', max_new_children => 77);
SELECT router.create_route('"Odd schema"."Odd ""table"', ARRAY[router.by_list('key'), router.by_date('select', 'week')], template => '{base}/{1}/{2}', child_schema => 'the parts');
SELECT router.create_route('groups', router.by_list('k', ARRAY['{1,2}', '{3,NULL}']), default_child => true, on_missing => 'default');
SELECT router.create_route('hashed', router.by_hash('k', 3));
SELECT router.create_route('attached', router.by_integer('k', 10, pivot => 0));
SELECT router.attach_child('attached', 'other_layout', ARRAY['[11,30]']);
SELECT router.create_route('people', router.by_list('n')), router.create_route('people_hashed', router.by_hash('n', 2));
INSERT INTO people VALUES ('(Jim,)', 1), ('(,)', 2), (NULL, 3), ('(Joe,Blow)', 4);
INSERT INTO people_hashed SELECT * FROM people;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE moods (m mood, v int);
CREATE TABLE mood_groups (LIKE moods);
SELECT router.create_route('moods', router.by_list('m')), router.create_route('mood_groups', router.by_list('m', ARRAY['{sad,NULL}', '{ok}']));
INSERT INTO moods VALUES ('sad', 1), ('ok', 2);
INSERT INTO mood_groups SELECT * FROM moods;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
-- what nobody told router
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TYPE mood RENAME VALUE 'ok' TO 'so so';
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
CREATE INDEX ON attached (v, k);
ALTER TABLE attached ADD CONSTRAINT fk FOREIGN KEY (k) REFERENCES plain NOT VALID, ADD CONSTRAINT few CHECK (k < 100000) NO INHERIT,
	ADD CONSTRAINT later CHECK (k <> 12345) NO INHERIT NOT VALID, ADD CONSTRAINT whole CHECK (attached IS DISTINCT FROM NULL) NO INHERIT, ADD CONSTRAINT passed_on CHECK (k <> 54321);
INSERT INTO reading (residence_id, at, v) SELECT 1 + i % 2, '2024-01-01'::timestamptz + i * interval '1 day', i FROM generate_series(1, 100) i;
INSERT INTO reading (residence_id, at, v) VALUES (NULL, '2024-05-05', 1);
INSERT INTO "Odd schema"."Odd ""table" VALUES ('a"b''c', '2024-12-30'), (NULL, '2024-01-01'), (E'new\nline', '2024-01-01'), ('{1,2}', NULL);
SELECT router.premake('groups');
INSERT INTO groups VALUES (1), (2), (3), (4), (NULL);
INSERT INTO hashed SELECT generate_series(1, 50);
INSERT INTO attached VALUES (-5, 'before'), (0, 'zero'), (15, 'other'), (29, 'other'), (31, 'next');
ALTER TABLE reading RENAME COLUMN residence_id TO home_id;
SELECT router.add_global_key('reading', '{id}');
CREATE TABLE alarm (reading_id bigint REFERENCES reading_id_keys ON DELETE CASCADE);
INSERT INTO alarm VALUES (1), (2), (3);
SELECT router.set_maintenance('reading', premake => 2, keep => '3 years', retire => 'schema', retire_schema => 'Odd schema'), router.set_maintenance('hashed', premake => 0);
ALTER TABLE hashed RENAME TO hashed_renamed;
DO $$DECLARE c regclass; BEGIN FOR c IN SELECT child FROM router.children WHERE base = 'reading'::regclass LOOP EXECUTE format('CALL router.seal(%L, ARRAY[''id''])', c); END LOOP; END$$;
SQL

# What must come back the same.
my %same = (
	'routes'   => q{SELECT base, keys, time_zone, template, child_schema, on_missing, on_reject, horizon, max_new_children, children FROM router.routes ORDER BY base::text},
	'maintenance' => q{SELECT * FROM router.maintenance ORDER BY base::text},
	'seals'    => q{SELECT s.base, s.child, s.span, s.state, a.attname FROM router.seals s JOIN router.seal_def d USING (child, "column") JOIN pg_attribute a ON a.attrelid = s.base AND a.attnum = d.attnum ORDER BY s.child::text},
	'keys'     => q{SELECT base, level, kind, column_name, every, modulus, groups, pivot, from_pivot, label FROM router.key_def ORDER BY base::text, level},
	'columns'  => q{SELECT k.base, k.level FROM router.key_def k JOIN pg_attribute a ON a.attrelid = k.base AND a.attname = k.column_name AND a.attnum = k.attnum ORDER BY k.base::text, k.level},
	'children' => q{SELECT base, child, bounds, condition FROM router.children ORDER BY child::text},
	'heirs'    => q{SELECT inhparent::regclass, inhrelid::regclass FROM pg_inherits ORDER BY inhrelid::regclass::text},
	'triggers' => q{SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname},
	'indexes'  => q{SELECT indrelid::regclass, count(*) FROM pg_index JOIN pg_class c ON c.oid = indrelid AND c.relkind = 'r' WHERE indrelid >= 16384 GROUP BY 1 ORDER BY indrelid::regclass::text},
	'own'      => q{SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_inherits ON inhrelid = attrelid WHERE attnum > 0 AND attislocal AND NOT attisdropped UNION ALL SELECT conrelid::regclass::text, conname FROM pg_constraint JOIN pg_inherits ON inhrelid = conrelid WHERE conislocal ORDER BY 1, 2},
	'checks'   => q{SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid >= 16384 ORDER BY conrelid::regclass::text, conname, 3},
	'reading'  => q{SELECT tableoid::regclass, id, home_id, at, v, twice FROM reading ORDER BY id},
	'odd'      => q{SELECT tableoid::regclass, "key", "select" FROM "Odd schema"."Odd ""table" ORDER BY 1::text, 2, 3},
	'groups'   => q{SELECT tableoid::regclass, k FROM groups ORDER BY k},
	'hashed'   => q{SELECT tableoid::regclass, k FROM hashed_renamed ORDER BY k},
	'attached' => q{SELECT tableoid::regclass, k, v FROM attached ORDER BY k},
	'people'   => q{SELECT * FROM (SELECT tableoid::regclass::text, n, v FROM people UNION ALL SELECT tableoid::regclass::text, n, v FROM people_hashed) p ORDER BY 1, v},
	'moods'    => q{SELECT * FROM (SELECT tableoid::regclass::text, m, v FROM moods UNION ALL SELECT tableoid::regclass::text, m, v FROM mood_groups) p ORDER BY 1, v},
	'global keys' => q{SELECT g.base, g.columns, g.key_table, v.constraint_name, c.missing, c.orphans, c.duplicates
		FROM router.global_key_def g JOIN router.global_keys v USING (key_table) JOIN pg_attribute a ON a.attrelid = g.base AND a.attname = g.columns[1] AND a.attnum = g.attnums[1],
		router.check_global_key(g.base) c},
	'entries'  => q{SELECT id, reading_id FROM reading_id_keys LEFT JOIN alarm ON id = reading_id ORDER BY id},
	'depends'  => q{SELECT refobjid::regclass, deptype FROM pg_depend WHERE objid = 'reading_id_keys'::regclass AND refclassid = 'pg_class'::regclass},
	'plain'    => q{SELECT tableoid::regclass, k FROM plain},
	'drift'    => q{SELECT 'none' WHERE NOT EXISTS (SELECT count(*) FROM router.check() WHERE routed_table NOT IN ('moods'::regclass, 'mood_groups'::regclass))},
);

sub compare
{
	my ($how) = @_;
	# seals are not among what is restored of the catalog before the data
	is(query($to, $same{$_}), query($from, $same{$_}), "$how: $_") for grep { $_ ne 'seals' || $how !~ /, data only/ } sort keys %same;
	is(query($to, q{SELECT (SELECT count(*) FROM ONLY reading) + (SELECT count(*) FROM ONLY groups) + (SELECT count(*) FROM ONLY hashed_renamed) + (SELECT count(*) FROM ONLY attached)}),
		'0', "$how: bases are empty");

	# and it routes: old children, new ones, the label, the default child, the other layout
	query($to, q{INSERT INTO reading (home_id, at, v) VALUES (2, '2024-01-15', 5), (2, '2030-01-15', 6), (1, '2030-01-15', 6)});
	is(query($to, q{SELECT tableoid::regclass FROM reading WHERE at > '2029-01-01' OR (at = '2024-01-15' AND v = 5) ORDER BY at, v, home_id}),
		qq{"reading_FAISANDERIE_y2024m01"\n"reading_a'b_y2030m01"\n"reading_FAISANDERIE_y2030m01"}, "$how: rows go home, to old children and new");
	is(query($to, q{SELECT count(*) = count(DISTINCT id) FROM reading}), 't', "$how: the identity goes on where it was");
	query($to, q{INSERT INTO groups VALUES (2), (99); INSERT INTO hashed_renamed VALUES (51); INSERT INTO attached VALUES (20, 'new'), (-9, 'new')});
	is(query($to, q{SELECT tableoid::regclass FROM groups WHERE k IN (2, 99) ORDER BY k}), "groups_1_2\ngroups_1_2\ngroups_default", "$how: groups and default child");
	is(query($to, q{SELECT tableoid::regclass, v FROM attached WHERE v = 'new' ORDER BY k}), "attached_below_0|new\nother_layout|new", "$how: pivot and attached child");
	is(query($to, q{SELECT count(*) FROM ONLY hashed_renamed}), '0', "$how: hash");
	is(query($to, q{DO $$BEGIN INSERT INTO reading (id, at, v) OVERRIDING SYSTEM VALUE VALUES (1, '2031-01-01', 1); RAISE 'not refused'; EXCEPTION WHEN unique_violation THEN END$$; SELECT missing + orphans + duplicates FROM router.check_global_key('reading')}),
		'0', "$how: the global key holds");
	is(query($to, q{DELETE FROM residence WHERE id = 1; SELECT count(*) FROM reading WHERE home_id = 1}), '0', "$how: foreign keys cascade");
	is(query($to, q{SELECT count(*) FROM alarm}), '2', "$how: to those that refer to the global key as well");
}

# A schema without data has tables, children and triggers but no route, until the catalog's rows come.
sub schema_then_data
{
	my ($mode, $preload) = @_;
	my $how = "$mode, schema only";

	fresh_database($to, $preload);
	ok(run('pg_dump', '--schema-only', '-f', "$dir/schema.sql", $from), "$how: pg_dump");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/schema.sql"), "$how: restore");
	is(query($to, $same{heirs}), query($from, $same{heirs}), "$how: the children are there");
	is(query($to, q{SELECT count(*) FROM router.routes}), '0', "$how: the routes are not");
	query($to, q{INSERT INTO hashed_renamed VALUES (1), (2)});
	is(query($to, q{SELECT count(*) FROM hashed_renamed}) . query($to, q{SELECT count(*) FROM ONLY hashed_renamed}), '22', "$how: rows stay in the base, and are read there");
	query($to, q{TRUNCATE ONLY hashed_renamed});

	# the catalog alone makes routes of them
	ok(run('pg_dump', '--data-only', '-t', 'router.route_def', '-t', 'router.key_def', '-t', 'router.child_def', '-t', 'router.global_key_def', '-t', 'router.maintain_def', '-f', "$dir/catalog.sql", $from), "$how: pg_dump of the catalog");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/catalog.sql"), "$how: restore of the catalog");
	is(query($to, $same{$_}), query($from, $same{$_}), "$how and catalog: $_") for qw(routes keys columns children);
	query($to, q{INSERT INTO hashed_renamed VALUES (1), (2)});
	is(query($to, q{SELECT count(*) FROM ONLY hashed_renamed}), '0', "$how and catalog: rows go home");
	query($to, q{TRUNCATE hashed_renamed});

	# and the data of the tables into routes that are there: the triggers make the entries of global keys, then come those who refer to them
	ok(run('pg_dump', '--data-only', '-T', 'router.*', '-T', 'reading_id_keys', '-T', 'alarm', '-f', "$dir/data.sql", $from), "$mode: pg_dump, data only");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/data.sql"), "$mode: restore of data into a route that is there");
	ok(run('pg_dump', '--data-only', '-t', 'alarm', '-f', "$dir/alarm.sql", $from), "$mode: pg_dump, data of a table that refers to a global key");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/alarm.sql"), "$mode: restore of what refers to entries that the triggers made");
	compare("$mode, data only");

	# or the entries come with the key table's own data, while no trigger fires
	fresh_database($to, $preload);
	run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/$_.sql") for qw(schema catalog);
	ok(run('pg_dump', '--data-only', '--disable-triggers', '-T', 'router.*', '-f', "$dir/disabled.sql", $from), "$mode: pg_dump, data only, triggers disabled");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/disabled.sql"), "$mode: restore of data with triggers disabled");
	compare("$mode, data only with triggers disabled");

	# all of it, catalog included, while no trigger fires
	fresh_database($to, $preload);
	run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/schema.sql");
	ok(run('pg_dump', '--data-only', '--disable-triggers', '-f', "$dir/all_disabled.sql", $from), "$mode: pg_dump, all data, triggers disabled");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/all_disabled.sql"), "$mode: restore of data and catalog with triggers disabled");
	compare("$mode, schema then data with triggers disabled");

	# schema, then all data, catalog included
	fresh_database($to, $preload);
	run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/schema.sql");
	ok(run('pg_dump', '--data-only', '-Fc', '-f', "$dir/alldata", $from), "$mode: pg_dump, data only with the catalog");
	ok(run('pg_restore', '--exit-on-error', '--single-transaction', '-d', $to, "$dir/alldata"), "$mode: restore of data and catalog in one transaction");
	compare("$mode, schema then data");
}

# Rows, not tables: what a COPY of the query gives goes home in a route with other children, or none.
sub rows_only
{
	my ($mode, $preload) = @_;

	fresh_database($to, $preload);
	query($to, q{CREATE EXTENSION router; CREATE TABLE attached (v text, k bigint, more int DEFAULT 1);
		SELECT count(*) FROM router.create_route('attached', router.by_integer('k', 5))});
	query($from, qq{COPY (SELECT k, v FROM attached) TO '$dir/rows'});
	query($to, qq{COPY attached (k, v) FROM '$dir/rows'});
	is(query($to, q{SELECT k, v FROM attached ORDER BY k}), query($from, q{SELECT k, v FROM attached ORDER BY k}), "$mode: rows into a route of other children");
	is(query($to, q{SELECT count(*) FROM ONLY attached}), '0', "$mode: all home");
}

# A step to a version that does what such steps do: new objects, and a look at the catalog.
sub upgrade
{
	my ($mode, $preload) = @_;
	my $extension = `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --sharedir`;
	chomp $extension;
	$extension .= '/extension';
	unless (-w $extension)
	{
		diag("$extension: not writable, no step made");
		return;
	}
	open my $step, '>', "$extension/router--1.0--1.0test.sql" or die "$extension: $!";
	print $step <<'SQL';
\echo Use "ALTER EXTENSION router UPDATE" to load this file. \quit
CREATE FUNCTION router.step() RETURNS int LANGUAGE sql RETURN 42;
CREATE TABLE router.step_def (base regclass PRIMARY KEY, note text);
SELECT pg_catalog.pg_extension_config_dump('router.step_def', '');
INSERT INTO router.step_def SELECT base, 'made by a step' FROM router.route_def;
UPDATE router.route_def SET max_new_children = max_new_children + 1;
UPDATE router.child_def SET bounds = bounds;
DROP VIEW router.routes CASCADE;
CREATE VIEW router.routes AS
	SELECT r.base, ARRAY(SELECT k.column_name::text FROM router.key_def k WHERE k.base = r.base ORDER BY level) AS keys FROM router.route_def r;
SQL
	close $step;

	fresh_database($to, $preload);
	run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/plain.sql");
	# one session all along: it has the routes in its cache when the step comes
	is(query($to, q{
		INSERT INTO hashed_renamed VALUES (1001);
		ALTER EXTENSION router UPDATE TO '1.0test';
		INSERT INTO hashed_renamed SELECT generate_series(2001, 2050);
		UPDATE attached SET k = 555 WHERE k = 31;
		INSERT INTO attached VALUES (777, 'after the step');
		SELECT extversion FROM pg_extension WHERE extname = 'router';
		SELECT router.step() + count(*) FROM router.step_def;
		SELECT count(*) FROM ONLY hashed_renamed;
		SELECT tableoid::regclass, k FROM attached WHERE k > 500 ORDER BY k}),
		"1.0test\n51\n0\nattached_551_560|555\nattached_771_780|777", "$mode: ALTER EXTENSION UPDATE, and the same session goes on");
	is(query($to, $same{$_}), query($from, $same{$_}), "$mode, updated: $_") for qw(keys columns reading odd groups);
	is(query($to, q{SELECT max_new_children FROM router.route_def WHERE base = 'reading'::regclass}), '78', "$mode: the step changed the catalog");
	ok(run('pg_dump', '-f', "$dir/updated.sql", $to), "$mode: pg_dump after the step");
	query($to, q{DROP TABLE attached CASCADE; CREATE TABLE later (k int); SELECT count(*) FROM router.create_route('later', router.by_integer('k', 10)); INSERT INTO later VALUES (1), (11)});
	is(query($to, q{SELECT tableoid::regclass FROM later ORDER BY k}), "later_1_10\nlater_11_20", "$mode: new routes after the step");
	unlink "$extension/router--1.0--1.0test.sql";
}

# Without the extension they are tables that inherit, nothing else, and right.
sub uninstall
{
	my ($mode, $preload) = @_;
	my $sums = q{SELECT (SELECT count(*) || ' ' || sum(v) FROM reading), (SELECT sum(k) FROM hashed_renamed), (SELECT string_agg(v, ',' ORDER BY k) FROM attached), (SELECT count(*) FROM groups)};

	fresh_database($to, $preload);
	run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/plain.sql");
	my $before = query($to, $sums);
	# the session that drops it has used it
	is(query($to, qq{INSERT INTO attached VALUES (-7, 'x'); DELETE FROM attached WHERE v = 'x'; DROP EXTENSION router CASCADE; $sums}), $before, "$mode: DROP EXTENSION CASCADE leaves every row");
	is(query($to, q{SELECT count(*) FROM pg_trigger WHERE tgname ~ 'router' OR tgname = '!router_flush'}), '0', "$mode: no trigger is left");
	is(query($to, q{SELECT count(*) FROM pg_event_trigger}) . query($to, q{SELECT count(*) FROM pg_class WHERE relnamespace = 'router'::regnamespace}), '00', "$mode: no event trigger, no table of router's");
	is(query($to, $same{heirs}), query($from, $same{heirs}), "$mode: the children inherit");
	my $checks = $same{checks} =~ s/ORDER/AND connamespace <> 'router'::regnamespace AND conname <> 'router_seal' ORDER/r;
	is(query($to, $checks), query($from, $checks), "$mode: the CHECKs are there");
	is(query($to, q{EXPLAIN (COSTS off) SELECT * FROM attached WHERE k = 15}) =~ s/^.*Seq Scan on (\S+).*$/$1/mgr =~ s/^(?!attached|other).*\n?//mgr =~ s/\n/ /gr, 'attached other_layout ', "$mode: constraint exclusion leaves out the other children");
	is(query($to, q{INSERT INTO attached VALUES (15, 'base'), (5000, 'base'); SELECT tableoid::regclass, k FROM attached WHERE v = 'base' ORDER BY k}), "attached|15\nattached|5000", "$mode: the base takes rows itself");
	is(query($to, q{WITH u AS (UPDATE attached SET v = 'updated' WHERE k IN (15, 0, 5000) RETURNING k) SELECT count(*), sum(k) FROM u}), '4|5030', "$mode: UPDATE finds rows of base and children");
	is(query($to, q{DELETE FROM attached WHERE v = 'updated'; SELECT count(*) FROM attached}), '3', "$mode: DELETE as well");
	query($to, q{INSERT INTO reading (home_id, at, v) VALUES (2, '2024-01-15', 1)});
	is(query($to, q{DELETE FROM residence WHERE id = 2; SELECT count(*) FROM reading WHERE home_id = 2}), '0', "$mode: foreign keys of base and children");
	is(query($to, q{SELECT count(*) FROM ONLY reading}), '0', "$mode: nothing is left in the base");

	# and back again: the extension, a route of the same keys, its children attached
	is(query($to, q{CREATE EXTENSION router;
		ALTER TABLE attached DROP CONSTRAINT few, DROP CONSTRAINT later, DROP CONSTRAINT whole;
		DO $$DECLARE heir regclass; BEGIN FOR heir IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'attached'::regclass LOOP EXECUTE format('ALTER TABLE %s NO INHERIT attached', heir); END LOOP; END$$;
		SELECT count(*) > 0 FROM router.create_route('attached', router.by_integer('k', 10));
		SELECT count(*) > 0 FROM router.attach_child('attached', 'other_layout', ARRAY['[11,30]']);
		INSERT INTO attached VALUES (20, 'back'), (99, 'back');
		SELECT tableoid::regclass FROM attached WHERE v = 'back' ORDER BY k}), "t\nt\nother_layout\nattached_91_100", "$mode: installed again");
}

# An owner who is no superuser dumps his schema and restores it where the extension is; the catalog is not his to write. He
# makes the routes anew, in one session, and attaches the children that are there.
sub by_owner
{
	my ($mode, $preload) = @_;
	my $owner = 'router_t_dump_owner';
	my $is = q{SELECT tableoid::regclass, k, d FROM mine.t UNION ALL SELECT tableoid::regclass, k, d FROM mine.s ORDER BY 2, 3};

	query('postgres', "DO 'BEGIN CREATE ROLE $owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END'");
	fresh_database($_, $preload), query($_, "CREATE EXTENSION router; GRANT CREATE ON DATABASE $_ TO $owner") for $from, $to;
	query($from, qq{SET ROLE $owner;
		CREATE SCHEMA mine;
		CREATE TABLE mine.t (k int, d date NOT NULL, id int, PRIMARY KEY (k, d));
		CREATE TABLE mine.s (k int, d date, id int);
		SELECT router.create_route('mine.t', ARRAY[router.by_list('k'), router.by_date('d', 'month')]), router.create_route('mine.s', router.by_integer('k', 10), default_child => true);
		INSERT INTO mine.t VALUES (1, '2024-01-10', 1), (2, '2024-02-10', 2);
		INSERT INTO mine.s VALUES (5, '2024-01-10', 5), (NULL, '2024-02-10', 6);
		SELECT router.add_global_key('mine.t', '{id}')});
	query($from, q{CALL router.seal('mine.t_1_y2024m01', '{id}')});
	my $rows   = query($from, $is);
	my $attach = query($from, q{SELECT string_agg(format('ALTER TABLE %s NO INHERIT %s;', child, base), ' ') FROM router.children WHERE 'default' <> ALL (bounds)});
	my $again  = query($from, q{SELECT string_agg(format('SELECT router.attach_child(%L, %L, %L);', base, child, bounds), ' ') FROM router.children WHERE 'default' <> ALL (bounds)});
	ok(run('pg_dump', '-U', $owner, '-n', 'mine', '-Fc', '-f', "$dir/mine", $from), "$mode: pg_dump of a schema by its owner");
	ok(run('pg_restore', '-U', $owner, '--exit-on-error', '-d', $to, "$dir/mine"), "$mode: restored by him");
	is(query($to, $is), $rows, "$mode: with its rows");
	is(query($to, qq{SET ROLE $owner; $attach
			SELECT count(*) FROM mine.t;
			ALTER TABLE mine.s_default NO INHERIT mine.s;
			DROP TABLE mine.t_id_keys;
			SELECT count(*) FROM router.create_route('mine.t', ARRAY[router.by_list('k'), router.by_date('d', 'month')]);
			SELECT count(*) FROM router.create_route('mine.s', router.by_integer('k', 10));
			$again
			SELECT count(*) FROM router.attach_child('mine.s', 'mine.s_default', '{default}');
			SELECT count(*) FROM router.add_global_key('mine.t', '{id}');
			INSERT INTO mine.t VALUES (1, '2024-01-11', 9), (3, '2024-03-10', 3);
			INSERT INTO mine.s VALUES (15, '2024-01-10', 15);
			SELECT count(*) || ' to mend' FROM router.check()}) =~ s/.*\n//sr, '0 to mend', "$mode: the owner makes the routes anew");
	is(query($to, $is), query($from, qq{INSERT INTO mine.t VALUES (1, '2024-01-11', 9), (3, '2024-03-10', 3); INSERT INTO mine.s VALUES (15, '2024-01-10', 15); $is}),
		"$mode: all goes home again");
}

for my $preload (0, 1)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	fresh_database($from, $preload);
	query($from, $setup);
	is(query($from, q{SELECT count(*) FROM reading}), '101', "$mode: set up");

	fresh_database($to, $preload);
	ok(run('pg_dump', '-f', "$dir/plain.sql", $from), "$mode: pg_dump, plain");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/plain.sql"), "$mode: restore, plain");
	compare("$mode, plain");

	fresh_database($to, $preload);
	ok(run('pg_dump', '-Fc', '-f', "$dir/custom", $from), "$mode: pg_dump, custom");
	ok(run('pg_restore', '--exit-on-error', '-d', $to, "$dir/custom"), "$mode: pg_restore, custom");
	compare("$mode, custom");

	fresh_database($to, $preload);
	ok(run('pg_restore', '--exit-on-error', '--jobs=4', '-d', $to, "$dir/custom"), "$mode: pg_restore, four jobs");
	compare("$mode, jobs");

	# by one who is no superuser and may read the tables; not those that only the owner reads
	query($from, q{CREATE ROLE router_t_dumper LOGIN BYPASSRLS; GRANT USAGE ON SCHEMA public, "Odd schema", "the parts" TO router_t_dumper; GRANT SELECT ON ALL TABLES IN SCHEMA public, "Odd schema", "the parts" TO router_t_dumper; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, "Odd schema" TO router_t_dumper});
	fresh_database($to, $preload);
	ok(run('pg_dump', '-U', 'router_t_dumper', '-f', "$dir/dumper.sql", $from), "$mode: pg_dump by another role");
	query($from, q{DROP OWNED BY router_t_dumper; DROP ROLE router_t_dumper});
	ok(run('sh', '-c', "grep -v router_t_dumper '$dir/dumper.sql' | psql -Xq -v ON_ERROR_STOP=1 -d $to"), "$mode: restore of that");
	compare("$mode, another role");

	# the same once more into a database that has it all, cleaned first
	fresh_database($to, $preload);
	run('pg_restore', '-d', $to, "$dir/custom");
	ok(run('pg_restore', '--exit-on-error', '--clean', '--if-exists', '-d', $to, "$dir/custom"), "$mode: pg_restore, clean");
	compare("$mode, clean");

	# with column names: pg_dump's own --inserts mixes up the columns of any child of another layout
	fresh_database($to, $preload);
	ok(run('pg_dump', '--column-inserts', '-f', "$dir/inserts.sql", $from), "$mode: pg_dump, inserts");
	ok(run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', "$dir/inserts.sql"), "$mode: restore, inserts");
	compare("$mode, inserts");

	# schema first, data later: what --section and --schema-only users do
	fresh_database($to, $preload);
	ok(run('pg_restore', '--exit-on-error', '--section=pre-data', '-d', $to, "$dir/custom"), "$mode: pre-data");
	ok(run('pg_restore', '--exit-on-error', '--section=data', '-d', $to, "$dir/custom"), "$mode: data");
	ok(run('pg_restore', '--exit-on-error', '--section=post-data', '-d', $to, "$dir/custom"), "$mode: post-data");
	compare("$mode, sections");

	schema_then_data($mode, $preload);
	rows_only($mode, $preload);
	upgrade($mode, $preload);
	uninstall($mode, $preload);
	by_owner($mode, $preload);
}

query('postgres', "DROP DATABASE IF EXISTS $_") for $from, $to;
query('postgres', 'DROP ROLE IF EXISTS router_t_dump_owner');
done_testing();
