# router.archive and kill -9: while clients insert and update, the server is killed
# at random points of archiving and started again. What a client was told is
# there must be there, once, and in the one table where it belongs. Beside it a
# base with a backlog is archived by large batches into new children, whose
# indexes are filled by the page.
# CRASHES sets how often (30); SEED repeats a run.
use strict;
use warnings;
use Clients;
use POSIX ();
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{CRASHES} || 30;
my $seed = $ENV{SEED} || time;
srand($seed);
note "SEED=$seed";

my $node = server('crash', "restart_after_crash = off\nsession_preload_libraries = 'router'");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION router;
CREATE TABLE reading (id bigint, d timestamptz, v int DEFAULT 0, note text DEFAULT repeat('x', 50), PRIMARY KEY (id, d));
CREATE INDEX ON reading (d);
SELECT router.create_route('reading', router.by_date('d', 'day'), hot => '100 years', horizon => '200 years', time_zone => 'UTC');
CREATE TABLE backlog (id int, round int, d timestamptz, PRIMARY KEY (id, d));
CREATE INDEX ON backlog (d);
CREATE INDEX ON backlog (round, id);
SELECT router.create_route('backlog', router.by_date('d', 'day'), hot => '100 years', horizon => '200 years', time_zone => 'UTC', max_new_children => 1000);
SQL
my $began = time;				# an hour of the readings passes in a second
# around where archiving is: late, moving and fresh rows
my $clients = Clients->start($node, seed => $seed, insert => 0.6, rows => 20, make => sub {
	return "INSERT INTO reading (id, d) SELECT i, timestamptz '2024-01-01' + (extract(epoch FROM clock_timestamp()) - $began)"
	  . " * interval '1 hour' + (random() * 20 - 10) * interval '1 hour' FROM generate_series($_[0], $_[1]) i";
});

# Archives up to a cutoff that goes on, in small batches, until the server dies.
sub archiver
{
	my $pid = fork // die;
	return $pid if $pid;
	for (;;)
	{
		last unless $clients->told_ok("CALL router.archive('reading', batch_rows => 20, lock_timeout => '200ms', cutoff => (timestamptz '2024-01-01' + (extract(epoch FROM clock_timestamp()) - $began) * interval '1 hour')::text)")
		  || $clients->told_ok('SELECT 1');
	}
	POSIX::_exit(0);
}

# Two days of backlog a round, each of two batches or more.
my $per_round = 6000;
my %backlog;
sub add_backlog
{
	my ($round) = @_;
	$backlog{$round} = $node->safe_psql('postgres', "WITH n AS (INSERT INTO backlog SELECT i, $round, timestamptz '2024-01-01 UTC' + ($round * 2 + i / ($per_round / 2.0)) * interval '1 day'"
		  . " FROM generate_series(0, $per_round - 1) i RETURNING 1) SELECT count(*) FROM n");
}

# Archives the backlog, until the server dies. batch_rows is small, so that later batches add to what is there.
sub backlog_archiver
{
	my ($round) = @_;
	my $pid = fork // die;
	return $pid if $pid;
	$clients->told_ok("CALL router.archive('backlog', batch_rows => " . (rand() < 0.5 ? 40 : 1500) . ", lock_timeout => '200ms', cutoff => (timestamptz '2024-01-03 UTC' + $round * interval '2 days')::text)");
	POSIX::_exit(0);
}

my $survived = 0;
for my $n (1 .. $crashes)
{
	add_backlog($n);
	my @archivers = (archiver(), backlog_archiver($n));
	sleep(0.05 + rand(0.6));
	crash_and_start($node, @archivers);
	$survived++ if $node->safe_psql('postgres', 'SELECT 1') eq '1';
}
is($survived, $crashes, "the server came back $crashes times");
$node->safe_psql('postgres', "CALL router.archive('reading', cutoff => '2024-01-02')");
$node->safe_psql('postgres', "CALL router.archive('backlog', cutoff => (timestamptz '2024-01-03 UTC' + $crashes * interval '2 days')::text)");
$clients->stop;
$clients->compare('id, v', 'after the crashes');
for my $base ('reading', 'backlog')
{
	my $places = $node->safe_psql('postgres', <<"SQL");
SELECT (SELECT count(*) FROM ONLY $base t, router.routes r WHERE r.base = '$base'::regclass AND t.d < r.watermark::timestamptz),
       (SELECT count(*) FROM $base t, router.routes r WHERE r.base = '$base'::regclass AND t.tableoid <> r.base AND t.d >= r.watermark::timestamptz)
SQL
	is($places, '0|0', "$base: each row is on its side of the watermark");
}
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM reading WHERE tableoid <> 'reading'::regclass"), '>', 0, 'and rows were archived');

is($node->safe_psql('postgres', 'SELECT string_agg(round || \':\' || n || \':\' || ids, \' \' ORDER BY round) FROM (SELECT round, count(*) AS n, count(DISTINCT id) AS ids FROM backlog GROUP BY round) s'),
	join(' ', map { "$_:$backlog{$_}:$backlog{$_}" } 1 .. $crashes), 'the backlog is there, once');
SKIP:
{
	skip 'amcheck is not there', 1 if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'") eq '0';
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	is($node->safe_psql('postgres', 'SELECT count(bt_index_parent_check(indexrelid, true, true)) > 0 FROM pg_index JOIN pg_inherits ON inhrelid = indrelid'), 't', 'the indexes of all children are right');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM router.check()'), 0, 'router.check finds nothing');
$node->stop;
done_testing();
