#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layoutserver.py LAYOUT STATE: a registry that serves the image of an OCI layout, under any name and tag, and has
faults. STATE/port is written when it listens, requests go to STATE/log, and STATE/faults.json says, for a blob by its
number among the layers, what goes wrong: {"2": {"how": "cut", "at": 1000, "times": 1}}.

    cut     the connection is closed after `at` bytes of an answer (times: how often; none: always)
    whole   the same, and Range is not understood
    flip    the last byte is another one
    hold    after `at` bytes nothing comes until the file STATE/go exists
Uploads: every blob is asked for and not there; the data is taken and no answer given ("stall": true in the faults).
/uploading is there once data was taken."""
import http.server, json, os, sys, threading, time

LAYOUT, STATE = sys.argv[1:3]
LOCK = threading.Lock()
USED = {}


def blob(digest):
    with open(os.path.join(LAYOUT, "blobs", *digest.split(":")), "rb") as f:
        return f.read()


ROOT = json.loads(open(os.path.join(LAYOUT, "index.json"), encoding="utf-8").read())["manifests"][0]
LAYERS = [l["digest"] for l in json.loads(blob(ROOT["digest"]))["layers"]]


def faults():
    try:
        with open(os.path.join(STATE, "faults.json"), encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        return {}


def fault_of(digest):
    number = str(LAYERS.index(digest)) if digest in LAYERS else ""
    f = faults().get(number, {})
    with LOCK:
        USED[number] = USED.get(number, 0) + 1
        return {} if USED[number] > f.get("times", 1 << 30) else f


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        with LOCK, open(os.path.join(STATE, "log"), "a", encoding="utf-8") as f:
            f.write("%s %s %s\n" % (self.command, self.path, self.headers.get("Range", "")))

    def head(self, status, length, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        what = self.path.split("/")
        if what == ["", "uploading"]:
            return self.head(200 if os.path.exists(os.path.join(STATE, "uploading")) else 404, 0)
        if len(what) < 5 or what[-2] not in ("manifests", "blobs"):
            return self.head(200, 0)
        digest = what[-1] if what[-1].startswith("sha256:") else ROOT["digest"]
        try:
            data = blob(digest)
        except OSError:
            return self.head(404, 0)
        if what[-2] == "manifests":
            self.head(200, len(data), Content_Type=ROOT["mediaType"], Docker_Content_Digest=digest)
            return self.wfile.write(data)
        return self.send_blob(data, fault_of(digest))

    def send_blob(self, data, fault):
        how, size, start = fault.get("how"), len(data), 0
        if how == "flip":
            data = data[:-1] + bytes([data[-1] ^ 1])
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and how != "whole":
            start = int(asked[6:].split("-")[0])
            self.head(206, size - start, Content_Range="bytes %d-%d/%d" % (start, size - 1, size))
        else:
            self.head(200, size)
        at = fault.get("at", 0)
        if how in ("cut", "whole"):
            self.wfile.write(data[start:start + at])
            self.close_connection = True
            return
        if how == "hold":
            self.wfile.write(data[start:at])
            self.wfile.flush()
            while not os.path.exists(os.path.join(STATE, "go")):
                time.sleep(0.05)
            start = at
        self.wfile.write(data[start:])

    def do_HEAD(self):
        self.head(404, 0)

    def do_POST(self):
        self.head(202, 0, Location=self.path + "session")

    def do_PUT(self):
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, 65536))) or left
        with open(os.path.join(STATE, "uploading"), "w", encoding="utf-8"):
            pass
        while faults().get("stall"):
            time.sleep(0.05)
        self.head(500, 0)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that hang up are what this is for."""


server = Server(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(STATE, "port.new"), "w", encoding="utf-8") as out:
    out.write(str(server.server_address[1]))
os.rename(os.path.join(STATE, "port.new"), os.path.join(STATE, "port"))
server.serve_forever()
