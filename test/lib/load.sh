# Sourced by the tests of t/ that have many clients write at once: a directory "out", queries, assertions, and what
# goes on until the time is over. PGDATABASE is a database of their own. Sets nothing else; "seconds" is the test's.
set -u
export PGOPTIONS='-c client_min_messages=warning'
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
count=0 failed=0

query() { psql -XqAt -v ON_ERROR_STOP=1 "${@/#/-c}"; } # STATEMENT..., a transaction each

ok() { # RESULT WANTED NAME
	count=$((count + 1))
	if [ "$1" = "$2" ]; then echo "ok $count - $3"; else
		failed=1
		printf 'not ok %d - %s\n# have: %s\n# want: %s\n' "$count" "$3" "$1" "$2"
	fi
}

until_end() { # COMMAND..., again and again for "seconds"
	local end=$((SECONDS + seconds))
	while [ $SECONDS -lt $end ]; do "$@"; done
}

done_testing() {
	echo "1..$count"
	exit $failed
}
