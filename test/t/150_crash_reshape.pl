# router.convert, rekey, unroute and kill -9: while clients insert and update, a table gets one shape after the other, and the
# server is killed at random points and started again, or only the session that calls. What a client was told is there must
# be there, once; and the calls go on from where they were.
# CRASHES sets how often (12); SEED repeats a run.
use strict;
use warnings;
use Clients;
use POSIX ();
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{CRASHES} || 12;
my $seed = $ENV{SEED} || time;
srand($seed);
note "SEED=$seed";

my $node = server('crash', "restart_after_crash = on\nsession_preload_libraries = 'router'");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION router;
CREATE TABLE reading (id bigint, d timestamptz, r int, v int DEFAULT 0, note text DEFAULT repeat('x', 50), PRIMARY KEY (id, r, d));
CREATE INDEX ON reading (d);
SQL
my $clients = Clients->start($node, seed => $seed, insert => 0.4, rows => 300, make => sub {
	return "INSERT INTO reading (id, d, r) SELECT i, timestamptz '2024-01-01' + i % 5000 * interval '1 hour', i % 9 FROM generate_series($_[0], $_[1]) i";
});

# Each call is refused unless it is its turn, or it was interrupted.
my @shapes = ("convert('reading', router.by_list('r')", "rekey('reading', router.by_date('d', 'month')", "rekey('reading', ARRAY[router.by_list('r'), router.by_date('d', 'year')]",
	"rekey('reading', router.by_hash('id', 5)", "unroute('reading'");
sub reshaper
{
	my $pid = fork // die;
	return $pid if $pid;
	srand($seed + $$);
	my $died = 0;
	until ($died)
	{
		for my $shape (@shapes)
		{
			my $ok = $clients->told_ok("CALL router.$shape, batch_rows => " . (rand() < 0.5 ? 500 : 5000) . ')');
			$died = 1 if !$ok && !$clients->told_ok('SELECT 1');
		}
	}
	POSIX::_exit(0);
}

my $survived = 0;
for my $n (1 .. $crashes)
{
	my $pid = reshaper();
	sleep(0.1 + rand(1.2));
	if ($n % 3)
	{
		crash_and_start($node, $pid);
	}
	else
	{
		my $caller = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL router.%' LIMIT 1");
		kill_backend($node, $caller) if $caller;
		$node->safe_psql('postgres', "SELECT 1");
		kill 'TERM', $pid;
		waitpid $pid, 0;
	}
	$survived++ if $node->safe_psql('postgres', 'SELECT 1') eq '1';
}
is($survived, $crashes, "the server came back $crashes times");
becomes($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL router.%' AND pid <> pg_backend_pid() AND state <> 'idle'", 0);
# what was interrupted is gone on with, or given up
my $done = 0;
for my $shape (@shapes)
{
	$done++ if $clients->told_ok("CALL router.$shape)");
}
cmp_ok($done, '>', 0, "and went on: $done of the calls");
$clients->stop;
$clients->compare('id, v', 'after the crashes');
is($node->safe_psql('postgres', 'SELECT count(*) FROM router.reshape_def'), 0, 'nothing is left of it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_class WHERE relrewrite <> 0'), 0, 'no hidden table');
is($node->safe_psql('postgres', 'SELECT count(*) FROM router.check()'), 0, 'router.check finds nothing');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM router.events WHERE action IN ('convert', 'rekey', 'unroute') AND error IS NULL"), '>', 2, 'shapes came to their end');
SKIP:
{
	skip 'amcheck is not there', 1 if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'") eq '0';
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	is($node->safe_psql('postgres', "SELECT count(bt_index_parent_check(indexrelid, true, true)) > 0 FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relname LIKE 'reading%'"), 't', 'the indexes are right');
}
$node->stop;
done_testing();
