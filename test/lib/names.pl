#!/usr/bin/perl
# Names that comments and documents use: a README of a room names every file of it, and files, functions and types that
# are named exist.
use strict;
use warnings;

my (%file, %word, %comments, $bad);

# Files of PostgreSQL: those where docs/internals.md says that core has a fact, and a few more.
my %core = map { $_ => 1 } qw(cluster.c execPartition.c partcache.c ri_triggers.c sysattr.h toast.c),
	map { /\w+\.[ch]\b/g } slurp('docs/internals.md') =~ /^\| [^|]* \| ([^|]*) \|/mg;

for my $path (glob 'src/*.[ch] src/*/*.[ch]')
{
	my $code = slurp($path);

	$file{$_} = 1 for $path =~ m{^src/((?:.*/)?(.*))$};
	$code =~ s{/\*(.*?)\*/}{ $comments{$path} .= "$1\n"; ' ' }gse;
	$word{$_} = 1 for $code =~ /\w+/g;
}
$word{$_} = 1 for map { slurp($_) =~ /\w+/g } glob 'sql/*.sql';

for my $readme (glob 'src/*/README.md')
{
	my ($room) = $readme =~ m{(.*)/};
	my %named = map { $_ => 1 } slurp($readme) =~ /`(\w+\.[ch])`/g;

	for (glob "$room/*.[ch]")
	{
		my ($name) = m{([^/]+)$};

		complain("$readme: $name is missing") unless $named{$name} or $name =~ /(.*)\.h$/ && -e "$room/$1.c";
	}
}

$comments{$_} = slurp($_) for glob 'docs/developing.md docs/internals.md docs/internals/*.md src/README.md src/*/README.md';
for my $where (sort keys %comments)
{
	my $text = $comments{$where};

	for ($text =~ m{(?<![\w./*-])[\w/]+\.[ch]\b}g)
	{
		complain("$where: there is no $_") unless $file{s{^src/}{}r} or $core{s{^src/backend/.*/}{}r};
	}
	for ($text =~ /\b(?:router_[a-z]\w*[a-z]|Router[A-Z]\w*)\b/g)
	{
		complain("$where: there is no $_") unless $word{$_} or $word{s/s$//r};
	}
}

sub slurp
{
	my ($path) = @_;

	open my $in, '<', $path or die "$path: $!\n";
	local $/;
	return <$in>;
}

sub complain { print STDERR "lint: @_\n"; $bad = 1; }
exit($bad ? 1 : 0);
