"""Programs that cannot reach each other for a while, both ways or one way: a cable pulled, a filter; and
a link that is only slow."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, main, sample  # noqa: E402
from faulted_day import FaultedDay  # noqa: E402
from proxy import DOWN, UP, Proxy  # noqa: E402

LINKS = ("gateways-broker", "workers-broker", "workers-redis")
WAYS = {"both ways": (UP, DOWN), "no requests": (UP,), "no answers": (DOWN,)}
REDIS_PORT, PROXY_PORT = 2, 4  # the links' own from there on
MEGABIT, SLOWLY = 10**6, 1000  # bits a second; batches
SHORT_S, LONG_S = 0.3, 2.5  # less and more than it takes to be thought dead


def behind_proxies(cluster):
    """Every link of this cluster passes a proxy."""
    def proxy(link, target):
        port = cluster.port + PROXY_PORT + LINKS.index(link)
        cluster.proxies[link] = Proxy((cluster.host, port), (cluster.host, cluster.port + target))
        return port
    cluster.proxies = {}
    cluster.start_redis("--bind", cluster.host, "--port", cluster.port + REDIS_PORT)
    cluster.gateways_connect = f"tcp://{cluster.host}:{proxy('gateways-broker', 0)}"
    workers_connect = f"tcp://{cluster.host}:{proxy('workers-broker', 1)}"
    cluster.worker_settings |= {
        "brokers": [workers_connect], "redis_path": "", "redis_host": cluster.host,
        "redis_port": proxy("workers-redis", REDIS_PORT), "redis_command_ms": 1000 * PATIENCE}


class Partitions(FaultedDay):
    def part(self, link, way, seconds, keep):
        def fault(cluster):
            proxy = cluster.proxies[link]
            proxy.hold(*WAYS[way])
            time.sleep(seconds * PATIENCE)
            proxy.heal(keep)
            self.goes_on(cluster, self.position(cluster), seconds=5 * PATIENCE)
        for proxy in self.play(fault, behind_proxies).proxies.values():
            proxy.close()

    def test_each_link_each_way(self):
        every = [(link, way, seconds, keep) for link in LINKS for way in WAYS
                 for seconds, keep in ((SHORT_S, True), (LONG_S, True), (LONG_S, False))]
        for link, way, seconds, keep in sample(every, 4):
            with self.subTest(link=link, way=way, seconds=seconds, delivered_late=keep):
                self.part(link, way, seconds, keep)

    def test_redis_behind_a_slow_link(self):
        """Slow is not dead: no worker gives its connection up, and so none repeats a call."""
        def start_redis(cluster):
            behind_proxies(cluster)
            cluster.worker_settings["redis_command_ms"] = 5000 * PATIENCE

        def fault(cluster):
            link = cluster.proxies["workers-redis"]
            link.slow(MEGABIT)
            began = time.monotonic()
            self.goes_on(cluster, self.position(cluster), batches=SLOWLY)
            print(f"{SLOWLY} batches in {time.monotonic() - began:.1f} s", file=sys.stderr)
            link.slow()
            for name in ("w1", "w2"):
                self.assertNotIn("store_down", cluster.processes[f"worker-{name}"].text())
        for proxy in self.play(fault, start_redis).proxies.values():
            proxy.close()


if __name__ == "__main__":
    main()
