#!/bin/bash
# make lint: the style of src/, and rules that no compiler checks.
set -u
cd "$(dirname "$0")/../.."
fail=0
complain() { echo "lint: $*" >&2; fail=1; }

format=$(command -v clang-format-14 || command -v clang-format) || {
	test/lib/install-deps.sh lint || exit 1
	format=$(command -v clang-format-14 || command -v clang-format)
}

# Takes away what pgindent lays out and clang-format cannot: columns of
# declarations and comments, and where a long statement is broken.
normal() {
	perl -0pe 's/(?<=\S)[ \t]+/ /g;
		s/([^;{}:\/\n]| :)\n[ \t]+(?!\{)/$1 /g; s/\n(?=")/ /g;
		s/(?<=\S)[ \t]+/ /g; s/,(\.+)/, $1/g; s/(\(\*\w+\)) \(/$1(/g; s/\) \{/){/g'
}

shopt -s nullglob
for file in src/*.[ch] src/*/*.[ch]; do
	diff -u --label "$file" --label "$file, formatted" <(normal <"$file") \
		<("$format" --style=file "$file" | normal) || complain "$file: layout, see above"
	grep -nH '[[:blank:]]$' "$file" && complain "$file: blanks at the end of a line"
	# 120 columns, tabs of 4; a long message is one line, for grep to find it
	expand -t4 "$file" | awk -v f="$file" 'length > 120 && !/"/ { print f ":" NR ": " length " columns"; bad = 1 }
		END { exit bad }' || complain "$file: long lines"
done

grep -nH 'PG_VERSION_NUM' src/*.[ch] src/*/*.[ch] sql/* /dev/null | grep -v '^src/compat\.h:' &&
	complain "only src/compat.h may know the version"
grep -nHE '^[[:blank:]]*(PG_)?(printf|fprintf|malloc|free|strtok|sprintf|strcpy|strcat)\(' src/*.[ch] src/*/*.[ch] /dev/null &&
	complain "use PostgreSQL's own: ereport, palloc, psprintf, strlcpy"
# What the script runs or keeps (views, bodies, defaults) names the schema of every function and operator. The functions
# for pgTAP are no part of it: they find pgTAP by search_path, as pgTAP itself does.
perl -0ne '
	s/--.*//g; s/\x27(?:[^\x27]|\x27\x27)*\x27/""/g;
	while (/^(CREATE VIEW .*?;|DO .*?^END |SELECT .*?;|\s+BEGIN ATOMIC.*?END;|\s+RETURN .*?;)|DEFAULT (\w+\(.*?\))/gms)
	{
		my $text = $1 // $2;
		my ($what) = $text =~ /^\s*(.{1,40})/;
		(my $rest = $text) =~ s/OPERATOR\(pg_catalog\.\S+?\)|::|=>|\w+\.\*|\(\*\)|\b(?:ERRCODE|MESSAGE|DETAIL|HINT) =//g;
		print "$ARGV: $what: operator $1\n" while $rest =~ /([-+*\/<>=~!@#%^&|]+)/g;
		print "$ARGV: $what: $1 without a schema\n"
			while $text =~ /(?<![\w."])(?!(?:AND|AS|CASE|ELSE|EXISTS|NOT|ANY|FILTER|GROUP|JOIN|ON|OVER|VALUES|SELECT|FROM|WHEN|ROW|LATERAL|OPERATOR|coalesce|greatest|extract)\b)([a-z_]\w*)\s*\(/gi;
		print "$ARGV: $what: $1 looks for an operator\n" while $text =~ /\b(NULLIF|USING \(|CASE (?!WHEN)|IN \(|LIKE|SIMILAR|BETWEEN|IS DISTINCT)/gi;
	}' $(printf '%s\n' sql/*.sql | grep -v router_tap) | grep . && complain "sql/: unqualified, see above"
perl test/lib/layers.pl || fail=1
perl test/lib/names.pl || fail=1
for file in test/run test/demo/run test/lib/*.sh bench/sight/report .ci/run; do
	bash -n "$file" || complain "$file: syntax"
done

exit $fail
