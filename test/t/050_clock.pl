# The clock goes back, far ahead and back again between runs of maintenance, and through the two nights in which the clocks of
# a time zone are set: each row has one home, none is lost, and the watermark never goes back. The server's clock is
# libfaketime's; without it there is nothing to test here (the same with cutoffs: test/pgtap/maintain/clock.sql).
use strict;
use warnings;
use Test::More;

BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} ||= 20 }
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my ($library) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
plan skip_all => 'needs libfaketime' unless $library;

my $file = PostgreSQL::Test::Utils::tempdir . '/clock';
# Sets the clock of the server, by seconds from the real one.
sub set_clock
{
	my ($seconds) = @_;
	open my $out, '>', "$file.new" or die;
	printf $out "%+d\n", $seconds;
	close $out;
	rename "$file.new", $file or die;
}

set_clock(0);
my $node = PostgreSQL::Test::Cluster->new('clock');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nshared_preload_libraries = 'router'\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nlog_min_messages = log\n");
{
	local @ENV{qw(LD_PRELOAD FAKETIME_TIMESTAMP_FILE FAKETIME_NO_CACHE FAKETIME_DONT_FAKE_MONOTONIC)} = ($library, $file, 1, 1);
	$node->start;
}
sub sql { return $node->safe_psql('postgres', $_[0]); }

my $days = 24 * 3600;
set_clock(30 * $days);
cmp_ok(abs(sql('SELECT extract(epoch FROM now())::bigint') - time - 30 * $days), '<', 60, 'the server has a clock of its own');
set_clock(0);
sql(<<'SQL');
CREATE EXTENSION router;
CREATE TABLE log (id bigserial PRIMARY KEY, d timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON log (d);
INSERT INTO log (d) SELECT now() - i * interval '1 hour' FROM generate_series(1, 20 * 24) i;
SELECT router.create_route('log', router.by_date('d', 'day'), hot => '7 days', time_zone => 'UTC');
SQL

# What is not as it should be: rows that are lost or doubled, or not at home; what router.check says.
my $wrong = <<'SQL';
SELECT 'lost: ' || n FROM generate_series(1, (SELECT last_value FROM log_id_seq)) n WHERE NOT EXISTS (SELECT FROM log WHERE id = n)
UNION ALL SELECT 'double: ' || id FROM log GROUP BY id HAVING count(*) > 1
UNION ALL SELECT 'not at home: ' || tableoid::regclass || ' ' || d FROM log, router.routes r
 WHERE r.base = 'log'::regclass AND (tableoid = r.base) <> (d >= r.watermark::timestamptz)
UNION ALL SELECT concat_ws(' ', child, kind, detail) FROM router.check()
SQL
my $watermark = "SELECT extract(epoch FROM watermark::timestamptz)::bigint FROM router.routes WHERE base = 'log'::regclass";
my $at;
# Archives with the clock where it is; the watermark after it, in seconds from the real time.
sub archive
{
	my ($call) = @_;
	sql($call // "CALL router.archive('log')");
	$at = sql($watermark);
	return $at - time;
}
sub about
{
	my ($got, $want, $name) = @_;
	cmp_ok(abs($got - $want), '<', 120, "$name: the watermark");
	is(sql($wrong), '', "$name: each row is at home, once");
}
sub row { return sql('INSERT INTO log DEFAULT VALUES RETURNING tableoid::regclass') =~ s/_.*/ child/r; }

about(archive(), -7 * $days, 'archived');
my $before = $at;

# ----------------------------------------------------------------------- back
set_clock(-3 * $days);
is(row(), 'log', 'three days back: a row of now is hot');
archive();
is($at, $before, 'archiving does nothing');
set_clock(-30 * $days);
is(row(), 'log child', 'a month back: a row of now goes to a child');
sql('BEGIN; INSERT INTO log (d) SELECT now() + i * interval \'1 day\' FROM generate_series(-2, 40) i; COMMIT');
archive("CALL router.maintain()");
is($at, $before, 'maintenance leaves the watermark');
is(sql($wrong), '', 'each row is at home, once');
set_clock(0);
is(row(), 'log', 'the right time again: a row of now is hot');
about(archive("CALL router.maintain()"), -7 * $days, 'maintained');

# ---------------------------------------------------------------------- ahead
set_clock(400 * $days);
is(row(), 'log', 'far ahead: a row of now is hot');
about(archive("CALL router.maintain()"), 393 * $days, 'far ahead');
$before = $at;
is(sql('SELECT count(*) FROM ONLY log'), 1, 'all others are taken for old');
set_clock(0);
is(row(), 'log child', 'the right time again: a row of now goes to a child');
archive("CALL router.maintain()");
is($at, $before, 'the watermark waits for the time to come');
is(sql($wrong), '', 'each row is at home, once');
# the way out
sql("SELECT router.restore(child, younger => true) FROM router.children WHERE base = 'log'::regclass AND (bounds[1] COLLATE \"C\") >= to_char(now() - interval '6 days', '\"[\"YYYY-MM-DD') ORDER BY bounds[1] COLLATE \"C\" LIMIT 1");
is(row(), 'log', 'restored: rows of now are hot again');
archive("CALL router.maintain()");
cmp_ok(($at - time) / $days, '<', -5, 'and the watermark is where it was');
is(sql($wrong), '', 'restored: each row is at home, once');

# -------------------------------------- a statement that was planned before: the clock may go back by two days
my @counts = split /\n/, $node->safe_psql('postgres', <<"SQL");
SET plan_cache_mode = force_generic_plan;
PREPARE recent AS SELECT count(*) FROM log WHERE d >= now() - interval '1 day';
PREPARE all_read AS SELECT count(*) FROM log WHERE d + interval '1 day' >= now();
EXECUTE recent; EXECUTE all_read;
\\! echo -47h >$file
EXECUTE recent; EXECUTE all_read;
\\! echo +60d >$file
EXECUTE recent; EXECUTE all_read;
SQL
is(scalar(@counts), 6, 'kept plans give counts');
is($counts[$_], $counts[$_ + 1], "kept plans: $counts[$_]") for 0, 2, 4;
cmp_ok($counts[2], '>', $counts[0], 'more rows are recent when the clock goes back');

my ($status, $out, $err) = $node->psql('postgres', <<"SQL", on_error_stop => 0);
\\set VERBOSITY verbose
SET plan_cache_mode = force_generic_plan;
PREPARE recent AS SELECT count(*) FROM log WHERE d >= now() - interval '1 day';
PREPARE all_read AS SELECT count(*) FROM log WHERE d + interval '1 day' >= now();
EXECUTE recent; EXECUTE all_read;
\\! echo -12d >$file
EXECUTE recent;
EXECUTE recent; EXECUTE all_read;
SQL
@counts = split /\n/, $out;
like($err, qr/ERROR:  40001: the plan of this statement was made for a later time/, 'further back: a kept plan refuses, once');
is(scalar(@counts), 4, 'and is made anew');
ok($counts[0] == $counts[1] && $counts[2] == $counts[3] && $counts[2] > $counts[0], "with all rows: @counts");
set_clock(0);

# ------------------------------------------------------ the nights when clocks are set
# What is wrong with a table after a run: its watermark, which shall be where now less the window is, or where
# it was if that is later; its rows, and where they are.
sql(<<'SQL');
CREATE FUNCTION not_as_expected(base regclass, hot interval) RETURNS SETOF text LANGUAGE plpgsql SET timezone = 'Europe/Zurich' AS $$
DECLARE
	type text := (SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = base AND attname = 'd');
	reached text := (SELECT watermark FROM router.routes r WHERE r.base = not_as_expected.base);
BEGIN
	-- a minute for the run itself, taken off the instant or the local time: where clocks are set one of them is an hour off
	RETURN QUERY EXECUTE format($q$
		SELECT format('%%s: watermark %%s at %%s', $1, $2, now()) FROM marks
		 WHERE base = $1 AND NOT $2::%1$s BETWEEN greatest(mark::%1$s, least((now() - $3 - interval '1 minute')::%1$s, ((now() - $3)::timestamp - interval '1 minute')::%1$s)) AND greatest(mark::%1$s, (now() - $3)::%1$s)
		UNION ALL SELECT format('%%s: %%s is in %%s at %%s', $1, t.*, t.tableoid::regclass, now()) FROM %2$s t WHERE (t.tableoid = $1) <> (d >= $2::%1$s)
		UNION ALL (SELECT 'lost: ' || o FROM %3$I o EXCEPT ALL SELECT 'lost: ' || t FROM %2$s t)
		UNION ALL (SELECT 'too many: ' || t FROM %2$s t EXCEPT ALL SELECT 'too many: ' || o FROM %3$I o)$q$, type, base, base || '_oracle') USING base, reached, hot;
	UPDATE marks m SET mark = reached WHERE m.base = not_as_expected.base;
END $$;
SQL
my %tables = (
	moments => [ 'timestamptz', 'hour', '3 hours' ],
	instants => [ 'timestamptz', 'day', '1 day' ],
	locals => [ 'timestamp', 'day', '1 day' ],
	dates => [ 'date', 'week', '1 day' ]);
for my $night ('2027-03-28', '2027-10-31')
{
	my $start = sql("SELECT extract(epoch FROM timestamptz '$night 00:00 Europe/Zurich')::bigint") - time;
	my $script = "SET timezone = 'Europe/Zurich'; DROP TABLE IF EXISTS marks; CREATE TABLE marks (base regclass, mark text);\n";
	set_clock($start - 3600);
	for my $table (sort keys %tables)
	{
		my ($type, $every, $hot) = @{ $tables{$table} };
		$script .= "DROP TABLE IF EXISTS $table, ${table}_oracle CASCADE; CREATE TABLE $table (id serial, d $type); CREATE INDEX ON $table (d); CREATE TABLE ${table}_oracle (id int, d $type);\n"
		  . "SELECT FROM router.create_route('$table', router.by_date('d', '$every'), hot => '$hot', time_zone => 'Europe/Zurich', horizon => '100 years');\n"
		  . "INSERT INTO marks SELECT base, watermark FROM router.routes WHERE base = '$table'::regclass;\n";
	}
	# half an hour a step, in this night and the next one
	for my $step (0 .. 10, 46 .. 57)
	{
		$script .= "\\! echo " . sprintf("%+d", $start + $step * 1800) . " >$file\n";
		for my $table (sort keys %tables)
		{
			my ($type, $every, $hot) = @{ $tables{$table} };
			$script .= "WITH new AS (INSERT INTO $table (d) SELECT (now() - i * interval '30 minutes')::$type FROM generate_series(-2, 8) i"
			  . " UNION ALL SELECT (now() - interval '$hot' + i * interval '30 minutes')::$type FROM generate_series(-2, 2) i RETURNING *) INSERT INTO ${table}_oracle SELECT * FROM new;\n"
			  . "SET timezone = 'UTC'; CALL router." . ($step % 10 == 5 ? 'maintain' : 'archive') . "('$table'); SET timezone = 'Europe/Zurich';\n"
			  . "SELECT not_as_expected('$table', '$hot');\n";
		}
	}
	is($node->safe_psql('postgres', "SET client_min_messages = warning;\n$script"), '', "$night: half an hour after the other, watermarks go on and rows are at home");
	is(sql("SELECT child, kind, detail FROM router.check()"), '', "$night: router.check");
}
# ------------------------------------------------------- the worker's launcher, which looks at the clock when it is woken
my $launcher = "FROM pg_stat_activity WHERE backend_type LIKE 'router%launcher'";
sub shows { return $node->poll_query_until('postgres', "SELECT starts_with(query, 'next maintenance: ' || to_char(to_timestamp($_[0]), 'YYYY-MM-DD HH24:MI:SS')) $launcher"); }
sub wake { return sql("SELECT pg_log_backend_memory_contexts(pid) $launcher"); }
SKIP:
{
	# older postmasters fork from signal handlers, where libfaketime stops faking
	skip 'the launcher has the real clock before PostgreSQL 16', 6 if $node->pg_version < 16;
	set_clock(0);
	sql("DROP TABLE moments, instants, locals, dates CASCADE; DELETE FROM router.events");
	sql("ALTER SYSTEM SET router.maintain_at = '03:00 UTC'");
	sql("SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', 'SELECT router.maintain_next() IS NOT NULL');
	my $next = sql('SELECT extract(epoch FROM router.maintain_next())::bigint');
	ok(shows($next), 'the launcher waits for the next night');
	set_clock($next - time + 60);
	wake();
	ok(shows($next + $days), 'the clock is set forward a bit: then for the one after');
	ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM router.events WHERE action = 'archive'"), 'and has begun');
	my $offset = -s $node->logfile;
	set_clock($next - time + $days + 3600);
	wake();
	ok(shows($next + 2 * $days), 'by an hour: for the one after');
	like(substr(slurp_file($node->logfile), $offset), qr/maintenance of \S+ 03:00:00\S* was missed/, 'this one was missed');
	set_clock($next - time - 3600 - 30 * $days);
	wake();
	ok(shows($next - 30 * $days), 'a month back: the next one by that clock');
}
set_clock(0);
$node->stop;
done_testing();
