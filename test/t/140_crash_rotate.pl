# router.rotate and kill -9: while clients insert and update, the server is killed
# at random points of turnovers and started again. What a client was told is
# there must be there, once, and in the one table where it belongs; indexes are sound.
# CRASHES sets how often (6); SEED repeats a run.
use strict;
use warnings;
use Clients;
use POSIX ();
use PostgreSQL::Test::Utils;
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $crashes = $ENV{CRASHES} || 6;
my $seed = $ENV{SEED} || time;
srand($seed);
note "SEED=$seed";

my $node = server('crash_rotate', "restart_after_crash = off\nsession_preload_libraries = 'router'");
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
# fresh rows, some with a big value, and a late one now and then
my $clients = Clients->start($node, seed => $seed, insert => 0.7, rows => 200, make => sub {
	return "INSERT INTO reading (id, d, note) SELECT i, fake_now() - (random() < 0.02)::int * interval '2 days',"
	  . " CASE WHEN i % 20 = 0 THEN (SELECT string_agg(random()::text, '') FROM generate_series(1, 300)) ELSE 'small' END FROM generate_series($_[0], $_[1]) i";
});

# Rotates whenever a day has passed, until the server dies.
open my $script, '>', "$clients->{dir}/rotate.sql" or die;
print $script "CALL router.rotate('reading', lock_timeout => '200ms', cutoff => date_trunc('day', fake_now(), 'UTC')::text);\n" for 1 .. 20000;
close $script;
sub rotator
{
	my $pid = fork // die;
	return $pid if $pid;
	exec(join(' ', 'exec', map({ "'$_'" } @{ $clients->{psql} }), '-f', "'$clients->{dir}/rotate.sql'", '>/dev/null 2>&1')) or POSIX::_exit(1);
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
$clients->stop;
$clients->compare('id, v, length(note)', 'after the crashes');
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
command_ok([ $node->installed_command('pg_dump'), '-h', $node->host, '-p', $node->port, '-f', "$clients->{dir}/dump.sql", 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ $clients->{psql}[0], '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-d', 'copy', '-o', '/dev/null', '-f', "$clients->{dir}/dump.sql" ], 'and its restore');
is($node->safe_psql('copy', 'SELECT count(*), sum(v), sum(length(note)) FROM reading'), $node->safe_psql('postgres', 'SELECT count(*), sum(v), sum(length(note)) FROM reading'), 'bring the same rows');
$node->stop;
done_testing();
