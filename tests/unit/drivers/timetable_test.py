#!/usr/bin/env python3
"""The shipped example day is what its generator writes, and plays entirely.

    timetable_test.py PLAY SOURCE_DIR
"""

import collections
import gzip
import subprocess
import sys
import tempfile


FILES = ["desk.csv", "floor.csv.gz", "radar.bin.gz", "ear.jsonl.gz", "form.csv",
         *(f"eye-{desk}.csv.gz" for desk in range(1, 5))]


def read(path):
    return gzip.open(path) if path.endswith(".gz") else open(path, "rb")


def same_bytes(source):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, f"{source}/ops/day/timetable.py", "--out", folder],
                       check=True)
        for name in FILES:
            with read(f"{folder}/{name}") as new, read(f"{source}/ops/day/{name}") as old:
                assert new.read() == old.read(), f"{name} is not what timetable.py writes"


def plays(play, source):
    out = subprocess.run([play, f"{source}/config/gateways/musterstadt-desk.yaml",
                          f"{source}/config/measures.yaml", "Europe/Berlin", "0", "0"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    facts = [line.split(" ")[1:] for line in out.splitlines() if line.startswith("F ")]
    over = {fact[0]: fact for fact in facts if fact[5] != "open"}
    outcomes = collections.Counter(fact[5] for fact in over.values())
    with open(f"{source}/ops/day/desk.csv", encoding="utf-8") as log:
        rows = sum(1 for line in log if line[:2] == "20")
    assert len(over) == rows >= 80, (len(over), rows)
    assert outcomes["abandoned"] > 0 and outcomes["normal"] >= 80, outcomes
    assert len({fact[4] for fact in over.values() if fact[4] != "-"}) == 8, "eight employees"
    assert {fact[1] for fact in over.values()} == {f"desk-{i}" for i in range(1, 5)}
    assert "\nO " not in out, "nothing in the example is odd:\n" + out[-500:]
    waits = [int(f[8]) - int(f[6]) for f in over.values() if f[5] == "normal"]
    assert any(w <= 120000 for w in waits) and any(w > 120000 for w in waits)
    print(f"{len(over)} encounters: {dict(outcomes)}")


def perceives(play, source, gateway, drivers, odd):
    """Every driver of the gateway plays to its end; nothing but `odd` is counted. What it brings."""
    members = collections.Counter()
    for driver in range(drivers):
        out = subprocess.run([play, f"{source}/config/gateways/musterstadt-{gateway}.yaml",
                              f"{source}/config/measures.yaml", "Europe/Berlin", str(driver), "0"],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in out.splitlines():
            words = line.split(" ")
            assert words[0] != "O" or words[1] in odd, line
            if words[0] in "SE":
                members[words[1]] += 1
    print(gateway, dict(members))
    return members


same_bytes(sys.argv[2])
plays(*sys.argv[1:])
eye = perceives(*sys.argv[1:], "eye", 4, {"frame_gap"})  # nobody is filmed between two services
assert min(eye[f"vision.{name}"] for name in ("smile", "facing", "gaze")) > 5000
ear = perceives(*sys.argv[1:], "ear", 1, set())
assert ear["audio.phrase"] > 200 and ear["audio.loudness"] > 10000
form = perceives(*sys.argv[1:], "form", 1, set())
assert min(form[f"appearance.{name}"] for name in ("badge", "uniform", "tidiness")) > 400
