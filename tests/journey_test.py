#!/usr/bin/env python3
"""Journeys over the programs, as a person would run them: import, train, evaluate, recommend, serve, erase; and what bad
input gets. Usage: journey_test.py PATH-OF-PERENNIAL. Standard library only; servers on loopback, every wait bounded."""

import csv
import gzip
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = Path(sys.argv.pop(1)).resolve()
DONE, FAILED, USAGE, STOPPED, PRECONDITION = range(5)


def run(*arguments, program=PROGRAM, **options):
    """The finished process: returncode, stdout, stderr."""
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=170, check=False, **options)


class Journey(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.data = self.path / "data"

    def tearDown(self):
        self.folder.cleanup()

    def run_ok(self, *arguments):
        done = run(*arguments, cwd=self.path)
        self.assertEqual(done.returncode, DONE, done.stderr + done.stdout)
        return done.stdout

    def wait_for(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.1)
        self.fail("waited too long")

    def write(self, name, content):
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def sequences(self, users=150, items=24):
        """Lines in which four of five items are followed by the next one: there is something to learn."""
        draw = random.Random(7)
        lines = []
        for user in range(users):
            item = draw.randrange(items)
            line = [f"u{user}"]
            for _ in range(draw.randrange(6, 14)):
                line.append(f"i{item}")
                item = (item + 1) % items if draw.random() < 0.8 else draw.randrange(items)
            lines.append(" ".join(line))
        return "\n".join(lines) + "\n"


class WholeLoop(Journey):
    TRAIN = ("--width", "16", "--heads", "2", "--members", "2", "--max-epochs", "3", "--batch-tokens", "256")

    def test_from_a_file_to_a_recommendation_and_back(self):
        file = self.write("events.txt", self.sequences())
        self.run_ok("import", "--data", self.data, file)
        rows = json.loads(self.run_ok("status", "--data", self.data, "--json"))["log_end"]
        self.assertIn("already imported", self.run_ok("import", "--data", self.data, file))
        self.assertEqual(json.loads(self.run_ok("status", "--data", self.data, "--json"))["log_end"], rows)

        report = json.loads(self.run_ok("train", "--data", self.data, "--holdout", "leave-one-out", "--json", *self.TRAIN))
        self.assertTrue(report["finished"])
        table = json.loads(self.run_ok("evaluate", "--data", self.data, "--protocol", "leave-one-out", "--json"))
        self.assertEqual((table["protocol"], table["k"], table["items"]), ("leave-one-out", 10, 24))
        self.assertEqual(table["users"] + table["dropped_repeats"], 150)
        by_model = {row["model"]: row for row in table["rows"]}
        self.assertEqual(set(by_model), {"transformer", "popularity", "markov", "item-knn", "ease"})
        self.assertGreater(by_model["transformer"]["ndcg@10"], by_model["popularity"]["ndcg@10"])
        best = max((row for row in table["rows"] if row["model"] != "transformer"), key=lambda row: row["ndcg@10"])
        gain, = table["comparisons"]
        self.assertEqual((gain["model"], gain["against"]), ("transformer", best["model"]))
        self.assertAlmostEqual(gain["ndcg@10"], by_model["transformer"]["ndcg@10"] - best["ndcg@10"], places=6)
        told = self.run_ok("evaluate", "--data", self.data, "--no-baselines", "--inputs", "request")
        self.assertIn("when and on which device the next event comes", told)
        self.assertEqual(table["inputs"], "history")
        refused = run("evaluate", "--data", self.data, "--inputs", "all")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--inputs must be history, traits or request, not 'all'", refused.stderr)

        shown = json.loads(self.run_ok("recommend", "--data", self.data, "--json", "u3"))
        self.assertEqual(shown["items"][0]["source"], "transformer")
        for unknown in ("nobody", ""):
            self.assertIn(json.loads(self.run_ok("recommend", "--data", self.data, "--json", unknown))["fallback"], ("unknown_user",))
        lists = self.path / "lists.jsonl"
        self.run_ok("recommend", "--data", self.data, "--all", lists, "--count", "4", "--filter", '{"not": {"brand": "acme"}}')
        lines = [json.loads(line) for line in lists.read_text().splitlines()]
        self.assertEqual(len({line["user_id"] for line in lines}), len(lines))
        self.assertTrue(all(len(line["items"]) == 4 for line in lines))
        self.assertIn("--filter", run("recommend", "--data", self.data, "--filter", "[").stderr)
        self.serve_learn_and_swap()
        told = json.loads(self.run_ok("feedback", "--data", self.data, "--by", "all", "--json"))["rows"]
        self.assertEqual(told[0]["clicked"], 1)
        self.assertGreater(told[0]["shown"], 4 * len(lines))

    def serve_learn_and_swap(self):
        key = json.loads(self.run_ok("key", "create", "--data", self.data, "--json"))["key"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen([str(PROGRAM), "serve", "--data", str(self.data), "--port", str(port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def call(path, body=None, method=None):
                request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method,
                                                 data=None if body is None else json.dumps(body).encode(),
                                                 headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return json.loads(reply.read() or b"{}")

            self.wait_for(lambda: call("/readyz") is not None)
            before = call("/v1/recommend", {"user_id": "u3", "count": 3})
            liked = before["items"][0]["item_id"]
            call("/v1/track", {"userId": "u3", "event": "Product Viewed",
                               "properties": {"product_id": liked, "recommendation_id": before["recommendation_id"]}})
            after = call("/v1/recommend", {"user_id": "u3", "count": 3})
            self.assertNotIn(liked, [item["item_id"] for item in after["items"]])
            second_writer = run("import", "--data", self.data, self.write("more.txt", "x i1 i2\n"), cwd=self.path)
            self.assertEqual(second_writer.returncode, PRECONDITION)
            self.assertIn("locked", second_writer.stderr)

            model = json.loads(self.run_ok("train", "--data", self.data, "--json", "--seed", "2", *self.TRAIN))["model"]
            self.wait_for(lambda: call("/v1/recommend", {"user_id": "u3"})["model"] == model)
            call("/v1/users/u5", method="DELETE")
            with self.assertRaises(urllib.error.HTTPError) as gone:
                call("/v1/users/u5")
            self.assertEqual(gone.exception.code, 404)
        finally:
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(timeout=30), 0)
        self.run_ok("erase", "--data", self.data, "u7")
        self.assertEqual(run("erase", "--data", self.data, "u7").returncode, PRECONDITION)

    def test_a_model_that_has_seen_the_answers_is_not_judged_on_them(self):
        self.run_ok("import", "--data", self.data, self.write("events.txt", self.sequences(40)))
        self.run_ok("train", "--data", self.data, "--holdout", "none", *self.TRAIN)
        refused = run("evaluate", "--data", self.data, "--protocol", "leave-one-out")
        self.assertEqual(refused.returncode, PRECONDITION)
        self.assertIn("has seen", refused.stderr)


    def test_training_keeps_to_its_limits_and_tells_what_is_wrong_with_them(self):
        self.run_ok("import", "--data", self.data, self.write("events.txt", self.sequences(40)))
        for flags, told in ((("--budget", "5x"), "--budget '5x'"), (("--memory", "much"), "--memory 'much'"),
                            (("--memory", "1M"), "more than --memory allows"), (("--heads", "3"), "train.heads 3")):
            refused = run("train", "--data", self.data, *flags)
            self.assertNotEqual(refused.returncode, DONE, flags)
            self.assertIn(told, refused.stderr)
        held = run("train", "--data", self.data, "--json", "--budget", "1s", "--max-epochs", "10000", "--patience", "1000", *self.TRAIN[:4])
        self.assertEqual(held.returncode, DONE, held.stderr)
        self.assertIn("in the budget", held.stderr)
        self.assertLess(json.loads(held.stdout)["epochs"], 10000)
        self.assertIn("Slow:", held.stderr)  # heads of 8 numbers
        self.assertIn("items start near their neighbours", held.stderr)  # a budget may end it early
        at_random = run("train", "--data", self.data, "--start", "random", *self.TRAIN)
        self.assertEqual(at_random.returncode, DONE, at_random.stderr)
        self.assertNotIn("neighbours", at_random.stderr)


class WhileItServes(Journey):
    def test_the_configuration_is_read_again_when_it_changes(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", "user_id,item_id,timestamp\nu,a,2026-01-01\nv,b,2026-01-02\n"))
        config = self.data / "perennial.toml"
        settings = '[objectives]\nenabled = {}\n[server]\nlog_format = "json"\naccess_log = "{}"\nport = {}\n'
        config.write_text(settings.format("false", "off", 0))
        told = self.path / "told"
        with told.open("w") as standard_error:
            server = subprocess.Popen([str(PROGRAM), "serve", "--data", str(self.data), "--no-key"], stdout=subprocess.PIPE,
                                      stderr=standard_error, text=True)
        try:
            url = next(word for line in server.stdout for word in line.split() if word.startswith("http://"))

            def get(path):
                with urllib.request.urlopen(url + path, timeout=20) as reply:
                    return reply.read().decode()

            def why():
                return json.loads(get("/v1/recommend?user_id=u"))["objective"]["why"]

            def lines():
                return [json.loads(line) for line in told.read_text().splitlines()]

            self.assertEqual(why(), "off")
            time.sleep(2.5)
            self.assertFalse(any("read again" in line.get("message", "") for line in lines()))
            config.write_text(settings.format("true", "all", 7))
            self.wait_for(lambda: why() != "off")
            self.assertTrue(any(line.get("route") == "GET /v1/recommend" and line["status"] == 200 for line in lines()))
            self.assertTrue(any("server.port will be '7' from the next start on" in line.get("message", "") for line in lines()))
            config.write_text("[objectives]\nenabled = perhaps\n")
            self.wait_for(lambda: "perennial_config_loads_failed_total 1" in get("/metrics"))
            self.assertNotEqual(why(), "off")
            self.assertTrue(any("stays as it was" in line.get("message", "") and line["level"] == "error" for line in lines()))
        finally:
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(timeout=30), 0)
            server.stdout.close()


class ReadOnly:
    """A folder into which nobody but root may write, while this holds."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        for path in self.folder.iterdir():
            path.chmod(0o444)
        self.folder.chmod(0o555)

    def __exit__(self, *_):
        self.folder.chmod(0o755)
        for path in self.folder.iterdir():
            path.chmod(0o644)


class Lifecycle(Journey):
    EVENTS = ("user_id,item_id,event,timestamp,price\nann,i1,Product Viewed,2025-01-01,\nann,i1,Order Completed,2025-01-02,20\n"
              "bob,i1,Product Viewed,2025-01-03,\nann,i2,Order Completed,2025-02-01,30\n")

    def test_where_users_stand_and_how_they_came_there(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        early = json.loads(self.run_ok("lifecycle", "report", "--data", self.data, "--at", "2025-01-10", "--json"))
        self.assertEqual({row["stage"]: row["users"] for row in early["stages"]},
                         {"acquisition": 1, "activation": 1, "retention": 0, "expansion": 0, "advocacy": 0})
        ann = json.loads(self.run_ok("lifecycle", "user", "ann", "--data", self.data, "--at", "2025-07-01", "--json"))
        self.assertEqual((ann["stage"], ann["overlay"]), ("retention", "churned"))
        self.assertEqual([(change["time"][:10], change["stage"], change["overlay"], change["cause"]) for change in ann["transitions"]],
                         [("2025-01-02", "activation", "none", "Order Completed"), ("2025-02-01", "retention", "none", "Order Completed"),
                          ("2025-04-02", "retention", "at_risk", "silence"), ("2025-06-01", "retention", "churned", "silence")])
        self.assertIn("Without another event", self.run_ok("lifecycle", "user", "ann", "--data", self.data, "--at", "2025-03-01"))
        self.assertEqual(run("lifecycle", "user", "nobody", "--data", self.data).returncode, PRECONDITION)

    REPORTS = ("stages", "flows", "activity", "stickiness", "rfm", "activation", "behaviours", "revenue", "revenue-by-cohort")

    def rows(self, *arguments, at="2025-03-01"):
        report = json.loads(self.run_ok("lifecycle", *arguments, "--data", self.data, "--at", at, "--json"))
        return {row.get("from", next(iter(row.values()))): row for row in report["rows"]}

    def test_the_reports_say_what_happened(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        activity = self.rows("report", "activity")
        self.assertEqual((activity["2025-01"]["new"], activity["2025-02"]["returning"], activity["2025-02"]["dormant"]), (2, 1, 1))
        self.assertEqual(activity["2025-02"]["churn_rate"], 0.5)
        self.assertEqual(self.rows("cohorts")["2025-01"]["month_1"], 0.5)
        self.assertEqual(self.rows("cohorts", "--variant", "on-or-after", "--signal", "value")["2025-01"]["month_0"], 0.5)
        flows = self.rows("report", "flows", "--since", "2025-01-10", at="2025-02-10")
        self.assertEqual((flows["activation"]["retention"], flows["acquisition"]["acquisition"], flows["all"]["users"]), (1, 1, 2))
        revenue = self.rows("report", "revenue")
        self.assertEqual((revenue["2025-01"]["acquisition"], revenue["2025-02"]["activation"]), (20, 30))
        self.assertEqual(self.rows("report", "revenue-by-cohort")["2025-01"]["per_user"], 25)
        self.assertEqual(self.rows("report", "activation")["all"]["activated"], 1)
        self.assertEqual(self.rows("report", "stages")["2025-02-01"]["retention"], 1)
        self.assertEqual([(user["user_id"], user["money"]) for user in self.rows("users", "--stage", "retention").values()], [("ann", 50)])
        self.assertNotIn("ann", self.rows("users", "--overlay", "at_risk"))
        self.assertIn("newest event is of 2025-02-01; for that time ask with --at 2025-02-02",
                      run("lifecycle", "report", "--data", self.data).stderr)

    ACTIONS = '''
[actions.voucher]
channel = "email"
goal = "value"
worth = 25
expected_effect = 0.1
traits = "email"
[actions.picks]
channel = "email"
kind = "slate"
items = 3
goal = "value"
worth = 25
expected_effect = 0.05
traits = "email"
[arbiter]
holdout_share = 0.3
'''

    def test_visitors_react_to_what_the_arbiter_decides_and_the_gain_is_measured(self):
        shop = ("simulate", "--users", 300, "--items", 120, "--months", 4, "--campaigns", "--campaign-months", 3)
        self.run_ok(*shop, self.path / "shop")
        before = {path.name: path.read_bytes() for path in (self.path / "shop").glob("events-*.jsonl")}
        self.run_ok("import", "--data", self.data, self.path / "shop/items.jsonl", *sorted(self.path.glob("shop/events-2025-0[1-3].jsonl")))
        config = ("--config", self.write("actions.toml", self.ACTIONS), "--data", self.data)
        plan = json.loads(self.run_ok("lifecycle", "actions", *config, "--at", "2025-04-10", "--json"))
        chosen = [decision for decision in plan["decisions"] if decision["action"] == "voucher" and not decision["drawn"]]
        self.assertGreater(len(chosen), 50)
        given = "".join(json.dumps({"user_id": one["user_id"], "action": "voucher", "decided_at": plan["at"]}) + "\n" for one in chosen)
        self.run_ok(*shop, "--given", self.write("given.jsonl", given), self.path / "shop")
        after = {path.name: path.read_bytes() for path in (self.path / "shop").glob("events-*.jsonl")}
        self.assertEqual([name for name in sorted(before) if before[name] != after[name]], ["events-2025-04.jsonl"])
        self.run_ok("import", "--data", self.data, self.path / "shop/events-2025-04.jsonl")
        self.assertIn("knows no action 'tea'", run(*shop, "--given", self.write("tea.jsonl", given.replace("voucher", "tea")), "other",
                                                   cwd=self.path).stderr)

        advice = json.loads(self.run_ok("lifecycle", "actions", chosen[0]["user_id"], *config, "--json"))
        self.assertEqual([step["action"] for step in advice["ranked"]], ["voucher", "picks", "picks", "picks"])
        self.assertTrue(all(step["item"]["item_id"] for step in advice["ranked"][1:]))
        gain = json.loads(self.run_ok("lifecycle", "gain", *config, "--since", "2025-03-01", "--at", "2025-05-01", "--json"))
        self.assertEqual(set(gain["measures"]), {"retained", "converted", "revenue"})
        self.assertAlmostEqual(gain["users_held_out"] / (gain["users_held_out"] + gain["users_acted_on"]), 0.3, delta=0.1)
        campaigns = {action["name"]: action for action in gain["actions"]}
        self.assertEqual(set(campaigns), {"letter", "nag", "voucher"})
        self.assertEqual(campaigns["voucher"]["given"], campaigns["voucher"]["drawn"])
        self.assertGreater(campaigns["voucher"]["draws"], 100)
        self.assertEqual(set(campaigns["voucher"]["measures"]), {"retained", "converted", "revenue"})
        self.assertNotIn("measures", campaigns["nag"], "it is not declared")

    def test_money_is_named_as_it_came(self):
        rows = "user_id,item_id,event,timestamp,price,currency\nann,i1,Order Completed,2025-01-02,20,EUR\n"
        self.run_ok("import", "--data", self.data, self.write("euros.csv", rows))
        line = ("lifecycle", "report", "revenue", "--data", self.data, "--at", "2025-03-01")
        self.assertIn("all EUR", self.run_ok(*line))
        self.run_ok("import", "--data", self.data, self.write("yen.csv", rows.replace("EUR", "JPY").replace("ann", "bob")))
        self.assertIn("Amounts are in EUR, JPY", self.run_ok(*line))

    def test_a_plan_tells_who_would_move_and_changes_nothing(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        line = ("lifecycle", "plan", "--data", self.data, "--at", "2025-03-01")
        new = self.write("new.toml", '[lifecycle.stages]\nretention = "value >= 3 within 1y"\n')
        plan = json.loads(self.run_ok(*line, new, "--json"))
        self.assertEqual((plan["users"], plan["other_stage"]), (2, 1))
        self.assertEqual(plan["moves"], [{"from": "retention", "to": "activation", "users": 1}])
        self.assertEqual(plan["movers"][0]["user_id"], "ann")
        text = self.run_ok(*line, new)
        self.assertIn("1 of 2 users would stand elsewhere", text)
        self.assertIn("ann", text)
        same = self.write("same.toml", "")
        self.assertIn("0 of 2 users", self.run_ok(*line, same))

    def test_bad_definitions_point_at_the_line(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        for text, place, reason in (
                ('[lifecycle.signals]\nvalue = "Order Complete"\n', ":2: ", "the nearest is 'Order Completed'"),
                ('[lifecycle.stages]\n\nretention = "activation >= 1"\n', ":3: ", "is a stage"),
                ('[lifecycle]\nat_risk_after = "90d"\nchurned_after = "60d"\n', ":3: ", "lifecycle.churned_after: it must be longer"),
                ('[lifecycle.stages]\nactivation = "value >= 2 within 1y"\n', ":2: ", "nobody would ever be in it")):
            bad = self.write("bad.toml", text)
            done = run("lifecycle", "plan", "--data", self.data, bad)
            self.assertEqual(done.returncode, USAGE, done.stderr)
            self.assertIn(f"{bad}{place}", done.stderr)
            self.assertIn(reason, done.stderr)

    def test_forecasts_are_fitted_kept_and_asked(self):
        shop = self.path / "shop"
        self.run_ok("simulate", shop, "--users", "600", "--months", "6", "--items", "200")
        self.run_ok("import", "--data", self.data, *sorted(shop.glob("events-*.jsonl")))
        fitted = json.loads(self.run_ok("lifecycle", "forecast", "--data", self.data, "--at", "2025-07-01", "--fit", "--json"))
        self.assertTrue((self.data / "forecasts.json").exists())
        kept = json.loads(self.run_ok("lifecycle", "forecast", "--data", self.data, "--at", "2025-07-01", "--json"))
        self.assertEqual([(one["name"], one.get("chosen")) for one in kept["questions"]],
                         [(one["name"], one.get("chosen")) for one in fitted["questions"]])
        self.assertIn("Brier skill", self.run_ok("lifecycle", "forecast", "--data", self.data, "--at", "2025-07-01"))
        user = json.loads(self.run_ok("lifecycle", "users", "--data", self.data, "--at", "2025-07-01", "--limit", "1", "--json"))
        name = user["rows"][0]["user_id"]
        told = json.loads(self.run_ok("lifecycle", "forecast", name, "--data", self.data, "--at", "2025-07-01", "--json"))
        answers = {answer["question"]: answer for answer in told["forecasts"]}
        self.assertTrue(0 < answers["return_7d"]["value"] < 1)
        self.assertIn("brier_skill", answers["return_7d"]["quality"])
        self.assertIn("240", answers["churn"]["reason"])
        everyone = self.run_ok("lifecycle", "forecast", "--everyone", "--data", self.data, "--at", "2025-07-01", "--csv").splitlines()
        self.assertEqual(len(everyone), 1 + 600)
        self.assertTrue(everyone[0].startswith("user_id,stage,overlay,activate_30d,return_7d"), everyone[0])
        self.assertIn("Still silent after", self.run_ok("lifecycle", "forecast", name, "--data", self.data, "--at", "2025-07-01"))

    def test_every_report_as_text_json_and_csv(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        for words in [("report",), ("cohorts",), ("users",)] + [("report", name) for name in self.REPORTS]:
            for at in ("2025-02-15", "2020-01-01"):
                line = ("lifecycle", *words, "--data", self.data, "--at", at)
                self.assertIn("\n\n", self.run_ok(*line), words)
                json.loads(self.run_ok(*line, "--json"))
                done = subprocess.run([PROGRAM, *line, "--csv"], capture_output=True, check=True)
                rows = list(csv.reader(done.stdout.decode().split("\r\n")[:-1], strict=True))
                self.assertEqual({len(row) for row in rows}, {len(rows[0])}, words)
                self.assertTrue(at == "2025-02-15" or len(rows) == 1 or words[-1] == "flows", words)

    def test_reports_that_cannot_be_made_say_why(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", "user_id,item_id,event\nann,i1,Product Viewed\n"))
        for words in [("report",), ("cohorts",), ("users",)] + [("report", name) for name in self.REPORTS]:
            done = run("lifecycle", *words, "--data", self.data)
            self.assertEqual(done.returncode, PRECONDITION, words)
            self.assertIn("timestamp column", done.stderr, words)
        for words, complaint in ((("cohorts", "--signal", "orders"), "the definition has active"), (("cohorts", "--by", "year"), "--by"),
                                 (("users", "--stage", "loyal"), "acquisition, activation"), (("report", "nonsense"), "nonsense"),
                                 (("report", "rfm", "--json", "--csv"), "--csv")):
            done = run("lifecycle", *words, "--data", self.data)
            self.assertEqual(done.returncode, USAGE, words)
            self.assertIn(complaint, done.stderr, words)

    def test_a_definition_of_ones_own_and_what_is_wrong_with_one(self):
        self.run_ok("import", "--data", self.data, self.write("events.csv", self.EVENTS))
        own = self.write("own.toml", '[lifecycle.stages]\nactivation = "active >= 1"\n')
        report = json.loads(self.run_ok("lifecycle", "report", "--data", self.data, "--config", own, "--at", "2025-01-10", "--json"))
        self.assertEqual(report["stages"][1]["users"], 2)
        bad = self.write("bad.toml", '[lifecycle.stages]\nretention = "orders >= 2"\n')
        done = run("lifecycle", "report", "--data", self.data, "--config", bad)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("lifecycle.stages.retention: 'orders' at character 1", done.stderr)


class BadInput(Journey):
    def refuse(self, content, words, name="bad.csv", code=USAGE):
        done = run("import", "--data", self.data, self.write(name, content), cwd=self.path)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertIn(words, done.stderr)

    def test_files_that_cannot_be_read_say_why(self):
        self.refuse("", "empty")
        self.refuse("colour,size\nred,1\n", "user_id")
        self.refuse(b"\xff\xfe\x00u", "UTF-16")
        missing = run("import", "--data", self.data, self.path / "nothing.csv")
        self.assertEqual(missing.returncode, PRECONDITION)

    def test_bad_rows_are_set_aside_and_good_ones_kept(self):
        rows = ("user_id,item_id,event,timestamp\nu1,i1,view,2026-01-01\nu1,i2,view,2999-01-01\n,i3,view,2026-01-01\n"
                "-5,i1,view,2026-01-01\nu2,i2,view,yesterday\nu3,i3,view,2026-01-02\n")
        report = json.loads(self.run_ok("import", "--data", self.data, "--json", self.write("mixed.csv", rows)))[0]
        self.assertEqual((report["kept"], report["rejected"]), (2, 4))
        rejects = (self.path / report["rejects_file"]).read_text()
        for line in ("3\t", "4\t", "5\t", "6\t"):
            self.assertIn("\n" + line, rejects)
        strict = run("import", "--data", self.path / "other", "--strict", self.path / "mixed.csv", cwd=self.path)
        self.assertEqual(strict.returncode, USAGE)
        self.assertIn("line 3", strict.stderr)

    def test_a_truncated_gzip_puts_nothing_in_and_the_whole_one_each_row_once(self):
        rows = "user_id,item_id,event\n" + "".join(f"u{i},i{i % 9},view\n" for i in range(20_000))
        packed = gzip.compress(rows.encode())
        file = self.write("cut.csv.gz", packed[: len(packed) * 2 // 3])
        done = run("import", "--data", self.data, file, cwd=self.path)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("cut short", done.stderr)
        self.run_ok("import", "--data", self.data, self.write("cut.csv.gz", packed))
        self.assertEqual(json.loads(self.run_ok("status", "--data", self.data, "--json"))["log_end"], 20_000)

    def test_a_pipe_is_refused_at_once(self):
        os.mkfifo(self.path / "pipe")
        done = run("import", "--data", self.data, self.path / "pipe", cwd=self.path)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("write it to a file first", done.stderr)

    def test_a_read_only_folder_is_named_and_loses_nothing(self):
        events = self.write("e.csv", "user_id,item_id,event\nu1,i1,view\nu2,i2,view\n")
        self.run_ok("import", "--data", self.data, events)
        before = {path.name: path.read_bytes() for path in self.data.iterdir()}
        more = self.write("more.csv", "user_id,item_id,event\nu3,i1,view\n")
        self.path.chmod(0o755)
        # Root may write anywhere, so it steps down; and another user may not reach where the programs were built.
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        program = self.path / "perennial"
        for built in (PROGRAM, PROGRAM.with_name("perennial-train")):
            shutil.copy(built, self.path)
        with ReadOnly(self.data):
            for command in (("import", more), ("import", "--rejects", "/dev/null", more), ("serve", "--port", "0"), ("train",)):
                done = run(command[0], "--data", self.data, *command[1:], program=program, cwd=self.path, **nobody)
                self.assertEqual(done.returncode, PRECONDITION, (command, done.stderr))
                self.assertIn(str(self.data), done.stderr, command)
            for command in ("status", "recommend"):
                done = run(command, "--data", self.data, program=program, cwd=self.path, **nobody)
                self.assertEqual(done.returncode, DONE, (command, done.stderr))
        self.assertEqual({path.name: path.read_bytes() for path in self.data.iterdir()}, before)
        self.run_ok("import", "--data", self.data, more)
        self.assertEqual(json.loads(self.run_ok("status", "--data", self.data, "--json"))["log_end"], 3)

    def test_a_full_disk_is_named_and_loses_nothing(self):
        events = self.write("e.csv", "user_id,item_id,event\n" + "".join(f"u{i},i{i % 9},view\n" for i in range(50_000)))
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        full = run("import", "--data", self.data, events, cwd=self.path, preexec_fn=small_files)
        self.assertEqual(full.returncode, FAILED, full.stderr)
        self.run_ok("import", "--data", self.data, events)
        self.assertEqual(json.loads(self.run_ok("status", "--data", self.data, "--json"))["log_end"], 50_000)

    def test_commands_without_their_data_say_what_to_do(self):
        for command in ("train", "evaluate", "status", "recommend"):
            done = run(command, "--data", self.data)
            self.assertEqual(done.returncode, PRECONDITION, command)
            self.assertIn("import", done.stderr, command)
        self.run_ok("import", "--data", self.data, self.write("e.csv", "user_id,item_id,event\nu1,i1,view\n"))
        done = run("evaluate", "--data", self.data)
        self.assertEqual(done.returncode, PRECONDITION)
        self.assertIn("train", done.stderr)

    def test_serving_beyond_loopback_needs_a_flag(self):
        done = run("serve", "--data", self.data, "--bind", "0.0.0.0", "--port", "0")
        self.assertEqual(done.returncode, PRECONDITION)
        self.assertIn("--expose", done.stderr)

    def test_the_configuration_is_checked(self):
        bad = self.write("bad.toml", "[server]\nprot = 1\n")
        done = run("config", "check", "--config", bad)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("server.port", done.stderr)
        good = self.write("good.toml", "[server]\nport = 1234\n")
        listed = {entry["name"]: entry for entry in json.loads(self.run_ok("config", "show", "--json", "--config", good))}
        self.assertEqual(listed["server.port"]["value"], "1234")


class Separation(unittest.TestCase):
    def test_the_serving_program_does_not_load_libtorch(self):
        libraries = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("libtorch", libraries)
        self.assertIn("libsqlite3", libraries)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "2"
    unittest.main(verbosity=2)
