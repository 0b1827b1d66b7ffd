"""Standards are published to all workers while a day is played: every encounter is judged by the
set in force at its start, now and whenever it is judged again; what is wrong changes nothing."""

import datetime
import hashlib
import json
import pathlib
import re
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, main, until, write_yaml  # noqa: E402

BRANCH, GATEWAY, KEY = "beispiel", "clients", "t:{.standards}:editions"
WORKERS = ("w1", "w2")
MIDNIGHT_MS = 1732489200000  # 2024-11-25 in Berlin
ENCOUNTERS = 1500
BROKEN = '{"version": 1, "editions": [{"from": ""}]}'


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def edition(folder, day):
    """As tresenctl would have published it at its time."""
    names = ["measures.yaml", "values.yaml", "norms.yaml", "offerings.yaml", "scoring.yaml"]
    paths = [folder / name for name in names] + sorted(folder.glob("standards/*.yaml")) \
        + sorted(folder.glob("overlays/*.yaml"))
    documents = {str(path.relative_to(folder)): path.read_text() for path in paths}
    return {"from": day, "published_ms": MIDNIGHT_MS, "by": "anna@office",
            "hash": sha256(canonical(documents)), "documents": documents}


def changed(folder, to, severity):
    shutil.copytree(folder, to)
    path = to / "standards" / "timing.yaml"
    path.write_text(path.read_text().replace("severity: normal", f"severity: {severity}", 1))
    return to


class Cases(Case):
    def sets(self):
        """What each worker says that it judges by."""
        return {one["worker"]: one["set"] for one in self.cluster.status()["workers"]}

    def log(self, worker):
        return self.cluster.processes[f"worker-{worker}"].text()


class Published(Cases):
    """One play over midnight, long ago; the tests run in the order of their names."""

    PUBLISH = ("--set", "retention_days=3650", "standards", "publish")

    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        cluster.worker_settings |= {"standards": "published", "standards_poll_ms": 100}
        write_yaml(cluster.config / "branches" / f"{BRANCH}.yaml", {
            "branch": BRANCH, "name": "Beispiel", "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": ["info"],
            "gateways": [{"gateway": GATEWAY, "opens": True}]})
        cls.second = changed(cluster.config, cluster.folder / "second", "critical")
        cls.third = changed(cluster.config, cluster.folder / "third", "auto_fail")
        cluster.start_redis()
        cluster.start_broker()
        # The first was published long ago, the second from the second day on.
        text = canonical({"version": 1, "editions": [edition(cluster.config, ""),
                                                     edition(cls.second, "2024-11-25")]})
        cluster.redis("HSET", KEY, "hash", sha256(text), "text", text)
        for name in WORKERS:
            cluster.start_worker(name)
        cls.play()

    @classmethod
    def play(cls):
        """Under this load a third is published, from tomorrow on."""
        lines = []
        for n in range(ENCOUNTERS):  # a minute apart, half of them before midnight
            start = MIDNIGHT_MS + (n - ENCOUNTERS // 2) * 60000
            lines.append(json.dumps({"fact": "encounter", "id": f"e{n}", "counter": "info", "issued": start - 60000,
                                     "started": start, "ended": start + 30000,
                                     "outcome": "normal"}))
        path = cls.cluster.folder / "clients.jsonl"
        path.write_text("\n".join(lines) + "\n")
        cls.cluster.start_gateway(BRANCH, GATEWAY, [
            {"driver": "jsonl", "name": "clients", "path": str(path)}])
        until(lambda: cls.cluster.redis("EXISTS", f"t:{{{BRANCH}}}:day:2024-11-24"),
              "some are judged")
        cls.out = cls.cluster.json(*cls.PUBLISH, cls.third)
        for name in WORKERS:
            until(lambda n=name: cls.taken_up(n), f"{name} has taken it up")
        cls.cluster.wait(BRANCH)
        cls.encounters = cls.cluster.json("explain", BRANCH)
        cls.card = cls.cluster.ctl("--json", "scorecard", BRANCH)

    @classmethod
    def taken_up(cls, worker):
        return any(one["worker"] == worker and one["set"] == cls.out["standards"]
                   for one in cls.cluster.status()["workers"])

    def stored(self):
        return self.cluster.redis("HGETALL", KEY)

    def check_verdicts(self, encounters):
        severities = {"2024-11-24": "normal", "2024-11-25": "critical"}
        seen = {}
        self.assertEqual(len(encounters), ENCOUNTERS)
        for one in encounters:
            n = int(one["encounter"][1:])
            day = "2024-11-24" if n < ENCOUNTERS // 2 else "2024-11-25"
            seen.setdefault(day, set()).add(one["set"])
        for day, names in seen.items():
            self.assertEqual(len(names), 1, day)
            name = names.pop()
            text = self.cluster.redis("GET", f"t:{{{BRANCH}}}:set:{name}")
            self.assertEqual(hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest(),
                             name)
            wait = next(one for one in json.loads(text)["standards"]
                        if one["id"] == "timing.wait")
            self.assertEqual(wait["severity"], severities[day])
        self.assertEqual(set(seen), set(severities))

    def test_1_each_verdict_carries_the_set_in_force_at_its_start(self):
        self.check_verdicts(self.encounters)

    def test_1_all_say_what_is_published(self):
        status = self.cluster.json("status")
        self.assertFalse(status["standards_differ"])
        published = self.cluster.json("standards", "published")
        self.assertEqual(published["standards"], self.out["standards"])
        self.assertEqual([one["hash"] for one in published["editions"]][-1], self.out["hash"])
        self.assertEqual(published["editions"][-1]["from"], self.out["from"])
        tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=36)
        self.assertLessEqual(self.out["from"], tomorrow.date().isoformat())
        for name in WORKERS:
            self.assertRegex(self.log(name), rf"event=standards standards={self.out['standards']} "
                             rf"before=\w+ from={self.out['hash'][:12]}")

    def shown(self, *words):
        return self.cluster.json("standards", *words)

    def test_1_what_is_in_force_can_be_asked_for(self):
        first, second, third = [one["hash"] for one in self.shown("published")["editions"]]
        for day, severity, hash_ in ((None, "critical", second), ("2024-11-24", "normal", first),
                                     ("2099-01-01", "auto_fail", third)):
            on = ["--published", *(["--day", day] if day else [])]
            wait = next(one for one in self.shown("list", *on) if one["id"] == "timing.wait")
            self.assertEqual((wait["severity"], wait["documents"]), (severity, hash_))
            explained = self.shown("explain", BRANCH, *on)
            self.assertIn((wait["id"], severity), [(one["id"], one["severity"])
                                                   for one in explained["standards"]])
            for document in (explained["documents"], self.shown("notice", BRANCH, *on)["documents"],
                             self.shown("trace", "timing.wait", *on)["documents"]):
                self.assertEqual((document["published"], document["hash"]), (True, hash_))
        self.assertIn(f"edition {second[:12]}, published, holds from 2024-11-25 on",
                      self.cluster.ctl("standards", "explain", BRANCH, "--published"))
        # The folder's are shown without it; equal documents have an equal hash.
        self.assertEqual({one["documents"] for one in self.shown("list")}, {first})
        self.assertFalse(self.shown("trace", "timing.wait")["documents"]["published"])

    def test_1_what_publishing_would_change_can_be_asked_before(self):
        change = 'timing.wait.severity: "{}" -> "{}"'
        compared = self.shown("diff", "--published", self.second)
        self.assertEqual((compared["before"]["hash"], compared["after"]["folder"]),
                         (self.out["hash"], str(self.second)))
        self.assertIn(BRANCH, compared["differences"][change.format("auto_fail", "critical")])
        then = self.shown("diff", "--published", "--day", "2024-11-24", self.third)
        self.assertIn(BRANCH, then["differences"][change.format("normal", "auto_fail")])
        self.assertEqual(self.shown("diff", "--published", self.third)["differences"], {})
        done = self.cluster.ctl_run("standards", "diff", "--published", self.second, self.third)
        self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_2_the_past_is_not_changed(self):
        before, sets = self.stored(), self.sets()
        done = self.cluster.ctl_run(*self.PUBLISH, self.third, "--from", "2024-11-25")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"{BRANCH}: timing.wait from 2024-11-25 on")
        self.assertRegex(done.stderr, rf"--from {self.out['from']} or later")
        self.assertEqual((self.stored(), self.sets()), (before, sets))

    def test_2_what_changes_no_past_may_say_so(self):
        """The second again, from when it holds: only what was planned is taken back."""
        first, second, _ = self.cluster.json("standards", "published")["editions"]
        self.cluster.ctl(*self.PUBLISH, second["hash"][:12], "--from", "2024-11-25")
        self.assertEqual([one["hash"] for one in
                          self.cluster.json("standards", "published")["editions"]],
                         [first["hash"], second["hash"]])
        self.cluster.ctl(*self.PUBLISH, self.third)
        for name in WORKERS:
            until(lambda n=name: self.taken_up(n), f"{name} has taken it up again")

    def test_2_a_broken_folder_is_refused_and_changes_nothing(self):
        before, sets = self.stored(), self.sets()
        broken = changed(self.cluster.config, self.cluster.folder / "broken", "dreadful")
        done = self.cluster.ctl_run(*self.PUBLISH, broken)
        self.assertEqual(done.returncode, 1)
        self.assertIn("timing.yaml:", done.stderr)
        self.assertEqual((self.stored(), self.sets()), (before, sets))

    def broken_in_redis(self, text, said):
        sets = self.sets()
        self.cluster.redis("HSET", KEY, "hash", sha256(text), "text", text)
        for name in WORKERS:
            until(lambda n=name: any(one["worker"] == n and said in (one["trouble"] or "")
                                     for one in self.cluster.status()["workers"]),
                  f"{name} says why it keeps the old ones")
        self.assertEqual(self.sets(), sets)

    def test_3_a_broken_publication_is_kept_off(self):
        before = self.stored()
        wrong = edition(self.cluster.config, "")
        wrong["documents"] |= {"norms.yaml": "- norm: alone\n"}
        wrong["hash"] = sha256(canonical(wrong["documents"]))
        self.broken_in_redis(BROKEN, "damaged")
        self.broken_in_redis(canonical({"version": 1, "editions": [wrong]}), "norms.yaml:1:")
        self.broken_in_redis('{"version": 2}', "by a newer Tresen")
        self.cluster.start_worker("late", wait=False)
        until(lambda: "by a newer Tresen" in self.log("late"), "a new worker cannot read it either")
        late, = until(lambda: [one for one in self.cluster.status()["workers"]
                               if one["worker"] == "late"], "the broker knows it")
        self.assertEqual(late["credit"], 0, "so it judges nothing")
        # The way out that it names: what runs is put back.
        self.cluster.redis("DEL", KEY)
        until(lambda: self.stored() == before, "it is there again")
        for name in (*WORKERS, "late"):
            until(lambda n=name: self.taken_up(n), f"{name} runs it")
        until(lambda: not any(one["trouble"] for one in self.cluster.status()["workers"]),
              "nobody is in trouble")
        self.assertEqual(self.cluster.processes["worker-late"].stop(), 0)

    def test_4_all_is_judged_the_same_again(self):
        """Redis loses all: the workers bring back what they run, the gateway what it spooled."""
        before = self.stored()
        self.cluster.redis("FLUSHALL")
        until(lambda: self.stored() == before, "what was published is back")
        until(lambda: (self.cluster.gateway_status(BRANCH, GATEWAY) or {}).get("position", 0) > 0
              and self.cluster.redis("SCARD", f"t:{{{BRANCH}}}:day:2024-11-25") > 0,
              "the gateway has gone back")
        self.cluster.wait(BRANCH)
        until(lambda: self.cluster.ctl("--json", "scorecard", BRANCH) == self.card
              and self.cluster.json("explain", BRANCH) == self.encounters, "all is judged again")
        self.check_verdicts(self.cluster.json("explain", BRANCH))
        self.cluster.ctl("audit", BRANCH)


class Reloaded(Cases):
    """SIGHUP: a worker's own folder."""

    def setUp(self):
        self.cluster = self.own_cluster()
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.process = self.cluster.start_worker("w1")
        self.standards = self.cluster.config / "standards" / "timing.yaml"
        self.shipped = self.standards.read_text()

    def reload(self):
        """The line that answers."""
        lines = len(self.answers())
        self.process.popen.send_signal(signal.SIGHUP)
        return until(lambda: self.answers()[lines:], "the worker answers")[0]

    def answers(self):
        return re.findall(r"event=(?:standards_kept|standards standards=).*", self.log("w1"))

    def test_whole_or_not_at_all(self):
        before = self.sets()["w1"]
        self.standards.write_text(self.shipped.replace("severity: normal", "severity: dreadful", 1))
        self.assertRegex(self.reload(),
                         rf"standards_kept standards={before} .*timing.yaml:\d+:\d+: ")
        until(lambda: self.cluster.status()["workers"][0]["trouble"], "it says so")
        self.assertEqual(self.sets()["w1"], before)
        self.standards.write_text(self.shipped.replace("severity: normal", "severity: critical", 1))
        self.assertRegex(self.reload(), rf"standards=\w+ before={before} from=folder")
        until(lambda: self.sets()["w1"] != before, "it says which it runs")
        until(lambda: not self.cluster.status()["workers"][0]["trouble"], "all is well")
        self.standards.write_text(self.shipped)
        self.reload()
        until(lambda: self.sets()["w1"] == before, "back again")

    def test_nothing_is_published_where_the_folder_is_judged_by(self):
        done = self.cluster.ctl_run("standards", "list", "--published")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nothing is published", done.stderr)

    def test_branches_need_a_restart(self):
        path = self.cluster.config / "branches" / f"{BRANCH}.yaml"
        path.write_text(path.read_text() + "# changed\n")
        self.assertRegex(self.reload(), "standards_kept .*restart this worker")


if __name__ == "__main__":
    main()
