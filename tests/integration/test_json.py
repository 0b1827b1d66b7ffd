"""Every command of tresenctl speaks to machines: one JSON document with the keys that ops/ctl/JSON.md
lists, or, if it fails, a sentence on stderr and nothing on stdout."""

import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import ROOT, Case, main, until, write_yaml  # noqa: E402

BRANCH, STANDARD = "handel", "timing.wait"
NINE_MS = 1732521600000  # 2024-11-25, 09:00 in Berlin
SAID = ["--reason", "seen", "--by", "e.richter", "--seconds", "60"]

# What each is called with, in this order; "{...}" are folders and hashes of the set-up. A new command
# belongs here and into ops/ctl/JSON.md.
CALLS = {
    "status": [],
    "gateways": [BRANCH],
    "tap": [BRANCH, "--seconds", "0"],
    "wait": [BRANCH, "--seconds", "120"],
    "scorecard": [BRANCH],
    "explain": [BRANCH, "A0"],
    "audit": [BRANCH],
    "dead list": [BRANCH],
    "dead show": [BRANCH, "clients:1:900001"],
    "standards check": [],
    "doctor": [],
    "standards list": [],
    "standards explain": [BRANCH, "advice"],
    "standards trace": [STANDARD],
    "standards test": [],
    "standards diff": ["{config}", "{other}"],
    "standards try": ["{other}", "--recording", "{spool}"],
    "standards notice": [BRANCH],
    "standards phrases": [BRANCH],
    "standards publish": [],
    "standards published": [],
    "confirm": [BRANCH, "A0", STANDARD, *SAID],
    "excuse": [BRANCH, "A0", STANDARD, *SAID],
    "dispute": [BRANCH, "A0", STANDARD, *SAID],
    "withdraw": [BRANCH, "A0", STANDARD, *SAID],
    "dead replay": [BRANCH, "clients:1:900002"],
    "dead drop": [BRANCH, "clients:1:900001"],
    "seal": ["--day", "2024-11-25"],
    "rebuild": [BRANCH, "--from", "2024-11-26", "--set", "spool_days=3650"],
    "keys new": ["worker.other", "--dir", "{keys}"],
    "drain": ["w1"],
}
# Who checks wants the mistakes themselves.
TELLS_MISTAKES = {"standards check", "doctor"}
NOWHERE = ["--set", "config_dir=/nowhere", "--set", "redis_path=/nowhere", "--set", "answer_ms=100",
           "--set", "control_endpoint=ipc:///nowhere"]


def documented():
    """{command: (kind, keys)} of the tables in JSON.md."""
    rows = re.findall(r"^\| `([a-z ]+)` \| (object|array|lines) \| (.*) \|$",
                      (ROOT / "ops/ctl/JSON.md").read_text(), flags=re.M)
    return {command: (kind, set(re.findall(r"`([a-z_]+)`", keys))) for command, kind, keys in rows}


class Json(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        write_yaml(cluster.config / "branches" / f"{BRANCH}.yaml", {
            "branch": BRANCH, "name": "Handel", "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": ["desk-1"],
            "gateways": [{"gateway": "clients", "opens": True},
                         {"gateway": "office", "office": True}]})
        cluster.start_redis()
        cluster.start_broker()
        cluster.start_worker("w1")
        cls.play()
        cls.plant("clients:1:900001", "torn", b"\xc1")
        cls.plant("clients:1:900002", "crash", b"\x80")
        other = cluster.folder / "other"
        shutil.copytree(cluster.config, other)
        timing = other / "standards" / "timing.yaml"
        timing.write_text(timing.read_text().replace("severity: normal", "severity: critical", 1))
        cls.places = {"config": cluster.config, "other": other, "keys": cluster.keys,
                      "spool": cls.spool_copied()}
        cls.said = {words: cls.ctl(*words.split(), *arguments)
                    for words, arguments in CALLS.items()}

    @classmethod
    def play(cls):
        lines = [{"fact": "encounter", "id": f"A{i}", "counter": "desk-1", "offering": "cash",
                  "outcome": "normal", "issued": NINE_MS + i * 600000,
                  "started": NINE_MS + i * 600000 + wait_ms, "ended": NINE_MS + (i + 1) * 600000}
                 for i, wait_ms in enumerate((60000, 100000, 300000))]
        path = cls.cluster.folder / "clients.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        cls.cluster.start_gateway(BRANCH, "clients", [{"driver": "jsonl", "path": str(path)}])
        cls.cluster.start_gateway(BRANCH, "office", [
            {"driver": "decisions", "poll_ms": 50,
             "path": str(cls.cluster.folder / "decisions" / f"{BRANCH}.jsonl")}])
        cls.cluster.wait(BRANCH)

    @classmethod
    def spool_copied(cls):
        """Of the gateway that runs, which keeps its own to itself."""
        name = f"gateway.{BRANCH}.clients"
        cls.cluster.processes[name].stop()
        copy = cls.cluster.folder / f"{BRANCH}-clients.spool"
        shutil.copy(cls.cluster.folder / f"{name}.spool", copy)
        cls.cluster.start_gateway_file(BRANCH, "clients", cls.cluster.folder / f"{name}.yaml")
        return copy

    @classmethod
    def plant(cls, entry, reason, body):
        """A dead letter, as KEYS.md says."""
        letter = NINE_MS.to_bytes(8, "little") + b"tag of 8" + bytes([len(reason)]) \
            + reason.encode() + len(body).to_bytes(4, "little") + body
        cls.cluster.redis("HSET", f"t:{{{BRANCH}}}:dead", entry, letter)

    @classmethod
    def ctl(cls, *words):
        return cls.cluster.ctl_run("--json", *(word.format(**cls.places) for word in words))

    def document(self, words):
        """What it printed, which is one document and nothing else."""
        done = self.said[words]
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr}")
        return json.loads(done.stdout)

    def test_every_command_is_here_and_documented(self):
        help_text = self.cluster.ctl_run("--help").stdout.split("Commands:")[1]
        commands = [re.match(r"((?:[a-z]+ ?)+)", line.strip())[1].strip()
                    for line in help_text.splitlines() if re.match(r"  [a-z]", line)]
        self.assertEqual(sorted(commands), sorted(CALLS))
        self.assertEqual(sorted(documented()), sorted(CALLS))

    def test_each_prints_the_keys_that_are_documented(self):
        for words, (kind, keys) in documented().items():
            with self.subTest(words):
                if kind == "lines":  # test_watching sees some
                    self.assertEqual(self.said[words].returncode, 0)
                    continue
                found = self.document(words)
                if kind == "object":
                    self.assertEqual(set(found), keys)
                    continue
                self.assertIsInstance(found, list)
                self.assertTrue(found)
                for one in found:
                    self.assertLessEqual(keys, set(one))

    def test_each_fails_on_stderr_alone(self):
        for words, arguments in CALLS.items():
            with self.subTest(words):
                wrong = {"{config}": "/nowhere", "worker.other": "other"}
                done = self.ctl(*NOWHERE, *words.split(),
                                *(wrong.get(one, one) for one in arguments))
                self.assertEqual(done.returncode, 1, done.stdout)
                if words in TELLS_MISTAKES:
                    self.assertFalse(json.loads(done.stdout)["fine"])
                    continue
                self.assertEqual(done.stdout, "")
                self.assertTrue(done.stderr)

    def test_standards_and_scorecards_can_be_read_by_their_parts(self):
        standards = self.document("standards list")
        self.assertGreaterEqual(len(standards), 24)
        wait = next(one for one in standards if one["id"] == STANDARD)
        self.assertEqual((wait["dimension"], wait["norm"], wait["status"]),
                         ("timing", "short-waits", "active"))
        timing = next(one for one in self.document("scorecard")["dimensions"]
                      if one["dimension"] == "timing")
        self.assertGreaterEqual(timing["verdicts"]["met"], 1)
        for part in self.document("standards notice")["judged"]:
            self.assertTrue(part["text"] and part["norm"]["text"] and part["value"]["text"])
        self.assertIn(f'{STANDARD}.severity: "normal" -> "critical"',
                      self.document("standards diff")["differences"])

    def test_what_cannot_be_understood_is_no_document(self):
        for words in (["no", "command"], ["status", "too", "much"], []):
            done = self.ctl(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))


if __name__ == "__main__":
    main()
