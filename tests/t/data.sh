. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

lines () { # <from> <to>
	i=$1
	while [ "$i" -le "$2" ]; do
		echo "line number $i of a text that $((i * i)) tells"
		i=$((i + 1))
	done
}
sg init --width 32 >/dev/null
lines 1 100 >book.txt

t 'add, list, show' '
	sg data >out && [ ! -s out ] &&
	sg data add book --role train --split line --to 80 book.txt >out &&
	grep -q "^book (train): 80 documents" out &&
	sg data add held --role accept --split line --from 80 book.txt >out &&
	grep -q "^held (accept): 20 documents" out &&
	sg data >list && grep -q "^book *train *80" list && grep -q "^held *accept *20" list &&
	sg data show book >out && grep -q "^cut  *line --from 0 --to 80" out && grep -q "^source  book.txt" out &&
	git_ cat-file -e main:data/book.json
'
t 'the id is the hash of the manifest' '
	is "$(git_ show main:data/book.json | sha256sum | cut -c1-64)" "$(sg data show book | sed -n "s/^id *//p")"
'
t 'the same again commits nothing; other content under the name is refused' '
	git_ rev-parse main >was &&
	sg data add book --role train --split line --to 80 book.txt &&
	fails_with 128 sg data add book --role train --split line --to 70 book.txt 2>err && grep -q "other content" err &&
	git_ rev-parse main >now && same was now
'
t 'a document has one role' '
	ls .sg/data >was && git_ rev-parse main >>was &&
	fails_with 1 sg data add again --role accept --split line --to 10 book.txt 2>err &&
	grep -q "10 documents of .again. (accept) stand in .book. (train) too" err &&
	is "$(wc -l <err)" 1 &&
	ls .sg/data >now && git_ rev-parse main >>now && same was now && [ ! "$(ls .sg/tmp)" ]
'
t 'near copies are counted and said' '
	words="one two three four five six seven eight nine ten eleven twelve thirteen" &&
	echo "$words fourteen" >near1.txt && echo "$words fifteen" >near2.txt &&
	sg data add n1 --role train near1.txt &&
	sg data add n2 --role select near2.txt >out && grep -q "1 documents share 13 words" out
'
t 'tokens that are gone come back by adding the files again' '
	rm .sg/data/* && sg data | grep -q "^book .* no$" &&
	fails_with 128 sg eval book 2>err && grep -q "add its files again" err &&
	sg data add book --role train --split line --to 80 book.txt && sg data | grep -q "^book .* yes$"
'
t 'check finds damage' '
	sg data check && shard=$(sg data show book | sed -n "s/^shard *//p") &&
	printf x | dd of=.sg/data/$shard.tokens bs=1 seek=300 conv=notrunc 2>/dev/null &&
	fails_with 1 sg data check >out && grep -q "^book.*: " out &&
	rm .sg/data/$shard.tokens && sg data check &&
	sg data add book --role train --split line --to 80 book.txt
'
t 'JSON lines, fields, shorter documents, folders' '
	mkdir in && echo "{\"t\":\"a text of its own\"}" >in/a.jsonl && printf "{\"t\":\"b\"}\n" >>in/a.jsonl && echo plain text >in/b.txt &&
	sg data add js --role safety --field t --min-bytes 3 in >out && grep -q "^js (safety): 2 documents" out &&
	lines 201 260 >c.txt && sg data add pf --role train --split line --per-file --to 50 --max-docs 25 c.txt >out &&
	grep -q "^pf (train): 25 documents" out
'
t 'remove' '
	sg data remove js && ! sg data | grep -q "^js" && fails_with 128 sg data remove js 2>err && grep -q "no data set" err &&
	fails_with 128 sg data show js
'
t 'what is wrong is said once, and nothing changes' '
	git_ rev-parse main >was &&
	fails_with 129 sg data add x book.txt 2>err && grep -q "role" err &&
	fails_with 129 sg data add x --role trains book.txt &&
	fails_with 129 sg data add x --role train &&
	fails_with 129 sg data add ../x --role train book.txt &&
	fails_with 129 sg data add x --role train --from 50 --to 40 book.txt &&
	fails_with 129 sg data list --role train && fails_with 129 sg data drop x &&
	fails_with 128 sg data add x --role train missing.txt &&
	printf "ok\nbad \377\n" >bad.txt && fails_with 128 sg data add x --role train bad.txt 2>err && grep -q "bad.txt" err && is "$(wc -l <err)" 1 &&
	echo "{\"text\":1}" >bad.jsonl && fails_with 128 sg data add x --role train bad.jsonl 2>err && is "$(wc -l <err)" 1 &&
	: >none.txt && fails_with 1 sg data add x --role train none.txt &&
	git_ rev-parse main >now && same was now
'
if have python3; then
t 'data --json' '
	is "$(sg data --json | json 0 name)" book && is "$(sg data show book --json | json sources 0 path)" book.txt &&
	is "$(sg data check --json)" "[]" && is "$(sg data show book --json | json docs)" 80
'
else
skip python3 'data --json'
fi
done_
