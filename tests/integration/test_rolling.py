"""Every worker is restarted in turn under load: no branch waits, whatever versions serve at once."""

import pathlib
import re
import shutil
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from bare_gateway import BareGateway, broker_key, register, zmq  # noqa: E402
from cluster import PATIENCE, Case, main, until  # noqa: E402

if zmq:
    import msgpack

WORKERS = ("w1", "w2", "w3")
BRANCHES, WINDOW = 20, 16
PAUSE_S = 1.0 * PATIENCE


class Load(threading.Thread):
    """Gateways that always have as much unanswered as they may."""

    def __init__(self, cluster, gateways):
        super().__init__(daemon=True)
        self.cluster, self.gateways = cluster, gateways
        self.over = False

    def run(self):
        context, poller = zmq.Context(), zmq.Poller()
        by_socket = {}
        for one in self.gateways:
            one.connect(context, self.cluster.gateways_endpoint, broker_key(self.cluster))
            by_socket[one.socket] = one
            poller.register(one.socket, zmq.POLLIN)
        while not self.over or any(one.position < one.sent for one in self.gateways):
            for sock, _ in poller.poll(100):
                one = by_socket[sock]
                one.receive()
                while not self.over and one.epoch and one.sent - one.position < WINDOW:
                    one.send_batch()
        context.destroy()

    def applied(self):
        return sum(max(one.position, 0) for one in self.gateways)


@unittest.skipIf(zmq is None, "python3-zmq and python3-msgpack are not installed")
class Rolling(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.gateways = [BareGateway(f"branch-{n}", "g") for n in range(BRANCHES)]
        register(self.cluster, self.gateways)
        self.cluster.start_redis()
        self.cluster.start_broker()
        for name in WORKERS:
            self.cluster.start_worker(name)

    def restart_in_turn(self, stop, program="tresen-worker"):
        """Under load; then what was acknowledged must be what is applied."""
        load = Load(self.cluster, self.gateways)
        load.start()
        until(lambda: load.applied() > 20 * BRANCHES, "the load is on")
        began, before = time.monotonic(), load.applied()
        for name in WORKERS:
            worker = self.cluster.processes[f"worker-{name}"]
            stop(name, worker)
            self.assertEqual(worker.popen.wait(5 * PATIENCE), 0, name)
            self.cluster.start_worker(name, program=program)
            here = load.applied()
            until(lambda: load.applied() > here + 100 * BRANCHES, "the load goes on")
        ended, applied = time.monotonic(), load.applied() - before
        load.over = True
        load.join(5 * PATIENCE)
        self.assertFalse(load.is_alive(), "everything sent is answered")
        pauses = [self.longest_pause(one, began, ended) for one in self.gateways]
        print(f"{len(WORKERS)} workers restarted in {ended - began:.1f} s under "
              f"{applied / (ended - began):.0f} batches/s in {BRANCHES} branches: "
              f"longest pause {max(pauses):.2f} s", file=sys.stderr)
        self.assertLess(max(pauses), PAUSE_S)
        for audit in self.cluster.json("audit", *(one.branch for one in self.gateways))["branches"]:
            one = next(one for one in self.gateways if one.branch == audit["branch"])
            self.assertEqual(audit["gateways"][0]["applied"], one.position, audit)
            self.assertEqual(audit["gateways"][0]["dead"], 0)

    @staticmethod
    def longest_pause(gateway, began, ended):
        times = [began, *(at for at in gateway.answered_s if began < at < ended), ended]
        return max(after - before for before, after in zip(times, times[1:]))

    def test_by_signal(self):
        self.restart_in_turn(lambda name, worker: worker.popen.terminate())

    def test_by_drain(self):
        self.restart_in_turn(lambda name, worker: self.cluster.ctl("drain", name))

    def test_each_is_updated_to_one_with_a_newer_function_library(self):
        before = self.cluster.redis("FCALL", "tresen_v1_revision", 0)
        self.restart_in_turn(lambda name, worker: worker.popen.terminate(),
                             "tests/tresen-worker-next")
        loads = [found for name in WORKERS for found in re.findall(
            r"event=library_loaded (.*)", self.cluster.processes[f"worker-{name}"].text())]
        self.assertEqual(sorted(loads), [f"from=0 to={before}", f"from={before} to={before + 1}"])
        self.assertEqual(self.cluster.redis("FCALL", "tresen_v1_revision", 0), before + 1)
        for one in self.cluster.status()["workers"]:
            self.assertEqual((one["library"], one["library_run"]), (before + 1, before + 1))

    def test_workers_of_several_versions_serve_at_once(self):
        """The next one has other standards; one speaks a protocol that nobody here knows."""
        changed = self.cluster.folder / "changed"
        shutil.copytree(self.cluster.config, changed)
        standards = changed / "standards" / "timing.yaml"
        standards.write_text(standards.read_text().replace("severity: normal", "severity: critical",
                                                           1))
        self.cluster.start_worker("next", config_dir=str(changed))
        workers = {one["worker"]: one for one in self.cluster.status()["workers"]}
        self.assertNotEqual(workers["next"]["set"], workers["w1"]["set"])
        self.assertEqual({one["protocol"] for one in workers.values()}, {1})
        self.assertEqual(len({one["version"] for one in workers.values()}), 1)

        self.cluster.key("worker.far")
        context = zmq.Context()
        far = context.socket(zmq.DEALER)
        far.linger = 0
        far.curve_serverkey = broker_key(self.cluster)
        far.curve_publickey, far.curve_secretkey = (
            (self.cluster.keys / f"worker.far.{half}").read_bytes().strip()
            for half in ("pub", "key"))
        far.connect(self.cluster.workers_endpoint)
        far.send(msgpack.packb({"v": 2, "type": "ready", "worker": "far", "credit": 99}))
        self.assertTrue(far.poll(5000 * PATIENCE))
        refused = msgpack.unpackb(far.recv())
        self.assertEqual(refused["type"], "refused")
        self.assertIn("protocol version 2", refused["reason"])
        far.close()
        context.destroy()
        self.restart_in_turn(lambda name, worker: worker.popen.terminate())
        self.assertNotIn("far", {one["worker"] for one in self.cluster.status()["workers"]})
        self.assertTrue(any(one["who"] == "worker.far"
                            for one in self.cluster.status()["refused"]))


if __name__ == "__main__":
    main()
