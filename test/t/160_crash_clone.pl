# router.clone and router.retry_rejects, cancelled, killed and crashed at random points: called again and again they come to
# their end, and each row of the source is in the base or in the rejects, once.
# CRASHES sets how often (20); SEED repeats a run.
use strict;
use warnings;
use POSIX ();
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{CRASHES} || 20;
my $rows = 20000;
my $seed = $ENV{SEED} || time;
srand($seed);
note "SEED=$seed";

my $node = server('crash', "restart_after_crash = on\nsession_preload_libraries = 'router'");
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION router;
CREATE TABLE keyed (id int PRIMARY KEY, r int, d date, v text);
INSERT INTO keyed SELECT i, i * 7919 % 12, date '2024-01-01' + i % 300, CASE WHEN i % 97 = 0 THEN 'none' ELSE i::text END FROM generate_series(1, $rows) i;
CREATE TABLE keyless AS SELECT id + $rows AS id, r, d, v FROM keyed;
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 10);
CREATE TABLE base (id int, r int REFERENCES residence DEFERRABLE INITIALLY DEFERRED, d date, v int CHECK (v % 89 <> 0));
SELECT router.create_route('base', ARRAY[router.by_list('r'), router.by_date('d', 'year')]);
SELECT router.add_global_key('base', '{id}');
INSERT INTO base SELECT i * 5000 + 1, 1, '2024-01-01', -1 FROM generate_series(1, 7) i;
SQL

my $columns = q(columns => '{"v": "v::int"}', on_error => 'reject');
my @calls = ("router.clone('keyed', 'base', $columns, batch_rows => 500)", "router.clone('keyless', 'base', $columns, batch_rows => 300)",
	q(router.retry_rejects('base', batch_rows => 100, pause => '10 ms')));

# Calls one after the other, until one is broken off.
sub caller_of_clones
{
	my $pid = fork // die;
	return $pid if $pid;
	for (1 .. 20)
	{
		for my $call (@calls)
		{
			my ($status) = $node->psql('postgres', "CALL $call", timeout => 60);
			POSIX::_exit(0) if $status;
		}
	}
	POSIX::_exit(0);
}

my $there = 'SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM base WHERE v >= 0 UNION ALL SELECT (row->>\'id\')::int FROM router.rejects) x';
my ($wrong, $hit) = (0, 0);
for my $n (1 .. $crashes)
{
	my $pid = caller_of_clones();
	sleep(0.05 + rand(0.8));
	if ($n % 3 == 0)
	{
		crash_and_start($node, $pid);
		$hit++;
	}
	else
	{
		my $backend = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL router.%' AND state = 'active' LIMIT 1");
		if ($backend && $n % 3 == 1)
		{
			$node->safe_psql('postgres', "SELECT pg_cancel_backend($backend)");
			$hit++;
		}
		elsif ($backend)
		{
			kill_backend($node, $backend);
			$hit++;
		}
		$node->poll_query_until('postgres', 'SELECT true');
		kill 'TERM', $pid;
		waitpid $pid, 0;
		$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL router.%' AND pid <> pg_backend_pid()");
	}
	my ($all, $distinct) = split /\|/, $node->safe_psql('postgres', $there);
	$wrong++ if $all != $distinct;
	# begin anew when all is done, so that there is something to break off
	my $finished = $node->safe_psql('postgres', 'SELECT count(*) FROM router.clones WHERE finished');
	next if $finished < 2 || $n == $crashes;
	$wrong++ if $all != 2 * $rows;
	$node->safe_psql('postgres', "SELECT router.drop_rejects('base'); DELETE FROM base WHERE v >= 0");
	$node->psql('postgres', "CALL router.clone('$_', 'base', $columns, batch_rows => 100, restart => true, time_budget => '0')") for qw(keyed keyless);
}
is($wrong, 0, 'at no time a row is there twice, nor missing in the end');
cmp_ok($hit, '>', $crashes / 2, "$hit calls were broken off");
becomes($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL router.%' AND pid <> pg_backend_pid() AND state <> 'idle'", 0);
$node->safe_psql('postgres', "CALL $_") for @calls;
is($node->safe_psql('postgres', $there), 2 * $rows . '|' . 2 * $rows, 'each row is in the base or rejected, once');
my $reasons = 'SELECT string_agg(sqlstate || \' \' || n, \', \' ORDER BY sqlstate) FROM (%s) s';
is($node->safe_psql('postgres', sprintf $reasons, 'SELECT sqlstate, count(*) AS n FROM router.rejects GROUP BY 1'), $node->safe_psql('postgres', sprintf $reasons,
		q{SELECT CASE WHEN v = 'none' THEN '22P02' WHEN v::int % 89 = 0 THEN '23514' WHEN id % 5000 = 1 AND id > 1 AND id < 35002 THEN '23505' ELSE '23503' END AS sqlstate, count(*) AS n
            FROM (TABLE keyed UNION ALL TABLE keyless) x WHERE v = 'none' OR v::int % 89 = 0 OR r = 11 OR id % 5000 = 1 AND id > 1 AND id < 35002 GROUP BY 1}), 'for its own reason');
$node->safe_psql('postgres', "INSERT INTO residence VALUES (11); CALL router.retry_rejects('base')");
is($node->safe_psql('postgres', "SELECT count(*) FROM router.rejects WHERE sqlstate = '23503'"), 0, 'with the cause mended they go in');
is($node->safe_psql('postgres', $there), 2 * $rows . '|' . 2 * $rows, 'once');
is($node->safe_psql('postgres', "SELECT sum(migrated + errors + duplicates + constraints) FROM router.clones"), 2 * $rows, 'router.clones has the figures');
is($node->safe_psql('postgres', 'SELECT count(*) FROM router.check()'), 0, 'router.check finds nothing');
$node->stop;
done_testing();
