#!/usr/bin/env python3
"""`perennial serve` is killed (SIGKILL) again and again while it hands actions over to a webhook that hangs, breaks off, lies and says
no. Nothing that was decided is lost, nothing is done twice by a receiver that keeps the keys, and what was refused is listed.
Usage: kill_actions_test.py PATH-OF-PERENNIAL. Standard library only; all on loopback, every wait bounded."""

import http.client
import http.server
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import hashlib
import hmac
from pathlib import Path

PROGRAM = Path(sys.argv.pop(1)).resolve()
KILLS = 12
USERS = 400
PATIENCE = 30  # seconds
SECRET = "a secret of this test"
CONFIG = """
[arbiter]
holdout_share = 0
explore_share = 0.2
plan_minutes = 1
webhook_timeout_ms = 300

[actions.letter]
channel = "mail"
goal = "value"
worth = 10
expected_effect = 0.1
repeat = "1 per 365d"
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Does what it is asked once a key. Often it gives no answer, or a wrong one, to what it has done."""
    draw = random.Random(3)
    lock = threading.Lock()
    bodies = {}    # by key
    refused = set()
    problems = []
    calm = False

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        with self.lock:
            self.check(key, body)
            user = int(json.loads(body)["user_id"][1:])
            if user % 10 == 0:
                self.refused.add(key)
                return self.answer(410)
            how = "good" if self.calm else self.draw.choice(["good", "good", "hangs", "500", "429", "half", "closes", "garbage"])
            if how in ("good", "hangs", "half", "closes", "garbage"):
                self.bodies[key] = body
        if how == "good":
            self.answer(200)
        elif how == "hangs":
            time.sleep(0.6)
        elif how == "500":
            self.answer(500)
        elif how == "429":
            self.answer(429, {"Retry-After": "1"})
        elif how == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif how == "garbage":
            self.wfile.write(b"all is well\r\n\r\n")

    def check(self, key, body):
        stamp, signature = (part.split("=", 1)[1] for part in self.headers["Perennial-Signature"].split(","))
        expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            self.problems.append(f"a wrong signature for {key}")
        if self.bodies.get(key, body) != body:
            self.problems.append(f"another body for {key}")
        if json.loads(body)["action_id"] != key:
            self.problems.append(f"another key for {key}")

    def answer(self, status, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server:
    def __init__(self, data, port):
        environment = os.environ | {"PERENNIAL_ARBITER_WEBHOOK": f"http://127.0.0.1:{port}/hooks", "PERENNIAL_ARBITER_WEBHOOK_SECRET": SECRET}
        self.process = subprocess.Popen([str(PROGRAM), "serve", "--data", str(data), "--port", "0", "--no-key"], env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline().split("http://127.0.0.1:")[1])

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def waiting(self):
        text = self.call("GET", "/metrics")[1].decode()
        return int(text.split("\nperennial_actions_waiting ")[1].split()[0])

    def end(self, kill):
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()


class KillActions(unittest.TestCase):
    def test_what_was_decided_is_done_once_whatever_happens(self):
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        web.daemon_threads = True
        threading.Thread(target=web.serve_forever, daemon=True).start()
        draw = random.Random(4)
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            (data / "perennial.toml").write_text(CONFIG)
            server = Server(data, web.server_port)
            batch = [{"type": "track", "userId": f"u{i}", "event": "Product Viewed", "properties": {"product_id": "p"}} for i in range(USERS)]
            self.assertEqual(server.call("POST", "/v1/batch", {"batch": batch})[0], 200)
            started = time.monotonic()
            while server.waiting() == 0 and not Receiver.bodies:  # the first plan comes some seconds after the start
                self.assertLess(time.monotonic(), started + PATIENCE)
                time.sleep(0.02)
            for _ in range(KILLS):
                time.sleep(draw.uniform(0.05, 0.5))
                server.end(kill=True)
                server = Server(data, web.server_port)
            Receiver.calm = True
            decided = self.decided(data)
            self.assertGreater(len(decided), USERS * 0.7)
            while server.waiting() > 0:
                self.assertLess(time.monotonic(), started + 4 * PATIENCE)
                time.sleep(0.1)
            letters = json.loads(server.call("GET", "/v1/actions/dead-letters")[1])["dead_letters"]
            server.end(kill=False)
            decided = self.decided(data)
        web.shutdown()
        web.server_close()
        self.assertEqual(Receiver.problems, [])
        self.assertEqual({letter["action_id"] for letter in letters}, Receiver.refused)
        self.assertGreater(len(letters), 10)
        self.assertEqual(set(decided) - Receiver.refused, set(Receiver.bodies), "each is done, and nothing else")
        users = [json.loads(body)["user_id"] for body in Receiver.bodies.values()]
        self.assertEqual(len(users), len(set(users)), "a user was written to twice")

    @staticmethod
    def decided(data):
        """Ids of the actions in the log, those that were drawn to be nothing left out."""
        with sqlite3.connect(f"file:{data / 'log.db'}?mode=ro", uri=True) as log:
            bodies = [json.loads(body) for body, in log.execute("SELECT body FROM records WHERE kind = 7")]
        return [body["action_id"] for body in bodies if body["name"] != "nothing"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
