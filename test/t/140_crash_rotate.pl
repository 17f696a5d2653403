# router.rotate and kill -9: while clients insert and update, the server is killed
# at random points of turnovers and started again. What a client was told is
# there must be there, once, and in the one table where it belongs; indexes are sound.
# CRASHES sets how often (6); SEED repeats a run.
use strict;
use warnings;
use Crash;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{CRASHES} || 6;
my $seed = $ENV{SEED} || time;
my $clients = 3;
srand($seed);
note "SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('crash_rotate');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = off\nsession_preload_libraries = 'router'\n");
$node->start;
my $began = time;				# two days of the readings pass in a second
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION router;
CREATE TABLE reading (id bigint, d timestamptz, v int DEFAULT 0, note text DEFAULT repeat('x', 50), PRIMARY KEY (id, d));
CREATE INDEX ON reading (d);
CREATE INDEX ON reading (v) INCLUDE (d);
SELECT router.create_route('reading', router.by_date('d', 'day'), hot => '100 years', horizon => '200 years', time_zone => 'UTC');
CREATE FUNCTION fake_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS \$\$
    SELECT timestamptz '2024-01-01 UTC' + (extract(epoch FROM clock_timestamp()) - $began) * interval '2 days' \$\$;
SQL
my $psql = $node->installed_command('psql');
my @psql = ($psql, '-XqAt', '-h', $node->host, '-p', $node->port, '-d', 'postgres');
my $dir = PostgreSQL::Test::Utils::tempdir;

# Runs SQL quietly; true if the server said so.
sub told_ok
{
	my ($sql) = @_;
	return system("exec " . join(' ', map { "'$_'" } @psql, '-v', 'ON_ERROR_STOP=1') . " -c \"$sql\" >/dev/null 2>&1") == 0;
}

# A client: rows of its own, each inserted once and updated now and then. It notes what it tried and what it was told.
sub client
{
	my ($n) = @_;
	my (%tried, %told);
	my $id = $n * 1_000_000;
	my $last = 0;
	srand($seed + $n);
	until (-e "$dir/stop")
	{
		if (rand() < 0.7 || !$last)
		{
			my $first = $id + 1;
			my $rows = 1 + int(rand(200));
			$id += $rows;
			$tried{$_} //= 0 for $first .. $id;
			# fresh rows, some with a big value, and a late one now and then
			my $ok = told_ok("INSERT INTO reading (id, d, note) SELECT i, fake_now() - (random() < 0.02)::int * interval '2 days',"
				  . " CASE WHEN i % 20 = 0 THEN (SELECT string_agg(random()::text, '') FROM generate_series(1, 300)) ELSE 'small' END FROM generate_series($first, $id) i");
			if ($ok) { $told{$_} = 0 for $first .. $id; $last = $id; }
		}
		else
		{
			my $row = $n * 1_000_000 + 1 + int(rand($last - $n * 1_000_000));
			next unless defined $told{$row};
			$tried{$row}++;
			$told{$row}++ if told_ok("DO \\\$\\\$ BEGIN UPDATE reading SET v = v + 1 WHERE id = $row; IF NOT FOUND THEN RAISE 'row $row is hidden'; END IF; END \\\$\\\$");
		}
	}
	open my $out, '>', "$dir/client$n" or die;
	printf $out "%d %d %d\n", $_, $tried{$_}, $told{$_} // -1 for sort { $a <=> $b } keys %tried;
	close $out;
	POSIX::_exit(0);	# the cluster is the parent's
}

my @pids;
for my $n (1 .. $clients)
{
	my $pid = fork // die;
	client($n) if $pid == 0;
	push @pids, $pid;
}

# Rotates whenever a day has passed, until the server dies.
open my $script, '>', "$dir/rotate.sql" or die;
print $script "CALL router.rotate('reading', lock_timeout => '200ms', cutoff => date_trunc('day', fake_now(), 'UTC')::text);\n" for 1 .. 20000;
close $script;
sub rotator
{
	my $pid = fork // die;
	return $pid if $pid;
	exec(join(' ', 'exec', map({ "'$_'" } @psql), '-f', "'$dir/rotate.sql'", '>/dev/null 2>&1')) or POSIX::_exit(1);
}

my $survived = 0;
for my $n (1 .. $crashes)
{
	my $rotator = rotator();
	sleep 0.3;
	# a turnover begins when a day of the readings has passed: every half second
	my $days = (time - $began) * 2;
	sleep((POSIX::ceil($days + 0.3) - $days) / 2 + rand(0.12));
	crash_and_start($node, $rotator);
	$survived++ if $node->safe_psql('postgres', 'SELECT 1') eq '1';
}
is($survived, $crashes, "the server came back $crashes times");
open my $stop, '>', "$dir/stop" or die;
close $stop;
waitpid $_, 0 for @pids;

my (%tried, %told);
for my $n (1 .. $clients)
{
	open my $in, '<', "$dir/client$n" or die "client $n died";
	while (<$in>) { my ($id, $t, $k) = split; $tried{$id} = $t; $told{$id} = $k; }
}

# What the clients know, against what is there.
sub compare
{
	my ($when) = @_;
	my %rows;
	my $doubled = 0;
	for (split /\n/, $node->safe_psql('postgres', 'SELECT id, v, length(note) FROM reading'))
	{
		my ($id, $v) = split /\|/;
		$doubled++ if exists $rows{$id};
		$rows{$id} = $v;
	}
	my @lost = grep { $told{$_} >= 0 && !exists $rows{$_} } keys %told;
	my @stale = grep { exists $rows{$_} && $told{$_} >= 0 && ($rows{$_} < $told{$_} || $rows{$_} > $tried{$_}) } keys %told;
	my @strange = grep { !exists $tried{$_} } keys %rows;
	cmp_ok(scalar(keys %rows), '>', 100, "$when: " . scalar(keys %rows) . ' rows');
	is($doubled, 0, 'no row is there twice');
	is("@lost", '', 'no row is lost');
	is("@stale", '', 'no update is lost or doubled');
	is("@strange", '', 'no row came from nowhere');
}

compare('after the crashes');
my $rotated = $node->safe_psql('postgres', "SELECT count(*) FROM router.events WHERE action = 'rotate' AND rows > 0");
cmp_ok($rotated, '>', 0, "there were $rotated turnovers");
$node->safe_psql('postgres', "SELECT router.sync('reading')");	# a CHECK may be left to be validated
is($node->safe_psql('postgres', "SELECT child, kind, detail FROM router.check('reading')"), '', 'router.check finds nothing');
my $end = $node->safe_psql('postgres', "SELECT max(d) - interval '1 hour' FROM reading");
$node->safe_psql('postgres', "CALL router.archive('reading', cutoff => '$end')");
$node->safe_psql('postgres', 'VACUUM (FREEZE, ANALYZE)');
is($node->safe_psql('postgres', "SELECT child, kind, detail FROM router.check('reading')"), '', 'nor when the rest is archived and frozen');
SKIP:
{
	skip 'no amcheck', 1 if $node->psql('postgres', 'CREATE EXTENSION amcheck');
	is($node->psql('postgres', <<'SQL'), 0, 'indexes are sound');
SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid IN (SELECT 'reading'::regclass UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = 'reading'::regclass
                      UNION SELECT reltoastrelid FROM pg_class WHERE relname LIKE 'reading%');
SQL
}
command_ok([ $node->installed_command('pg_dump'), '-h', $node->host, '-p', $node->port, '-f', "$dir/dump.sql", 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ $psql, '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-d', 'copy', '-o', '/dev/null', '-f', "$dir/dump.sql" ], 'and its restore');
is($node->safe_psql('copy', 'SELECT count(*), sum(v), sum(length(note)) FROM reading'), $node->safe_psql('postgres', 'SELECT count(*), sum(v), sum(length(note)) FROM reading'), 'bring the same rows');
$node->stop;
done_testing();
