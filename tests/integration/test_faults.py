"""Faults in the middle of the play: whatever is killed, the scorecard is the undisturbed one."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import LONG, PATIENCE, main, sample, until  # noqa: E402
from faulted_day import BRANCH, GATEWAYS, FaultedDay  # noqa: E402

KEY_S = 3 * PATIENCE  # without an answer, at most, when keys change


def new_key(cluster, name):
    """Another pair in its place; the former public one."""
    former = (cluster.keys / f"{name}.pub").read_text()
    for path in cluster.keys.glob(f"{name}.*"):
        if path.suffix in (".key", ".pub") and path.stem == name:
            path.unlink()
    cluster.ctl("keys", "new", name, "--dir", cluster.keys)
    return former


class Faults(FaultedDay):
    def test_a_worker_is_killed(self):
        def fault(cluster):
            busy = next((one["worker"] for one in cluster.status()["workers"]
                         if one["assigned"] > 0), "w1")
            cluster.processes[f"worker-{busy}"].kill()
        self.play(fault)

    def test_both_workers_are_killed_and_started_again(self):
        def fault(cluster):
            for name in ("w1", "w2"):
                cluster.processes[f"worker-{name}"].kill()
            for name in ("w1", "w2"):
                cluster.start_worker(name, wait=False)
        self.play(fault)

    def test_a_worker_is_frozen_and_wakes_up_late(self):
        def fault(cluster):
            process = cluster.processes["worker-w1"]
            process.popen.send_signal(signal.SIGSTOP)
            try:
                until(lambda: self.position(cluster) * 100 >= 95 * self.total,
                      "the other worker goes on alone")
            finally:
                process.popen.send_signal(signal.SIGCONT)
        self.play(fault)

    def test_each_program_is_frozen_for_a_while(self):
        every = [(name, seconds) for name in ("broker", "redis", "worker-w1", "worker-w2",
                                              f"gateway.{BRANCH}.floor") for seconds in (1, 5, 30)]
        for name, seconds in sample([one for one in every if LONG or one[1] < 30], 2):
            def fault(cluster, name=name, seconds=seconds):
                process = cluster.processes[name].popen
                process.send_signal(signal.SIGSTOP)
                try:
                    time.sleep(seconds)
                finally:
                    process.send_signal(signal.SIGCONT)
                self.goes_on(cluster, self.position(cluster), seconds=8 * PATIENCE)
            with self.subTest(program=name, seconds=seconds):
                self.play(fault)

    def test_a_worker_is_told_to_stop(self):
        def fault(cluster):
            began = time.monotonic()
            self.assertEqual(cluster.processes["worker-w1"].stop(seconds=10 * PATIENCE), 0)
            self.assertLess(time.monotonic() - began, 5 * PATIENCE)
        self.play(fault)

    def test_the_broker_is_killed(self):
        def fault(cluster):
            cluster.processes["broker"].kill()
            cluster.start_broker(window=4)
        self.play(fault)

    def test_a_gateway_is_killed(self):
        def fault(cluster):
            cluster.processes[f"gateway.{BRANCH}.floor"].kill()
            self.start_gateway(cluster, "floor")
        self.play(fault)

    def test_a_gateways_key_is_taken_away_and_comes_back(self):
        def fault(cluster):
            public = cluster.keys / f"gateway.{BRANCH}.floor.pub"
            key = public.read_text()
            public.unlink()
            until(lambda: any(key.strip() in one["who"] for one in cluster.status()["refused"]),
                  "it is refused", seconds=5 * PATIENCE)
            until(lambda: cluster.gateway_status(BRANCH, "floor")["outstanding"] == 0,
                  "what it had sent before is applied")
            before = self.position(cluster)
            self.assertLess(before, self.total)
            time.sleep(1)  # it tries again, twice
            self.assertEqual(self.position(cluster), before, "nothing more is")
            public.write_text(key)
            until(lambda: self.position(cluster) > before, "it gets in again")
        self.play(fault)

    def test_a_gateway_gets_another_key(self):
        def fault(cluster):
            name = f"gateway.{BRANCH}.floor"
            former = new_key(cluster, name)
            cluster.processes[name].stop()
            self.start_gateway(cluster, "floor")
            at = self.position(cluster)
            until(lambda: self.position(cluster) > at, "it goes on with the other key")
            self.assertNotEqual((cluster.keys / f"{name}.pub").read_text(), former)
        self.play(fault)

    def test_a_gateway_takes_up_another_key_while_it_runs(self):
        def fault(cluster):
            name, broker = f"gateway.{BRANCH}.floor", cluster.processes["broker"]
            before = broker.text().count("event=keys ")
            former = new_key(cluster, name)
            until(lambda: broker.text().count("event=keys ") > before
                  and cluster._known_keys(broker) == len(list(cluster.keys.glob("*.*.pub"))),
                  "the broker knows the other key")
            at = self.position(cluster)
            cluster.processes[name].popen.send_signal(signal.SIGHUP)
            until(lambda: self.position(cluster) > at, "it goes on with the other key",
                  seconds=KEY_S)
            public = (cluster.keys / f"{name}.pub").read_text()
            self.assertNotEqual(public, former)
            self.assertIn(f"event=keys_changed own={public.strip()}",
                          cluster.processes[name].text().replace('"', ""))
        self.play(fault)

    def test_the_broker_gets_another_key_while_gateways_run(self):
        """They have it before, and take it up when theirs is refused."""
        def fault(cluster):
            former, at = new_key(cluster, "broker"), self.position(cluster)
            for name in ("worker-w1", "worker-w2", "broker"):
                cluster.processes[name].stop()
            stopped = time.monotonic()
            cluster.start_broker(window=4)
            for name in ("w1", "w2"):
                cluster.start_worker(name, wait=False)
            until(lambda: self.position(cluster) > at, "gateways go on with the other key")
            self.assertLess(time.monotonic() - stopped, KEY_S)
            self.assertNotEqual((cluster.keys / "broker.pub").read_text(), former)
            for gateway in GATEWAYS:
                self.assertIn("event=keys_changed",
                              cluster.processes[f"gateway.{BRANCH}.{gateway}"].text())
        self.play(fault)

    def test_redis_is_killed_and_comes_back_from_its_log(self):
        def fault(cluster):
            cluster.processes["redis"].kill()
            cluster.start_redis()
        self.play(fault)

    def test_redis_is_emptied(self):
        def fault(cluster):
            cluster.redis("FLUSHALL")
        self.play(fault)

    def test_everything_at_once(self):
        def fault(cluster):
            for name in ("worker-w1", "worker-w2", "broker", f"gateway.{BRANCH}.floor",
                         f"gateway.{BRANCH}.desk", "redis"):
                cluster.processes[name].kill()
            self.start(cluster)
        self.play(fault)


if __name__ == "__main__":
    main()
