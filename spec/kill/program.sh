#!/bin/sh
# program.sh PROGRAM ROUNDS SEED: the program under hard conditions, ROUNDS times each: as a daemon that
# others ask, with little memory, with few descriptors, and without descriptors 0 to 2. A command does
# its work or fails in its own words; none crashes, and what was acknowledged is there.
program=$1 rounds=$2 seed=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TIDELOCK_DATA="$work/data"
passed=0
failed=0

draw() { # BELOW: $drawn
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1))
}

fail() {
	failed=$((failed + 1))
	echo "FAILED round $round, $*, SEED=$start"
	tail -n 5 "$work/log"
}

# sound WHAT: verify finds nothing, and the last value that was acknowledged is there.
sound() {
	if ! "$program" verify >"$work/log" 2>&1; then
		fail "$1: verify"
	elif [ "$("$program" db get notes data k 2>&1)" != "$value" ]; then
		fail "$1: not $value: $("$program" db get notes data k 2>&1)"
	else
		passed=$((passed + 1))
	fi
}

# set_value COMMAND...: sets another value through it; one that fails must not have set it.
set_value() {
	next=$((value + 1))
	"$@" "$program" db set notes data k "$next" >"$work/log" 2>&1
	status=$?
	[ "$status" -ne 0 ] || value=$next
	case $status in
	[0-3] | 70 | 127) return 0 ;; # 70: it cannot start; 127: its libraries cannot be loaded
	esac
	return 1
}

asked() {
	printf 'local tl = require "tidelock"\nassert(tl.open { path = os.getenv "TIDELOCK_DATA" })\nprint "ready"\ntl.run "default"\nwhile true do tl.sleep "1s" end\n' >"$work/owner.lua"
	rm -f "$work/ready"
	(setsid sh -c 'cd / && echo $$ >"$0/pid" && exec "$1" run "$0/owner.lua" >"$0/ready" 2>&1' "$work" "$program" &)
	tries=0
	until grep -q ready "$work/ready" 2>/dev/null || [ $tries -ge 600 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	for _ in 1 2 3; do
		set_value env || fail "a daemon's command: status $status"
	done
	draw 2
	kill -"$([ "$drawn" = 0 ] && echo TERM || echo KILL)" "$(cat "$work/pid")"
	while kill -0 "$(cat "$work/pid")" 2>/dev/null; do
		sleep 0.02
	done
}

little_memory() {
	draw 120
	set_value sh -c "ulimit -v $((8192 + drawn * 1024)); exec \"\$@\"" sh || fail "little memory: status $status"
}

few_descriptors() {
	draw 50
	set_value sh -c "ulimit -n $((4 + drawn)); exec \"\$@\"" sh || fail "few descriptors: status $status"
}

without_descriptors() {
	draw 4
	case $drawn in
	0) close='<&-' ;;
	1) close='>&-' ;;
	2) close='2>&-' ;;
	*) close='<&- >&- 2>&-' ;;
	esac
	set_value sh -c "exec \"\$@\" $close" sh || fail "without descriptors ($close): status $status"
	[ "$status" -eq 0 ] || fail "without descriptors ($close): status $status"
}

conditions='asked little_memory few_descriptors without_descriptors'
case $program in
*/san-*)
	echo 'not looked at: little memory; sanitizers need all there is'
	conditions='asked few_descriptors without_descriptors'
	;;
esac
start=$seed
round=0
value=0
"$program" db create notes --init >"$work/log" 2>&1 && "$program" db set notes data k 0 >"$work/log" 2>&1 || fail 'the first value'
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	for what in $conditions; do
		$what
		sound "$what"
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
