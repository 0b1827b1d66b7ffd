"""The conformance kit: our own gateway and the examples keep every rule of PROTOCOL.md, and for each
rule a gateway that breaks it is found out. The wrong ones are the example with one thing changed."""

import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, PATIENCE, ROOT, main  # noqa: E402
from test_examples import EXAMPLES, node_gateway  # noqa: E402

BEGIN_MS, READINGS = 1795420800000, 150
SILENCE_S, QUIET_MS, PATIENCE_MS = 0.9 * PATIENCE, 400 * PATIENCE, 5000 * PATIENCE
RULES = range(15)
PYTHON = "/usr/bin/python3"
ARGUMENTS = ["{broker}", "{keys}", "{branch}", "{gateway}", "info", "queue.length", "READINGS",
             "{dir}/spool", str(SILENCE_S)]

# rule: what is changed in the example gateway, and into what.
WRONG = {
    0: ('"v": 1', '"v": 2'),
    1: ("sqlite3.connect(SPOOL,", 'sqlite3.connect(":memory:",'),
    2: ("number := number + 1", "number := number + 2",
        '{"lost": sent + 1, "tag": there + tag[4:]} if number > sent + 1 else {}', "{}"),
    3: ("asked, window, tries, ask_at = True, 0,", "asked, window, tries, ask_at = True, 1,"),
    4: ('one_row("UPDATE self SET epoch = ?", epoch := answer["epoch"])',
        'epoch = answer["epoch"]'),
    5: (' or answer["session"] != session', ""),
    6: ("number if asked else max(sent, number)", "max(sent, number)"),
    7: ("time.time() - 7 * 86400", "time.time() + 1"),
    8: (" or number > last or held and held[0] != there", ""),
    9: ("sent - applied < window", "sent - applied < window + 3"),
    10: ("False, 0, time.monotonic() + silence", "False, 0, time.monotonic() + 3600"),
    11: ('body = {"watermark": at + 1,', 'body = {"watermark": at + 1 - 5000 * (number % 2),'),
    12: ('"body": body}',
         '"body": msgpack.packb(msgpack.unpackb(body) | {"clock_error_ms": time.time_ns() % 999})}'),
    13: ('body = {"watermark"', 'body = {"name": "Erika Mustermann", "watermark"'),
    14: ("(mark := os.urandom(4))", "os.urandom(4)"),
}


def check(*program, more=()):
    """What the kit says of each rule, its exit status, and all that was printed."""
    words = [BUILD / "tresen-gateway", "check-peer", "--set", f"config_dir={ROOT / 'config'}",
             "--set", f"quiet_ms={QUIET_MS}", "--set", f"patience_ms={PATIENCE_MS}", *more,
             "--", *program]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=200, stdin=subprocess.DEVNULL, check=False)
    rules = {int(number): mark for number, mark in
             re.findall(r"^ *(\d+)  (pass|FAIL|not seen) ", done.stdout, re.M)}
    return rules, done.returncode, done.stdout + done.stderr[-3000:]


class CheckPeer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="tresen-peer-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        cls.readings = cls.folder / "readings"
        cls.readings.write_text("".join(f"{BEGIN_MS + 1000 * number} {number % 7}\n"
                                        for number in range(READINGS)))
        cls.arguments = [str(cls.readings) if word == "READINGS" else word for word in ARGUMENTS]

    def keeps_all(self, *program, more=()):
        rules, status, text = check(*program, more=more)
        self.assertEqual(rules, {rule: "pass" for rule in RULES}, text)
        self.assertEqual(status, 0, text)

    def test_the_python_example_keeps_every_rule(self):
        self.keeps_all(PYTHON, EXAMPLES / "python" / "gateway.py", *self.arguments)

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed")
    def test_the_node_example_keeps_every_rule(self):
        self.keeps_all(*node_gateway(), *self.arguments)

    def test_our_own_gateway_keeps_every_rule(self):
        recording, config = self.folder / "floor.jsonl", self.folder / "gateway.yaml"
        recording.write_text("".join(json.dumps({
            "t": BEGIN_MS + 1000 * number, "measure": "distance.client", "counter": "desk-1",
            "value": 1 + number % 7 / 10}) + "\n" for number in range(READINGS)))
        pause_ms = int(SILENCE_S * 1000)
        config.write_text(json.dumps({
            "branch": "musterstadt", "gateway": "floor", "config_dir": str(ROOT / "config"),
            "brokers": ["filled in"], "batch_observations": 1, "batch_linger_ms": 20,
            "idle_ask_ms": pause_ms, "answer_timeout_ms": pause_ms, "refused_wait_ms": pause_ms,
            "drivers": [{"driver": "jsonl", "path": str(recording)}]}))
        self.keeps_all(BUILD / "tresen-gateway", "--config", config, "--set",
                       'brokers=["{broker}"]', "--set", "keys_dir={keys}", "--set",
                       "spool={dir}/spool", "--set", "pseudonym_key={dir}/pseudonym.key",
                       more=("--set", "as=gateway.musterstadt.floor"))

    def test_whoever_breaks_a_rule_is_found_out(self):
        self.assertEqual(sorted(WRONG), list(RULES))
        example = (EXAMPLES / "python" / "gateway.py").read_text()

        def broken(rule):
            text = example
            for right, wrong in zip(WRONG[rule][::2], WRONG[rule][1::2]):
                self.assertEqual(text.count(right), 1, right)
                text = text.replace(right, wrong)
            program = self.folder / f"wrong{rule}.py"
            program.write_text(text)
            return check(PYTHON, program, *self.arguments)

        with concurrent.futures.ThreadPoolExecutor(len(RULES)) as several:
            found = dict(zip(RULES, several.map(broken, RULES)))
        for rule, (rules, status, text) in found.items():
            with self.subTest(rule=rule):
                self.assertEqual(rules.get(rule), "FAIL", text)
                self.assertEqual(status, 1, text)

    def test_a_program_that_is_not_there_is_named(self):
        _, status, text = check("/nowhere/at-all")
        self.assertEqual(status, 1)
        self.assertIn("/nowhere/at-all", text)

    def test_wrong_use_says_what_is_missing(self):
        _, status, text = check()
        self.assertEqual(status, 2)
        self.assertIn("-- PROGRAM", text)


if __name__ == "__main__":
    main()
