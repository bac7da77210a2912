# Signatures of commits and tags: keys as ssh-keygen makes them, an agent, and what
# stock git and ssh-keygen say of the result.
. "${0%/*}/lib.sh"
have ssh-keygen || { skip ssh-keygen 'signatures'; done_; }
g () { git --git-dir=.sg/registry.git "$@"; }
unset SSH_ASKPASS SG_ASKPASS SSH_ASKPASS_REQUIRE DISPLAY

t 'keys' '
	ssh-keygen -q -t ed25519 -N "" -C ann -f "$HOME/ann" && ssh-keygen -q -t ed25519 -N "a long secret" -a 2 -C bob -f "$HOME/bob" &&
	ssh-keygen -q -t rsa -b 2048 -N "" -f "$HOME/rsa" && ssh-keygen -q -t ed25519 -N "x y" -a 2 -Z aes256-cbc -f "$HOME/cbc" &&
	{ printf "grower@example.com "; cut -d" " -f1,2 "$HOME/ann.pub"; printf "bob@example.com namespaces=\"git\" "; cut -d" " -f1,2 "$HOME/bob.pub"; } >"$HOME/allowed" &&
	git config --global gpg.format ssh && git config --global gpg.ssh.allowedSignersFile "$HOME/allowed"
'
t 'nothing is signed unasked' '
	sg init --width 32 -q && ! g cat-file commit HEAD | grep -q gpgsig && fails_with 1 g verify-commit HEAD
'
t '-S signs, and stock git agrees' '
	git config --global user.signingKey "~/ann" && sg policy set gate.quality.min-docs 30 -S && g verify-commit HEAD 2>err && grep -q "Good \"git\" signature for grower@example.com with ED25519 key SHA256:" err &&
	is "$(g log -1 --format=%G?)" G && g log -1 --show-signature | grep -q "^Good .git. signature" && g fsck --strict
'
t 'the same bytes each time: ed25519 has no chance in it' '
	a=$(g rev-parse HEAD) && g update-ref refs/heads/main HEAD^ && sg policy set gate.quality.min-docs 30 -S && is "$(g rev-parse HEAD)" "$a"
'
t 'commit.gpgSign, --no-sign' '
	sg config commit.gpgSign true && sg policy set gate.quality.min-docs 31 && g verify-commit HEAD && sg policy set gate.quality.min-docs 32 --no-sign &&
	! g cat-file commit HEAD | grep -q gpgsig && fails_with 129 sg policy set gate.quality.min-docs 33 -S --no-sign
'
t 'tags' '
	sg tag v0 -m "not signed" && ! g cat-file tag v0 | grep -q SIGNATURE && sg config tag.gpgSign true && sg tag v1 -m "signed" && g verify-tag v1 && sg tag --json | grep -q "\"signature\":true"
'
t 'a new registry' '
	sg init --width 32 -q -S new && git --git-dir=new/.sg/registry.git verify-commit HEAD
'
t 'trained and judged: every commit of it' '
	mkdir grown && cd grown && grow_registry && sg config commit.gpgSign true && sg train -q --type lora --name first $fast && g verify-commit $(g for-each-ref --format="%(objectname)" refs/sg/cand) &&
	sg policy set gate.quality.enabled false && sg accept -q first && g verify-commit HEAD HEAD^2 && sg verify -q; cd ..
'
t 'a key by its text needs an agent' '
	sg policy set gate.quality.min-docs 40 -S "--sign=key::$(cat "$HOME/ann.pub")" 2>err; is $? 128 && grep -q "no ssh-agent has the key SHA256:" err
'
t 'a public key file: its private half stands beside it' '
	sg policy set gate.quality.min-docs 41 "--sign=$HOME/ann.pub" && g verify-commit HEAD
'
t 'an encrypted key: a program gives the passphrase, asked once' '
	printf "#!/bin/sh\necho asked >>\"$HOME/asked\"\necho \"\$1\" >\"$HOME/prompt\"\necho \"a long secret\"\n" >"$HOME/askpass" && chmod +x "$HOME/askpass" &&
	SG_ASKPASS=$HOME/askpass sg policy set gate.quality.min-docs 42 "--sign=$HOME/bob" && g verify-commit HEAD 2>err && grep -q "for bob@example.com" err &&
	is "$(cat "$HOME/asked")" asked && is "$(cat "$HOME/prompt")" "Enter passphrase for key '"'\$HOME/bob'"': " &&
	SSH_ASKPASS=$HOME/askpass SSH_ASKPASS_REQUIRE=force sg policy set gate.quality.min-docs 43 "--sign=$HOME/bob" && g verify-commit HEAD
'
t 'an older cipher' '
	printf "#!/bin/sh\necho \"x y\"\n" >"$HOME/askcbc" && chmod +x "$HOME/askcbc" && SG_ASKPASS=$HOME/askcbc sg policy set gate.quality.min-docs 44 "--sign=$HOME/cbc" && g cat-file commit HEAD | grep -q gpgsig
'
t 'a wrong passphrase: nothing changes, and nothing secret is said' '
	was=$(g rev-parse HEAD) && printf "#!/bin/sh\necho wr0ng-word\n" >"$HOME/askwrong" && chmod +x "$HOME/askwrong" && SG_ASKPASS=$HOME/askwrong fails_with 1 sg -vv policy set gate.quality.min-docs 45 "--sign=$HOME/bob" 2>err &&
	grep -q "wrong passphrase" err && ! grep -q wr0ng-word err && is "$(g rev-parse HEAD)" "$was" && SG_ASKPASS=/nonexistent fails_with 128 sg policy set gate.quality.min-docs 45 "--sign=$HOME/bob" 2>err && is "$(g rev-parse HEAD)" "$was"
'
t 'keys that cannot be used are named' '
	fails_with 128 sg policy set gate.quality.min-docs 46 "--sign=$HOME/rsa" 2>err && grep -q "ssh-rsa" err &&
	fails_with 128 sg policy set gate.quality.min-docs 46 "--sign=$HOME/none" 2>err && grep -q "cannot open" err &&
	echo nonsense >"$HOME/odd" && fails_with 128 sg policy set gate.quality.min-docs 46 "--sign=$HOME/odd" 2>err && grep -q "no public key" err &&
	cp "$HOME/ann" "$HOME/open" && chmod 644 "$HOME/open" && fails_with 1 sg policy set gate.quality.min-docs 46 "--sign=$HOME/open" 2>err && grep -q "can be read by others" err &&
	fails_with 128 env GIT_CONFIG_COUNT=0 HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent "$SG" policy set gate.quality.min-docs 46 -S 2>err && grep -q "user.signingKey" err
'
t 'OpenPGP is not done, and said so' '
	git config --global gpg.format openpgp && fails_with 128 sg policy set gate.quality.min-docs 47 -S 2>err && grep -q "gpg.format is not ssh" err; git config --global gpg.format ssh
'
if have ssh-agent && have ssh-add && eval "$(ssh-agent -s)" >/dev/null 2>&1; then
	trap '[ "$SSH_AGENT_PID" ] && kill "$SSH_AGENT_PID"; cd /; rm -rf "$here"' EXIT
t 'an agent: by public key file, by text, and for an encrypted file unasked' '
	printf "#!/bin/sh\necho \"a long secret\"\n" >"$HOME/askbob" && chmod +x "$HOME/askbob" && ssh-add -q "$HOME/ann" && SSH_ASKPASS=$HOME/askbob SSH_ASKPASS_REQUIRE=force ssh-add -q "$HOME/bob" &&
	mkdir only && cp "$HOME/bob.pub" only/ && sg policy set gate.quality.min-docs 50 --sign=only/bob.pub && g verify-commit HEAD && sg policy set gate.quality.min-docs 51 "--sign=key::$(cat "$HOME/ann.pub")" && g verify-commit HEAD &&
	sg policy set gate.quality.min-docs 52 "--sign=$(cat "$HOME/ann.pub")" && g verify-commit HEAD && sg policy set gate.quality.min-docs 53 "--sign=$HOME/bob" && g verify-commit HEAD && g fsck --strict
'
t 'an agent that has the key no more' '
	ssh-add -q -D && fails_with 128 sg policy set gate.quality.min-docs 54 --sign=only/bob.pub 2>err && grep -q "no ssh-agent has the key" err
'
	kill "$SSH_AGENT_PID"
	unset SSH_AUTH_SOCK SSH_AGENT_PID
else
	skip ssh-agent 'an agent: by public key file, by text, and for an encrypted file unasked'
	skip ssh-agent 'an agent that has the key no more'
fi
done_
