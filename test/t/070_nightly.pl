# The lines of docs/operations.md that run maintenance by night, taken from there and run as cron and systemd do: nothing of
# the caller's environment, /bin/sh, a PATH of two directories. They succeed and print nothing, or fail and say why.
use strict;
use warnings;
use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;
use Text::ParseWords qw(shellwords);

my $manual = slurp_file("$FindBin::RealBin/../../docs/operations.md");

# The first code block of a language after a line.
sub block
{
	my ($after, $language) = @_;
	return $manual =~ /^\Q$after\E$(?:(?!^#).)*?^```$language\n(.*?)^```$/ms ? $1 : BAIL_OUT("no code after $after");
}

my $node = server('nightly', "session_preload_libraries = 'router'");
$node->safe_psql('postgres', 'CREATE DATABASE readings');
sub sql { return $node->safe_psql('readings', $_[0]); }
sql(<<'SQL');
CREATE EXTENSION router;
CREATE TABLE sensor_log (id serial, read_at timestamptz);
CREATE INDEX ON sensor_log (read_at);
SELECT router.create_route('sensor_log', router.by_date('read_at', 'month'), hot => '8 days');
SQL
# a table that cannot be maintained
my $break = <<'SQL';
CREATE TABLE broken (id int, read_at timestamptz);
INSERT INTO broken VALUES (1, '2024-01-01');
SELECT router.create_route('broken', router.by_date('read_at', 'month', label => 'SELECT 1 / 0'), hot => '8 days');
SQL

# What is in the environment besides: where the server is; psql where it is not in /usr/bin.
my %server = (PGHOST => $node->host, PGPORT => $node->port);
my $path = -x '/usr/bin/psql' ? '/usr/bin:/bin' : $node->config_data('--bindir') . ':/usr/bin:/bin';

# Runs a command with that environment and no other: exit status and what it prints.
sub run_bare
{
	my ($env, @command) = @_;
	my %all = (PATH => $path, HOME => $ENV{TESTDATADIR} // '/tmp', LOGNAME => getpwuid($<), %server, %$env);
	my $out = '';
	IPC::Run::run([ 'env', '-i', (map { "$_=$all{$_}" } sort keys %all), @command ], \'', '>&', \$out);
	return ($? >> 8, $out);
}

# Old rows come, the job runs well; with a broken table it fails, and does its work on the other one.
sub job_ok
{
	my ($name, $env, @command) = @_;
	my $age = "UPDATE router.route_def SET watermark = '-infinity' WHERE base = 'sensor_log'::regclass; INSERT INTO sensor_log (read_at) SELECT timestamptz '2024-02-02' + i * interval '1 hour' FROM generate_series(1, 3) i";
	sql("DELETE FROM router.events; $age");
	is(sql('SELECT count(*) FROM ONLY sensor_log'), 3, "$name: there is work");
	my ($status, $printed) = run_bare($env, @command);
	is($status, 0, "$name: succeeds");
	is($printed, '', "$name: prints nothing");
	is(sql('SELECT count(*) FROM ONLY sensor_log'), 0, "$name: does it");
	is(sql('SELECT count(*) FROM router.events WHERE error IS NOT NULL'), 0, "$name: no error among the events");

	sql("$break; $age");
	($status, $printed) = run_bare($env, @command);
	isnt($status, 0, "$name: fails if one table does");
	like($printed, qr/WARNING.*broken.*division by zero.*ERROR:  1 of 2 /s, "$name: says which and why");
	is(sql('SELECT count(*) FROM ONLY sensor_log'), 0, "$name: the other table has its turn");
	is(sql("SELECT string_agg(DISTINCT base_name || ' ' || error, '') FROM router.events WHERE error IS NOT NULL AND action <> 'maintain'"), 'public.broken division by zero', "$name: router.events has it");
	sql('DROP TABLE broken CASCADE');

	local $server{PGPORT} = 1;
	($status, $printed) = run_bare($env, @command);
	isnt($status, 0, "$name: fails if there is no server");
	return;
}

# ------------------------------------------------------------------- by a shell
my $line = block('## The nightly job', 'sh');
is($line =~ tr/\n//, 1, 'the command is one line');
job_ok('shell', {}, '/bin/sh', '-c', $line);

# ------------------------------------------------------------------------- cron
# As /etc/cron.d has it: settings, then lines of five fields, a user and the command, which % would end.
my (%env, @jobs);
for (split /\n/, block('### cron', ''))
{
	if (/^\s*(\w+)\s*=\s*(.*?)\s*$/) { my ($name, $value) = ($1, $2); $value =~ s/^(["'])(.*)\1$/$2/; $env{$name} = $value; }
	elsif (/^\s*((?:[\d*,\/-]+\s+){5})(\w+)\s+(.*)$/) { push @jobs, [ $1, $2, $3 ]; }
	else { fail("cron would not understand: $_") if /\S/; }
}
is(scalar(@jobs), 1, 'cron: one job');
my ($when, $user, $command) = @{ $jobs[0] };
is($user, 'postgres', 'cron: of the user who may do it');
my ($minute, $hour, @every) = split ' ', $when;
ok($minute >= 0 && $minute < 60 && $hour >= 0 && $hour < 24 && "@every" eq '* * *', 'cron: once every day');
unlike($command, qr/(?<!\\)%/, 'cron: no % in it');
job_ok('cron', { SHELL => '/bin/sh', %env }, '/bin/sh', '-c', $command);

# ---------------------------------------------------------------------- systemd
my $dir = PostgreSQL::Test::Utils::tempdir;
my %units;
for my $kind ('service', 'timer')
{
	$units{$kind} = block("`/etc/systemd/system/router-maintain\@.$kind`:", 'ini');
	open my $out, '>', "$dir/router-maintain\@.$kind" or die;
	print $out $units{$kind};
	close $out;
}
SKIP:
{
	my $analyze = (grep { -x } '/usr/bin/systemd-analyze', '/bin/systemd-analyze')[0];
	skip 'systemd-analyze is not installed', 3 unless $analyze;
	for my $kind (sort keys %units)
	{
		my $said = '';
		my $ok = IPC::Run::run([ $analyze, 'verify', '--man=no', "$dir/router-maintain\@.$kind" ], '>&', \$said);
		# about our units: where no systemd runs others may be incomplete
		ok($ok && $said !~ /router-maintain/, "systemd-analyze verifies the $kind") or note $said;
	}
	my ($calendar) = $units{timer} =~ /^OnCalendar=(.*)$/m;
	my $said = '';
	ok(IPC::Run::run([ $analyze, 'calendar', $calendar ], '>&', \$said), "systemd-analyze knows the time $calendar") or note $said;
}
my ($exec) = $units{service} =~ /^ExecStart=(.*)$/m;
my %unit_env = map { split /=/, $_, 2 } map { shellwords($_) } $units{service} =~ /^Environment=(.*)$/mg;
# the instance, then words as systemd splits them; no shell
$exec =~ s/%i/readings/g;
job_ok('systemd', \%unit_env, shellwords($exec));

$node->stop;
done_testing();
