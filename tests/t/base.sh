. "${0%/*}/lib.sh"
base=$SG_TOP/../shared/models/stories260K

t 'show is the default, and verify proves it' '
	sg init --width 32 >/dev/null &&
	sg base >a && sg base show >b && same a b &&
	grep -q "^arch  *substrate" a &&
	grep -q "^weights  *made from a seed" a &&
	sg base verify >out && grep -q "^verified base" out
'
t 'another word is wrong usage' '
	fails_with 129 sg base shows 2>err && grep -q "shows" err &&
	fails_with 129 sg base bind && fails_with 129 sg base verify now
'
t 'no registry, no base' '
	mkdir -p "$here/none" &&
	(cd "$here/none" && fails_with 128 sg base 2>err && grep -q "registry" err)
'
if have python3 && [ -d "$base" ]; then
t 'a base that changed is refused by name, and nothing is bound' '
	mkdir k && cp "$base"/config.json "$base"/tokenizer.json "$base"/model.safetensors k/ && chmod u+w k/* &&
	sg init --base k r >/dev/null &&
	cp -r k other &&
	printf "\001" | dd of=other/model.safetensors bs=1 seek=900000 conv=notrunc 2>/dev/null &&
	fails_with 1 sg -C r base bind ../other 2>err &&
	grep -q "is not the pinned base: tensor .* differs" err &&
	is "$(sg -C r base --json | json path)" "$(pwd -P)/k"
'
t 'a byte that changes in place is found' '
	printf "some text\n" >x.txt &&
	sg -C r eval --file ../x.txt >/dev/null &&
	cp other/model.safetensors k/ &&
	fails_with 1 sg -C r eval --file ../x.txt 2>err &&
	grep -q "is not the pinned base" err &&
	fails_with 1 sg -C r base verify &&
	rm -r k &&
	fails_with 128 sg -C r base verify 2>err
'
t 'bound again elsewhere' '
	cp -r "$base" moved && sg -C r base bind ../moved >out && grep -q "^bound base" out &&
	sg -C r eval --file ../x.txt >/dev/null &&
	is "$(sg -C r base --json | json config hidden_size)" 64
'
else
skip shared 'a base that changed is refused by name, and nothing is bound'
fi
if [ -d "$base" ]; then
t 'a folder with a SentencePiece model and no tokenizer.json' '
	mkdir spm && cp "$base/config.json" "$base/model.safetensors" spm && cp "$base/tokenizer.model" spm && chmod u+w spm/* &&
	fails_with 128 sg init --base spm one 2>err && grep -q remove_extra_whitespaces err && is "$(grep -c . err)" 1 &&
	printf "\\032\\002\\040\\000" >>spm/tokenizer.model && sg init -q --base spm one && sg init -q --base "$base" two && echo "Lily ran, and ran." >line &&
	sg -C one eval --file ../line >a && sg -C two eval --file ../line >b && same a b && sg -C one base verify >log &&
	sg -C one generate -q --prompt "Once" --tokens 30 >a && sg -C two generate -q --prompt "Once" --tokens 30 >b && same a b &&
	echo "{\"add_bos_token\": false}" >spm/tokenizer_config.json && sg init -q --base spm three && sg -C three eval --file ../line >b && ! cmp -s a b &&
	echo "{}" >spm/added_tokens.json && fails_with 128 sg init --base spm four 2>err && grep -q added_tokens.json err && rm spm/added_tokens.json &&
	head -c 3000 "$base/tokenizer.model" >spm/tokenizer.model && fails_with 128 sg init --base spm four 2>err && is "$(grep -c . err)" 1 && [ ! -e four/.sg ]
'
else
skip shared 'a folder with a SentencePiece model and no tokenizer.json'
fi
done_
