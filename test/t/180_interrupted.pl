# What ends a run before its time leaves an event: a timeout, a cancel, a terminated session, a server that is killed; also in the
# first step, which has committed nothing. While it runs, the event says so. The next run leaves one of its own.
use strict;
use warnings;
use POSIX ();
use Server;
use Test::More;
use Time::HiRes qw(sleep);

my $node = server('interrupted', 'autovacuum = off');
sub sql { return $node->safe_psql('postgres', join('', @_)); }
sql(<<'SQL');
CREATE EXTENSION router;
CREATE FUNCTION public.slowly(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(CASE WHEN v > 0 THEN 0.02 ELSE 0 END); RETURN v; END $$;
CREATE TABLE log (d timestamptz, v int);
CREATE INDEX ON log (d);
SELECT router.create_route('log', router.by_date('d', 'year'), hot => '1 year', time_zone => 'UTC');
INSERT INTO log SELECT timestamptz '2001-01-01 UTC' + i * interval '1 hour', i FROM generate_series(-50, 1000) i;
UPDATE router.route_def SET watermark = '-infinity', pending = '-infinity';
CREATE TABLE other (d timestamptz, v int);
SELECT router.create_route('other', router.by_date('d', 'year'));
INSERT INTO other SELECT '2001-01-01', 0 FROM generate_series(1, 1000);
CREATE INDEX ON other (public.slowly(v));
CREATE TABLE waiting (d timestamptz, v int);
SELECT router.create_route('waiting', router.by_date('d', 'year'), on_missing => 'default', default_child => true);
CREATE INDEX ON waiting (public.slowly(-v));
INSERT INTO waiting SELECT '2001-01-01', v FROM generate_series(1, 1000) v;
CREATE INDEX CONCURRENTLY ON waiting (public.slowly(v - 2000));
SQL
# rows of the base stay there until archive comes
sql("SELECT router.alter_route('log', hot => '100 years')");
sql("TRUNCATE log; INSERT INTO log SELECT timestamptz '2001-01-01 UTC' + i * interval '1 hour', i FROM generate_series(-50, 1000) i");
is(sql('SELECT count(*) FROM ONLY log'), 1051, 'rows that will be archived');
sql('CREATE INDEX ON log (public.slowly(-v))');
sql("CREATE OR REPLACE FUNCTION public.slowly(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.02); RETURN v; END \$\$");

my %calls = (
	'archive, between batches' => "CALL router.archive('log', cutoff => '2010-01-01', batch_rows => 10)",
	'archive, in its first batch' => "CALL router.archive('log', cutoff => '2010-01-01')",
	'maintain' => "CALL router.maintain('log')",
	'move_child' => "CALL router.move_child('other_y2001', access_method => 'heap2')",
	'sync' => "CALL router.sync('waiting', concurrently => true)",
	'redistribute' => "CALL router.redistribute('waiting')",
	'rekey' => "CALL router.rekey('other', router.by_date('d', 'month'))",
);
sql("CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler");
sql("SELECT router.set_maintenance('log', premake => 0)");
sql("UPDATE router.route_def SET hot = '20 years' WHERE base = 'log'::regclass");

my %ways = (
	'statement_timeout' => sub { my ($call) = @_; $node->psql('postgres', "SET statement_timeout = '400ms';\n$call"); },
	'a cancel' => sub { run_and_end($_[0], "SELECT pg_cancel_backend(pid) FROM router.events WHERE state = 'running'"); },
	'a terminated session' => sub { run_and_end($_[0], "SELECT pg_terminate_backend(pid) FROM router.events WHERE state = 'running'"); },
	'a killed server' => sub { run_and_end($_[0], undef); },
);

sub run_and_end
{
	my ($call, $end) = @_;
	my $pid = fork // die;
	if (!$pid)
	{
		eval { $node->psql('postgres', $call, stderr => \my $ignored) };
		POSIX::_exit(0);	# the servers are not its own to stop
	}
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM router.events WHERE state = 'running'") or diag('it does not run');
	sleep(0.4);
	is(sql("SELECT string_agg(state || ' ' || (at = started), ',') FROM router.events WHERE state = 'running'"), 'running true', "$call: runs");
	return crash_and_start($node, $pid) if !defined $end;
	sql($end);
	waitpid($pid, 0);
}

for my $way (sort keys %ways)
{
	for my $name (sort keys %calls)
	{
		my $action = $name =~ s/,.*//r;
		sql('DELETE FROM router.events');
		$ways{$way}->($calls{$name});
		is(sql("SELECT string_agg(concat_ws(' ', action, state, error, role), ', ') FROM router.events WHERE action = '$action'"),
			"$action interrupted " . sql('SELECT current_user'), "$way: $name");
		sql("CALL router.cancel_reshape('other')") if $action eq 'rekey' && sql('SELECT count(*) FROM router.reshape_def');
	}
}

# what it had done, and was at
sql('DELETE FROM router.events');
$ways{'statement_timeout'}->($calls{'archive, between batches'});
$node->psql('postgres', "SET statement_timeout = '300ms';\n" . $calls{'archive, in its first batch'});
like(sql("SELECT rows || ' ' || detail FROM router.events WHERE state = 'interrupted' ORDER BY started LIMIT 1"), qr/^\d+ It was at: archive, move rows, \d+ of \d+\.$/, 'how far it was');
cmp_ok(sql("SELECT rows FROM router.events WHERE state = 'interrupted' ORDER BY started LIMIT 1"), '>', 0, 'rows that are committed count');

sql("CREATE OR REPLACE FUNCTION public.slowly(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$\$ BEGIN RETURN v; END \$\$");
sql($calls{'archive, in its first batch'});
is(sql("SELECT string_agg(state, ' ' ORDER BY started) FROM router.events WHERE action = 'archive'"), 'interrupted interrupted done', 'the next run comes to its end');
is(sql('SELECT count(*) FROM ONLY log'), 0, 'nothing waits any more');
sql($_) for ($calls{'archive, in its first batch'}) x 3;
is(sql("SELECT count(*) FROM router.events WHERE action = 'archive' AND state = 'done' AND rows = 0"), 1, 'of runs that found nothing to do the last one stays');
sql($calls{move_child});
sql($calls{redistribute});
sql($calls{sync});
is(sql("SELECT string_agg(concat_ws(' ', routed_table, child, kind, detail, remedy), '; ') FROM router.check()"), '', 'all is well');
sql("UPDATE router.event_def SET at = at - interval '91 days' WHERE base = 'log'::regclass");
sql("CALL router.maintain()");
is(sql("SELECT count(*) FROM router.event_def WHERE at < now() - interval '90 days'"), 0, 'maintain forgets what is older than 90 days');
done_testing();
