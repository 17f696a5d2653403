# A power cut for a node of PostgreSQL::Test::Cluster: all its processes are killed
# at once, then it is started again. Or one backend is killed, and the server recovers.
# Reads /proc, as a slim machine has no pgrep.
package Crash;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(sleep);
our @EXPORT = qw(crash_and_start kill_backend);

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
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	return;
}

1;
