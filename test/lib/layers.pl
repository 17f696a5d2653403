#!/usr/bin/perl
# The rooms of src/ in the order of src/README.md: a file includes only from its own room and from those below, by
# room, and no files form a circle (a .c, its .h and its _part.h count as one).
use strict;
use warnings;

my (%rank, %needs, $bad);
open my $readme, '<', 'src/README.md' or die "src/README.md: $!\n";
/^\| \[?`(.+?)\/?`/ and $rank{$1} //= keys %rank while <$readme>;

for my $file (glob 'src/*.[ch] src/*/*.[ch]')
{
	my ($name) = $file =~ m{^src/(.*)};
	my $room = $name =~ m{^(.*)/} ? $1 : $name;
	my $unit = $name =~ s/(_part)?\.[ch]$//r;

	complain("$file: room $room is missing in src/README.md") unless defined $rank{$room} or $name eq 'compat.h';
	open my $in, '<', $file or die "$file: $!\n";
	for (grep { /^#include "/ } <$in>)
	{
		my ($header) = /"(.*)"/;

		next if $header eq 'compat.h';
		if (!-e "src/$header")
		{
			complain("$file: $header is to be included by its room") if glob "src/*/$header";
			next;
		}
		my ($below) = $header =~ m{^(.*)/};
		complain("$file: $header stands above") if ($rank{$below} // 0) < ($rank{$room} // 0);
		my $other = $header =~ s/(_part)?\.h$//r;
		$needs{$unit}{$other} = 1 if $other ne $unit;
	}
}

my (%done, @path);
sub walk
{
	my ($unit) = @_;

	for my $i (0 .. $#path)
	{
		complain("a circle: " . join(' > ', @path[$i .. $#path], $unit)) if $path[$i] eq $unit;
	}
	return if $done{$unit}++;
	push @path, $unit;
	walk($_) for sort keys %{ $needs{$unit} // {} };
	pop @path;
}
walk($_) for sort keys %needs;

sub complain { print STDERR "lint: @_\n"; $bad = 1; }
exit($bad ? 1 : 0);
