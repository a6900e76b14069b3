# shellcheck shell=bash
# A real docker-registry on loopback. Sourced.

# free_port: a port nobody listens on. None of those that the kernel gives to connections: any client on the machine
# could get such a one before the server does.
free_port() {
	python3 -c 'import random, socket
while True:
    with socket.socket() as s:
        port = random.randrange(10000, 32768)
        try: s.bind(("", port))
        except OSError: continue
        print(port)
        break' 2>/dev/null ||
		perl -MIO::Socket::INET -e 'do { $p = 10000 + int rand 22768 }
			until IO::Socket::INET->new(LocalPort => $p, Listen => 1); print $p'
}

# listening PORT PID: waits until that process listens there; fails once it has ended.
listening() {
	tries=0
	while kill -0 "$2" 2>/dev/null && [ $tries -lt 300 ]; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null ||
			wget -q -O /dev/null "http://127.0.0.1:$1/" 2>/dev/null; then
			sleep 0.1 # if the port is another's, this one ends
			kill -0 "$2" 2>/dev/null
			return
		fi
		tries=$((tries + 1))
		sleep 0.1
	done
	return 1
}

# registry_start DIR [HTPASSWD]: sets REGISTRY to host:port and REGISTRY_PID. With REGISTRY_QUIET=false the
# requests are logged in DIR/log.
registry_start() {
	mkdir -p "$1"
	for attempt in 1 2 3; do
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
		export REGISTRY REGISTRY_PID
		! listening "${REGISTRY#*:}" "$REGISTRY_PID" || return 0
		kill "$REGISTRY_PID" 2>/dev/null || true
		echo "docker-registry did not start, attempt $attempt:" >&2
		cat "$1/log" >&2
	done
	return 1
}
