#!/usr/bin/env python3
"""`perennial serve` is killed (SIGKILL) fifty times while clients post, over one data folder. After each restart every
event that was answered with 200 is there once; what was not answered is posted again and is then there once as well.
Usage: kill_server_test.py PATH-OF-PERENNIAL. Standard library only; the server on loopback, every wait bounded.
(A kill keeps the system's page cache: power cuts are server/durability_test.cc's matter.)"""

import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

PROGRAM = Path(sys.argv.pop(1)).resolve()
KILLS = 50
CLIENTS = 2
PATIENCE = 30  # seconds


class Server:
    """A running `perennial serve` on a free port."""

    def __init__(self, data):
        self.process = subprocess.Popen([str(PROGRAM), "serve", "--data", str(data), "--port", "0", "--no-key"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        banner = self.process.stdout.readline()  # printed when requests are answered
        self.port = int(banner.split("http://127.0.0.1:")[1])

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"{}")
        finally:
            connection.close()

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()


class Poster(threading.Thread):
    """Posts as one user, in batches of three and single events, until the connection breaks."""

    def __init__(self, server, user):
        super().__init__()
        self.server = server
        self.user = user
        self.acknowledged = []
        self.unanswered = []  # of the request that the kill cut off

    def events(self, number):
        count = 3 if number % 2 else 1
        return [{"type": "track", "messageId": f"{self.user}-{number}-{i}", "userId": self.user, "event": "Product Viewed",
                 "properties": {"product_id": f"{self.user}-{number}-{i}"}} for i in range(count)]

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        number = 0
        try:
            while True:
                self.unanswered = self.events(number)
                connection.request("POST", "/v1/batch", json.dumps({"batch": self.unanswered}))
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    return
                self.acknowledged += [event["messageId"] for event in self.unanswered]
                number += 1
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


class KillServer(unittest.TestCase):
    def history_of(self, server, user):
        status, body = server.call("GET", f"/v1/users/{user}?limit=500")
        return [event["item_id"] for event in body["history"]] if status == 200 else []

    def expect_once(self, server, poster):
        """In the state, which keeps the newest 512 of a user."""
        history = self.history_of(server, poster.user)
        self.assertEqual(len(history), len(set(history)), "an event is there twice")
        possible = poster.acknowledged + [event["messageId"] for event in poster.unanswered]
        self.assertLessEqual(set(history), set(possible))
        lost = set(poster.acknowledged[-400:]) - set(history)
        self.assertFalse(lost, f"{len(lost)} acknowledged events are lost")

    def test_acknowledged_events_are_there_once_after_fifty_kills(self):
        draw = random.Random(5)
        acknowledged = log_end = 0
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder) / "data")
            for kill in range(KILLS):
                posters = [Poster(server, f"user-{kill}-{client}") for client in range(CLIENTS)]
                for poster in posters:
                    poster.start()
                time.sleep(draw.uniform(0.002, 0.15))
                server.kill()
                for poster in posters:
                    poster.join(PATIENCE)
                server = Server(Path(folder) / "data")
                for poster in posters:
                    self.expect_once(server, poster)
                    if poster.unanswered:
                        status, _ = server.call("POST", "/v1/batch", {"batch": poster.unanswered})
                        self.assertEqual(status, 200)
                    poster.acknowledged += [event["messageId"] for event in poster.unanswered]
                    poster.unanswered = []
                    self.expect_once(server, poster)
                    acknowledged += len(poster.acknowledged)
                # One record an event and nothing else: a lost or doubled one would show here, however long the history.
                log_end = self.log_end(server)
                self.assertEqual(log_end, acknowledged)
            server.kill()
        self.assertGreater(acknowledged, 20 * KILLS, "the servers were killed before they did anything")

    def log_end(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return next(int(float(line.split()[1])) for line in text.splitlines() if line.startswith("perennial_log_offset"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
