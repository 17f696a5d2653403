#!/usr/bin/perl
# pg_upgrade of a server with routed tables of all kinds: levels and groups, a hot base with seals and a global key, settings.
# To the same version, whose code is the same; ROUTER_OLD_BINDIR names the programs of an older one, with router installed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Server;
use PostgreSQL::Test::Utils;
use Test::More;

my $new_bindir = `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --bindir`;
chomp $new_bindir;
plan skip_all => 'needs pg_upgrade' unless -x "$new_bindir/pg_upgrade";

my $old = server('old', '');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', "autovacuum = off\n");

$old->safe_psql('postgres', 'CREATE DATABASE r');
$old->safe_psql('r', q{
	CREATE EXTENSION router;
	CREATE TABLE c (id bigserial, k int NOT NULL, at timestamptz NOT NULL, v numeric, PRIMARY KEY (id, k, at));
	SELECT router.create_route('c', ARRAY[router.by_list('k', groups => ARRAY['{1,2}']), router.by_date('at', 'month')], time_zone => 'UTC');
	INSERT INTO c (k, at, v) SELECT i % 5, timestamptz '2024-01-01 UTC' + i * interval '1 hour', i FROM generate_series(1, 2000) i;
	CREATE TABLE h (id bigint, at timestamptz, PRIMARY KEY (id, at));
	CREATE INDEX ON h (at);
	SELECT router.create_route('h', router.by_date('at', 'month'), hot => '7 days', time_zone => 'UTC');
	INSERT INTO h SELECT i, now() - i * interval '1 hour' FROM generate_series(1, 2000) i;
	SELECT router.set_maintenance('h', keep => '5 years', seal => '{id}');
	SELECT router.add_global_key('h', '{id}');
	ALTER DATABASE r SET session_preload_libraries = 'router'});
$old->safe_psql('r', 'CALL router.maintain()');

my $state = q{
	SELECT r FROM router.routes r ORDER BY base::text;
	SELECT base, child, bounds, condition FROM router.children ORDER BY child::text;
	SELECT * FROM router.maintenance WHERE base = 'h'::regclass;
	SELECT base, child, "column", span, state FROM router.seals ORDER BY child::text;
	SELECT * FROM router.global_keys;
	SELECT tableoid::regclass, count(*) FROM c GROUP BY 1 ORDER BY 1::text;
	SELECT tableoid::regclass, count(*) FROM h GROUP BY 1 ORDER BY 1::text};
my $before = $old->safe_psql('r', $state);
$old->stop;

my $cwd = PostgreSQL::Test::Utils::tempdir();
chdir $cwd or die;
command_ok(
	[   "$new_bindir/pg_upgrade", '-d', $old->data_dir, '-D', $new->data_dir, '-b', $ENV{ROUTER_OLD_BINDIR} || $new_bindir, '-B', $new_bindir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade takes routed tables along');
$new->start;

is($new->safe_psql('r', $state), $before, 'routes, children, settings, seals, keys and rows are as they were');
is($new->safe_psql('r', 'SELECT * FROM router.check()'), '', 'nothing is wrong');
is($new->safe_psql('r', 'SELECT router.sync(base) FROM router.routes'), '', 'nothing is missing');
is($new->safe_psql('r', q{INSERT INTO c (k, at, v) VALUES (1, '2024-01-05 UTC', 1), (9, '2025-01-01 UTC', 1) RETURNING tableoid::regclass}),
	"c_1_2_y2024m01\nc_9_y2025m01", 'rows go home, and make children');
is($new->safe_psql('r', q{INSERT INTO h VALUES (5000, now()), (5001, '2020-01-01 UTC') RETURNING tableoid::regclass}), "h\nh_y2020m01", 'of a hot base as well');
my ($status, undef, $error) = $new->psql('r', 'INSERT INTO h VALUES (5, now())');
like($error, qr/violates unique constraint "h_id_key"/, 'a global key holds');
like($new->safe_psql('r', q{EXPLAIN SELECT * FROM c WHERE k = 1 AND at = '2024-01-05 UTC'}), qr/^Seq Scan on c_1_2_y2024m01 c|^Bitmap Heap Scan on c_1_2_y2024m01 c/, 'queries leave children out');
($status, undef, $error) = $new->psql('r', 'CALL router.maintain()');
is($status, 0, 'the nightly job goes on') or diag $error;
is($new->safe_psql('r', 'SELECT * FROM router.check()'), '', 'and nothing is wrong afterwards');
$new->stop;
done_testing();
