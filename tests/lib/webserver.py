# SPDX-License-Identifier: MIT
"""A small HTTP server for cases: files of a folder, and git repositories (smart protocol) below it.

A file `.auth` in the folder holds the Authorization header that every request must carry. /redirect/PATH answers
302 to /PATH. Requests are written to a log, one a line."""
import http.server, os, subprocess, threading


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        with open(self.server.log, "a", encoding="utf-8") as f:
            f.write("%s %s\n" % (self.command, self.path))

    def allowed(self):
        try:
            want = open(os.path.join(self.directory, ".auth"), encoding="utf-8").read().strip()
        except OSError:
            return True
        return self.headers.get("Authorization", "") == want

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def git(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = dict(os.environ, GIT_PROJECT_ROOT=self.directory, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
                   QUERY_STRING=query, REQUEST_METHOD=self.command, REMOTE_ADDR="127.0.0.1",
                   CONTENT_TYPE=self.headers.get("Content-Type", ""),
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                   GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), GIT_CONFIG_COUNT="1",
                   GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        out = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, env=env).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [tuple(l.split(": ", 1)) for l in head.decode().split("\r\n") if ": " in l]
        status = int(dict(headers).get("Status", "200").split()[0])
        self.answer(status, [h for h in headers if h[0] != "Status"], rest)

    def do_GET(self):
        if not self.allowed():
            self.answer(401, [("WWW-Authenticate", 'Basic realm="case"')])
        elif self.path.startswith("/redirect/"):
            self.answer(302, [("Location", self.path[len("/redirect"):])])
        elif ".git/" in self.path and not self.path.startswith("/dumb/"):
            self.git()
        else:
            super().do_GET()

    do_POST = do_GET


def serve(folder, log):
    """Starts a server in a thread; returns it. Its address is server.url; server.shutdown() ends it."""
    def handler(*args):
        return Handler(*args, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.log = log
    server.url = "http://127.0.0.1:%d" % server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
