"""A Redis and its replica; a symbolic link where the cluster looks for its Redis names the primary."""

import os

from cluster import until


class RedisPair:
    def __init__(self, cluster):
        self._cluster = cluster
        self._primary, self._replica = "a", "b"
        self._start(self._primary)
        self._start(self._replica, self._replica_of(self._primary))
        self._show_primary()

    @property
    def replica_path(self):
        """Where it can be asked what it has."""
        return self._socket(self._replica)

    def _port(self, name):
        return self._cluster.port + {"a": 2, "b": 3}[name]

    def _socket(self, name):
        return self._cluster.folder / f"redis-{name}.sock"

    def _replica_of(self, name):
        return ["--replicaof", f"{self._cluster.host} {self._port(name)}"]

    def _start(self, name, more=()):
        self._cluster.start_redis_server(f"redis-{name}", self._socket(name), "--bind",
                                         self._cluster.host, "--port", self._port(name),
                                         "--repl-diskless-sync-delay", "0", *more)

    def _show_primary(self):
        new = self._cluster.folder / "redis.new"
        os.symlink(self._socket(self._primary), new)
        os.replace(new, self._cluster.redis_path)

    def _ask(self, name, *words):
        return self._cluster.redis_at(self._socket(name), *words)

    def kill(self):
        """The primary dies and comes back from its log, which lacks what it had not written."""
        self._cluster.processes[f"redis-{self._primary}"].kill()
        self._start(self._primary)

    def part(self):
        """From now on the replica, which followed until now, misses what is written."""
        until(lambda: "master_link_status:up" in self._ask(self._replica, "INFO", "replication"),
              "the replica follows")
        self._ask(self._replica, "REPLICAOF", "NO", "ONE")

    def fail_over(self):
        """The replica, parted or not, is the primary; the old one dies and follows it."""
        self._primary, self._replica = self._replica, self._primary
        self._cluster.processes[f"redis-{self._replica}"].kill()
        self._ask(self._primary, "REPLICAOF", "NO", "ONE")
        self._show_primary()
        self._start(self._replica, self._replica_of(self._primary))
