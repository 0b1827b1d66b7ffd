#!/usr/bin/env python3
"""The shipped example day is what its generator writes, and plays entirely.

    timetable_test.py PLAY SOURCE_DIR
"""

import collections
import gzip
import subprocess
import sys
import tempfile


def same_bytes(source):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, f"{source}/ops/day/timetable.py", "--out", folder],
                       check=True)
        with open(f"{folder}/desk.csv", "rb") as new, open(f"{source}/ops/day/desk.csv", "rb") as old:
            assert new.read() == old.read(), "desk.csv is not what timetable.py writes"
        with gzip.open(f"{folder}/floor.csv.gz") as new, gzip.open(
                f"{source}/ops/day/floor.csv.gz") as old:
            assert new.read() == old.read(), "floor.csv.gz is not what timetable.py writes"


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


same_bytes(sys.argv[2])
plays(*sys.argv[1:])
