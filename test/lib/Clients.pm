# Clients that insert rows and update them while the server is killed again and again, and keep what they tried and what they
# were told: what is told to be there must be there afterwards, once.
package Clients;
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

# Starts some. Options: clients (3), seed, insert (a share of statements), rows (the most that one inserts), make (gives the
# statement that inserts the ids from the first to the last into "reading", a table with the columns id and v).
sub start
{
	my ($class, $node, %options) = @_;
	my $self = bless { clients => 3, %options, dir => PostgreSQL::Test::Utils::tempdir, node => $node,
		psql => [ $node->installed_command('psql'), '-XqAt', '-h', $node->host, '-p', $node->port, '-d', 'postgres' ] }, $class;
	for my $n (1 .. $self->{clients})
	{
		my $pid = fork // die;
		$self->_work($n) if $pid == 0;
		push @{ $self->{pids} }, $pid;
	}
	return $self;
}

# Runs SQL quietly; true if the server said so.
sub told_ok
{
	my ($self, $sql) = @_;
	return system('exec ' . join(' ', map { "'$_'" } @{ $self->{psql} }, '-v', 'ON_ERROR_STOP=1') . " -c \"$sql\" >/dev/null 2>&1") == 0;
}

# Each has rows of its own, each inserted once and updated now and then.
sub _work
{
	my ($self, $n) = @_;
	my (%tried, %told);
	my $least = $n * 1_000_000;
	my $id = $least;
	my $last = 0;
	srand($self->{seed} + $n);
	until (-e "$self->{dir}/stop")
	{
		if (rand() < $self->{insert} || !$last)
		{
			my $first = $id + 1;
			$id += 1 + int(rand($self->{rows}));
			$tried{$_} //= 0 for $first .. $id;
			if ($self->told_ok($self->{make}->($first, $id))) { $told{$_} = 0 for $first .. $id; $last = $id; }
		}
		else
		{
			my $row = $least + 1 + int(rand($last - $least));
			next unless defined $told{$row};
			$tried{$row}++;
			$told{$row}++ if $self->told_ok("DO \\\$\\\$ BEGIN UPDATE reading SET v = v + 1 WHERE id = $row; IF NOT FOUND THEN RAISE 'row $row is hidden'; END IF; END \\\$\\\$");
		}
	}
	open my $out, '>', "$self->{dir}/client$n" or die;
	printf $out "%d %d %d\n", $_, $tried{$_}, $told{$_} // -1 for sort { $a <=> $b } keys %tried;
	close $out;
	POSIX::_exit(0);	# the cluster is the parent's
}

# Ends them, and reads what they know.
sub stop
{
	my ($self) = @_;
	open my $stop, '>', "$self->{dir}/stop" or die;
	close $stop;
	waitpid $_, 0 for @{ $self->{pids} };
	for my $n (1 .. $self->{clients})
	{
		open my $in, '<', "$self->{dir}/client$n" or die "client $n died";
		while (<$in>) { my ($id, $tried, $told) = split; $self->{tried}{$id} = $tried; $self->{told}{$id} = $told; }
	}
	return;
}

# What they know, against what is there: five tests. The columns start with id and v.
sub compare
{
	my ($self, $columns, $when) = @_;
	my ($tried, $told) = @$self{qw(tried told)};
	my %rows;
	my $doubled = 0;
	for (split /\n/, $self->{node}->safe_psql('postgres', "SELECT $columns FROM reading"))
	{
		my ($id, $v) = split /\|/;
		$doubled++ if exists $rows{$id};
		$rows{$id} = $v;
	}
	my @lost = grep { $told->{$_} >= 0 && !exists $rows{$_} } keys %$told;
	my @stale = grep { exists $rows{$_} && $told->{$_} >= 0 && ($rows{$_} < $told->{$_} || $rows{$_} > $tried->{$_}) } keys %$told;
	my @strange = grep { !exists $tried->{$_} } keys %rows;
	cmp_ok(scalar(keys %rows), '>', 100, "$when: " . scalar(keys %rows) . ' rows');
	is($doubled, 0, 'no row is there twice');
	is("@lost", '', 'no row is lost');
	is("@stale", '', 'no update is lost or doubled');
	is("@strange", '', 'no row came from nowhere');
	return;
}

1;
