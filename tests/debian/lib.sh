# What the tests of tests/debian share (sourced by bash in the guest). Each check prints a TAP line.
#
#   is NAME WANTED COMMAND     COMMAND prints WANTED (both streams) and succeeds
#   like NAME REGEXP COMMAND   what COMMAND prints matches REGEXP (bash's =~), and it succeeds
#   ok NAME COMMAND            COMMAND succeeds
#
# COMMAND is one word, run by bash in an empty folder, without a terminal, for at most five minutes.

export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=xterm
failures=0
count=0

run() {
	local dir status
	dir=$(mktemp -d)
	(cd "$dir" && exec timeout 300 bash -c "$1" < /dev/null 2>&1)
	status=$?
	rm -rf "$dir"
	return "$status"
}

verdict() {
	count=$((count + 1))
	if [ "$2" = 0 ]; then
		echo "ok $count - $1"
	else
		failures=$((failures + 1))
		echo "not ok $count - $1"
		echo "${@:3}" | tail -n 20 | sed 's/^/# /'
	fi
}

ok() {
	local out status
	out=$(run "$2"); status=$?
	verdict "$1" "$status" "status $status: $out"
}

is() {
	local out status
	out=$(run "$3"); status=$?
	[ "$out" = "$2" ] && [ "$status" = 0 ]
	verdict "$1" $? "wanted: $2
saw (status $status): $out"
}

like() {
	local out status
	out=$(run "$3"); status=$?
	[[ $out =~ $2 ]] && [ "$status" = 0 ]
	verdict "$1" $? "wanted: $2
saw (status $status): $out"
}

finish() {
	echo "1..$count"
	exit $((failures > 0))
}
