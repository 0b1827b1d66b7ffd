#!/usr/bin/env python3
"""Instruction counts of the hot paths on fixed inputs, as callgrind counts them, against a stored
budget: unlike times they are the same on a busy machine. Only our own objects count: what libc and
libzmq execute depends on the processor. A path that needs over 10 % more than its budget fails,
and the functions that grew most are named.

  budget.py PROGRAM COMPILER             e.g. "GNU 12.2.0 Release"; exit status 77: skipped
  budget.py PROGRAM COMPILER --record    store what is counted now as this compiler's budget
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "ops", "bench"))
import workload  # noqa: E402

BUDGETS = os.path.join(HERE, "budgets.json")
PATHS = ("batching", "messages", "ingest", "minutes", "judging", "dispatch")
RISE = 1.10
SKIPPED = 77


def own_counts(path, program):
    """{function: instructions} of a callgrind output, those of `program` alone."""
    names = {"ob": {}, "fn": {}}
    current = {"ob": "", "fn": ""}
    counts = {}
    inclusive = False
    for line in open(path, encoding="utf-8", errors="replace"):
        match = re.match(r"(ob|fn)=\((\d+)\)(?: (.*))?$", line.rstrip())
        other = re.match(r"c(ob|fn)=\((\d+)\)(?: (.*))?$", line.rstrip())
        if match or other:
            kind, number, name = (match or other).groups()
            if name:
                names[kind][number] = name
            if match:
                current[kind] = names[kind][number]
        elif line.startswith("calls="):
            inclusive = True  # the next line is the cost of what is called
        elif re.match(r"[+\-*\d]", line):
            if not inclusive and os.path.realpath(current["ob"]) == program:
                function = current["fn"]
                counts[function] = counts.get(function, 0) + int(line.split()[-1])
            inclusive = False
    return counts


def count(program, config, path, folder):
    out = os.path.join(folder, path)
    subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
                    f"--toggle-collect=counted_{path}", f"--callgrind-out-file={out}", program,
                    config, path], check=True, capture_output=True)
    return own_counts(out, program)


def grown(now, budget):
    """The functions that grew most, for the message."""
    rises = {name: now.get(name, 0) - budget.get(name, 0) for name in {*now, *budget}}
    most = sorted(rises, key=rises.get, reverse=True)[:3]
    return ", ".join(f"{name} {budget.get(name, 0)} -> {now.get(name, 0)}" for name in most
                     if rises[name] > 0)


def main():
    program, compiler = os.path.realpath(sys.argv[1]), sys.argv[2]
    record = sys.argv[3:] == ["--record"]
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return SKIPPED
    with open(BUDGETS, encoding="utf-8") as file:
        budgets = json.load(file)
    if compiler not in budgets and not record:
        print(f"skipped: no budget for {compiler}; budget.py ... --record makes one")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config")
        workload.write(os.path.join(ROOT, "config"), config, 1, 4)
        counts = {path: count(program, config, path, folder) for path in PATHS}
    if record:
        budgets[compiler] = counts
        with open(BUDGETS, "w", encoding="utf-8") as file:
            json.dump(budgets, file, indent=1, sort_keys=True)
            file.write("\n")
    failed = False
    for path, now in counts.items():
        budget = budgets[compiler][path]
        total, most = sum(now.values()), sum(budget.values())
        over = not total or total > most * RISE
        failed |= over
        print(f"{path:<10} {total:>10} instructions, budget {most:>10}"
              + (f"  TOO MANY: {grown(now, budget) or 'nothing was counted'}" if over else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
