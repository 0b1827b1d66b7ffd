"""Workers of several versions on one Redis, under load: the newest function library takes its place
once, whoever comes when; nothing is lost, and the verdicts are those that the spools give."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import marked_library  # noqa: E402
from cluster import PATIENCE, Cluster, Failure, main, until  # noqa: E402
from faulted_day import BRANCH, GATEWAYS, FaultedDay  # noqa: E402
from redis_pair import RedisPair  # noqa: E402
from spools import Said  # noqa: E402
from test_spools import config, exact, rules  # noqa: E402

OWN = marked_library.shipped_revision()
NEXT = OWN + 1  # of tests/tresen-worker-next
NEXT_WORKER = "tests/tresen-worker-next"
WORKERS = ("w1", "w2")  # of the shipped revision
DEAD_LETTER = bytes.fromhex("0000000000000000aabb00000506070804746f726e010000003f")  # as in KEYS.md


def put(cluster, revision):
    cluster.redis("FUNCTION", "LOAD", "REPLACE", marked_library.marked(revision))


def marked_redis(revision, start_redis=Cluster.start_redis):
    """One that has such a library when the first worker comes."""
    def start(cluster):
        cluster.pair = start_redis(cluster)
        put(cluster, revision)
    return start


def runs(cluster):
    return cluster.redis("FCALL", "tresen_v1_revision", 0)


def ran(cluster, revision):
    """Ingest calls of that revision's text."""
    return int(cluster.redis("GET", f"ran:{revision}") or 0)


def loads(cluster):
    """(from, to) of each that a worker has told."""
    return [tuple(map(int, found)) for name, process in cluster.processes.items()
            if name.startswith("worker")
            for found in re.findall(r"event=library_loaded from=(\d+) to=(\d+)", process.text())]


class Mixed(FaultedDay):
    def judge_again(self, cluster):
        """From the spools: so what all plays have to equal is right."""
        found = {one["encounter"]: {verdict["standard"]: verdict["verdict"]
                                    for verdict in one["verdicts"]}
                 for one in cluster.json("explain", BRANCH)}
        said = Said({one["id"]: exact(one["resolution"]) for one in config("measures.yaml")
                     if "resolution" in one})
        for gateway in GATEWAYS:
            self.assertEqual(cluster.processes[f"gateway.{BRANCH}.{gateway}"].stop(), 0)
            said.read(cluster.folder / f"gateway.{BRANCH}.{gateway}.spool")
        times = dict.fromkeys(("issued", "called", "started", "ended"))
        expected = {identity: {rule.id: rule.judge({**times, **one}, said)[0] for rule in rules()}
                    for identity, one in said.encounters().items()}
        self.assertEqual(found, expected)

    def more_runs(self, cluster, revision):
        """The load goes on, under that text."""
        before = ran(cluster, revision)
        until(lambda: ran(cluster, revision) > before, f"revision {revision} is at work")

    def workers(self, cluster):
        return {one["worker"]: one for one in cluster.status()["workers"] if one["ready"]}

    def test_tresenctl_says_who_brings_what_the_library_lacks(self):
        def fault(cluster):
            for worker in WORKERS:
                cluster.processes[f"worker-{worker}"].stop()
            cluster.redis("FUNCTION", "FLUSH")
            dead = "t:{%s}:dead" % BRANCH
            cluster.redis("HSET", dead, "desk:9:9", DEAD_LETTER)
            told = cluster.ctl_run("dead", "drop", BRANCH, "desk:9:9")
            cluster.redis("HDEL", dead, "desk:9:9")
            self.assertEqual(told.returncode, 1)
            self.assertIn("Function not found: start a worker of this version", told.stderr)
            for worker in WORKERS:
                cluster.start_worker(worker)
        self.play(fault)

    def test_two_newer_workers_arrive_at_once(self):
        self.at_the_end = self.judge_again

        def fault(cluster):
            self.assertEqual(loads(cluster), [], "an equal one is left")
            self.more_runs(cluster, OWN)
            for name in ("next-1", "next-2"):
                cluster.start_worker(name, wait=False, program=NEXT_WORKER)
            self.more_runs(cluster, NEXT)
            stopped = ran(cluster, OWN)
            self.assertLess(self.position(cluster), self.total, "under load")
            until(lambda: len(self.workers(cluster)) == 4 and
                  all(one["library_run"] == NEXT for one in self.workers(cluster).values()),
                  "all say what Redis runs")
            self.assertEqual({name: one["library"] for name, one in self.workers(cluster).items()},
                             {"w1": OWN, "w2": OWN, "next-1": NEXT, "next-2": NEXT})
            # The newer ones go again, those of before work on; a restarted one is content.
            for name in ("next-1", "next-2", "w1"):
                self.assertEqual(cluster.processes[f"worker-{name}"].stop(), 0)
            w1 = cluster.start_worker("w1")
            until(lambda: f"event=library_newer redis={NEXT} worker={OWN}" in w1.text(),
                  "it says that there is a newer one")
            cluster.wait(BRANCH)
            self.assertEqual(loads(cluster), [(OWN, NEXT)], "once")
            self.assertEqual(ran(cluster, OWN), stopped)
            self.assertEqual(runs(cluster), NEXT)
            self.assertFalse(cluster.status()["library_older"])
        self.play(fault, marked_redis(OWN))

    def test_a_redis_that_falls_back_to_an_older_library(self):
        """A failover to a replica that has not seen the new one, and a Redis that has lost all."""
        def fault(cluster):
            self.more_runs(cluster, OWN)
            cluster.pair.part()
            cluster.start_worker("next", program=NEXT_WORKER)
            self.more_runs(cluster, NEXT)
            cluster.pair.fail_over()
            until(lambda: loads(cluster) == [(OWN, NEXT)] * 2, "it is brought again")
            self.more_runs(cluster, NEXT)
            cluster.redis_at_once([("FLUSHALL",), ("FUNCTION", "FLUSH")])
            until(lambda: runs_at_all(cluster) == NEXT, "the newest is brought again")
            self.heal(cluster)
            self.assertEqual(runs(cluster), NEXT)
        self.play(fault, marked_redis(OWN, RedisPair))

    def heal(self, cluster):
        """Until the gateways have noticed that all is gone."""
        def same():
            try:
                return self.read_results(cluster) == self.results
            except Failure:  # sums in flight
                return False
        until(same, "all is as it was", seconds=60 * PATIENCE)

    def test_workers_that_may_not_load_work_on_with_an_older_library(self):
        """Of before there were revisions; then somebody does what their log says."""
        def start_redis(cluster):
            marked_redis(0)(cluster)
            cluster.redis("ACL", "SETUSER", "default", "-function", "-watch")

        def fault(cluster):
            self.more_runs(cluster, 0)
            status = until(lambda: (told := cluster.status())["library_older"]
                           and all(one["trouble"] for one in told["workers"]) and told,
                           "all workers say why")
            for one in status["workers"]:
                self.assertEqual((one["library"], one["library_run"]), (OWN, 0))
                self.assertRegex(one["trouble"], f"stays at revision 0, .* brings {OWN}: NOPERM")
            self.assertIn(f"Redis runs revision 0 of the function library, w1 brings {OWN}",
                          cluster.ctl("status"))
            for name in WORKERS:
                told, = re.findall(r"event=library_not_loaded redis=0 worker=(\d+) reason=.*NOPERM.*"
                                   r"way_out=\"redis-cli (.*)\"",
                                   cluster.processes[f"worker-{name}"].text())
                self.assertEqual(told[0], str(OWN))
            cluster.redis(*told[1].replace("'", "").split())
            cluster.start_worker("w3")
            self.assertEqual(loads(cluster), [(0, OWN)])
            until(lambda: not cluster.status()["library_older"] and
                  not any(one["trouble"] for one in cluster.status()["workers"]),
                  "all see that it is there")
            stopped = ran(cluster, 0)
            cluster.wait(BRANCH)
            self.assertEqual(ran(cluster, 0), stopped)
            self.assertEqual(loads(cluster), [(0, OWN)], "once")
        self.play(fault, start_redis)


def runs_at_all(cluster):
    try:
        return runs(cluster)
    except RuntimeError:  # there is none
        return None


if __name__ == "__main__":
    main()
