# What holds for a registry behind any server. Sourced where a test file stands in the
# registry `a`, with a clone beside it in ../b and what the server has under `there`.
t 'candidates and reports, there and back' '
	sg push --candidates -q && there for-each-ref refs/sg | grep -q sg/report && cd ../b && sg fetch -q && is "$(git_ for-each-ref refs/sg)" "" &&
	sg fetch --candidates >out && grep -q "^  new .*sg/cand/" out && git_ for-each-ref refs/sg | grep -q sg/report &&
	sg data add held -q --role accept --split line --from 40 ../a/book.txt; sg accept -q second && sg push --candidates >out &&
	grep -q "^  removed .*sg/cand/" out && is "$(there rev-parse main)" "$(git_ rev-parse main)" && cd ../a && sg pull -q && sg verify -q
	rc=$?; cd "$here/work/a"; [ $rc = 0 ]
'
t 'somebody was faster: refused over there, and a lease that is stale' '
	there update-ref refs/heads/main main~1 && sg data remove more -q && fails_with 1 sg push --force-with-lease >out && grep -q "moved meanwhile" out &&
	there update-ref refs/heads/main "$(git_ rev-parse origin/main)" && sg push -q --force-with-lease && is "$(there rev-parse main)" "$(git_ rev-parse main)"
'
