# move_child, the calls that give a table another shape, and a hot standby: a query there whose snapshot is older than the copy that takes the place, and which would find a
# row twice or not at all in it, is cancelled when the swap is replayed; one that is younger is not.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

my $primary = server('primary', '', allows_streaming => 1);
my $standby = standby($primary, "max_standby_streaming_delay = '100ms'");
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION router;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE m (id int, d date NOT NULL, PRIMARY KEY (id, d));
SELECT router.create_route('m', router.by_date('d', 'month'), horizon => '100 years');
INSERT INTO m SELECT i, '2024-01-01' FROM generate_series(1, 10) i;
INSERT INTO m SELECT i, '2024-02-01' FROM generate_series(11, 20) i;
SQL

sub reader
{
	my $reader = $standby->background_psql('postgres', on_error_stop => 0, on_error_die => 0);
	$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	return $reader;
}

$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE o (id int, d date NOT NULL, PRIMARY KEY (id, d));
INSERT INTO o TABLE m;
SQL

for my $case (['m', "move_child('m_y2024m01', access_method => 'heap2')"], ['o', "convert('o', router.by_date('d', 'month'))"],
	['o', "merge_children('{o_y2024m01,o_y2024m02}')"], ['o', "rekey('o', router.by_list('d'))"], ['o', "unroute('o')"])
{
	my ($table, $call) = @$case;
	follow($standby, $primary);
	my $old = reader();
	$primary->safe_psql('postgres', "UPDATE $table SET d = '2024-01-02' WHERE id = 11; UPDATE $table SET d = '2024-02-02' WHERE id = 1; CALL router.$call");
	follow($standby, $primary);
	is(eval { $old->query("SELECT count(*), sum(id) FROM $table") } || '', '', "$call: a snapshot from before the copy is of no use any more");
	my $young = reader();
	$primary->safe_psql('postgres', "UPDATE $table SET d = d + 1");
	follow($standby, $primary);
	is($young->query("SELECT count(*), sum(id) FROM $table"), '20|210', 'one from afterwards finds each row once');
	$young->quit;
}
like(slurp_file($standby->logfile), qr/conflict with recovery/, 'by a conflict');
$standby->stop;
$primary->stop;
done_testing();
