# move_child between this server and another (which is a database next door): who reads and writes while a child goes there, comes
# back, or goes to another tablespace. Each snapshot finds each row once, whatever was written in step and in whichever transaction,
# also a prepared one; the backend is killed in the middle; logical decoding does not hear of the copy.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;
use Time::HiRes qw(sleep);

my $node = server('node', <<'CONF');
restart_after_crash = on
max_prepared_transactions = 5
wal_level = logical
log_statement = none
CONF
needs_extensions($node, 'postgres_fdw', 'dblink');
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', 'CREATE DATABASE far');
$node->safe_psql('far', 'CREATE SCHEMA store; CREATE TABLE store.touch (x int)');
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION router;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SERVER cellar FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'far');
CREATE USER MAPPING FOR PUBLIC SERVER cellar OPTIONS (password_required 'false');
SET allow_in_place_tablespaces = on;
CREATE FOREIGN TABLE touch (x int) SERVER cellar OPTIONS (schema_name 'store');
CREATE TABLESPACE slow LOCATION '';
CREATE TABLE m (id int, d date NOT NULL, v int NOT NULL DEFAULT 0, g int GENERATED ALWAYS AS (v + 1) STORED, PRIMARY KEY (id, d));
SELECT router.create_route('m', router.by_date('d', 'month'), horizon => '100 years');
INSERT INTO m SELECT i, '2024-01-01' FROM generate_series(1, 10) i;
INSERT INTO m SELECT i, '2024-02-01' FROM generate_series(11, 20) i;
CREATE FUNCTION counted() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT format(''%s %s'', count(*), sum(id)) FROM m); END';
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS 'BEGIN EXECUTE command; RETURN ''done''; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END';
SQL
my $all = '20 210';

sub query { return $node->safe_psql('postgres', $_[0]); }

sub session
{
	my ($preload, @settings) = @_;
	local $ENV{PGOPTIONS} = $preload ? '-c session_preload_libraries=router' : '';
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query($_) for 'SET client_min_messages = error', @settings;
	return $session;
}

sub moving { return "CALL router.move_child('m_y2024m01', $_[0], lock_timeout => '1 s')"; }
my %moves = (
	'to a tablespace' => "tablespace => 'slow'",
	'to the server' => "server => 'cellar', remote_schema => 'store'",
	'back' => "local => true, tablespace => 'pg_default'");

# Begins a move in a session of its own, and waits until its backend is at rest in this state.
sub begin_move
{
	my ($where, $state, @settings) = @_;
	my $mover = session(0, @settings);
	my $pid = $mover->query('SELECT pg_backend_pid()');
	$mover->query_until(qr/begun/, "\\echo begun\n" . moving($moves{$where}) . ";\n\\echo ended\n");
	is_at($pid, $state);
	return ($mover, $pid);
}

sub is_at
{
	my ($pid, $state) = @_;
	$node->poll_query_until('postgres', "SELECT $state FROM pg_stat_activity WHERE pid = $pid") or die "the move is not at $state";
}
my $waits_for_snapshot = "wait_event IN ('virtualxid', 'Extension') AND EXISTS (SELECT FROM pg_trigger WHERE tgname = '!router_step')";
my $at_swap = "wait_event = 'advisory'";

sub end_move
{
	my ($mover) = @_;
	$mover->query_until(qr/ended/, '');
	$mover->quit;
}

sub place { return query("SELECT format('%s %s', relkind, (SELECT spcname FROM pg_tablespace t WHERE t.oid = reltablespace)) FROM pg_class WHERE relname = 'm_y2024m01'"); }

sub all_is_well
{
	my ($name, $place) = @_;
	is(place(), $place, "$name: the child is there");
	is(query("SELECT detail FROM router.check() UNION ALL SELECT 'left: ' || relname FROM pg_class WHERE relname ~ '^router_(copy|bridge)' UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ 'router_step'"), '', "$name: nothing is wrong or left");
}

sub reset_rows
{
	query("DELETE FROM m; INSERT INTO m SELECT i, '2024-01-01' FROM generate_series(1, 10) i; INSERT INTO m SELECT i, '2024-02-01' FROM generate_series(11, 20) i");
}

# one row leaves, one comes, one is new, one goes and comes again
my $others = "INSERT INTO m VALUES (30, '2024-01-03'); DELETE FROM m WHERE id = 2; INSERT INTO m VALUES (2, '2024-01-01')";
my $move_rows = "UPDATE m SET d = '2024-02-02' WHERE id = 1; UPDATE m SET d = '2024-01-02' WHERE id = 11";
my $move_far = "DELETE FROM m WHERE id IN (1, 11); INSERT INTO m VALUES (1, '2024-02-02'), (11, '2024-01-02')";
my $worked = '21 240';

foreach my $move ([ 'to a tablespace', 'r slow' ], [ 'to the server', 'f ' ], [ 'back', 'r ' ])
{
	my ($where, $place) = @$move;
	my $work = ($where eq 'back' ? $move_far : $move_rows) . "; $others";
	my ($mover, $pid);

	# who has a snapshot from before
	my @old = map { session($_) } 0, 1;
	foreach my $s (@old)
	{
		$s->query("SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT format('%s %s', count(*), sum(id)) FROM m; EXECUTE q");
		$s->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM touch');
	}
	# and who has none, but a transaction over there
	my $idle = session(0);
	$idle->query('BEGIN; SELECT count(*) FROM touch');
	query($work);
	($mover, $pid) = begin_move($where, $waits_for_snapshot);
	is($_->query('EXECUTE q'), $all, "$where: a snapshot from before") for @old;
	is($_->query("COPY (SELECT format('%s %s', count(*), sum(id)) FROM m) TO STDOUT"), $all, "$where: the same by COPY") for @old;
	is($_->query('SELECT counted()'), $all, "$where: the same by a STABLE function") for @old;
	$_->query('COMMIT') for @old;
	if ($where eq 'to the server')
	{
		sleep 0.3;
		is_at($pid, $waits_for_snapshot);
		is($idle->query('SELECT counted()'), $worked, "$where: who has been there before finds the rows here");
	}
	$idle->query('COMMIT') if $where ne 'back';
	end_move($mover);
	$idle->quit;
	is(query('SELECT counted()'), $worked, "$where: afterwards");
	all_is_well($where, $place);
	reset_rows();
	$_->quit for @old;

	# there and back again: the next one is looked at between the wait and the swap
	my $there = query("SELECT relkind = 'f' FROM pg_class WHERE relname = 'm_y2024m01'");
	query(moving($where eq 'back' ? $moves{'to the server'} : $where eq 'to the server' ? $moves{back} : "tablespace => 'pg_default'"));
	my $gate = session(0);
	$gate->query("SELECT pg_advisory_lock(hashtext('move_child_swap'))");
	($mover, $pid) = begin_move($where, $at_swap, "SET router.waitpoints = 'move_child_swap'");
	my $writer = session(1, "SET router.waitpoints = ''");
	$writer->query("BEGIN; $work");
	my ($rr, $cursor) = map { session($_) } 0, 1;
	$rr->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM touch');
	$cursor->query("BEGIN; SELECT count(*) FROM touch; DECLARE c CURSOR FOR SELECT format('%s %s', count(*), sum(id)) FROM m");
	$writer->query('COMMIT');
	$gate->quit;
	if ($where eq 'to the server')
	{
		is_at($pid, "wait_event IN ('virtualxid', 'Extension')");
		is(place() =~ /^r/, 1, "$where: the swap waits for those whose snapshot is older than what was written");
	}
	is($cursor->query('FETCH c'), $all, "$where: a cursor does not see what was written in step and committed later");
	$cursor->query('COMMIT');
	end_move($mover) if $where ne 'to the server';
	is($rr->query('SELECT counted()'), $all, "$where: nor does REPEATABLE READ");
	is($rr->query("SELECT attempt('UPDATE m SET v = 1 WHERE id = $_')"), '40001', "$where: row $_ was changed meanwhile") for 1, 2, 11;
	$rr->query('ROLLBACK');
	end_move($mover) if $where eq 'to the server';
	is(query('SELECT counted()'), $worked, "$where: in step, all is there");
	is(query('SELECT sum(g - v) FROM m'), 21, "$where: generated columns, too");
	all_is_well("$where, in step", $place);
	reset_rows();
	$_->quit for $rr, $cursor, $writer;
}

# ------------------------------------------------------------------ transactions that are prepared
{
	my $gate = session(0);
	$gate->query("SELECT pg_advisory_lock(hashtext('move_child_swap'))");
	my ($mover, $pid) = begin_move('to a tablespace', $at_swap, "SET router.waitpoints = 'move_child_swap'");
	query("BEGIN; $move_rows; $others; PREPARE TRANSACTION 'p'");
	$gate->quit;
	is_at($pid, "wait_event IN ('relation', 'Extension')");
	is(place(), 'r ', 'the swap waits for a prepared transaction');
	query("COMMIT PREPARED 'p'");
	end_move($mover);
	is(query('SELECT counted()'), $worked, 'a prepared transaction wrote in step');
	all_is_well('prepared', 'r slow');
	reset_rows();
}

# ------------------------------------------------------------------ no key, and TRUNCATE
{
	query("CREATE TABLE k (d date, v int, j json); SELECT router.create_route('k', router.by_date('d', 'month'), horizon => '100 years');
		INSERT INTO k SELECT '2024-01-01', i % 3, '{}' FROM generate_series(1, 9) i");
	my $rows = q{SELECT string_agg(format('%s %s %s', v, j, n), ', ' ORDER BY v) FROM (SELECT v, j::text, count(*) AS n FROM k GROUP BY 1, 2) s};
	foreach my $where ('to the server', 'back')
	{
		my $work = $where eq 'back' ? 'TRUNCATE k_y2024m01; INSERT INTO k VALUES (\'2024-01-01\', 9, NULL)'
		  : "DELETE FROM k WHERE ctid IN (SELECT min(ctid) FROM k WHERE v = 0); UPDATE k SET v = 5, j = '[]' WHERE ctid IN (SELECT max(ctid) FROM k WHERE v = 1); INSERT INTO k VALUES ('2024-01-02', 2, '{}'), ('2024-01-01', 2, '{}')";
		my $gate = session(0);
		$gate->query("SELECT pg_advisory_lock(hashtext('move_child_swap'))");
		my $mover = session(0, "SET router.waitpoints = 'move_child_swap'");
		my $pid = $mover->query('SELECT pg_backend_pid()');
		$mover->query_until(qr/begun/, "\\echo begun\nCALL router.move_child('k_y2024m01', $moves{$where});\n\\echo ended\n");
		is_at($pid, $at_swap);
		my $fails = $where eq 'back' && query('SHOW server_version_num') < 160000;
		query($work);
		$gate->quit;
		end_move($mover);
		is(query($rows), $where eq 'back' ? '9  1' : '0 {} 2, 1 {} 2, 2 {} 5, 5 [] 1', "$where: rows without a key");
		is(query("SELECT relkind FROM pg_class WHERE relname = 'k_y2024m01'"), $where eq 'to the server' || $fails ? 'f' : 'r', $fails ? 'a TRUNCATE that was not seen is noticed' : "$where: moved");
	}
}

# ------------------------------------------------------------------ SERIALIZABLE
{
	query('CREATE TABLE other (x int); INSERT INTO other VALUES (0)');
	my $gate = session(0);
	$gate->query("SELECT pg_advisory_lock(hashtext('move_child_swap'))");
	$moves{away} = "tablespace => 'pg_default'";
	my ($mover, $pid) = begin_move('away', $at_swap, "SET router.waitpoints = 'move_child_swap'");
	my ($reader, $writer) = map { session(1) } 1, 2;
	$_->query('BEGIN ISOLATION LEVEL SERIALIZABLE') for $reader, $writer;
	$writer->query('SELECT x FROM other');
	$reader->query("SELECT sum(v) FROM m WHERE d < '2024-02-01'; UPDATE other SET x = 1; COMMIT");
	$gate->quit;
	end_move($mover);
	is($writer->query("SELECT attempt('UPDATE m SET v = 1 WHERE id = 3')"), 'done', 'what was read in the child is written to in the copy');
	$writer->query('COMMIT');
	is(query('SELECT v FROM m WHERE id = 3'), '0', 'which does not commit at SERIALIZABLE');
	all_is_well('serializable', 'r ');
	query(moving("tablespace => 'slow'"));
	$_->quit for $reader, $writer;
}

# ------------------------------------------------------------------ logical decoding
SKIP:
{
	skip 'test_decoding is not installed', 3 unless $node->safe_psql('postgres', "SELECT count(*) FROM pg_ls_dir((SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR')) f WHERE f ~ '^test_decoding'");
	query("SELECT pg_create_logical_replication_slot('slot', 'test_decoding'); ALTER TABLE m ADD COLUMN t text");
	my ($mover, $pid);
	my $gate = session(0);
	$gate->query("SELECT pg_advisory_lock(hashtext('move_child_swap'))");
	($mover, $pid) = begin_move('away', $at_swap, "SET router.waitpoints = 'move_child_swap'");
	query("INSERT INTO m VALUES (40, '2024-01-03'); UPDATE m SET v = 3, t = repeat(md5('x'), 1000) WHERE id = 5; DELETE FROM m WHERE id = 6");
	$gate->quit;
	end_move($mover);
	query('DELETE FROM m WHERE id = 5');
	my $told = query("SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL)");
	unlike($told, qr/router_copy/, 'decoding does not hear of the copy');
	is(() = $told =~ /m_y2024m01: (INSERT|UPDATE|DELETE)/g, 4, 'but of what was written to the child, once, before the swap and after it');
	query("SELECT pg_drop_replication_slot('slot')");
}

# ------------------------------------------------------------------ a backend that is killed
{
	my $old = session(0);
	$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM touch');
	my ($mover, $pid) = begin_move('to the server', $waits_for_snapshot);
	kill_backend($node, $pid);
	is(place(), 'r ', 'killed while it waits: the child stays');
	my $count = query('SELECT counted()');
	like(query("SELECT string_agg(detail, '; ') FROM router.check()"), qr/copy/, 'router.check tells of what is left');
	query("INSERT INTO m VALUES (50, '2024-01-05'); DELETE FROM m WHERE id = 50");
	is(query('SELECT counted()'), $count, 'which is written to');
	query(moving($moves{'to the server'}));
	is(query('SELECT counted()'), $count, 'and the next run takes it away');
	all_is_well('a rerun', 'f ');
}
$node->stop;
done_testing();
