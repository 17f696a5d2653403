#!/usr/bin/perl
# The background workers: maintenance once a day (router.maintain_at and its companions) on a server that has router in
# shared_preload_libraries, on one that has not, and on a standby; children in a transaction of their own
# (router.create_in_background), as far as it takes a server of one's own or the clock.
use strict;
use warnings;
use FindBin;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep time);

use PostgreSQL::Test::Utils;
use Server;

my $node = server('worker', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'router'
max_worker_processes = 12
log_timezone = 'UTC'
timezone = 'Asia/Tokyo'
CONF

sub sql { my ($db, $sql) = @_; return $node->safe_psql($db, $sql) }

# Changes settings of the server, all at once.
sub set
{
	my ($server, %settings) = @_;
	$server->safe_psql('postgres', "ALTER SYSTEM SET $_ = $settings{$_}") for sort keys %settings;
	$server->safe_psql('postgres', 'SELECT pg_reload_conf()');
}

# Sets the time of the next run, so many seconds from now.
sub run_in
{
	my ($seconds, %settings) = @_;
	my $at = sql('postgres', "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '$seconds seconds', 'HH24:MI:SS')");
	set($node, %settings, 'router.maintain_at' => "'$at'");
}

# A session of its own, for what waits.
sub session
{
	my ($server, $db) = @_;
	my %session = (in => '', out => '', n => 0);
	$session{psql} = IPC::Run::start(
		[ $server->installed_command('psql'), '-XqAt', '-h', $server->host, '-p', $server->port, '-d', $db ],
		'<', \$session{in}, '>', \$session{out}, '2>&1', IPC::Run::timer(60));
	return \%session;
}

sub request
{
	my ($session, $sql) = @_;
	$session->{n}++;
	$session->{in} .= "$sql;\n\\echo told $session->{n}\n";
	$session->{psql}->pump_nb;
}

# What the session said to all that it was told.
sub heard
{
	my ($session) = @_;
	my $end = time + 30;
	$session->{psql}->pump until $session->{out} =~ /^told $session->{n}$/m || time > $end;
	my $said = $session->{out} =~ s/^told \d+\n//mgr;
	$session->{out} = '';
	return $said;
}

sub ask { my ($session, $sql) = @_; request($session, $sql); return heard($session) }

sub close_session { my ($session) = @_; $session->{in} .= "\\q\n"; $session->{psql}->finish }

sub make_database
{
	my ($db) = @_;
	sql('postgres', qq{CREATE DATABASE "$db"});
	sql($db, <<'SQL');
CREATE EXTENSION router;
CREATE TABLE hot (id int, d timestamptz);
SELECT router.create_route('hot', router.by_date('d', 'year'), hot => '7 days', horizon => '50 years');
INSERT INTO hot VALUES (1, now());
SQL
}

# A row that has aged: it came while the watermark lay before it.
sub age
{
	my ($db) = @_;
	sql($db, "UPDATE router.route_def SET watermark = '-infinity' WHERE base = 'hot'::regclass; INSERT INTO hot VALUES (2, '2020-02-02')");
}

my $aged = q{SELECT count(*) FROM ONLY hot WHERE id = 2};
my $workers = q{SELECT string_agg(backend_type, ',' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'router%'};

# ------------------------------------------------------------------- settings

is(becomes($node, 'postgres', "SELECT backend_type || ': ' || query FROM pg_stat_activity WHERE backend_type LIKE 'router%'",
	'router launcher: router.maintain_at is not set'), 'router launcher: router.maintain_at is not set', 'the launcher has nothing to do');
make_database($_) for 'one', 'Two', 'bad';
is(sql('one', 'SELECT router.maintain_next() IS NULL'), 't', 'no time: no next run');
for my $bad ('25:00', '3', '03:60', '03:00:60', '03:00 Nowhere/City', '03:00x', 'midnight', '-1:00')
{
	my ($rc, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET router.maintain_at = '$bad'");
	like($err, qr/invalid value for parameter "router\.maintain_at": "\Q$bad\E"\n.*HINT:  A time of day/s, "'$bad' is no time of day");
}
my ($rc, $out, $err) = $node->psql('postgres', q{ALTER SYSTEM SET router.maintain_databases = 'a,,b'});
like($err, qr/List syntax is invalid/, 'a bad list of databases');
($rc, $out, $err) = $node->psql('postgres', q{SET router.maintain_at = '03:00'});
like($err, qr/cannot be changed now/, 'the time is one for the server');
($rc, $out, $err) = $node->psql('postgres', q{SET router.maintian_at = '03:00'});
like($err, qr/invalid configuration parameter name/, 'a setting that does not exist');

sub next_after { my ($after) = @_; return sql('one', "SET timezone = 'UTC'; SELECT router.maintain_next('$after')") }
set($node, 'router.maintain_at' => "'03:00'");
is(becomes($node, 'one', "SET timezone = 'UTC'; SELECT router.maintain_next('2027-01-01 02:00 UTC')", '2027-01-01 03:00:00+00'),
	'2027-01-01 03:00:00+00', 'without a zone it is log_timezone');
is(next_after('2027-01-01 03:00 UTC'), '2027-01-02 03:00:00+00', 'the next run comes after, not at');
is(becomes($node, 'postgres', "SELECT query ~ '^next maintenance: .* 12:00:00[+]09' FROM pg_stat_activity WHERE backend_type = 'router launcher'", 't'),
	't', 'pg_stat_activity shows the next run');
set($node, 'router.maintain_at' => "' 2:30  Europe/Zurich'");
becomes($node, 'one', "SELECT router.maintain_next('2027-01-01 UTC') = '2027-01-01 01:30 UTC'", 't');
is(next_after('2027-01-01 UTC'), '2027-01-01 01:30:00+00', 'in winter');
is(next_after('2027-03-27 12:00 UTC'), '2027-03-28 01:30:00+00', 'a time that is left out when clocks go forward');
is(next_after('2027-03-28 01:30 UTC'), '2027-03-29 00:30:00+00', 'in summer');
is(next_after('2027-10-30 12:00 UTC'), '2027-10-31 01:30:00+00', 'a time that comes twice when clocks go back');
is(next_after('2027-10-31 01:30 UTC'), '2027-11-01 01:30:00+00', 'and only one run');

# ------------------------------------------------------------------------ runs

sql('bad', "UPDATE router.key_def SET label = 'SELECT 1 / 0'");
age($_) for 'one', 'Two', 'bad';
my $mark = -s $node->logfile;
run_in(2, 'router.maintain_databases' => q{'bad, one, missing, "Two"'});
is(becomes($node, 'Two', $aged, '0'), '0', 'the worker archives at its time, in the last of the databases');
is(sql('one', $aged), '0', 'and in the others');
is(sql('bad', $aged), '1', 'one fails');
is(sql('one', "SELECT string_agg(concat_ws(' ', action, rows, error), ', ' ORDER BY at) FROM router.events WHERE action <> 'maintain'"), 'premake 2, archive 1, analyze 0', 'router.events has the run');
my $log = logged($node, $mark, qr/maintenance of database "Two" took/);
like($log, qr/division by zero.*maintenance of database "bad" failed: /s, 'the log has the failure');
like($log, qr/database "missing" does not exist or cannot be connected to/, 'the log has the name that is wrong');
like($log, qr/maintenance of database "one" took [\d.]+ s/, 'the log has how long it took');
is(sql('one', $workers), 'router launcher', 'nobody is left at work');

# another run by another time; all databases; a plain one among them
age('one');
sql('postgres', 'CREATE DATABASE plain');
$mark = -s $node->logfile;
run_in(2, 'router.maintain_databases' => "''");
is(becomes($node, 'one', $aged, '0'), '0', 'a reload changes time and databases');
unlike(logged($node, $mark, qr/maintenance of database "one" took/), qr/"plain"/, 'a database without the extension is passed over');

# a role
sql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE archivist LOGIN');
sql('one', 'ALTER TABLE hot OWNER TO keeper');
sql('one', 'SELECT router.sync(\'hot\')');
age($_) for 'one', 'Two';
run_in(2, 'router.maintain_role' => 'keeper', 'router.maintain_databases' => q{'"Two", one'});
is(becomes($node, 'one', $aged, '0'), '0', 'router.maintain_role does its own tables');
is(sql('Two', $aged), '1', 'and not those of others');
set($node, 'router.maintain_role' => "''");

# a run that waits, a time that comes meanwhile, a database that is dropped
age('Two');
my $writer = session($node, 'one');
age('one');
ask($writer, 'BEGIN; INSERT INTO hot VALUES (3, now())');
$mark = -s $node->logfile;
run_in(2, 'router.maintain_databases' => q{'one, "Two"'});
is(becomes($node, 'postgres', $workers, 'router launcher,router maintenance'), 'router launcher,router maintenance', 'the worker waits for a writer');
like(sql('postgres', "SELECT query FROM pg_stat_activity WHERE backend_type = 'router maintenance'"), qr/^CALL router\./, 'pg_stat_activity shows its query');
run_in(1);
like(logged($node, $mark, qr/maintenance of .* is left out/), qr/is left out: the one before is still under way/, 'no second run beside it');
my $began = time;
sql('postgres', 'DROP DATABASE one WITH (FORCE)');
cmp_ok(time - $began, '<', 5, 'DROP DATABASE … FORCE does not wait for the worker');
$writer->{psql}->kill_kill;
is(becomes($node, 'Two', $aged, '0'), '0', 'the run goes on with the next database');

# cancelled
age('Two');
my $holder = session($node, 'Two');
ask($holder, 'BEGIN; INSERT INTO hot VALUES (3, now())');
$mark = -s $node->logfile;
run_in(1);
becomes($node, 'postgres', $workers, 'router launcher,router maintenance');
sql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'router maintenance'");
like(logged($node, $mark, qr/maintenance of database "Two" failed/), qr/failed: canceling statement/, 'a worker can be cancelled');
ask($holder, 'ROLLBACK');
close_session($holder);
set($node, 'router.maintain_at' => "''", 'router.maintain_databases' => "''");

# --------------------------------------------- children in their own transaction

sql('Two', <<'SQL');
ALTER SYSTEM SET deadlock_timeout = '4s';
SELECT pg_reload_conf();
CREATE TABLE target (id int PRIMARY KEY);
CREATE TABLE r (id int, k int REFERENCES target);
INSERT INTO target SELECT generate_series(1, 50);
SELECT router.create_route('r', router.by_list('k'));
SQL
my ($a, $b) = (session($node, 'Two'), session($node, 'Two'));
my $on = 'SET router.create_in_background = on';

# a lock request that waits for us, and that our worker would queue behind
ask($a, "$on; SET deadlock_timeout = '1s'; BEGIN; INSERT INTO r VALUES (1, 1)");
request($b, 'BEGIN; LOCK TABLE r IN SHARE ROW EXCLUSIVE MODE; COMMIT');
becomes($node, 'Two', "SELECT count(*) FROM pg_locks WHERE NOT granted", '1');
$began = time;
ask($a, "INSERT INTO r VALUES (2, 2)");
my $took = time - $began;
is(ask($a, 'COMMIT; SELECT tableoid::regclass FROM r ORDER BY id'), "r_1\nr_2\n", 'a worker that would wait for us gives up');
cmp_ok($took, '<', 3.5, sprintf('once: %.1f s', $took));
is(heard($b), '', 'and the other gets its lock');

# who waits does not hold what another needs: one has written to the referenced table
ask($a, "RESET ALL; BEGIN; INSERT INTO target VALUES (101)");
request($b, "$on; INSERT INTO r VALUES (3, 3)");
becomes($node, 'Two', "SELECT count(*) FROM pg_locks WHERE NOT granted", '1');
is(ask($a, 'INSERT INTO r VALUES (4, 101); COMMIT'), '', 'writer of the referenced table makes a child while a worker waits for it');
is(heard($b), '', 'no deadlock');
is(sql('Two', 'SELECT tableoid::regclass FROM r ORDER BY id'), "r_1\nr_2\nr_3\nr_101", 'both have their child');

# cancelling the one who waits
sql('Two', <<'SQL');
CREATE TABLE slow (k int);
SELECT router.create_route('slow', router.by_list('k', label =>
  'SELECT pg_sleep(20) FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type = $$router child worker$$ AND $1 > 0'));
SQL
request($b, 'INSERT INTO slow VALUES (1)');
becomes($node, 'Two', $workers, 'router child worker,router launcher');
sql('Two', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO slow%' AND backend_type = 'client backend'");
like(heard($b), qr/canceling statement due to user request/, 'the statement is cancelled');
is(becomes($node, 'Two', $workers, 'router launcher'), 'router launcher', 'its worker with it');
is(sql('Two', "SELECT count(*) FROM router.children WHERE base = 'slow'::regclass"), '0', 'and there is no child');

# terminating the worker
request($b, 'INSERT INTO slow VALUES (1)');
becomes($node, 'Two', $workers, 'router child worker,router launcher');
sql('Two', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'router child worker'");
is(heard($b), '', 'a worker that is terminated: the session creates the child');
is(sql('Two', 'SELECT count(*) FROM slow'), '1', 'and has its row');

# a role that may not log in owns the table
sql('Two', 'CREATE ROLE nologin; CREATE TABLE owned (k int); ALTER TABLE owned OWNER TO nologin; GRANT CREATE ON SCHEMA public TO nologin;'
	. "SELECT router.create_route('owned', router.by_list('k')); GRANT INSERT ON owned TO keeper");
is(ask($b, "SET SESSION AUTHORIZATION keeper; BEGIN; INSERT INTO owned VALUES (1); ROLLBACK; RESET SESSION AUTHORIZATION"), '', 'a user inserts into the table of another');
is(sql('Two', "SELECT child, pg_get_userbyid(relowner) FROM router.children JOIN pg_class c ON c.oid = child WHERE base = 'owned'::regclass"),
	'owned_1|nologin', 'the child is the owner\'s, and stays after a rollback');
close_session($_) for $a, $b;

# ----------------------------------------- what an owner has defined, in workers

sql('postgres', 'CREATE DATABASE canary; CREATE ROLE router_oc_owner; CREATE ROLE router_oc_app');
sql('canary', 'CREATE EXTENSION router');
sql('canary', "\\i $FindBin::Bin/../include/owner_code.sql");
sql('canary', <<'SQL');
SET SESSION AUTHORIZATION router_oc_owner;
SELECT mal.make('m');
SELECT router.create_route('mal.m', router.by_date('d', 'month', label => 'SELECT mal.label($1)'), hot => '7 days', horizon => '50 years');
SELECT router.set_maintenance('mal.m', premake => 1, seal => '{n}');
RESET SESSION AUTHORIZATION;
UPDATE router.route_def SET watermark = '-infinity';
SELECT mal.fill('m', 1, 5, '2020-02-02', 30);
ALTER DATABASE canary SET canary.call = 'worker';
SQL
my $ran = "SELECT string_agg(DISTINCT place, ', ' ORDER BY place), string_agg(DISTINCT who || ' ' || restricted, ', ') FROM seen";
run_in(2, 'router.maintain_databases' => 'canary');
is(becomes($node, 'canary', "SELECT string_agg(concat_ws(' ', action, rows, error), ', ' ORDER BY at) FROM router.events WHERE action <> 'maintain'", 'premake 2, archive 5, seal 5, analyze 0'),
	'premake 2, archive 5, seal 5, analyze 0', 'the worker maintains a table full of its owner\'s code');
is(sql('canary', $ran), 'exclusion, index, index const, label, predicate, predicate const, statistics, unique index|router_oc_owner true',
	'which runs as the owner, restricted, not as the superuser that the worker is');
$a = session($node, 'canary');
like(ask($a, "TRUNCATE seen; SET canary.call = ''; SET router.create_in_background = on;"
	. "INSERT INTO mal.m (id, d, n) VALUES (9, '2021-02-02', 9); SELECT count(*) FROM router.children WHERE child::text = 'mal.m_20210201'"), qr/^1$/m, 'a worker makes a child');
like(sql('canary', $ran), qr/label.*\|router_oc_owner true$/, 'and runs the label and the rest as the owner, restricted');
close_session($a);

# ------------------------------------------- what the owner of a database has set for it

make_database('lent');
sql('postgres', 'CREATE ROLE lender; ALTER DATABASE lent OWNER TO lender');
for my $setting ('role = lender', 'session_authorization = lender', "lock_timeout = '1ms'", "transaction_timeout = '1ms'")
{
	next if $setting =~ /transaction_timeout/ && sql('postgres', "SELECT current_setting('transaction_timeout', true) IS NULL") eq 't';
	age('lent');
	my $lender = session($node, 'postgres');
	is(ask($lender, "SET SESSION AUTHORIZATION lender; ALTER DATABASE lent SET $setting"), '', "somebody sets $setting for his database");
	$mark = -s $node->logfile;
	run_in(2, 'router.maintain_databases' => 'lent');
	like(logged($node, $mark, qr/maintenance of database "lent" (?:took|failed)|terminating/), qr/"lent" took/, 'it is maintained');
	is(ask($lender, 'ALTER DATABASE lent RESET ALL'), '', 'he takes it back');
	close_session($lender);
	is(sql('lent', $aged), '0', 'the tables of others were as well');
}

# --------------------------------------------------------------------- standby

set($node, 'router.maintain_at' => "'03:00'");
my $standby = standby($node);
is($standby->safe_psql('Two', $workers), '', 'no launcher on a standby');
my $after_stop = time;
$node->stop('fast');
cmp_ok(time - $after_stop, '<', 10, 'the launcher does not hold up a shutdown');
$standby->promote;
is(becomes($standby, 'Two', $workers, 'router launcher'), 'router launcher', 'a launcher after promotion');
$standby->stop;

# ------------------------------------------- not in shared_preload_libraries

my $plain = server('plain', "session_preload_libraries = 'router'\nrouter.maintain_at = '03:00'\nrouter.create_in_background = on\n"
	. "max_worker_processes = 0\nmax_logical_replication_workers = 0");
$plain->safe_psql('postgres', "CREATE EXTENSION router; CREATE TABLE t (k int); SELECT router.create_route('t', router.by_list('k'))");
is($plain->safe_psql('postgres', $workers), '', 'no launcher without shared_preload_libraries');
is($plain->safe_psql('postgres', 'SHOW router.maintain_at; SELECT router.maintain_next() IS NULL'), "03:00\nt", 'router.maintain_next tells so');
is($plain->safe_psql('postgres', 'INSERT INTO t VALUES (1); SELECT tableoid::regclass FROM t'), 't_1', 'no slot for a worker: the session creates the child');
is($plain->safe_psql('postgres', 'BEGIN; INSERT INTO t VALUES (2); ROLLBACK; SELECT count(*) FROM router.children'), '1', 'in its own transaction');
$plain->stop;

done_testing();
