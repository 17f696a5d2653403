#!/usr/bin/perl
# The recipe of docs/operations.md for pg_cron, with pg_cron itself: in its two ways of running jobs. Jobs run at the server's start
# here (@reboot), since the versions to be met do not all know a schedule below a minute.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);

use Server;

chomp(my $share = `pg_config --sharedir`);
plan skip_all => 'needs pg_cron for this PostgreSQL' unless -e "$share/extension/pg_cron.control";

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'postgres'\nautovacuum = off\ncron.host = '" . $node->host . "'\n");
$node->start;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

# Rows that have aged: they came while the watermark lay before them.
sub age
{
	my ($table) = @_;
	sql("UPDATE router.route_def SET watermark = '-infinity' WHERE base = '$table'::regclass;"
		. "INSERT INTO $table SELECT i, timestamptz '2020-02-02' + i * interval '1 hour' FROM generate_series(1, 3) i");
}

sql(<<'SQL');
CREATE EXTENSION pg_cron;
CREATE EXTENSION router;
CREATE TABLE sensor_log (id int, d timestamptz);
CREATE TABLE broken (id int, d timestamptz);
SELECT router.create_route('sensor_log', router.by_date('d', 'year'), hot => '7 days');
SELECT router.create_route('broken', router.by_date('d', 'year', label => 'SELECT 1 / 0'), hot => '7 days');
SQL
age($_) for 'sensor_log', 'broken';
sql(q{SELECT cron.schedule('nightly', '10 3 * * *', $$CALL router.archive('public.sensor_log', time_budget => '2 hours')$$)});
is(sql('SELECT schedule, active FROM cron.job'), '10 3 * * *|t', 'the recipe is a job for the night');
sql(q{SELECT cron.schedule('now', '@reboot', $$CALL router.archive('public.sensor_log', batch_rows => 1, time_budget => '2 hours')$$)});
sql(q{SELECT cron.schedule('now-broken', '@reboot', $$CALL router.archive('public.broken', time_budget => '2 hours')$$)});

for my $way ('connections', 'background workers')
{
	sql("ALTER SYSTEM SET cron.use_background_workers = on") if $way eq 'background workers';
	sql('TRUNCATE cron.job_run_details; DELETE FROM router.events');
	age('sensor_log') if $way eq 'background workers';
	$node->restart;
	my $end = time + 30;
	my $done = q{SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')};
	sleep 0.1 until sql($done) == 2 || time > $end;
	is(sql(q{SELECT status FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = 'now'}), 'succeeded', "$way: the job succeeds");
	is(sql('SELECT count(*) FROM ONLY sensor_log'), '0', "$way: rows are archived, by batches of one and with commits");
	is(sql("SELECT rows FROM router.events WHERE base_name ~ 'sensor_log'"), 3, "$way: router.events has them");
	is(sql(q{SELECT status FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = 'now-broken'}), 'failed', "$way: what fails is shown as failed");
	like(sql(q{SELECT return_message FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = 'now-broken'}), qr/division by zero/, "$way: with its message");
}
$node->stop;
done_testing();
