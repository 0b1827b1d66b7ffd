#!/usr/bin/env python3
"""Every #include "..." is an edge of the layering, and headers do not include each other in circles.

usage: includes.py SOURCE_DIR
"""
import os
import re
import sys

PURE_COMMON = {"common/base", "common/domain", "common/wire"}
COMMON = PURE_COMMON | {"common/settings", "common/registry", "common/io"}

# folder -> folders that its files may include, besides itself; or single headers of a folder.
ALLOWED = {
    "common/base": set(),
    "common/domain": {"common/base"},
    "common/wire": {"common/base", "common/domain"},
    "common/settings": {"common/base", "common/domain"},
    "common/registry": {"common/base", "common/domain", "common/settings"},
    "common/io": {"common/base", "common/domain"},
    "broker/core": PURE_COMMON,
    "broker/shell": COMMON | {"broker/core"},
    # A standard is a word of both; loading a standard runs its own examples through the engine.
    "worker/engine": PURE_COMMON | {"worker/standards/standard.h"},
    "worker/standards": PURE_COMMON
    | {"common/settings/document.h", "common/settings/problems.h", "worker/engine"},
    "worker/store": COMMON | {"worker/standards", "worker/engine"},
    "worker/core": PURE_COMMON | {"worker/engine", "worker/standards", "worker/store/calls.h",
                                   "worker/store/decisions.h", "worker/store/state.h"},
    # What config/ holds, read from files: for the worker and for tresenctl.
    "worker/catalogue": COMMON - {"common/io"} | {"worker/engine", "worker/standards"},
    "worker/shell": COMMON
    | {"worker/catalogue", "worker/core", "worker/engine", "worker/standards", "worker/store"},
    "sensors-gw/core": PURE_COMMON,
    "sensors-gw/simulate": {"common/base", "common/domain"},
    "sensors-gw/drivers": PURE_COMMON
    | {"common/settings", "sensors-gw/core", "sensors-gw/simulate"},
    "sensors-gw/exam": PURE_COMMON,
    "sensors-gw/shell": COMMON | {"sensors-gw/core", "sensors-gw/drivers", "sensors-gw/exam"},
    "ops/ctl": COMMON
    | {"worker/catalogue", "worker/core", "worker/engine", "worker/standards", "worker/store",
       "broker/core", "sensors-gw/core"},
    # Drives the parts as the programs do, and writes with the store's own calls.
    "ops/bench": COMMON
    | {"worker/catalogue", "worker/core", "worker/engine", "worker/standards", "worker/store",
       "sensors-gw/core", "sensors-gw/shell/spool.h"},
}

# Folders with rules of their own: tests look at everything.
UNCHECKED = ("tests/", "build/")

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def sources(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name), root)
            if name.endswith((".c", ".h")) and not path.startswith(UNCHECKED):
                yield path


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1)


def check_edges(root, graph):
    for path, edges in graph.items():
        folder = os.path.dirname(path)
        if folder not in ALLOWED:
            yield f"{path}: folder {folder} is not in the table of {os.path.basename(__file__)}"
            continue
        for number, target in edges:
            if os.path.exists(os.path.join(root, folder, target)) and "/" not in target:
                yield f'{path}:{number}: write "{folder}/{target}", the path from the root'
                continue
            into = os.path.dirname(target)
            if into != folder and into not in ALLOWED[folder] and target not in ALLOWED[folder]:
                yield f"{path}:{number}: {folder} may not include {target}"


def find_circle(graph):
    """A list of headers that include each other in a circle, or None."""
    done, trail = set(), []

    def visit(path):
        if path in trail:
            return trail[trail.index(path):] + [path]
        if path in done:
            return None
        trail.append(path)
        for _, target in graph.get(path, ()):
            circle = visit(target)
            if circle:
                return circle
        trail.pop()
        done.add(path)
        return None

    for path in graph:
        circle = visit(path)
        if circle:
            return circle
    return None


def main():
    root = sys.argv[1]
    graph = {path: list(includes(root, path)) for path in sources(root)}
    wrong = list(check_edges(root, graph))
    circle = find_circle(graph)
    if circle:
        wrong.append("headers in a circle: " + " -> ".join(circle))
    print("\n".join(wrong) or f"{len(graph)} files, every include is an allowed edge")
    sys.exit(bool(wrong) or not graph)


if __name__ == "__main__":
    main()
