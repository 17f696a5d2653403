# router.archive and a hot standby: what a batch appends to indexes that have dead
# entries already, whose marks are not in the WAL, is replayed to the same pages,
# as wal_consistency_checking sees it, and the standby finds every row.
use strict;
use warnings;
BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} ||= 20 }
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
# no checkpoint in between: full page images would bring the marks to the standby
$primary->append_conf('postgresql.conf', <<'CONF');
wal_consistency_checking = 'generic, btree'
autovacuum = off
checkpoint_timeout = '1h'
max_wal_size = '4GB'
CONF
$primary->start;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $find = q{SELECT count(*) FROM late_y2024m01 WHERE id > 0};
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off';
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION router;
CREATE TABLE late (id int, d date, t text, PRIMARY KEY (id, d));
CREATE INDEX ON late (d);
CREATE INDEX ON late (t);
CREATE INDEX few ON late (id) WHERE id % 100 = 0;
INSERT INTO late SELECT i, '2024-01-01', md5(i::text) FROM generate_series(1, 3000) i;
SELECT router.create_route('late', router.by_date('d', 'month'), hot => '100 years', horizon => '200 years');
CALL router.archive('late', cutoff => '2024-01-02');
DELETE FROM late WHERE id % 3 > 0;
SQL
# a scan marks what it finds dead: in leaves that will be full, and in one that stays the last
is($primary->safe_psql('postgres', "$by_index; $find; $find AND id % 100 = 0"), "1000\n10", 'entries of deleted rows');
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO late SELECT i, '2024-01-02', 'z' || md5(i::text) FROM generate_series(3001, 9000) i;
CALL router.archive('late', cutoff => '2024-01-03', batch_rows => 2500);
SQL
is($primary->safe_psql('postgres', "$by_index; $find"), 7000, 'the primary has appended');
my $lsn = $primary->lsn('flush');
$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or diag 'the standby does not follow';
is($standby->safe_psql('postgres', "$by_index; $find"), 7000, 'the standby replays it, and finds all by the index');
is($standby->safe_psql('postgres', "$by_index; $find AND id % 100 = 0"), 70, 'and by that of few entries');
unlike(slurp_file($standby->logfile), qr/inconsistent page/, 'page by page');
$standby->stop;
$primary->stop;
done_testing();
