# The study of SAINT-G lists 23 defects: each has a test that is named after its number.
cd "${0%/*}/../.." || exit 1
n=0 bad=0
for d in $(seq 1 23); do
	n=$((n + 1))
	two=$(printf %02d "$d")
	if grep -qE "^TEST\(defect_${two}_[a-z]" tests/unit/*.c || grep -q "^t 'defect $two: [^ ]" tests/t/*.sh; then
		echo "ok $n - defect $two has a test"
	else
		echo "not ok $n - defect $two has a test"
		bad=1
	fi
done
echo "1..$n"
exit $bad
