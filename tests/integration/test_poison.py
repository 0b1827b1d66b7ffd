"""A batch that kills every worker that reads it is put aside after three deaths, an encounter that
kills every worker that judges it becomes an error; everything else is as if they were not there."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import DEADLINE_S, Cluster, Failure, main, until, write_yaml  # noqa: E402

GATEWAY, COUNTER, START_MS = "log", "c-1", 1_732_525_200_000
WORKERS = ("w1", "w2")
POISON_BODY, POISON_ENCOUNTER = "crash-the-decoder", "crash-the-engine"  # as poison.c has them


def encounter(name, number):
    """Two lines: it begins, it ends. Each minute has one."""
    began = START_MS + number * 60_000
    facts = '{"fact": "encounter", "id": "%s", "counter": "%s", "started": %d%s}\n'
    return (facts % (name, COUNTER, began, "")
            + facts % (name, COUNTER, began, f', "ended": {began + 30_000}, "outcome": "normal"'))


class Branch:
    """One gateway that reads what the test writes, when it writes it."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        write_yaml(cluster.config / "branches" / f"{name}.yaml", {
            "branch": name, "name": name, "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": [COUNTER],
            "gateways": [{"gateway": GATEWAY, "opens": True}]})
        self.path = cluster.folder / f"{name}.fifo"
        os.mkfifo(self.path)

    def start(self):
        self.cluster.start_gateway(self.name, GATEWAY, batch_linger_ms=20, drivers=[
            {"driver": "jsonl", "command": f"exec cat {self.path}"}])
        self.pipe = open(self.path, "w")

    def write(self, text):
        self.pipe.write(text)
        self.pipe.flush()

    def redis(self, command, key, *words):
        return self.cluster.redis(command, f"t:{{{self.name}}}:{key}", *words)

    def knows(self, name):
        return self.redis("EXISTS", f"e:{name}")

    def judged(self):
        """Encounters by id, once all have been judged for good."""
        return {one["encounter"]: one for one in self.cluster.json("explain", self.name)}


class Poison(unittest.TestCase):
    def set_up(self, *branches, **settings):
        self.cluster = Cluster()
        self.addCleanup(lambda: self.cluster.end(failed=not self._outcome.success))
        self.deaths, self.settings = 0, settings
        made = [Branch(self.cluster, name) for name in branches]
        self.cluster.start_redis()
        self.cluster.start_broker()
        for name in WORKERS:
            self.start_worker(name, wait=True)
        for branch in made:
            branch.start()
        return made

    def start_worker(self, name, wait=False):
        self.cluster.start_worker(name, wait=wait, program="tests/tresen-worker-poisonable",
                                  **self.settings)

    def until(self, condition, what):
        """With a supervisor that starts dead workers again."""
        def look():
            for name in WORKERS:
                if not self.cluster.processes[f"worker-{name}"].running():
                    self.deaths += 1
                    self.start_worker(name)
            return condition()
        until(look, what, seconds=3 * DEADLINE_S)

    def wait(self, *branches):
        def finished():
            try:
                self.cluster.wait(*branches, seconds=0.3)
            except Failure:
                return False
            return True
        self.until(finished, "all is final")

    def test_a_batch_that_kills_is_a_dead_letter_after_three_deaths_alone(self):
        sick, sound = self.set_up("sick", "sound")
        for number in range(3):
            for branch in (sick, sound):
                branch.write(encounter(f"before-{number}", number))
        self.until(lambda: sick.knows("before-2") and sound.knows("before-2"), "all is applied")

        sick.write(encounter(POISON_BODY, 3))
        self.until(lambda: self.deaths, "a worker dies of it")
        sound.write(encounter("meanwhile", 3))
        self.until(lambda: sound.knows("meanwhile"), "the other branch flows on")
        self.assertEqual(sick.redis("HLEN", "dead"), 0, "not before the third death")
        self.until(lambda: sick.redis("HLEN", "dead"), "it is put aside")
        # Once with whatever else its worker held, then three times alone.
        self.assertIn(self.deaths, (3, 4))

        sick.write(encounter("after", 4))
        for branch in (sick, sound):
            branch.pipe.close()
        self.wait("sick", "sound")
        before = {f"before-{number}" for number in range(3)}
        self.assertEqual(set(sick.judged()), before | {"after"})
        self.assertEqual(set(sound.judged()), before | {"meanwhile"})
        self.assertEqual((sick.redis("HLEN", "dead"), sound.redis("HLEN", "dead")), (1, 0))
        for branch, dead in (("sick", 1), ("sound", 0)):
            gateway = self.cluster.json("audit", branch)["branches"][0]["gateways"][0]
            self.assertEqual((gateway["dead"], gateway["difference"]), (dead, 0), gateway)

    def test_an_encounter_that_kills_is_an_error_after_three_leases(self):
        branch, = self.set_up("sick", lease_ms=1000)
        names = [f"sound-{number}" for number in range(12)]
        names.insert(6, POISON_ENCOUNTER)
        branch.write("".join(encounter(name, number) for number, name in enumerate(names)))
        branch.pipe.close()
        self.wait("sick")
        self.assertEqual(self.deaths, 3)
        found = branch.judged()
        self.assertEqual(set(found), set(names))
        for name, one in found.items():
            reasons = {verdict["reason"] for verdict in one["verdicts"]
                       if verdict["verdict"] == "error"}
            self.assertEqual(reasons, {"crash"} if name == POISON_ENCOUNTER else set(), name)
        self.cluster.ctl("audit", "sick")


if __name__ == "__main__":
    main()
