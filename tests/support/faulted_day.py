"""The shipped day of two gateways, with a fault in its middle: whatever it is, scorecard and verdicts
end as those of the undisturbed play."""

import json
import pathlib
import shutil
import tempfile

from cluster import DEADLINE_S, Case, Cluster, made_up_day, until

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor")
# Small batches and a narrow window: many round trips, so that there is a middle to hit. A gateway
# reads on only while few batches are unapplied, so reading is in its middle, too.
PLAY = ("batch_observations=24", "held_max=64", "batch_linger_ms=50")


class FaultedDay(Case):
    @classmethod
    def set_up(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.day = made_up_day(cls.folder / "day")
        cls.pseudonym_key = cls.folder / f"pseudonym.{BRANCH}.key"
        with Cluster() as cluster:
            cls.start(cluster)
            cluster.wait(BRANCH)
            # The others use the same, so that even pseudonyms can be compared.
            shutil.copy2(cluster.folder / cls.pseudonym_key.name, cls.folder)
            cls.total = cluster.gateway_status(BRANCH, "floor")["position"]
            cls.results = cls.read_results(cluster)
            assert cluster.json("scorecard", BRANCH)["encounters"] > 50

    @classmethod
    def start(cls, cluster, start_redis=Cluster.start_redis, *settings, window=4):
        """All of it; the settings are those of gateways, on top of PLAY."""
        cluster.only_gateways(BRANCH, GATEWAYS)
        start_redis(cluster)
        cluster.start_broker(window=window)
        for name in ("w1", "w2"):
            cluster.start_worker(name)
        for gateway in GATEWAYS:
            cls.start_gateway(cluster, gateway, *settings)

    @classmethod
    def start_gateway(cls, cluster, gateway, *settings):
        cluster.start_shipped_gateway(BRANCH, gateway, cls.day, DAY, *PLAY, *settings)

    @classmethod
    def bring_key(cls, cluster):
        """The undisturbed play's, so that pseudonyms are the same."""
        shutil.copy2(cls.pseudonym_key, cluster.folder)

    @staticmethod
    def read_results(cluster):
        cluster.ctl("audit", BRANCH)
        return (cluster.ctl("--json", "scorecard", BRANCH),
                cluster.ctl("--json", "explain", BRANCH))

    def position(self, cluster):
        entry = cluster.gateway_status(BRANCH, "floor")
        return entry["position"] if entry else 0

    def goes_on(self, cluster, before, batches=1, seconds=DEADLINE_S):
        """Wait until so many more are acknowledged, or all there are: how many it makes of the same day
        depends on its pace."""
        def further():
            entry = cluster.gateway_status(BRANCH, "floor")
            report = entry["report"] or {"ended": False}
            return entry["position"] >= before + batches or report["ended"] and report["held"] == 0
        until(further, "work goes on", seconds=seconds)

    @staticmethod
    def stored(cluster):
        """How much of each gateway is in Redis, acknowledged or not."""
        audit = json.loads(cluster.ctl_run("--json", "audit", BRANCH).stdout)
        return {one["gateway"]: one["applied"] for one in audit["branches"][0]["gateways"]}

    def middle(self, cluster):
        """Wait until a good tenth is acknowledged; it must be the middle then."""
        at = until(lambda: self.position(cluster) * 100 // self.total >= 15
                   and self.position(cluster), "the play is in its middle", every=0)
        self.assertLess(at * 100, 90 * self.total, "too late for the middle")

    def play(self, fault, start_redis=Cluster.start_redis, environment=None, **worker_settings):
        """environment: of a cluster, that of its programs."""
        with Cluster() as cluster:
            if environment:
                cluster.environment = environment(cluster)
            cluster.worker_settings.update(worker_settings)
            self.bring_key(cluster)
            self.start(cluster, start_redis)
            self.middle(cluster)
            fault(cluster)
            cluster.wait(BRANCH)
            card, explained = self.read_results(cluster)
            self.assertEqual(card, self.results[0])
            self.assertEqual(explained, self.results[1])
            self.at_the_end(cluster)
            return cluster

    def at_the_end(self, cluster):
        """What else has to hold."""
