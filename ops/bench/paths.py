"""One run of each path: starts what it needs, measures it, checks what must have come out."""

import copy
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import time

from processes import Failed, Process, Redis

VERDICTS, SCORES = 8, 7  # of a cell, as worker/store/KEYS.md has it
SAMPLES = 3000  # of each measure in an encounter of five minutes


class Bench:
    """What all paths of a run share."""

    def __init__(self, build, folder, config, branches, measures, encounters, window, batch,
                 samples=SAMPLES):
        self.build, self.folder, self.config = build, folder, config
        self.branches, self.measures = branches, measures
        self.encounters, self.window, self.batch = encounters, window, batch
        self.samples = samples
        self.log = os.path.join(folder, "log")
        os.makedirs(self.log, exist_ok=True)

        self.fifth = 2000  # batches a second: of what Tresen takes, once that was measured

    def shorter(self, encounters):
        other = copy.copy(self)
        other.encounters = encounters
        return other

    def observations(self):
        return len(self.branches) * len(self.measures) * self.encounters * self.samples

    def gateways(self):
        return [re.sub("[._]", "-", measure["id"]) for measure in self.measures]

    def endpoint(self, name):
        return f"ipc://{self.folder}/{name}"

    def driver(self, path, **settings):
        settings = {"config_dir": self.config, "encounters": self.encounters,
                    "window": self.window, "batch_observations": self.batch,
                    "encounter_samples": self.samples, **settings}
        command = [os.path.join(self.build, "tresen-bench")]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        name = f"{path}-{settings['part'] + 1}" if settings.get("part") else path
        return Process(name, command + [path], self.log, piped=True)


def result_of(drivers, processes):
    """Of all drivers together; latencies: the largest of theirs."""
    results = [json.loads(driver.line(processes)) for driver in drivers]
    whole = {"started_ns": min(result["started_ns"] for result in results),
             "ended_ns": max(result["ended_ns"] for result in results)}
    for key in ("observations", "batches", "wire_bytes"):
        whole[key] = sum(result[key] for result in results)
    for key in ("p50_ms", "p99_ms"):
        if key in results[0]:
            whole[key] = max(result[key] for result in results)
    return whole


def measure(drivers, processes, finished=None):
    """From `ready` to the end. finished(): waits until all of it is done, where the drivers
    themselves cannot know."""
    for driver in drivers:
        if driver.line(processes) != "ready":
            raise Failed(f"{driver.name} is not ready")
    before = {process: process.cpu_s() for process in processes}
    for driver in drivers:
        driver.say()
    result = result_of(drivers, processes)
    if finished:
        finished()
        result["ended_ns"] = time.monotonic_ns()
    millions = result["observations"] / 1e6
    seconds = (result["ended_ns"] - result["started_ns"]) / 1e9
    cpu = {}
    for process in processes:
        cpu[process.name] = (process.cpu_s() - before[process]) / millions
    return {"obs_per_s": result["observations"] / seconds, "seconds": seconds,
            "observations": result["observations"], "batches": result["batches"],
            "cpu_s_per_mobs": sum(cpu.values()), "cpu_by_process": cpu,
            "peak_mib": {p.name: p.peak_bytes() / 2**20 for p in processes},
            "p50_ms": result.get("p50_ms"), "p99_ms": result.get("p99_ms"),
            "wire_bytes_per_obs": result["wire_bytes"] / result["observations"]}


# ---------------------------------------------------------------------- Tresen


def all_final(redis, bench, processes):
    """No encounter is open: each was judged, with all its gateways behind it."""
    left = list(bench.branches)
    deadline = time.monotonic() + 120
    while left:
        some = left[:64]  # of ten thousand branches, asking for all takes longer than they do
        open_ones = redis.send([("ZCARD", f"t:{{{branch}}}:open:desk") for branch in some])
        left = [branch for branch, count in zip(some, open_ones) if count] + left[64:]
        if not any(open_ones):
            continue
        if time.monotonic() > deadline:
            raise Failed("not all encounters became final")
        for process in processes:
            process.check()
        time.sleep(0.002)


def keys_by_branch(redis, pattern):
    """One look at all keys for all branches."""
    found = {}
    for key in redis.call("KEYS", "t:{*}:" + pattern):
        found.setdefault(key.split(b"{")[1].split(b"}")[0].decode(), []).append(key)
    return found


def standard_names(redis, key):
    return [row["id"] for row in json.loads(redis.call("GET", key))["standards"]]


def cell_read(data, standards):
    head = struct.unpack_from("<7I", data)
    at = 28 + SCORES * 12
    rows = []
    for _ in range(standards):
        *verdicts, degrees, coverages, degree_sum, coverage_sum = struct.unpack_from("<10I2q", data,
                                                                                     at)
        rows.append((verdicts, degrees, coverages, degree_sum, coverage_sum))
        at += 56
    if at != len(data):
        raise Failed(f"a cell of {len(data)} bytes has not {standards} standards")
    return {"encounters": head[0], "provisional": head[1], "rows": rows}


def expected_degree(measure_row):
    """Of the mean standard, in millionths: from the very numbers that the workload sends."""
    least, most = (round(limit / measure_row["resolution"]) for limit in measure_row["range"])
    level, rise = least + (most - least) // 4, (most - least) // 400
    mean = level + rise * (40 - 1) / 2
    middle = (least + most) / 2
    return round(min(1, (mean - least) / (middle - least)) * 1e6)


def check_totals(redis, bench):
    """Every encounter counted once, judged on all of its observations, and nothing left out."""
    sets, days = keys_by_branch(redis, "set:*"), keys_by_branch(redis, "d:*")
    names = standard_names(redis, sets[bench.branches[0]][0])
    for branch in bench.branches:
        prefix = f"t:{{{branch}}}:"
        names_counted = redis.call("HKEYS", prefix + "counters")
        left_out = [name for name in names_counted if not name.endswith(b":births")]
        if left_out:
            raise Failed(f"{branch}: {left_out}")
        cells = [cell_read(cell, len(names))
                 for cell in redis.send([("GET", key) for key in days[branch]])]
        encounters = sum(cell["encounters"] for cell in cells)
        if encounters != bench.encounters or any(cell["provisional"] for cell in cells):
            raise Failed(f"{branch}: {encounters} encounters, not {bench.encounters}")
        for place, name in enumerate(names):
            rows = [cell["rows"][place] for cell in cells]
            verdicts = [sum(row[0][v] for row in rows) for v in range(VERDICTS)]
            if sorted(verdicts)[-1] != encounters or sum(verdicts) != encounters:
                raise Failed(f"{branch} {name}: equal encounters, unequal verdicts {verdicts}")
            if sum(row[4] for row in rows) != encounters * 1000000:
                raise Failed(f"{branch} {name}: not all was covered")
            for measure_row in bench.measures:
                if name == measure_row["id"].replace("_", "-").replace(".", "-") + ".mean":
                    expected = expected_degree(measure_row) * encounters
                    if abs(sum(row[3] for row in rows) - expected) > encounters:
                        raise Failed(f"{branch} {name}: degree {rows}, expected {expected}")


def words(settings):
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def start_broker(bench, batches_max=65536, **settings):
    endpoints = {f"{name}_endpoint": bench.endpoint(name)
                 for name in ("gateways", "workers", "control")}
    settings = {"config_dir": bench.config, "insecure": "true", "window": bench.window,
                "batches_max": batches_max, **endpoints, **settings}
    return Process("broker", [os.path.join(bench.build, "tresen-broker"), *words(settings)],
                   bench.log)


def start_worker(bench, name, redis, **settings):
    settings = {"worker": name, "insecure": "true", "config_dir": bench.config,
                "redis_path": redis.path,
                "brokers": json.dumps([bench.endpoint("workers")])} | settings
    return Process(name, [os.path.join(bench.build, "tresen-worker"), *words(settings)], bench.log)


def logged(fsync):
    return ("--appendonly", "yes", "--appendfsync", fsync)


def replica(port, folder, log):
    """One that has caught up."""
    follower = Redis(folder, log, "--replicaof", f"127.0.0.1 {port}", name="replica")
    deadline = time.monotonic() + 20
    while follower.info("replication").get("master_link_status") != "up":
        if time.monotonic() > deadline:
            follower.stop()
            raise Failed("the replica does not follow")
        time.sleep(0.02)
    return follower


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def tresen_replicated(bench):
    """Each batch is in a replica, too, before it is acknowledged."""
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
    return tresen(bench, options=options, acknowledge="replicated",
                  beside=lambda: replica(port, bench.folder, bench.log))


def keys_make(bench, workers):
    """A key for everybody, as `tresenctl keys new` makes them."""
    folder = os.path.join(bench.folder, "keys")
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700)
        names = ["broker", *(f"worker.worker-{number + 1}" for number in range(workers))]
        for branch in bench.branches:
            names += [f"gateway.{branch}.{gateway}" for gateway in bench.gateways()]
        for name in names:
            subprocess.run([os.path.join(bench.build, "tresenctl"), "keys", "new", name,
                            "--dir", folder], check=True, capture_output=True)
    return folder


def tresen(bench, workers=1, rate=0, options=(), beside=None, curve=False, durable=False, parts=1,
           **settings):
    """beside: starts what else has to be there, after Redis. Settings are the workers'."""
    redis = Redis(bench.folder, bench.log, *options)
    started = [redis]
    try:
        if beside:
            started.append(beside())
        load, security = {"rate": rate, "parts": parts, "endpoint": bench.endpoint("gateways")}, {}
        if curve:
            load["keys_dir"] = keys_make(bench, workers)
            security = {"insecure": "false", "keys_dir": load["keys_dir"]}
        if durable:
            load["spool_dir"] = tempfile.mkdtemp(prefix="spools-", dir=bench.folder)
        ours = [start_broker(bench, **security)]
        started += ours
        for number in range(workers):
            ours.append(start_worker(bench, f"worker-{number + 1}", redis, **security, **settings))
            started.append(ours[-1])
        drivers = [bench.driver("load", part=part, **load) for part in range(parts)]
        started += drivers
        processes = [*drivers, *ours, redis.process]
        result = measure(drivers, processes,
                         lambda: all_final(redis, bench, [*ours, redis.process]))
        result["redis_bytes_per_obs"] = redis.bytes_in() / result["observations"]
        result["kept_bytes_per_obs"] = (redis.bytes_used() - redis.empty) / result["observations"]
        result["settled_per_s"] = len(bench.branches) * bench.encounters / result["seconds"]
        check_totals(redis, bench)
        return result
    finally:
        for process in reversed(started):
            process.stop()


# ---------------------------------------------------------------------- what else could be done


def with_redis(bench, path, check=None, **settings):
    redis = Redis(bench.folder, bench.log)
    started = [redis]
    try:
        driver = bench.driver(path, redis_path=redis.path, **settings)
        started.append(driver)
        result = measure([driver], [driver, redis.process])
        result["redis_bytes_per_obs"] = redis.bytes_in() / result["observations"]
        if check:
            check(redis)
        return result
    finally:
        for process in reversed(started):
            process.stop()


def direct_check(redis, bench, result):
    """Every observation is in one of the bands."""
    total = 0
    for branch in bench.branches:
        rows = redis.call("HGETALL", f"b:{{{branch}}}")
        fields = dict(zip(rows[::2], rows[1::2]))
        total += sum(int(value) for field, value in fields.items() if field.isdigit())
    if total != result["observations"]:
        raise Failed(f"direct: {total} observations counted, not {result['observations']}")


def direct(bench):
    expected = {"observations": bench.observations()}
    return with_redis(bench, "direct", lambda redis: direct_check(redis, bench, expected))


def direct_best(bench):
    return with_redis(bench, "direct-best")


def redis_streams(bench):
    return with_redis(bench, "redis-streams")


def alone(bench, path, **settings):
    driver = bench.driver(path, **settings)
    try:
        return measure([driver], [driver])
    finally:
        driver.stop()


def zmq(bench):
    return alone(bench, "zmq", endpoint=f"ipc://{bench.folder}/zmq")


def memcpy(bench):
    return alone(bench, "memcpy")


def often(bench, path):
    """What one core does fast: often enough for the kernel's clock of CPU time."""
    return alone(bench.shorter(40 * bench.encounters), path)


def engine(bench):
    return often(bench, "engine")


def engine_plain(bench):
    return often(bench, "engine-plain")


def settling(bench):
    return often(bench, "settling")


def settling_late(bench):
    return often(bench, "settling-late")
