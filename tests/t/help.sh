. "${0%/*}/lib.sh"

t 'help lists every command once' '
	sg help >out &&
	for c in $(sed -n "s/^SG_CMD(\(.*\))$/\1/p" "$SG_TOP/cmd/commands.def" | tr _ -); do
		is "$(grep -c "^  $c " out)" 1 || return 1
	done
'
t 'no command at all is a usage error that says what there is' '
	fails_with 129 sg 2>err &&
	grep -q "^usage: sg" err
'
t 'help and -h give the same usage where there is no page' '
	sg help -h >a &&
	sg -h >b &&
	grep -q "^usage: sg help" a &&
	grep -q "^usage: sg " b
'
t 'help of an unknown thing fails' '
	fails_with 128 sg help no-such 2>err &&
	grep -q "no page about .no-such." err &&
	fails_with 128 sg help ../sg 2>err
'
t 'an unknown command is a usage error with a suggestion' '
	fails_with 129 sg hlep 2>err &&
	grep -q "sg: .hlep. is not a command" err &&
	grep -q "did you mean .sg help." err
'
t 'what is echoed cannot command the terminal' '
	fails_with 129 sg "$(printf "a\033[31mb")" 2>err &&
	! grep -q "$(printf "\033")" err &&
	grep -qF "a\\x1b[31mb" err
'
t 'unknown options are named, with the usage' '
	fails_with 129 sg help --no-such 2>err &&
	grep -q "^sg help: unknown option .--no-such." err &&
	grep -q "^usage: sg help" err &&
	fails_with 129 sg help -Z 2>err &&
	grep -q "unknown option .-Z." err
'
t 'a missing or wrong value is named' '
	fails_with 129 sg help --completion 2>err &&
	grep -q "needs a value" err &&
	fails_with 129 sg help --completion=tcsh 2>err &&
	grep -q "needs one of bash|zsh" err &&
	fails_with 129 sg --threads=-1 version 2>err &&
	grep -q "needs 0 to 4096" err &&
	fails_with 129 sg --threads=two version 2>err &&
	grep -q "whole number" err &&
	fails_with 129 sg --device=tpu version 2>err &&
	grep -q -- "--device" err &&
	fails_with 129 sg --tier=quick version 2>err &&
	grep -q "fast|portable" err &&
	fails_with 129 sg version --json=yes 2>err &&
	grep -q "takes no value" err
'
t 'global options stand before and after the command' '
	sg --json version >a &&
	sg version --json >b &&
	same a b &&
	sg --json version --no-json >c &&
	grep -q "^sg [0-9]" c
'
t '-C goes to a folder, one after the other' '
	mkdir -p in/out &&
	sg -C in -C out version &&
	sg -Cin/out version &&
	fails_with 128 sg -C nowhere version 2>err &&
	grep -q "cannot change to .nowhere." err
'
t '-- ends the options' '
	fails_with 128 sg help -- --completion 2>err &&
	grep -q "no page about .--completion." err
'
t 'output that cannot be written is a failure' '
	test -c /dev/full &&
	fails_with 128 sg help >/dev/full 2>err &&
	grep -q "cannot write the output" err
'
t 'bash completion completes commands, options and values' '
	sg help --completion bash >sg.bash &&
	{ have bash || return 0; } &&
	complete_line () {
		bash -c '\''. ./sg.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sg; echo "${COMPREPLY[@]}"'\'' x "$@"
	} &&
	is "$(complete_line sg versi)" version &&
	is "$(complete_line sg help --compl)" --completion &&
	is "$(complete_line sg help --completion z)" zsh &&
	is "$(complete_line sg -C version vers)" version
'
t 'zsh completion names every command' '
	sg help --completion zsh >_sg &&
	grep -q "^#compdef sg" _sg &&
	for c in $(sed -n "s/^SG_CMD(\(.*\))$/\1/p" "$SG_TOP/cmd/commands.def" | tr _ -); do
		grep -q "$c) _arguments" _sg || return 1
	done &&
	{ ! have zsh || zsh -n _sg; }
'
done_
