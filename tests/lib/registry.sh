# shellcheck shell=bash
# A real docker-registry on loopback. Sourced.

# free_port: a port nobody listens on.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
		perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

# registry_start DIR [HTPASSWD]: sets REGISTRY to host:port and REGISTRY_PID. With REGISTRY_QUIET=false the
# requests are logged in DIR/log.
registry_start() {
	mkdir -p "$1"
	REGISTRY="localhost:$(free_port)"
	cat >"$1/config.yml" <<-YML
		version: 0.1
		log: {level: error, accesslog: {disabled: ${REGISTRY_QUIET:-true}}}
		storage: {filesystem: {rootdirectory: $1/data}, delete: {enabled: true}}
		http: {addr: "127.0.0.1:${REGISTRY#*:}"}
	YML
	[ -z "${2:-}" ] || printf 'auth: {htpasswd: {realm: cooper, path: %s}}\n' "$2" >>"$1/config.yml"
	docker-registry serve "$1/config.yml" >"$1/log" 2>&1 &
	REGISTRY_PID=$!
	tries=0
	until (exec 3<>"/dev/tcp/127.0.0.1/${REGISTRY#*:}") 2>/dev/null ||
		wget -q -O /dev/null "http://127.0.0.1:${REGISTRY#*:}/" 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ] || ! kill -0 "$REGISTRY_PID" 2>/dev/null; then
			echo "docker-registry did not start:" >&2
			cat "$1/log" >&2
			return 1
		fi
		sleep 0.1
	done
	export REGISTRY REGISTRY_PID
}
