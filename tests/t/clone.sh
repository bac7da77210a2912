. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg accept -q first &&
	sg train -q --type lora --name second $fast && cd .. || exit 1

t 'a path: branches, HEAD, remote, tokens' '
	sg clone a b >out && grep -q "^cloned into b" out && grep -q "tokens of 2 data sets came along" out && cd b &&
	is "$(git_ rev-parse HEAD)" "$(git --git-dir=../a/.sg/registry.git rev-parse HEAD)" && is "$(sg remote)" "origin  $here/work/a" &&
	git_ fsck --strict && sg verify --replay >out && grep -q "same bits" out && is "$(git_ for-each-ref refs/sg)" ""
	rc=$?; cd "$here/work"; [ $rc = 0 ]
'
t 'the same composition gives the same bits' '
	sg -C a eval --json >x && sg -C b eval --json >y && same x y
'
t 'tokens have the hash of their manifest or stay behind' '
	cp -r a bad && shard=$(sg -C a data show held | sed -n "s/^shard *//p") && printf x | dd of=bad/.sg/data/$shard.tokens bs=1 seek=400 conv=notrunc 2>/dev/null &&
	sg clone bad c >out && grep -q "tokens of 1 data set came along" out && grep -q "tokens of 1 data set are not here" out &&
	[ ! -e c/.sg/data/$shard.tokens ] && sg -C c data add held -q --role accept --split line --from 40 "$here/work/a/book.txt" && sg -C c verify --replay -q
	rc=$?; rm -rf bad c; [ $rc = 0 ]
'
t 'file://, bare repositories, folder names, candidates' '
	sg clone "file://$here/work/a" c -q && git clone -q --mirror a/.sg/registry.git plain.git && sg clone plain.git --candidates >out &&
	grep -q "^cloned into plain$" out && grep -q "2 data sets are not here" out && sg -C plain accept second -q 2>err; [ $? = 128 ] && grep -q "add its files again" err &&
	sg -C plain data add held -q --role accept --split line --from 40 "$here/work/a/book.txt" && sg -C plain accept second -q && sg -C plain verify --replay >out &&
	grep -q "tokens book: not on this machine" out && sg clone a/.sg d -q && sg clone a/.sg/registry.git e -q && [ "$(ls e/.sg/data | wc -l)" -ge 2 ]
	rc=$?; rm -rf c d e plain; [ $rc = 0 ]
'
model=$SG_TOP/../shared/models/stories260K
if [ -d "$model" ]; then
t 'an embedded base works at once; a bound one is asked for, and a wrong one refused' '
	mkdir emb && sg -C emb init -q --embed --base "$model" && sg clone emb emb2 -q && sg -C emb2 base verify && sg -C emb2 verify >out &&
	! grep -q open out && mkdir out_ && cp -rL "$model" out_/m && chmod -R u+w out_ && sg -C out_ init -q --base m && sg clone out_ out2 >out && grep -q "sg base bind PATH" out &&
	sg -C out2 verify >out && grep -q "open .*sg base bind PATH" out && fails_with 128 sg -C out2 base verify 2>err && grep -q "sg base bind PATH" err &&
	printf "\377" | dd of=out_/m/model.safetensors bs=1 seek=$(($(wc -c <out_/m/model.safetensors) - 3)) conv=notrunc 2>/dev/null &&
	fails_with 1 sg -C out2 base bind ../out_/m 2>err && grep -q "tensor .* differs" err && sg -C out2 base bind "$model" -q && sg -C out2 verify >out && ! grep -q open out
	rc=$?; rm -rf emb emb2 out_ out2; [ $rc = 0 ]
'
else
skip shared 'an embedded base works at once; a bound one is asked for, and a wrong one refused'
fi
t 'nothing is left of a clone that failed' '
	rm -f err && ls -A >"$here/was" && fails_with 128 sg clone nowhere 2>err && is "$(grep -c . err)" 1 && git init -q --bare empty.git && fails_with 128 sg clone empty.git e1 2>err &&
	grep -q "empty" err && git init -q plain && git -C plain commit -q --allow-empty -m hi && fails_with 128 sg clone plain e2 2>err && grep -q "cannot be used as a registry" err &&
	mkdir z && echo keep >z/file && fails_with 128 sg clone plain z 2>err && is "$(ls -A z)" file && rm -rf empty.git plain z &&
	fails_with 128 sg clone a b 2>err && fails_with 129 sg clone 2>err && fails_with 128 sg clone -- --upload-pack=x w 2>err && fails_with 128 sg clone "ext::sh -c true" w 2>err &&
	rm err && ls -A >"$here/now" && same "$here/was" "$here/now"
'
t 'a write or an allocation that fails leaves nothing' '
	for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17 19 23 29 37 47 61 83 111 151 201 271 351; do
		for v in SG_FAIL_WRITE SG_FAIL_ALLOC; do
			rm -rf f1
			env $v=$k "$SG" clone a f1 >/dev/null 2>&1
			rc=$?
			[ $rc = 0 ] && continue
			[ $rc = 128 ] && [ ! -e f1 ] || { echo "$v=$k: exit $rc"; return 1; }
		done
	done
	rm -rf f1
'
if have python3; then
t '--json' '
	sg clone a j --json >out && is "$(json dir <out)" j && is "$(json data_sets <out)" 2 && is "$(json refs 0 to <out)" refs/heads/main
'
else
skip python3 '--json'
fi
done_
