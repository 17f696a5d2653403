#!/usr/bin/perl
# The roles of docs/security.md log in: a deployer whose role is set for him, Django's way and Alembic's; pg_dump by the role
# for backups, and by an owner; a publisher's and a subscriber's roles.
use strict;
use warnings;
use FindBin;
use Test::More;

use PostgreSQL::Test::Utils;
use Server;

my $page = slurp_file("$FindBin::RealBin/../../docs/security.md");
my ($script) = $page =~ /^<!-- roles.sql -->\n+```sql\n(.*?)^```$/ms or BAIL_OUT('no script in docs/security.md');
my $file = "$PostgreSQL::Test::Utils::tmp_check/roles.sql";
append_to_file($file, $script);

# Each row of the threat table names tests that there are.
my @rows = grep { /^\|/ } split /\n/, $page =~ /^## Threats\n(.*?)^## /ms ? $1 : '';
cmp_ok(scalar @rows, '>', 20, 'there are threats');
foreach my $row (@rows[ 2 .. $#rows ])
{
	my @cells = split / *\| */, $row;
	my @tests = $cells[5] =~ /`([\w\/]+)`/g;
	my @missing = grep { !(() = grep { -e } glob "$FindBin::RealBin/../{pgtap/,isolation/specs/*/,t/*_}$_.*") } @tests;
	ok(@cells == 6 && !@missing && (@tests || $cells[5] =~ /^none: /), "what stops \"$cells[3]\" has a test") or diag("no such test: @missing");
}

my $node = server('roles', "max_logical_replication_workers = 8\nmax_worker_processes = 16\nwal_retrieve_retry_interval = 200ms", allows_streaming => 'logical');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');

sub sql { my ($db, $sql) = @_; return $node->safe_psql($db, $sql) }
sub as { my ($role, $db, $sql, @env) = @_; local %ENV = (%ENV, @env); my ($status, $out, $err) = $node->psql($db, $sql, extra_params => [ '-U', $role ]); return $status ? $err : $out }
sub roles { my ($db) = @_; $node->command_ok([ 'psql', '-Xq', '-d', $node->connstr($db), '-v', 'schema=energy', '-f', $file ], "the script runs in $db") }

sql('postgres', 'CREATE DATABASE readings');
sql('readings', 'CREATE EXTENSION router');
roles('readings');
sql('readings', <<'SQL');
CREATE ROLE web LOGIN IN ROLE energy_app;
CREATE ROLE cron LOGIN IN ROLE energy_night;
CREATE ROLE deploy LOGIN IN ROLE energy_owner;
ALTER ROLE deploy SET role = 'energy_owner';
CREATE ROLE plain LOGIN IN ROLE energy_owner;
CREATE ROLE dumper LOGIN IN ROLE energy_backup;
CREATE ROLE stranger LOGIN;
SQL

# ---------------------------------------------------------------- migrations
my $make = "CREATE TABLE energy.%s (id serial, at date, v int); SELECT router.create_route('energy.%s', router.by_date('at', 'month'))";
like(as('deploy', 'readings', $make =~ s/%s/one/gr), qr/^route energy.one/, 'a deployer makes a table and its route');
like(as('plain', 'readings', $make =~ s/%s/two/gr, PGOPTIONS => '-c role=energy_owner'), qr/^route energy.two/, 'another one has the role in his connection string');
is(sql('readings', "SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace = 'energy'::regnamespace"), 'energy_owner', 'the tables are the owner\'s');
is(as('web', 'readings', "INSERT INTO energy.one (at, v) VALUES ('2024-01-02', 1), ('2024-02-03', 2) RETURNING v"), "1\n2", 'the application writes to them');
like(as('stranger', 'readings', 'SELECT * FROM energy.one'), qr/permission denied/, 'nobody else');
is(as('cron', 'readings', 'CALL router.maintain()'), '', 'the nightly job runs');
is(sql('readings', 'SELECT count(*) FROM router.events WHERE error IS NOT NULL'), 0, 'without an error');
like(as('deploy', 'readings', 'ALTER TABLE energy.one ADD COLUMN note text; CREATE INDEX ON energy.one_y2024m01 (v)'), qr/^$/, 'DDL on base and child');
is(as('web', 'readings', "UPDATE energy.one SET note = 'x', at = '2025-05-05' WHERE v = 1 RETURNING tableoid::regclass"), 'energy.one_y2025m05', 'and rows move');

# ------------------------------------------------------------------- backups
as('deploy', 'readings', "CALL router.seal('energy.one_y2024m02', '{id}')");
sub dump_as
{
	my ($role, @options) = @_;
	my $dump = "$PostgreSQL::Test::Utils::tmp_check/$role.dump";
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'pg_dump', '-d', $node->connstr('readings') . " user=$role", '-f', $dump, '-Fc', @options ], '>', \$out, '2>', \$err);
	return ($ok, $err, $dump);
}
my ($ok, $err, $dump) = dump_as('dumper');
ok($ok, 'pg_dump by the role for backups') or diag($err);
sql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), '-e', $dump ], 'which is restored');
is(sql('restored', 'SELECT v, tableoid::regclass FROM energy.one ORDER BY v'), "1|energy.one_y2025m05\n2|energy.one_y2024m02", 'with its rows');
is(sql('restored', 'SELECT router.sync(base) FROM router.routes'), '', 'its routes');
is(sql('restored', 'SELECT child, span, state FROM router.seals'), 'energy.one_y2024m02|[2,2]|sealed', 'its seals');
is(as('web', 'restored', "INSERT INTO energy.one (at) VALUES ('2030-01-01') RETURNING tableoid::regclass"), 'energy.one_y2030m01', 'and grants');
is(sql('restored', 'SELECT count(*) FROM router.check()'), 0, 'all is well');
($ok, $err) = dump_as('stranger');
ok(!$ok && $err =~ /permission denied for (table|schema)/, 'a stranger dumps nothing');

# an owner dumps the database, and restores his schema where the extension is
($ok, $err, $dump) = dump_as('deploy');
ok($ok, 'pg_dump by an owner who is no superuser') or diag($err);
sql('postgres', 'CREATE DATABASE second');
sql('second', 'CREATE EXTENSION router');
roles('second');
($ok, $err, $dump) = dump_as('deploy', '-n', 'energy');
ok($ok, 'of his schema') or diag($err);
my $said = '';
IPC::Run::run([ 'pg_restore', '-d', $node->connstr('second') . ' user=deploy', $dump ], '2>', \$said);
unlike($said =~ s/.*schema "energy" already exists.*\n//r, qr/ERROR.*(trigger|router)/, 'is restored by him');
my $data = "$PostgreSQL::Test::Utils::tmp_check/catalog.sql";
$node->command_ok([ 'pg_dump', '-d', $node->connstr('readings'), '--data-only', '-f', $data, map { ('-t', "router.${_}_def") } qw(route key child global_key maintain) ], 'a superuser adds the routes, as docs/limits.md has it');
like(as('deploy', 'second', slurp_file($data)), qr/permission denied for table/, 'which the owner cannot');
$node->command_ok([ 'psql', '-Xqv', 'ON_ERROR_STOP=1', '-d', $node->connstr('second'), '-f', $data ], 'there they are');
is(as('deploy', 'second', 'SELECT * FROM router.check()'), '', 'all is well');
is(as('web', 'second', "INSERT INTO energy.two (at) VALUES ('2030-01-01') RETURNING tableoid::regclass"), 'energy.two_y2030m01', 'and rows go home');

# --------------------------------------------------------------- replication
sql('postgres', 'CREATE DATABASE pub');
sql('postgres', 'CREATE DATABASE sub');
sql($_, 'CREATE EXTENSION router') for 'pub', 'sub';
roles($_) for 'pub', 'sub';
my $table = "CREATE TABLE energy.r (id int, at date, v int, PRIMARY KEY (id, at)); SELECT router.create_route('energy.r', router.by_date('at', 'month')); SELECT router.create_child('energy.r', '2024-01-01')";
as('deploy', $_, $table) for 'pub', 'sub';
sql('postgres', 'CREATE ROLE replica LOGIN REPLICATION; GRANT CREATE ON DATABASE pub TO energy_owner');
as('web', 'pub', "INSERT INTO energy.r VALUES (1, '2024-01-02', 1)");
is(as('deploy', 'pub', 'CREATE PUBLICATION p FOR TABLE energy.r'), '', 'the owner publishes a base');
sql('pub', "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
sql('pub', 'GRANT energy_report TO replica');
my $connstr = $node->connstr('pub') . ' user=replica';
my $subscribe = "CREATE SUBSCRIPTION s CONNECTION '" . ($connstr =~ s/'/''/gr) . "' PUBLICATION p WITH (create_slot = false%s)";
if ($version < 160000)
{
	like(as('deploy', 'sub', $subscribe =~ s/%s//r), qr/must be superuser/, 'a subscription takes a superuser');
	sql('sub', $subscribe =~ s/%s//r);
}
else
{
	sql('sub', 'GRANT pg_create_subscription TO energy_owner; GRANT CREATE ON DATABASE sub TO energy_owner');
	like(as('deploy', 'sub', $subscribe =~ s/%s//r), qr/password/, 'a subscription of an owner wants a password');
	sql('sub', ($subscribe =~ s/%s/, password_required = false/r) . '; ALTER SUBSCRIPTION s OWNER TO energy_owner');
}
$node->wait_for_subscription_sync($node, 's', 'sub');
is(sql('sub', 'SELECT id FROM energy.r'), 1, 'the initial copy, by a role with SELECT and REPLICATION');
sql('sub', "CREATE TABLE energy.seen (who name); ALTER TABLE energy.seen OWNER TO energy_owner; GRANT INSERT ON energy.seen TO PUBLIC; CREATE FUNCTION energy.see() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN INSERT INTO energy.seen VALUES (current_user); RETURN NEW; END\$\$; CREATE TRIGGER see BEFORE INSERT ON energy.r_y2024m01 FOR EACH ROW EXECUTE FUNCTION energy.see(); ALTER TABLE energy.r_y2024m01 ENABLE ALWAYS TRIGGER see");
as('web', 'pub', "INSERT INTO energy.r VALUES (2, '2024-01-03', 1)");
$node->wait_for_catchup('s');
is(sql('sub', 'SELECT string_agg(id::text, \' \' ORDER BY id) FROM energy.r'), '1 2', 'changes arrive');
is(sql('sub', 'SELECT who FROM energy.seen'), $version < 160000 ? $node->safe_psql('postgres', 'SELECT current_user') : 'energy_owner', 'triggers there run as the owner of the ' . ($version < 160000 ? 'subscription' : 'table'));
sql('sub', 'ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s');

$node->stop;
done_testing();
