# router.archive and a hot standby: what a batch appends to indexes that have dead
# entries already, whose marks are not in the WAL, is replayed to the same pages,
# as wal_consistency_checking sees it, and the standby finds every row.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

# no checkpoint in between: full page images would bring the marks to the standby
my $primary = server('primary', <<'CONF', allows_streaming => 1);
wal_consistency_checking = 'generic, btree'
checkpoint_timeout = '1h'
max_wal_size = '4GB'
CONF
my $standby = standby($primary);

my $find = q{SELECT count(*) FROM late_y2024m01 WHERE id > 0};
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off';
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION router;
CREATE TABLE late (id int, d date, t text, PRIMARY KEY (id, d));
CREATE INDEX ON late (d);
CREATE INDEX ON late (t);
CREATE INDEX few ON late (id) WHERE id % 100 = 0;
INSERT INTO late SELECT i, '2024-01-01', md5(i::text) FROM generate_series(1, 3000) i;
SELECT router.create_route('late', router.by_date('d', 'month'), hot => '100 years', horizon => '200 years');
CALL router.archive('late', cutoff => '2024-01-02');
DELETE FROM late WHERE id % 3 > 0;
SQL
# a scan marks what it finds dead: in leaves that will be full, and in one that stays the last
is($primary->safe_psql('postgres', "$by_index; $find; $find AND id % 100 = 0"), "1000\n10", 'entries of deleted rows');
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO late SELECT i, '2024-01-02', 'z' || md5(i::text) FROM generate_series(3001, 9000) i;
CALL router.archive('late', cutoff => '2024-01-03', batch_rows => 2500);
SQL
is($primary->safe_psql('postgres', "$by_index; $find"), 7000, 'the primary has appended');
follow($standby, $primary);
is($standby->safe_psql('postgres', "$by_index; $find"), 7000, 'the standby replays it, and finds all by the index');
is($standby->safe_psql('postgres', "$by_index; $find AND id % 100 = 0"), 70, 'and by that of few entries');
unlike(slurp_file($standby->logfile), qr/inconsistent page/, 'page by page');

# Who plans on the standby, without the children that are replayed meanwhile, and takes his snapshot afterwards:
# at a waitpoint with the library, in a function that the planner evaluates without it.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE bank (id int, d timestamptz, bal int, PRIMARY KEY (id, d));
CREATE INDEX ON bank (d);
SELECT router.create_route('bank', router.by_date('d', 'day'), hot => '1000 days', time_zone => 'UTC');
INSERT INTO bank SELECT i, now() - i * interval '1 day', 100 FROM generate_series(1, 90) i;
SELECT router.create_child('bank', '2001-01-01');
CREATE FUNCTION slow() RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('x.done', true) IS DISTINCT FROM '1' THEN
		PERFORM set_config('x.done', '1', false), pg_sleep(3);
	END IF;
	RETURN -1;
END $$;
SQL
# Runs a query on the standby without waiting for it.
sub begin_query
{
	my %query = (out => '', err => '');
	$query{run} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $standby->connstr('postgres'), map { ('-c', $_) } @_ ],
		'<', \undef, '>', \$query{out}, '2>', \$query{err});
	return \%query;
}
sub end_query
{
	my ($query) = @_;
	$query->{run}->finish;
	return ($query->{out} =~ s/\s+$//r) . $query->{err};
}
sub begin_queries
{
	my @queries = (begin_query("SELECT pg_advisory_lock(hashtext('planned'))::text || '', pg_sleep(3)::text || ''"));
	$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
	push @queries, begin_query("LOAD 'router'", "SET router.waitpoints = 'planned'", 'SELECT count(*) FROM bank'),
		begin_query("LOAD 'router'", 'SET router.prune = off', 'SELECT count(*) FROM bank WHERE bal > slow()'),
		begin_query('SELECT count(*) FROM bank WHERE bal > slow()');
	$standby->poll_query_until('postgres', "SELECT count(*) = 3 FROM pg_stat_activity WHERE query ~ 'FROM bank' AND wait_event IN ('advisory', 'PgSleep')
		AND pid <> pg_backend_pid() AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_stat_activity.pid AND relation = 'bank'::regclass)");
	return @queries;
}
$standby->safe_psql('postgres', 'ALTER SYSTEM SET max_standby_streaming_delay = -1; SELECT pg_reload_conf()');
follow($standby, $primary);
my @queries = begin_queries();
$primary->safe_psql('postgres', "CALL router.archive('bank', cutoff => (now() - interval '30 days')::text)");
end_query(shift @queries);
is(join(',', map { end_query($_) } @queries), '90,90,90', 'the replay of rows in new children waits for who plans without them');
follow($standby, $primary);
is($standby->safe_psql('postgres', 'SELECT count(*), (SELECT count(*) FROM ONLY bank) FROM bank'), '90|29', 'and goes on');
$standby->safe_psql('postgres', 'ALTER SYSTEM SET max_standby_streaming_delay = 0; SELECT pg_reload_conf()');
@queries = begin_queries();
$primary->safe_psql('postgres', "CALL router.archive('bank', cutoff => (now() - interval '10 days')::text)");
follow($standby, $primary);
is(scalar(grep { end_query($_) =~ /conflict with recovery/ } @queries[1 .. 3]), 3, 'or cancels him');
end_query($queries[0]);
is($standby->safe_psql('postgres', 'SELECT count(*), (SELECT count(*) FROM ONLY bank) FROM bank'), '90|9', 'who comes later sees all');

# router.rotate does not wait for snapshots of a standby: one from before the swap sees each row once all the same
# (with feedback: a page of core's catalogs that happens to be full is pruned, which cancels him)
$standby->safe_psql('postgres', "ALTER SYSTEM RESET max_standby_streaming_delay; ALTER SYSTEM SET hot_standby_feedback = on;
	ALTER SYSTEM SET wal_receiver_status_interval = '1s'; SELECT pg_reload_conf()");
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE swap (id int, d date, PRIMARY KEY (id, d));
CREATE INDEX ON swap (d);
INSERT INTO swap SELECT i, '2024-01-01'::date + i FROM generate_series(1, 30) i;
INSERT INTO swap VALUES (101, '2024-02-01'), (102, '2024-02-02');
SELECT router.create_route('swap', router.by_date('d', 'month'), hot => '100 years', horizon => '200 years');
CALL router.archive('swap', cutoff => '2024-01-05');
SQL
follow($standby, $primary);
my $flag = $standby->data_dir . '/rotated';
my $reader = begin_query(
	"LOAD 'router'", 'BEGIN ISOLATION LEVEL REPEATABLE READ',
	"DO \$\$ BEGIN WHILE pg_read_file('$flag', 0, 1, true) IS NULL LOOP PERFORM pg_sleep(0.05); END LOOP; END \$\$",
	map { "SELECT count(*) FROM swap $_" } '', "WHERE d < '2024-01-05'", "WHERE d BETWEEN '2024-01-05' AND '2024-01-31'",
	"WHERE d >= '2024-02-01'");
$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^DO' AND state = 'active'");
$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL");
$primary->safe_psql('postgres', "CALL router.rotate('swap', cutoff => '2024-02-01')");
is($primary->safe_psql('postgres', 'SELECT count(*) FROM router.loose_def'), 0, 'rotated, and done with it');
follow($standby, $primary);
append_to_file($flag, 'yes');
is(end_query($reader), "32\n3\n27\n2", 'a snapshot of the standby from before');
is($standby->safe_psql('postgres', "SELECT count(*) FROM swap; SELECT count(*) FROM swap WHERE d >= '2024-02-01'"), "32\n2", 'and a new one');
$standby->safe_psql('postgres', 'ALTER SYSTEM RESET hot_standby_feedback; SELECT pg_reload_conf()');
# A child that is replayed with its rows after a query has been planned, and before it has a snapshot: 40001, if there are rows.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE gap (id int, k int, PRIMARY KEY (id, k));
SELECT router.create_route('gap', router.by_integer('k', 10));
INSERT INTO gap VALUES (1, 1), (2, 2);
SQL
follow($standby, $primary);
my $until = sub { "DO \$\$ BEGIN WHILE pg_read_file('$_[0]', 0, 1, true) IS NULL LOOP PERFORM pg_sleep(0.05); END LOOP; END \$\$" };
sub planned_before
{
	my ($n, $change, @before) = @_;
	my $go = $standby->data_dir . "/go$n";
	my $stop = begin_query("SELECT pg_advisory_lock(hashtext('planned'))::text || ''", $until->($go));
	$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
	my $query = begin_query("LOAD 'router'", @before, "SET router.waitpoints = 'planned'", 'SELECT count(*) FROM gap');
	$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
	$primary->safe_psql('postgres', $change);
	follow($standby, $primary);
	append_to_file($go, 'yes');
	end_query($stop);
	return end_query($query) =~ s/^ERROR:  //r;
}
my $refused = qr/^could not serialize access due to a new child of "gap"/;
like(planned_before(1, 'INSERT INTO gap VALUES (3, 13)'), $refused, 'an INSERT that makes its child, replayed after a query was planned');
like(planned_before(2, 'UPDATE gap SET k = 21 WHERE id = 1'), $refused, 'an UPDATE that does so');
like(planned_before(3, 'INSERT INTO gap VALUES (4, 31)', 'SET router.prune = off'), $refused, "with a plan of PostgreSQL's own");
like(planned_before(4, 'INSERT INTO gap VALUES (5, 41)', 'SELECT count(*) FROM gap'), qr/^4.*new child of "gap"/s, 'in a session that knew the table');
is(planned_before(5, "SELECT router.create_child('gap', '51')"), 5, 'a child without rows');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM gap'), 5, 'and once more');

# Functions: those that change something are refused as commands of core are, those that look work.
foreach my $call ("SELECT router.create_route('pg_class', router.by_hash('oid', 2))", "SELECT router.alter_route('gap', max_new_children => 7)", "SELECT router.drop_route('gap')",
	"SELECT router.create_child('gap', '99')", "SELECT router.premake('gap')", "SELECT router.attach_child('gap', 'late', '{99}')", "SELECT router.detach_child('gap_1_10')",
	"CALL router.redistribute('gap')", 'CALL router.archive()', "SELECT router.archive_now('bank')", "SELECT router.add_tier('bank', '9 years', 'pg_default')", "SELECT router.drop_tier('bank', '9 years')",
	'CALL router.tier()', "CALL router.move_child('gap_1_10', 'pg_default')", 'CALL router.maintain()', "SELECT router.set_maintenance('bank', premake => 1)", "SELECT router.clear_maintenance('bank')",
	"CALL router.seal('gap_1_10', '{id}')", "CALL router.rotate('bank')", "SELECT router.restore('gap_1_10')", "SELECT router.end_hot('bank')", "SELECT router.add_global_key('gap', '{id}')",
	"SELECT router.sync('gap')", "CALL router.sync('gap', concurrently => true)")
{
	my (undef, undef, $error) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\n$call");
	like($error, qr/ERROR:  25006/, "$call on a standby");
}
foreach my $call ('SELECT count(*) FROM router.check()', 'SELECT count(*) FROM router.check_global_key(\'gap\')', 'SELECT count(*) FROM router.routes, router.children, router.maintenance', 'SELECT count(*) FROM router.progress',
	'SELECT count(*) FROM router.seals', 'SELECT router.maintain_next()')
{
	my (undef, undef, $error) = $standby->psql('postgres', $call);
	is($error, '', "$call on a standby");
}
$standby->stop;
$primary->stop;
done_testing();
