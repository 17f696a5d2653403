#!/usr/bin/perl
# Logical replication: an ordinary table into a routed one, a routed one into a routed one with the same children, a base
# in a publication, in one of a schema, and in one of all tables. What the apply worker cannot do is told in docs/limits.md.
use strict;
use warnings;
use Test::More;

use PostgreSQL::Test::Utils;
use Server;

my $pub = server('publisher', "max_wal_senders = 20\nmax_replication_slots = 20", allows_streaming => 'logical');
my $sub = server('subscriber', "max_logical_replication_workers = 20\nmax_worker_processes = 30\nmax_replication_slots = 20\nwal_retrieve_retry_interval = 200ms",
	allows_streaming => 'logical');

my $homes = q{SELECT tableoid::regclass, count(*) FROM %s GROUP BY tableoid ORDER BY min(tableoid::regclass::text COLLATE "C")};

sub sql { my ($node, $db, $sql) = @_; return $node->safe_psql($db, $sql) }

# databases of the same name on both sides; the subscriber preloads or not
sub databases
{
	my ($db, $preload) = @_;
	databases_of($_, $db, $preload) for $pub, $sub;
}

sub databases_of
{
	my ($node, $db, $preload) = @_;
	sql($node, 'postgres', "CREATE DATABASE $db");
	sql($node, 'postgres', "ALTER DATABASE $db SET session_preload_libraries = router") if $preload;
	sql($node, $db, 'CREATE EXTENSION router');
}

sub subscribe
{
	my ($db, $publication) = @_;
	my $connstr = $pub->connstr($db) =~ s/'/''/gr;
	sql($sub, $db, "CREATE SUBSCRIPTION ${db}_sub CONNECTION '$connstr' PUBLICATION $publication");
	$sub->wait_for_subscription_sync($pub, "${db}_sub", $db);
}

sub caught_up { my ($db) = @_; $pub->wait_for_catchup("${db}_sub") }

sub routed
{
	my ($node, $db, $table) = @_;
	sql($node, $db, "SELECT count(*) FROM router.create_route('$table', router.by_integer('k', 10))");
}

for my $preload (0, 1)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';

	# ------------------------------------------------ ordinary into routed
	my $db = "into_$preload";
	databases($db, $preload);
	my $table = q{CREATE TABLE t (id int, k int, v text, g int, PRIMARY KEY (id, k)); CREATE TABLE full_t (k int, v text)};
	sql($pub, $db, "$table; ALTER TABLE full_t REPLICA IDENTITY FULL");
	sql($sub, $db, $table);
	sql($sub, $db, q{CREATE TABLE fired (at serial, told text);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.fired (told) VALUES (TG_WHEN || ' ' || TG_OP || ' ' || TG_TABLE_NAME); RETURN NEW; END$$;
		CREATE TRIGGER a_always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
		ALTER TABLE t ENABLE ALWAYS TRIGGER a_always;
		CREATE TRIGGER b_origin AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()});
	routed($sub, $db, $_) for qw(t full_t);
	sql($pub, $db, q{INSERT INTO t SELECT i, i * 5, 'sync', i FROM generate_series(1, 6) i; CREATE PUBLICATION p FOR TABLE t, full_t});
	subscribe($db, 'p');
	is(sql($sub, $db, sprintf $homes, 't'), "t_11_20|2\nt_1_10|2\nt_21_30|2", "$mode, into a routed table: the initial copy goes home");
	sql($pub, $db, q{INSERT INTO t VALUES (7, 1, 'one', 1), (8, 501, 'new child', 1); INSERT INTO t SELECT i, i, 'many', i FROM generate_series(601, 900) i;
		BEGIN; INSERT INTO t VALUES (9, 1001, 'gone', 1); ROLLBACK; INSERT INTO full_t VALUES (1, 'a'), (11, NULL)});
	caught_up($db);
	is(sql($sub, $db, q{SELECT count(*), count(DISTINCT tableoid) FROM t}), '308|34', "$mode, into a routed table: INSERTs go home, children are created");
	is(sql($sub, $db, q{SELECT count(*) FROM ONLY t}), '0', "$mode, into a routed table: none stays in the base");
	is(sql($sub, $db, sprintf $homes, 'full_t'), "full_t_11_20|1\nfull_t_1_10|1", "$mode, into a routed table without key");
	is(sql($sub, $db, q{SELECT told, count(*) FROM fired WHERE told LIKE '%t_1_10' GROUP BY told}), 'AFTER INSERT t_1_10|3', "$mode, into a routed table: the trigger for replicas fires, on the child, the other one does not");
	is(sql($sub, $db, q{SELECT count(*) FROM t a FULL JOIN (SELECT 1 AS one) b ON false WHERE v = 'gone'}), '0', "$mode, into a routed table: nothing of what was rolled back");

	# core's apply worker looks for rows to change in the base only, where none are: known, documented
	sql($pub, $db, q{UPDATE t SET v = 'changed' WHERE id < 3; DELETE FROM t WHERE id = 3; UPDATE full_t SET v = 'changed'});
	caught_up($db);
	is(sql($sub, $db, q{SELECT count(*) FROM t WHERE v = 'changed' OR id = 3}), '1', "$mode, into a routed table: UPDATE and DELETE find no row (a limit), and break nothing");
	sql($pub, $db, q{INSERT INTO t VALUES (10, 15, 'after', 1)});
	caught_up($db);
	is(sql($sub, $db, q{SELECT tableoid::regclass FROM t WHERE id = 10}), 't_11_20', "$mode, into a routed table: replication goes on");
	sql($pub, $db, q{TRUNCATE t});
	caught_up($db);
	is(sql($sub, $db, q{SELECT count(*) > 0 FROM t}), 't', "$mode, into a routed table: TRUNCATE empties the base alone (a limit)");
	sql($pub, $db, q{INSERT INTO t VALUES (7, 1, 'twice', 1)});
	$sub->wait_for_log(qr/duplicate key value violates unique constraint "t_1_10_pkey"/);
	pass("$mode, into a routed table: a key that is there already is an error, as usual");
	sql($sub, $db, q{DELETE FROM t WHERE id = 7});
	caught_up($db);
	is(sql($sub, $db, q{SELECT v FROM t WHERE id = 7}), 'twice', "$mode, into a routed table: and it goes on when that is mended");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# the way out: publish by the children's names, that is routed into routed with the same children
	# ------------------------------------------------ routed into routed
	$db = "both_$preload";
	databases($db, $preload);
	for my $node ($pub, $sub)
	{
		sql($node, $db, q{CREATE TABLE t (id int, k int, v text, PRIMARY KEY (id, k))});
		routed($node, $db, 't');
	}
	sql($pub, $db, q{CREATE PUBLICATION p FOR TABLE t; INSERT INTO t SELECT i, i * 4, 'sync' FROM generate_series(1, 10) i});
	is(sql($pub, $db, q{SELECT count(*) FROM pg_publication_rel}), sql($pub, $db, q{SELECT 1 + count(*) FROM router.children}), "$mode, both routed: children made later are in the publication of their base");
	sql($sub, $db, q{SELECT count(*) FROM unnest('{1,11,21,31}'::int[]) k, LATERAL router.create_child('t', k::text)});
	subscribe($db, 'p');
	is(sql($sub, $db, sprintf $homes, 't'), sql($pub, $db, sprintf $homes, 't'), "$mode, both routed: the initial copy");
	sql($pub, $db, q{LOAD 'router'; UPDATE t SET v = 'changed' WHERE id < 4; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (20, 20, 'new'); UPDATE t SET k = 35, v = 'moved' WHERE id IN (5, 6);
		INSERT INTO t VALUES (20, 20, 'upsert') ON CONFLICT (id, k) DO UPDATE SET v = excluded.v; MERGE INTO t USING (VALUES (7, 1)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k});
	caught_up($db);
	my $all = q{SELECT tableoid::regclass, * FROM t ORDER BY id, k};
	is(sql($sub, $db, $all), sql($pub, $db, $all), "$mode, both routed: INSERT, UPDATE, DELETE, moves and upserts arrive");

	# a new child on the publisher: the subscriber makes it, and refreshes
	sql($pub, $db, q{LOAD 'router'; INSERT INTO t VALUES (100, 555, 'early')});
	sql($sub, $db, q{SELECT count(*) FROM router.create_child('t', '555')});
	sql($sub, $db, "ALTER SUBSCRIPTION ${db}_sub REFRESH PUBLICATION");
	$sub->wait_for_subscription_sync($pub, "${db}_sub", $db);
	sql($pub, $db, q{LOAD 'router'; INSERT INTO t VALUES (101, 556, 'late'); UPDATE t SET k = 557 WHERE id = 1; UPDATE t SET v = 'again' WHERE id = 100});
	caught_up($db);
	is(sql($sub, $db, $all), sql($pub, $db, $all), "$mode, both routed: a child that came later, after REFRESH PUBLICATION");
	sql($pub, $db, q{LOAD 'router'; TRUNCATE t; INSERT INTO t VALUES (1, 1, 'after')});
	caught_up($db);
	is(sql($sub, $db, $all), sql($pub, $db, $all), "$mode, both routed: TRUNCATE");
	sql($sub, $db, q{INSERT INTO t VALUES (2, 9, 'local')});
	is(sql($sub, $db, q{SELECT tableoid::regclass FROM t WHERE id = 2}), 't_1_10', "$mode, both routed: the subscriber's own rows go home as well");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# ------------------------------------------------ rows that a session without the library, and MERGE, put through the base
	$db = "slow_$preload";
	databases($db, $preload);
	for my $node ($pub, $sub)
	{
		sql($node, $db, q{CREATE TABLE t (id int, k int, v text, PRIMARY KEY (id, k)); CREATE TABLE nokey (id int, k int)});
		routed($node, $db, $_) for qw(t nokey);
		sql($node, $db, q{SELECT count(*) FROM unnest('{t,nokey}'::regclass[]) base, LATERAL router.create_child(base, '1')});
	}
	sql($pub, $db, q{CREATE PUBLICATION p FOR TABLE t, nokey});
	subscribe($db, 'p');
	sql($pub, $db, q{INSERT INTO nokey VALUES (1, 1), (2, 2)});
	sql($pub, $db, q{MERGE INTO nokey USING (VALUES (3, 3)) s (id, k) ON nokey.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k)});
	is(becomes($sub, $db, q{SELECT count(*), count(DISTINCT id) FROM nokey}, '3|3'), '3|3', "$mode, rows that went through the base: none is doubled");
	sql($pub, $db, q{INSERT INTO t VALUES (1, 1, 'first'), (2, 2, 'first')});
	is(becomes($sub, $db, $all, "t_1_10|1|1|first\nt_1_10|2|2|first"), "t_1_10|1|1|first\nt_1_10|2|2|first", "$mode, rows that went through the base: the first INSERT of a session arrives");
	sql($pub, $db, q{MERGE INTO t USING (VALUES (3, 3)) s (id, k) ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k, 'merged')});
	is(becomes($sub, $db, q{SELECT v FROM t WHERE id = 3}, 'merged'), 'merged', "$mode, rows that went through the base: a MERGE arrives");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# ------------------------------------------------ on from a subscriber: the apply worker's rows go through no base either
	$db = "chain_$preload";
	databases($db, $preload);
	databases_of($pub, "${db}_end", $preload);
	sql($pub, $db, q{CREATE TABLE t (id int, k int)});
	for ([$sub, $db], [$pub, "${db}_end"])
	{
		sql(@$_, q{CREATE TABLE t (id int, k int); CREATE TABLE parent (k int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 20)});
		routed(@$_, 't');
		sql(@$_, q{SELECT count(*) FROM unnest('{1,11}'::int[]) k, LATERAL router.create_child('t', k::text); ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES parent});
	}
	sql($sub, $db, q{CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE public.parent SET k = k WHERE k = NEW.k; RETURN NEW; END$$;
		CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER always;
		CREATE PUBLICATION p FOR TABLE t});
	sql($pub, $db, q{CREATE PUBLICATION p FOR TABLE t});
	subscribe($db, 'p');
	my $middle = $sub->connstr($db) =~ s/'/''/gr;
	sql($pub, "${db}_end", "CREATE SUBSCRIPTION ${db}_end CONNECTION '$middle' PUBLICATION p");
	$pub->wait_for_subscription_sync($sub, "${db}_end", "${db}_end");
	sql($pub, $db, q{INSERT INTO t SELECT i, i FROM generate_series(1, 20) i});
	caught_up($db);
	$sub->wait_for_catchup("${db}_end");
	is(sql($sub, $db, sprintf $homes, 't'), "t_11_20|10\nt_1_10|10", "$mode, on from a subscriber: rows go home");
	is(sql($pub, "${db}_end", q{SELECT count(*), count(DISTINCT id) FROM t}), '20|20', "$mode, on from a subscriber: each arrives once at the end");
	sql($pub, "${db}_end", "DROP SUBSCRIPTION ${db}_end");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# ------------------------------------------------ a trigger that gives others of its table another order, while they fire
	$db = "order_$preload";
	databases($db, $preload);
	sql($_, $db, q{CREATE TABLE t (id int, d timestamptz)}) for $pub, $sub;
	sql($sub, $db, q{SELECT count(*) FROM router.create_route('t', router.by_date('d', 'day'), hot => '3 days');
		CREATE TABLE fired (id int);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.fired VALUES (NEW.id); RETURN NEW; END$$;
		CREATE FUNCTION reorder() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN ALTER TRIGGER "~~last" ON public.t RENAME TO b; RETURN NEW; END$$;
		CREATE TRIGGER "~~last" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER "~~last";
		CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION reorder(); ALTER TABLE t ENABLE ALWAYS TRIGGER a});
	sql($pub, $db, q{CREATE PUBLICATION p FOR TABLE t});
	subscribe($db, 'p');
	sql($pub, $db, q{INSERT INTO t VALUES (1, now()); INSERT INTO t VALUES (2, now() - interval '10 days'), (3, now())});
	caught_up($db);
	is(sql($sub, $db, q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM fired}), '1 2 3', "$mode, triggers that change their order: each fires once a row");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# ------------------------------------------------ a schema, all tables
	$db = "all_$preload";
	databases($db, $preload);
	for my $node ($pub, $sub)
	{
		sql($node, $db, q{CREATE TABLE t (id int, k int, v text, PRIMARY KEY (id, k))});
		routed($node, $db, 't');
		sql($node, $db, q{SELECT count(*) FROM unnest('{1,11}'::int[]) k, LATERAL router.create_child('t', k::text)});
	}
	sql($pub, $db, q{CREATE PUBLICATION p FOR TABLES IN SCHEMA public; INSERT INTO t VALUES (1, 1, 'a'), (2, 11, 'a')});
	subscribe($db, 'p');
	sql($pub, $db, q{LOAD 'router'; UPDATE t SET k = 12 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 3, 'b')});
	caught_up($db);
	is(sql($sub, $db, $all), sql($pub, $db, $all), "$mode, publication of a schema");
	is(sql($sub, $db, q{SELECT count(*) FROM router.children}), '2', "$mode, publication of a schema: router's catalog is not in it");
	# the apply worker writes into children, and names no table in its rows
	for (['INSERT', q{INSERT INTO t VALUES (100, 3, 'late')}, 100], ['UPDATE', q{UPDATE t SET id = 200 WHERE id = 100}, 200])
	{
		my ($how, $command, $id) = @$_;
		sql($sub, $db, q{CALL router.seal('t_1_10', '{id}')});
		is(sql($sub, $db, q{SELECT state FROM router.seals}), 'sealed', "$mode, $how: a child is sealed");
		sql($pub, $db, $command);
		caught_up($db);
		is(sql($sub, $db, "LOAD 'router'; SELECT state, (SELECT count(*) FROM t WHERE id = $id) FROM router.seals"), 'broken|1', "$mode, $how: a row beyond breaks the seal, and is found");
	}
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");

	# all tables are also router's own: where both sides have the route, the copies of its catalog fail (a limit), nothing else does
	$db = "alltables_$preload";
	databases($db, $preload);
	for my $node ($pub, $sub)
	{
		sql($node, $db, q{CREATE TABLE t (id int, k int, v text, PRIMARY KEY (id, k))});
		routed($node, $db, 't');
		sql($node, $db, q{SELECT count(*) FROM unnest('{1,11}'::int[]) k, LATERAL router.create_child('t', k::text)});
	}
	sql($pub, $db, q{LOAD 'router'; INSERT INTO t VALUES (1, 1, 'a'), (2, 11, 'a'); CREATE PUBLICATION p FOR ALL TABLES});
	is(sql($pub, $db, q{SELECT count(*) FROM pg_publication_tables WHERE tablename IN ('t', 't_1_10', 't_11_20')}), '3', "$mode, all tables: base and children");
	my $connstr = $pub->connstr($db) =~ s/'/''/gr;
	sql($sub, $db, "CREATE SUBSCRIPTION ${db}_sub CONNECTION '$connstr' PUBLICATION p");
	is(becomes($sub, $db, q{SELECT count(*) FROM t}, '2'), '2', "$mode, all tables: the rows are copied");
	sql($pub, $db, q{LOAD 'router'; UPDATE t SET k = 12 WHERE id = 1; INSERT INTO t VALUES (3, 3, 'b')});
	is(becomes($sub, $db, $all, sql($pub, $db, $all)), sql($pub, $db, $all), "$mode, all tables: and changes follow");
	is(sql($sub, $db, q{SELECT count(*) FROM router.children}), '2', "$mode, all tables: the subscriber's catalog is its own");
	sql($sub, $db, "DROP SUBSCRIPTION ${db}_sub");
}

$pub->stop;
$sub->stop;
unlike(PostgreSQL::Test::Utils::slurp_file($_->logfile), qr/leak|TRAP:|PANIC:/, $_->name . ': nothing is left open') for $pub, $sub;
done_testing();
