# A backlog that needs more children than the lock table has room for: what commits in between makes and fills
# them in portions; what is one transaction says what to do.
use strict;
use warnings;
use Server;
use Test::More;

my $days = 180;
my $node = server('small', <<'CONF');
max_connections = 10
max_worker_processes = 0
max_locks_per_transaction = 10
session_preload_libraries = 'router'
CONF

sub query { return $node->safe_psql('postgres', $_[0]); }

# Rows of all children, a transaction each.
sub rows_in_children
{
	my ($base) = @_;
	my $sum = 0;
	my $counts = query("SELECT format('SELECT count(*) FROM ONLY %s;', child) FROM router.children WHERE base = '$base'::regclass");
	$sum += $_ for split /\n/, query($counts);
	return $sum;
}

query('CREATE EXTENSION router');
my %bases = (
	indexed => ["router.by_date('d', 'day')", 'CREATE INDEX ON indexed (d); CREATE INDEX ON indexed (v)'],
	unindexed => ["router.by_date('d', 'day')", 'CREATE INDEX ON unindexed (v); CREATE INDEX ON unindexed (v, id)'],
	two_keys => ["ARRAY[router.by_integer('id', 1), router.by_date('d', 'year')]", 'CREATE INDEX ON two_keys (d); CREATE INDEX ON two_keys (v)']);
foreach my $base (sort keys %bases)
{
	my ($keys, $indexes) = @{ $bases{$base} };
	query("CREATE TABLE $base (id int, d timestamptz, v int); $indexes;
		INSERT INTO $base SELECT i, now() - (11 + i) * interval '1 day' + n * interval '1 second', i FROM generate_series(1, $days) i, generate_series(1, 2) n;
		SELECT router.create_route('$base', $keys, hot => '10 days', time_zone => 'UTC')");
	my ($status, undef, $stderr) = $node->psql('postgres', "SELECT router.archive_now('$base')");
	like($stderr, qr/max_locks_per_transaction/, "$base: archive_now, a transaction, says what to do");
	query("CALL router.archive('$base')");
	is(query("SELECT count(*) FROM ONLY $base"), 0, "$base: archive leaves nothing");
	is(rows_in_children($base), 2 * $days, "$base: and brings all home");
}

query("CALL router.archive('indexed'); SELECT router.set_maintenance('indexed', seal => '{v}')");
query("CALL router.archive('indexed')");
is(query("SELECT count(*) > $days - 3 FROM router.seal_def WHERE base = 'indexed'::regclass AND sealed"), 't', 'children are sealed');

query("CREATE TABLE waits (id int, d date); CREATE INDEX ON waits (id); CREATE INDEX ON waits (d); CREATE INDEX ON waits (id, d);
	SELECT router.create_route('waits', router.by_date('d', 'day'), on_missing => 'default', default_child => true);
	INSERT INTO waits SELECT i, date '2024-01-01' + i FROM generate_series(1, $days) i");
query("CALL router.redistribute('waits')");
is(query('SELECT count(*) FROM waits_default'), 0, 'redistribute leaves nothing');
is(rows_in_children('waits'), $days, 'and brings all home');
my (undef, undef, $stderr) = $node->psql('postgres', "SELECT router.premake('waits', $days)");
like($stderr, qr/max_locks_per_transaction/, 'premake, a transaction, says what to do');
done_testing();
