# A web server of a test's own: . "$SG_TOP/tests/servers/https.sh"; https_start || skip.
# nginx and fcgiwrap around git's http-backend, as whoever runs the test, on
# 127.0.0.1, with everything in $here/https:
#
#	$https_url		https://127.0.0.1:port: /git/<name> is repository $here/https/git/<name>
#	$https_moved		another port: everything there redirects to /git/ at $https_url
#	https_repo <name>	makes one that can be pushed to
#	$here/https/ca.pem	what to trust
#	a grower, p@ss:word	who is let in ($https_user, $https_password)
#	$here/https/seen	one line a request: port, status, user, path
#	https_start, https_stop
https_dir=$here/https
https_user='a grower' https_password='p@ss:word'
https_why=

https_backend () {
	for p in "$(git --exec-path)/git-http-backend" /usr/lib/git-core/git-http-backend /usr/libexec/git-core/git-http-backend; do
		[ -x "$p" ] && echo "$p" && return
	done
	return 1
}
https_find () { for p in /usr/sbin/$1 /usr/bin/$1 /usr/local/sbin/$1 /usr/local/bin/$1; do [ -x $p ] && echo $p && return; done; return 1; }

https_stop () {
	[ ! "$https_nginx_pid" ] || { kill "$https_nginx_pid" && wait "$https_nginx_pid"; } 2>/dev/null
	[ ! "$https_cgi_pid" ] || { kill -- "-$https_cgi_pid" && wait "$https_cgi_pid"; } 2>/dev/null
	https_nginx_pid= https_cgi_pid=
}

# Two authorities, of which nobody has heard; the first signs the server.
https_certificates () {
	for k in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=sg test $k" \
			-addext basicConstraints=critical,CA:TRUE -keyout "$https_dir/$k.key" -out "$https_dir/$k.pem" || return 1
	done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=127.0.0.1 \
		-keyout "$https_dir/server.key" -out "$https_dir/server.csr" &&
	echo 'subjectAltName=IP:127.0.0.1,DNS:localhost' >"$https_dir/ext" &&
	openssl x509 -req -in "$https_dir/server.csr" -CA "$https_dir/ca.pem" -CAkey "$https_dir/ca.key" -CAcreateserial \
		-days 3650 -extfile "$https_dir/ext" -out "$https_dir/server.pem" &&
	printf '%s:%s\n' "$https_user" "$(openssl passwd -apr1 "$https_password")" >"$https_dir/users"
}

https_config () {
	[ "$(id -u)" != 0 ] || echo "user $(id -un) $(id -gn);"
	cat <<-END
		daemon off;
		worker_processes 1;
		pid $https_dir/pid;
		error_log $https_dir/errors;
		events { worker_connections 64; }
		http {
			log_format seen '\$server_port \$status "\$remote_user" "\$http_authorization" \$request_method \$request_uri';
			access_log $https_dir/seen seen;
			client_body_temp_path $https_dir/t1;
			proxy_temp_path $https_dir/t2;
			fastcgi_temp_path $https_dir/t3;
			uwsgi_temp_path $https_dir/t4;
			scgi_temp_path $https_dir/t5;
			client_max_body_size 0;
			ssl_certificate $https_dir/server.pem;
			ssl_certificate_key $https_dir/server.key;
			server {
				listen 127.0.0.1:$https_port ssl;
				listen 127.0.0.2:$https_port ssl;	# which the certificate is not for
				auth_basic git;
				auth_basic_user_file $https_dir/users;
				location /git/ {
					fastcgi_pass unix:$https_dir/cgi;
					fastcgi_param SCRIPT_FILENAME $1;
					fastcgi_param GIT_PROJECT_ROOT $https_dir;
					fastcgi_param GIT_HTTP_EXPORT_ALL 1;
					fastcgi_param PATH_INFO \$uri;
					fastcgi_param QUERY_STRING \$query_string;
					fastcgi_param REQUEST_METHOD \$request_method;
					fastcgi_param CONTENT_TYPE \$content_type;
					fastcgi_param CONTENT_LENGTH \$content_length;
					fastcgi_param REMOTE_USER grower;
					fastcgi_param HOME $https_dir;
					fastcgi_read_timeout 300;
				}
			}
			server {
				listen 127.0.0.1:$((https_port + 1)) ssl;
				location / {
					return 302 https://localhost:$https_port/git\$request_uri;
				}
			}
		}
	END
}

https_repo () {
	git init -q --bare "$https_dir/git/$1" && git --git-dir="$https_dir/git/$1" config http.receivepack true
}

https_start () {
	nginx=$(https_find nginx) || { https_why=nginx; return 1; }
	cgi=$(https_find fcgiwrap) || { https_why=fcgiwrap; return 1; }
	have openssl && backend=$(https_backend) || { https_why=git-http-backend; return 1; }
	mkdir -p "$https_dir/git" && https_certificates 2>"$https_dir/log" || { https_why=openssl; return 1; }
	# its workers outlive it: a group of their own, which is ended whole
	setsid "$cgi" -s "unix:$https_dir/cgi" -c 4 >>"$https_dir/log" 2>&1 </dev/null &
	https_cgi_pid=$!
	for https_try in 1 2 3 4 5 6 7 8; do
		https_port=$((20000 + ($$ * 11 + https_try * 1013) % 20000))
		https_config "$backend" >"$https_dir/config"
		"$nginx" -e "$https_dir/errors" -p "$https_dir" -c "$https_dir/config" >>"$https_dir/log" 2>&1 </dev/null &
		https_nginx_pid=$!
		for https_wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
			kill -0 $https_nginx_pid 2>/dev/null || break
			[ -s "$https_dir/pid" ] && [ -S "$https_dir/cgi" ] && break 2
			sleep 0.1
		done
		kill $https_nginx_pid 2>/dev/null
		https_nginx_pid=
	done
	https_url=https://127.0.0.1:$https_port https_moved=https://127.0.0.1:$((https_port + 1))
	[ "$https_nginx_pid" ] || { https_why='nginx does not start'; https_stop; return 1; }
}
