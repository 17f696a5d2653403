# Servers of PostgreSQL::Test::Cluster for the tests of t/: started, followed by a standby, waited for, and killed: all
# processes at once, as by a power cut, or one backend. Reads /proc, as a slim machine has no pgrep.
package Server;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(sleep time);

# how long anything is waited for, in seconds
BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} ||= 60 }
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
our @EXPORT = qw(server standby follow needs_extensions becomes logged crash_and_start kill_backend);

# A new server that runs. Settings are lines; options are those of init.
sub server
{
	my ($name, $settings, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%options);
	$node->append_conf('postgresql.conf', "autovacuum = off\n$settings\n");
	$node->start;
	return $node;
}

# A hot standby of a server that allows streaming.
sub standby
{
	my ($primary, $settings) = @_;
	$primary->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($primary, 'base', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "$settings\n") if $settings;
	$standby->start;
	return $standby;
}

# Returns when the standby has replayed all that the primary has.
sub follow
{
	my ($standby, $primary) = @_;
	my $lsn = $primary->lsn('flush');
	$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or die 'the standby does not follow';
	return;
}

# Skips all tests where an extension is not to be had.
sub needs_extensions
{
	my ($node, @names) = @_;
	my $list = join ', ', map { "'$_'" } @names;
	return if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name IN ($list)") == @names;
	plan(skip_all => "needs @names");
}

# Waits until a query gives what is wanted; returns what it gave last.
sub becomes
{
	my ($node, $db, $sql, $wanted) = @_;
	my $got = '';
	my $end = time + 30;
	until (time > $end)
	{
		$got = $node->safe_psql($db, $sql);
		last if $got eq $wanted;
		sleep 0.1;
	}
	return $got;
}

# Waits for a line in the log after a place in it; returns what stands there then.
sub logged
{
	my ($node, $from, $pattern) = @_;
	my $log = '';
	my $end = time + 30;
	until (time > $end)
	{
		$log = substr(slurp_file($node->logfile), $from);
		last if $log =~ $pattern;
		sleep 0.1;
	}
	return $log;
}

# State and parent of a process, or nothing.
sub _stat
{
	my ($pid) = @_;
	open my $in, '<', "/proc/$pid/stat" or return;
	my $stat = <$in> // return;
	return $stat =~ /.*\) (\S) (\d+)/;
}

sub _children
{
	my ($parent) = @_;
	return grep { ((_stat($_))[1] // 0) == $parent } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# Where nobody reaps them they stay, as zombies, which a lock file's reader takes for alive.
sub _runs
{
	my ($state) = _stat(@_);
	return defined $state && $state ne 'Z';
}

# Returns when the server has recovered. While it is down the clients given, by pid, are waited for.
sub crash_and_start
{
	my ($node, @clients) = @_;
	my $postmaster = $node->{_pid};
	kill 'STOP', $postmaster;	# no child is made any more
	sleep 0.01 until ((_stat($postmaster))[0] // 'Z') =~ /[TZ]/;
	my @children = _children($postmaster);
	die 'no children of the server found' unless @children;
	kill 'KILL', $postmaster, @children;
	waitpid $_, 0 for @clients;
	sleep 0.05 while grep { _runs($_) } $postmaster, @children;
	$node->{_pid} = undef;
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->start;
	return;
}

# Returns when the server has noticed and is back.
sub kill_backend
{
	my ($node, $pid) = @_;
	my $from = -s $node->logfile;
	kill 'KILL', $pid;
	$node->wait_for_log(qr/reinitializing/, $from);
	# not by the module, which writes to a psql that has ended
	my @psql = ($node->installed_command('psql'), '-XqAt', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-c', 'SELECT 1');
	my $end = time + 60;
	until (system('exec ' . join(' ', map { "'$_'" } @psql) . ' >/dev/null 2>&1') == 0)
	{
		die 'the server does not come back' if time > $end;
		sleep 0.1;
	}
	return;
}

1;
