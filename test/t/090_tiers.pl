# Children on another server: a second cluster. Moved there and back while clients
# insert, update, delete and read; the other server stopped, the backend and the server killed in
# the middle; a table over there that changes rows; roles that are no superusers.
# ROWS sets the size of the child that is moved under load, SEED repeats a run.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Utils;
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $rows = $ENV{ROWS} || 20000;
my $seed = $ENV{SEED} || time;
srand($seed);
note "SEED=$seed";

my $settings = "restart_after_crash = on\nmax_connections = 30\nlog_statement = none";
my $here = server('here', "$settings\nsession_preload_libraries = 'router'");
my $there = server('there', $settings);
needs_extensions($here, 'postgres_fdw', 'dblink');
my ($host, $port) = ($there->host, $there->port);
$there->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE SCHEMA store AUTHORIZATION keeper');
$here->safe_psql('postgres', <<SQL);
CREATE EXTENSION router;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SERVER cellar FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER cellar OPTIONS (user 'keeper', password_required 'false');
CREATE TABLE log (id bigint, d timestamptz NOT NULL, n int NOT NULL DEFAULT 0, v text, PRIMARY KEY (id, d));
CREATE INDEX ON log (v);
SELECT router.create_route('log', router.by_date('d', 'month'), time_zone => 'UTC', horizon => '100 years');
INSERT INTO log (id, d, v) SELECT i, timestamptz '2020-01-01' + i % 240 * interval '3 hours', md5(i::text) FROM generate_series(1, $rows) i;
INSERT INTO log (id, d, v) SELECT i, timestamptz '2020-02-01' + i % 240 * interval '2 hours', md5(i::text) FROM generate_series(1000001, 1001000) i;
SQL

sub here { return $here->safe_psql('postgres', $_[0]); }
sub there { return $there->safe_psql('postgres', $_[0]); }

# A call that has to fail: what it says.
sub fails
{
	my ($sql) = @_;
	my ($status, undef, $stderr) = $here->psql('postgres', $sql);
	return $status == 0 ? 'it went well' : $stderr;
}

sub homes
{
	return here("SELECT string_agg(format('%s %s %s', c.relname, c.relkind, n), ', ' ORDER BY c.relname)
		FROM (SELECT tableoid, count(*) AS n FROM log GROUP BY 1) s JOIN pg_class c ON c.oid = s.tableoid");
}

sub all_is_well
{
	my ($name) = @_;
	is(here("SELECT detail FROM router.check() UNION ALL SELECT 'left: ' || relname FROM pg_class WHERE relname ~ '^router_(copy|bridge)'"), '', "$name: nothing is wrong or left");
}

my $february = 'log_y2020m02';
my $before = here('SELECT count(*), sum(hashtextextended(log::text, 0)) FROM log');
sub unchanged
{
	my ($name) = @_;
	is(here('SELECT count(*), sum(hashtextextended(log::text, 0)) FROM log'), $before, "$name: the rows are the same");
}

# ---------------------------------------------------------------- there and back

here("CALL router.move_child('$february', server => 'cellar', remote_schema => 'store')");
is(homes(), "log_y2020m01 r $rows, $february f 1000", 'a child is on the other server');
is(there("SELECT count(*) FROM store.$february"), '1000', 'its rows are over there');
is(there("SELECT count(*) FROM pg_indexes WHERE schemaname = 'store'"), '2', 'with indexes');
unchanged('there');
all_is_well('there');
like(fails("INSERT INTO $february (id, d) VALUES (1, '2020-07-01')"), qr/router_home/, 'the table over there knows what it holds');
here("CALL router.move_child('$february', local => true)");
is(homes(), "log_y2020m01 r $rows, $february r 1000", 'it is back');
is(there("SELECT count(*) FROM pg_tables WHERE schemaname = 'store'"), '0', 'and gone over there');
unchanged('back');
all_is_well('back');

# ------------------------------------------------------------------ what fails

my $move = "CALL router.move_child('$february', server => 'cellar', remote_schema => 'store')";
my $is_here = "log_y2020m01 r $rows, $february r 1000";

there("CREATE TABLE store.$february (id bigint, d timestamptz, n int, v text);
	CREATE FUNCTION store.spoil() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN IF NEW.id = 1000500 THEN NEW.v := 'other'; END IF; RETURN NEW; END \$\$;
	CREATE TRIGGER spoil BEFORE INSERT ON store.$february FOR EACH ROW EXECUTE FUNCTION store.spoil();
	ALTER TABLE store.$february OWNER TO keeper");
like(fails($move), qr/is not like it.*checksum/s, 'a row that is not the same over there is noticed');
is(homes(), $is_here, 'and the child stays');
is(there("SELECT count(*) FROM store.$february"), '0', 'nothing is left of it');
all_is_well('a row spoilt');
there("DROP TRIGGER spoil ON store.$february; INSERT INTO store.$february VALUES (1)");
like(fails($move), qr/is not empty.*HINT/s, 'a table of somebody else is not touched');
is(there("SELECT count(*) FROM store.$february"), '1', 'its row is still there');
there("DROP TABLE store.$february");

here("DROP EXTENSION dblink");
like(fails($move), qr/does not exist.*HINT:  Make the table there/s, 'without dblink somebody has to make the table');
here("CREATE EXTENSION dblink");

$there->stop('immediate');
like(fails($move), qr/could not (establish connection|connect)/, 'the other server is down');
is(homes(), $is_here, 'the child stays');
$there->start;

# Waits until a session here is at work with rows over there.
sub wait_for_copying
{
	for (1 .. 600)
	{
		return 1 if there("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgres_fdw' AND query ~ '$_[0]'");
		sleep 0.05;
	}
	return 0;
}

# a trigger over there that takes its time
sub slow_table
{
	there("DROP TABLE IF EXISTS store.$february;
		CREATE TABLE store.$february (id bigint, d timestamptz, n int, v text, PRIMARY KEY (id, d));
		CREATE OR REPLACE FUNCTION store.dawdle() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END \$\$;
		CREATE TRIGGER dawdle BEFORE INSERT ON store.$february FOR EACH ROW EXECUTE FUNCTION store.dawdle();
		ALTER TABLE store.$february OWNER TO keeper");
}

sub in_background
{
	my ($sql) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ $here->installed_command('psql'), '-XqAt', '-d', $here->connstr('postgres'), '-c', $sql ], \$in, \$out, \$err);
	return { run => $run, err => \$err };
}

sub ended
{
	my ($job) = @_;
	$job->{run}->finish;
	return ${ $job->{err} };
}

slow_table();
my $job = in_background($move);
ok(wait_for_copying('INSERT'), 'a move is under way');
is(here("SELECT count(*) FROM $february"), '1000', 'its rows are read meanwhile');
here("INSERT INTO log VALUES (2000001, '2020-02-05', 0, 'came meanwhile')");
like(fails($move), qr/another session is moving children/, 'a second run is turned away');
$there->stop('immediate');
like(ended($job), qr/ERROR/, 'the other server dies in the middle');
$there->start;
is(homes(), "log_y2020m01 r $rows, $february r 1001", 'no row is lost, no row is doubled');
all_is_well('the other server died');
is(here("SELECT error IS NOT NULL FROM router.events ORDER BY at DESC LIMIT 1"), 't', 'router.events has the error');

slow_table();
$job = in_background($move);
ok(wait_for_copying('INSERT'), 'a move is under way');
my $pid = here("SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL router.move_child'");
kill_backend($here, $pid);
ended($job);
is(homes(), "log_y2020m01 r $rows, $february r 1001", 'the backend is killed in the middle: no row is lost or doubled');
is(here("SELECT count(*) FROM router.check() WHERE kind = 'inheritance'"), '1', 'the bridge is left, and check tells');
there("DROP TABLE store.$february");

# between the commit over there and the one here: as if it had crashed there
my (undef, undef, $told) = $here->psql('postgres', "CALL router.move_child('$february', server => 'cellar', remote_schema => 'store', dry_run => true)");
my ($ddl) = $told =~ /over there:\n(.*)/s;
there("SET ROLE keeper; $ddl INSERT INTO store.$february SELECT i, '2020-02-02', 0, 'orphan' FROM generate_series(1, 50) i");
here($move);
is(homes(), "log_y2020m01 r $rows, $february f 1001", 'an orphan over there is made anew by the next run');
all_is_well('a rerun');
$before = here('SELECT count(*), sum(hashtextextended(log::text, 0)) FROM log');
like(fails("CALL router.move_child('log_y2020m01', server => 'cellar', remote_schema => 'store', lock_timeout => NULL)"), qr/lock_timeout/, 'lock_timeout is needed');

# ------------------------------------------------------------------- under load

# Each client has rows of its own in the child that moves; it notes what it was told.
my $dir = PostgreSQL::Test::Utils::tempdir;
my @psql = ($here->installed_command('psql'), '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', $here->host, '-p', $here->port, '-d', 'postgres');

sub client
{
	my ($n) = @_;
	my $base = 10_000_000 * $n;
	my (%told, $next, $errors);
	srand($seed + $n);
	$next = $base;
	$errors = '';
	until (-e "$dir/stop")
	{
		my $id = $base + 1 + int(rand($next - $base || 1));
		my $what = rand();
		my $sql =
		    $what < 0.5 || $next == $base ? "INSERT INTO log (id, d, v) VALUES ($next + 1, '2020-01-10 00:00+00', 'client')"
		  : $what < 0.7 ? "UPDATE log SET n = n + 1 WHERE id = $id AND d = '2020-01-10 00:00+00'"
		  : $what < 0.8 ? "DELETE FROM log WHERE id = $id AND d = '2020-01-10 00:00+00'"
		  : "SELECT 1 / (count(*) >= $rows)::int FROM log WHERE d < '2020-02-01' AND id <= $rows";
		my $out = `@{[ join ' ', map { "'$_'" } @psql ]} -c "$sql" 2>&1`;
		if ($?) { $errors .= "$sql: $out"; next; }
		if ($sql =~ /^INSERT/) { $told{ ++$next } = 0; }
		elsif ($sql =~ /^UPDATE/) { $told{$id}++ if defined $told{$id}; }
		elsif ($sql =~ /^DELETE/) { delete $told{$id}; }
	}
	open my $file, '>', "$dir/client$n" or die;
	print $file "$_ $told{$_}\n" for sort { $a <=> $b } keys %told;
	print $file "error $errors\n" if $errors ne '';
	close $file;
	POSIX::_exit(0);
}

my @pids;
for my $n (1 .. 3)
{
	my $pid = fork // die;
	client($n) if $pid == 0;
	push @pids, $pid;
}
sleep 1;
my $began = time;
here("CALL router.move_child('log_y2020m01', server => 'cellar', remote_schema => 'store', lock_timeout => '5 s')");
note sprintf('moved %d rows in %.1f s', $rows, time - $began);
sleep 0.5;
here("CALL router.move_child('log_y2020m01', local => true, lock_timeout => '5 s')");
here("CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler");
here("CALL router.move_child('log_y2020m01', access_method => 'heap2', lock_timeout => '5 s')");
sleep 0.5;
open my $stop, '>', "$dir/stop" or die;
close $stop;
waitpid $_, 0 for @pids;

my (%told, @errors);
for my $n (1 .. 3)
{
	open my $in, '<', "$dir/client$n" or die "client $n died";
	while (<$in>)
	{
		if (/^(\d+) (\d+)$/) { $told{$1} = $2; }
		else { push @errors, $_; }
	}
}
my %found = map { split /\|/ } split /\n/, here("SELECT id, n FROM log WHERE v = 'client'");
cmp_ok(scalar(keys %told), '>', 20, scalar(keys %told) . ' rows of clients');
is_deeply(\%found, \%told, 'under load: each row is there once, as its client was told last');
is("@errors", '', 'no client got an error');
is(here("SELECT count(*), count(DISTINCT id) FROM log WHERE id <= $rows"), "$rows|$rows", 'nor is one of the others lost or doubled');
is(here("SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'log_y2020m01'"), 'heap2', 'it has the access method');
all_is_well('under load');

# ---------------------------------------------------------- no superuser, password

here("CREATE ROLE owner LOGIN; CREATE SCHEMA app AUTHORIZATION owner");
here("SET ROLE owner; CREATE TABLE app.t (id int, d date NOT NULL, v text);
	SELECT router.create_route('app.t', router.by_date('d', 'year'), horizon => '100 years'); INSERT INTO app.t VALUES (1, '2001-01-01', 'a'), (2, '2002-01-01', 'b')");
my $as_owner = "SET ROLE owner; SET client_min_messages = warning;";
like(fails("$as_owner SELECT router.add_tier('app.t', '1 year', server => 'cellar')"), qr/permission denied for foreign server cellar.*HINT:  GRANT USAGE/s, 'the owner needs USAGE');
here("GRANT USAGE ON FOREIGN SERVER cellar TO owner");
here("$as_owner SELECT router.add_tier('app.t', '1 year', server => 'cellar', remote_schema => 'store')");
sub as_owner { return $here->psql('postgres', $_[0], extra_params => [ '-U', 'owner' ]); }
my ($status, $stdout, $stderr) = as_owner("CALL router.tier('app.t')");
isnt($status, 0, 'dblink wants a password of the owner, so nobody made the tables');
like($stderr, qr/HINT:  Make the table there/, 'and the hint says so');
there("CREATE TABLE store.t_y2001 (id int, d date NOT NULL, v text); CREATE TABLE store.t_y2002 (LIKE store.t_y2001);
	ALTER TABLE store.t_y2001 OWNER TO keeper; ALTER TABLE store.t_y2002 OWNER TO keeper");
($status, $stdout, $stderr) = as_owner("CALL router.tier('app.t')");
is($status, 0, "with tables made by hand it goes: $stderr");
is(here("SELECT string_agg(state, ' ') FROM router.children WHERE base = 'app.t'::regclass"), 'foreign foreign', 'all old children are over there');
here("GRANT SELECT ON app.t TO PUBLIC; GRANT USAGE ON SCHEMA app TO PUBLIC; CREATE ROLE reader LOGIN");
($status, $stdout, $stderr) = $here->psql('postgres', 'SELECT sum(id) FROM app.t', extra_params => [ '-U', 'reader' ]);
is($stdout, '3', 'a reader with the mapping of PUBLIC reads them');

$_->stop for $here, $there;
done_testing();
