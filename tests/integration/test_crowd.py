"""A thousand gateways come at once, and again when their broker has died: all are served."""

import os
import pathlib
import resource
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from bare_gateway import BareGateway, broker_key, register, zmq  # noqa: E402
from cluster import LONG, PATIENCE, Case, main, until  # noqa: E402

BRANCHES, GATEWAYS = 50, 20
WORKERS = [f"w{number}" for number in range(1, 9)]
BACKLOG, WINDOW = 600 if LONG else 30, 8
CREDIT = 1024  # jobs_max of a worker
SERVED_S = 5 * PATIENCE
MEMORY_MB = 100
READY_S = 3 * PATIENCE


@unittest.skipIf(zmq is None, "python3-zmq and python3-msgpack are not installed")
class Crowd(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.context = zmq.Context()
        self.context.max_sockets = 2 * BRANCHES * GATEWAYS
        self.addCleanup(self.context.destroy)
        self.gateways = [BareGateway(f"branch-{b}", f"g-{g}")
                         for b in range(BRANCHES) for g in range(GATEWAYS)]
        register(self.cluster, self.gateways)
        self.cluster.start_redis()
        self.start_broker()
        for name in WORKERS:
            self.cluster.start_worker(name)

    def start_broker(self):
        """With the descriptors that Debian gives a process at first; a socket here takes two."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, most))
        self.cluster.start_broker()
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def serve(self, waiting, done):
        """Until done(gateway) is true of all; fails when it takes too long."""
        poller = zmq.Poller()
        by_socket = {one.socket: one for one in waiting}
        for sock in by_socket:
            poller.register(sock, zmq.POLLIN)
        end = time.monotonic() + SERVED_S
        while by_socket and time.monotonic() < end:
            for sock, _ in poller.poll(100):
                one = by_socket[sock]
                one.receive()
                if done(one):
                    poller.unregister(sock)
                    del by_socket[sock]
        self.assertEqual(len(by_socket), 0, f"not served within {SERVED_S} s")

    def come(self, times):
        """All connect and send a batch; how long that took."""
        began = time.monotonic()
        key = broker_key(self.cluster)
        for one in self.gateways:
            one.connect(self.context, self.cluster.gateways_endpoint, key)
        self.serve(self.gateways, lambda one: one.position == times - 1)
        for one in self.gateways:
            one.send_batch()
        self.serve(self.gateways, lambda one: one.position == times)
        return time.monotonic() - began

    def all_workers_serve(self):
        workers = self.cluster.status()["workers"]
        return len(workers) == len(WORKERS) and all(
            one["ready"] and one["assigned"] == 0 and one["credit"] == CREDIT for one in workers)

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.cluster.processes['broker'].pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def test_all_are_served_when_they_come_and_when_they_come_again(self):
        first_s = self.come(1)
        first_mb = self.memory_mb()
        self.cluster.processes["broker"].kill()
        for one in self.gateways:
            one.socket.close()
        until(lambda: len(os.listdir("/proc/self/fd")) < 512, "the sockets are closed")
        self.start_broker()
        until(lambda: sum(one["ready"] for one in self.cluster.status()["workers"]) == len(WORKERS),
              "all workers have found it", seconds=READY_S)
        again_s = self.come(2)
        until(self.all_workers_serve, "all workers are ready, with all their credit and no job")
        again_mb = self.memory_mb()
        print(f"{len(self.gateways)} gateways: {first_s:.1f} s and {first_mb:.0f} MB, "
              f"after a restart {again_s:.1f} s and {again_mb:.0f} MB", file=sys.stderr)
        if PATIENCE == 1:  # sanitizers take more
            self.assertLess(max(first_mb, again_mb), MEMORY_MB)
        counters = self.cluster.status()["counters"]
        self.assertEqual(counters["batches"], len(self.gateways))

    def test_backlogs_drain_fairly(self):
        """All but one gateway of each branch come with a backlog; the others stay up to date."""
        key = broker_key(self.cluster)
        for one in self.gateways:
            one.connect(self.context, self.cluster.gateways_endpoint, key)
        self.serve(self.gateways, lambda one: one.position == 0)
        behind = [one for one in self.gateways if one.name != "g-0"]
        live = [one for one in self.gateways if one.name == "g-0"]
        ended_s, lags_s, sent_s = {}, [], {}
        poller, by_socket = zmq.Poller(), {one.socket: one for one in self.gateways}
        for sock in by_socket:
            poller.register(sock, zmq.POLLIN)
        began = time.monotonic()
        while len(ended_s) < len(behind):
            self.assertLess(time.monotonic() - began, 60 * PATIENCE)
            for one in live:  # one batch at a time: how long until it is answered?
                if one.position == one.sent:
                    one.send_batch()
                    sent_s[one] = time.monotonic()
            for one in behind:
                while one.sent < BACKLOG and one.sent - one.position < WINDOW:
                    one.send_batch()
            for sock, _ in poller.poll(100):
                one = by_socket[sock]
                one.receive()
                if one in sent_s and one.position == one.sent:
                    lags_s.append(time.monotonic() - sent_s[one])
                elif one.position == BACKLOG and one not in ended_s:
                    ended_s[one] = time.monotonic() - began
        times = sorted(ended_s.values())
        spread = times[-1] / times[len(times) // 2]
        lag_s = sorted(lags_s)[len(lags_s) * 99 // 100]
        print(f"{len(behind)} backlogs of {BACKLOG}: slowest {times[-1]:.1f} s, {spread:.2f} times "
              f"the median; without a backlog 99 % are answered within {lag_s:.2f} s",
              file=sys.stderr)
        self.assertLess(spread, 1.5)
        self.assertLess(lag_s, 5 * PATIENCE)


if __name__ == "__main__":
    main()
