#!/usr/bin/env python3
"""The examples of PROTOCOL.md as seeds for the fuzzer, one folder a kind.

usage: corpus.py PROTOCOL.md FOLDER
"""
import os
import re
import sys

BLOCK = re.compile(r"^```golden (\w+) [^\n]*\n.*?\n---\n([0-9a-f\n]*)```$", re.M | re.S)


def main():
    page, folder = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        blocks = BLOCK.findall(file.read())
    for index, (kind, digits) in enumerate(blocks):
        os.makedirs(os.path.join(folder, kind), exist_ok=True)
        with open(os.path.join(folder, kind, f"golden-{index}"), "wb") as file:
            file.write(bytes.fromhex(digits))
    sys.exit(not blocks)


if __name__ == "__main__":
    main()
