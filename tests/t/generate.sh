. "${0%/*}/lib.sh"
base=$SG_TOP/../shared/models/stories260K

grow_registry && sg train --type layer --name first $fast -q && sg accept first -q || exit 1
t 'the prompt, then what follows; the same again' '
	sg generate --prompt "line 1" --tokens 40 >a && grep -q "^line 1" a &&
	sg generate --prompt "line 1" --tokens 40 --threads 1 >b && same a b &&
	sg generate --prompt "line 1" --tokens 20 >c && head -c 26 a >d && head -c 26 c >e && same d e
'
# what a run has said, without its speed
still () { sed 's/,"tokens_per_second":[^,}]*//'; }
t 'draws depend on the seed and on nothing else' '
	sg generate --temperature 0.8 --seed 7 --tokens 60 --json | still >a &&
	for i in avx2 scalar; do
		SG_ISA=$i sg generate --temperature 0.8 --seed 7 --tokens 60 --json --threads 3 2>err | still >b && { same a b || return 1; }
	done
	sg generate --temperature 0.8 --seed 8 --tokens 60 --json | still >c && ! cmp -s a c &&
	sg generate --temperature 0.8 --top-p 0.000001 --seed 8 --tokens 30 >d && sg generate --tokens 30 >e && same d e
'
t 'a text that stops is not written, and ends it' '
	sg generate -q --prompt "line 1" --tokens 40 >a 2>err && [ ! -s err ] && whole=$(cat a) && rest=${whole#line 1} && cut=$(echo "$rest" | cut -c8-10) &&
	sg generate -q --prompt "line 1" --tokens 40 --stop nothing-like-it >b && same a b &&
	sg generate -q --prompt "line 1" --tokens 40 --stop nothing --stop "$cut" >b && is "$(cat b)" "line 1${rest%%"$cut"*}" &&
	sg generate -q --prompt "line 1" --tokens 40 --stop "line 1" >b && grep -q "^line 1" b &&
	fails_with 129 sg generate --stop "" 2>err && grep -q empty err
'
t 'how fast it was' '
	sg generate --tokens 20 >a 2>err && grep -q "^20 tokens, [0-9.]* a second$" err && is "$(grep -c . err)" 1
'
t 'longer than the model has positions' '
	sg generate --tokens 1100 >out && [ "$(wc -c <out)" -ge 1100 ]
'
t 'what a model writes cannot drive the terminal' '
	sg generate --rev HEAD~1 --tokens 3 >out && is "$(cat out)" "\x00\x00\x00" &&
	sg generate --temperature 5 --tokens 400 >out && is "$(tr -d "\000-\010\013-\037\177" <out | wc -c)" "$(wc -c <out)"
'
t 'what is wrong is said once' '
	fails_with 129 sg generate word && fails_with 129 sg generate --tokens 0 && fails_with 129 sg generate --temperature -1 &&
	fails_with 129 sg generate --top-p 0 2>err && grep -q top-p err && fails_with 129 sg generate --top-p 2 &&
	fails_with 128 sg generate --rev nothing >out 2>err && is "$(grep -c . err)" 1 && [ ! -s out ] &&
	fails_with 128 sg generate --cand nothing
'
if have python3; then
t 'generate --json' '
	sg generate --prompt "line" --tokens 9 --json >out && is "$(json tokens <out)" 9 && is "$(json prompt <out)" line && is "$(json stopped <out)" false && [ "$(json tokens_per_second <out | cut -d. -f1)" -gt 0 ] &&
	is "line$(json text <out)" "$(sg generate --prompt "line" --tokens 9)"
'
else
skip python3 'generate --json'
fi
if [ -d "$base" ]; then
t 'a real model tells its published story' '
	sg init -q --base "$base" s && sg -C s generate --tokens 130 >out &&
	grep -q "^Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high. She asked her mom, \"Can I play with the ball?\" Her mom said, \"Yes, it.s time to go home.\"" out &&
	sg -C s generate --prompt "Once upon" --tokens 40 | grep -q "^Once upon a time, there was a little girl named Lily."
'
t 'characters come whole' '
	sg -C s generate --prompt "Había una vez" --temperature 1.5 --tokens 200 --seed 3 >out && iconv -f utf-8 -t utf-8 out >/dev/null
'
else
skip shared 'a real model tells its published story'
fi
done_
